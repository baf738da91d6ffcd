//! Pull requests: what people do with them, and what may break on the way.

use std::{fs, sync::Arc};

use coditect_registry::record::ApprovalState;
use coditect_renderer::proposals::{
    Pages, Passed, branch_of,
    github::{Github, GithubConfig},
};

use crate::{
    people::Merge,
    review::Review,
    stand_in::{COMMENT_LIMIT, Fault, StandIn, TOKEN},
};

/// A change that waits, and the GitHub that its policy is on.
pub(crate) struct Hosted {
    pub(crate) review: Review,
    pub(crate) github: StandIn,
}

impl Hosted {
    pub(crate) async fn new() -> Self {
        let review = Review::new().await;
        let github = StandIn::start(review.hosted()).await;
        fs::write(review.world.folder.path().join("token"), TOKEN).unwrap();
        Self { review, github }
    }

    pub(crate) fn config(&self) -> GithubConfig {
        let token = self.review.world.folder.path().join("token");
        let mut config = GithubConfig::new("acme/policy", token);
        config.api = format!("http://{}/api/v3", self.github.address);
        config
    }

    /// As a process that knows nothing of the ones before.
    pub(crate) fn pages(&self) -> Pages {
        let host = Github::new(&self.config()).unwrap();
        self.review.pages(Arc::new(host))
    }

    pub(crate) async fn pass(&self, pages: &Pages) -> Passed {
        self.review.pass("copy", Some(pages)).await
    }

    /// Passes until one changes nothing anywhere, each by another process; what fails is tried again.
    pub(crate) async fn settle(&self) -> ApprovalState {
        for _ in 0..16 {
            let before = self.everything().await;
            let passed = self.pass(&self.pages()).await;
            if passed.failed.is_none() && self.everything().await == before {
                return before.1;
            }
        }
        panic!("never settles: {:?}", self.everything().await);
    }

    /// What GitHub was made to do, what the registry says, and how many branches there are.
    async fn everything(&self) -> (usize, ApprovalState, usize) {
        let writes = self.github.with(|state| {
            let writes = state.asked.iter().filter(|asked| asked.method != "GET");
            writes.count()
        });
        let state = self.review.state().await;
        (writes, state, self.review.branches())
    }

    fn proposed(&self) -> ApprovalState {
        ApprovalState::Proposed {
            branch: branch_of(self.review.waits.change),
            url: Some(format!(
                "https://github.example/acme/policy/pull/{}",
                self.github.pull().number
            )),
        }
    }
}

#[tokio::test]
async fn a_change_is_one_pull_request_that_says_what_it_would_change() {
    let hosted = Hosted::new().await;
    assert_eq!(hosted.settle().await, hosted.proposed());
    let pull = hosted.github.pull();
    let request = &hosted.review.waits;
    assert_eq!(
        pull.title,
        format!("approvals: a user of tenant {}", request.tenant)
    );
    assert!(
        pull.text.contains("because the plan becomes pro"),
        "{}",
        pull.text
    );
    let comments = hosted.github.comments();
    assert_eq!(comments.len(), 1, "{comments:?}");
    let text = &comments[0].text;
    assert!(text.len() <= COMMENT_LIMIT);
    assert!(
        text.starts_with(&format!(
            "<!-- coditect approval {} -->\n### 1 user of 1 in one change.",
            request.change
        )),
        "{text}"
    );
    for part in [
        "- because the plan becomes pro (1 user)",
        "| quota `limits.cpu` |",
        "# PersistentVolumeClaim/workspace-<workspace>",
        "-      storage: \"10Gi\"\n+      storage: \"100Gi\"",
        "# ResourceQuota/workspace-quota",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    for secret in ["p0@example.com", "Ada", TOKEN] {
        assert!(
            !text.contains(secret) && !pull.text.contains(secret),
            "{secret}"
        );
    }
}

#[tokio::test]
async fn merged_approves_and_closed_declines_and_reopened_asks_again() {
    for how in [Merge::Commit, Merge::Squash] {
        let hosted = Hosted::new().await;
        hosted.settle().await;
        hosted.github.merge(&hosted.review, how);
        assert_eq!(hosted.settle().await.word(), "approved", "{how:?}");
        assert_eq!(hosted.review.branches(), 0);
        assert_eq!(hosted.github.comments().len(), 1);
    }

    let hosted = Hosted::new().await;
    hosted.settle().await;
    hosted.github.close(hosted.github.pull().number);
    assert_eq!(hosted.settle().await.word(), "rejected");
    assert_eq!(hosted.review.branches(), 0);
    hosted.github.reopen(&hosted.review);
    assert_eq!(hosted.settle().await, hosted.proposed());
    hosted.github.merge(&hosted.review, Merge::Commit);
    assert_eq!(hosted.settle().await.word(), "approved");
    assert_eq!(hosted.github.comments().len(), 1);
}

#[tokio::test]
async fn a_deleted_branch_declines() {
    let hosted = Hosted::new().await;
    hosted.settle().await;
    let branch = branch_of(hosted.review.waits.change);
    hosted
        .review
        .reviewer(&["push", "-q", "origin", "--delete", &branch]);
    assert_eq!(hosted.settle().await.word(), "rejected");
    assert!(!hosted.github.pull().open);
}

#[tokio::test]
async fn what_is_overtaken_is_closed_with_a_word_why() {
    let hosted = Hosted::new().await;
    hosted.settle().await;
    hosted.review.wants_something_else().await;
    assert_eq!(hosted.settle().await, ApprovalState::Overtaken);
    assert_eq!(hosted.review.branches(), 0);
    assert!(!hosted.github.pull().open);
    let comments = hosted.github.comments();
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert!(comments[1].text.contains("\nOvertaken: "), "{comments:?}");
}

#[tokio::test]
async fn a_pull_request_that_is_merged_elsewhere_approves_nothing() {
    let hosted = Hosted::new().await;
    hosted.settle().await;
    hosted.github.with(|state| {
        let pull = &mut state.pulls[0];
        (pull.open, pull.base) = (false, "staging".to_owned());
        pull.merged = Some(pull.at.clone());
    });
    assert_eq!(hosted.settle().await.word(), "rejected");
}

#[tokio::test]
async fn somebody_elses_pull_request_of_the_same_name_is_none_of_ours() {
    let hosted = Hosted::new().await;
    let branch = branch_of(hosted.review.waits.change);
    for repository in [Some(2), None] {
        hosted.github.foreign(&branch, repository);
    }
    assert_eq!(hosted.settle().await, hosted.proposed());
    hosted.github.with(|state| {
        for pull in &mut state.pulls {
            if pull.from != Some(1) {
                (pull.open, pull.merged) = (false, Some(pull.at.clone()));
            }
        }
    });
    assert_eq!(hosted.settle().await, hosted.proposed());
}

#[tokio::test]
async fn the_comment_is_edited_in_place_when_the_policy_changes_what_it_says() {
    let hosted = Hosted::new().await;
    hosted.settle().await;
    let before = hosted.github.comments();
    // Others speak too, and one of them imitates.
    let pull = hosted.github.pull().number;
    hosted.github.says(pull, 7, "Why?");
    hosted.github.says(pull, 7, &before[0].text);
    for number in 0..150 {
        hosted.github.says(pull, 7, &format!("{number}"));
    }
    hosted.settle().await;
    assert_eq!(
        hosted.github.comments()[0].edits,
        0,
        "the same again is not written"
    );
    let world = &hosted.review.world;
    world.edit(
        "tenants/plans/pro.yaml",
        "cpuMillis: 4000",
        "cpuMillis: 3500",
    );
    hosted.settle().await;
    let after = hosted.github.comments();
    assert_eq!((after.len(), after[0].edits), (1, 1), "{after:?}");
    assert_ne!(after[0].text, before[0].text);
}

#[tokio::test]
async fn an_apps_comment_is_found_again_as_a_bots() {
    let hosted = Hosted::new().await;
    hosted.github.with(|state| state.app = true);
    hosted.settle().await;
    let pull = hosted.github.pull().number;
    hosted
        .github
        .says(pull, 7, &hosted.github.comments()[0].text);
    hosted.settle().await;
    assert_eq!(hosted.github.comments().len(), 1);
}

#[tokio::test]
async fn of_two_processes_that_comment_at_once_one_comment_stays() {
    let hosted = Hosted::new().await;
    hosted.settle().await;
    let pull = hosted.github.pull().number;
    hosted
        .github
        .says(pull, 1, &hosted.github.comments()[0].text);
    assert_eq!(hosted.github.comments().len(), 2);
    hosted.settle().await;
    assert_eq!(hosted.github.comments().len(), 1);
}

#[tokio::test]
async fn while_nothing_changes_a_look_is_one_conditional_request() {
    let hosted = Hosted::new().await;
    let pages = hosted.pages();
    while hosted.pass(&pages).await.steps > 0 {}
    for _ in 0..3 {
        let before = hosted.github.requests();
        assert_eq!(hosted.pass(&pages).await.steps, 0);
        let asked = hosted.github.with(|state| state.asked.split_off(before));
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!((asked[0].method.as_str(), asked[0].status), ("GET", 304));
        hosted.github.with(|state| state.asked.extend(asked));
    }
    // One that was closed is asked for once.
    hosted.github.close(hosted.github.pull().number);
    while hosted.pass(&pages).await.steps > 0 {}
    let before = hosted.github.requests();
    assert_eq!(hosted.pass(&pages).await.steps, 0);
    assert_eq!(hosted.github.requests(), before + 1);
}

#[tokio::test]
async fn more_open_pull_requests_than_one_answer_holds_are_read() {
    let hosted = Hosted::new().await;
    hosted.settle().await;
    for number in 0..230 {
        hosted
            .github
            .foreign(&format!("topic-{number}"), Some(1_000));
    }
    assert_eq!(hosted.settle().await, hosted.proposed());
    let asked = hosted.github.with(|state| state.asked.clone());
    assert!(
        asked.iter().any(|it| it.path.contains("page=3")),
        "{asked:?}"
    );
    hosted.github.merge(&hosted.review, Merge::Commit);
    assert_eq!(hosted.settle().await.word(), "approved");
}

/// What people do after the change was put before them.
#[derive(Clone, Copy, Debug)]
enum Story {
    Merge,
    Close,
    MoveOn,
}

/// Plays a story in which this goes wrong with the request of this number; gives how many requests there were before
/// people acted, and in all.
async fn play(story: Story, fails: Option<(usize, &Fault)>) -> (usize, usize) {
    let told = format!("{story:?} {fails:?}");
    let hosted = Hosted::new().await;
    if let Some((number, fault)) = fails {
        hosted.github.fails(number, fault.clone());
    }
    assert_eq!(hosted.settle().await, hosted.proposed(), "{told}");
    let opening = hosted.github.requests();
    let (ends, comments) = match story {
        Story::Merge => {
            hosted.github.merge(&hosted.review, Merge::Commit);
            ("approved", 1)
        }
        Story::Close => {
            hosted.github.close(hosted.github.pull().number);
            ("rejected", 1)
        }
        Story::MoveOn => {
            hosted.review.wants_something_else().await;
            ("overtaken", 2)
        }
    };
    assert_eq!(hosted.settle().await.word(), ends, "{told}");
    assert_eq!(hosted.review.branches(), 0, "{told}");
    assert!(!hosted.github.pull().open, "{told}");
    assert_eq!(hosted.github.comments().len(), comments, "{told}");
    (opening, hosted.github.requests())
}

/// Every request of the opening, and of what follows each time, whatever becomes of it: nothing is done twice, and
/// everything is done.
async fn whatever_breaks(fault: &Fault) {
    for story in [Story::MoveOn, Story::Merge, Story::Close] {
        let (opening, all) = play(story, None).await;
        let first = match story {
            Story::MoveOn => 0,
            Story::Merge | Story::Close => opening,
        };
        for number in first..all {
            play(story, Some((number, fault))).await;
        }
    }
}

#[tokio::test]
async fn nothing_is_doubled_when_an_answer_is_lost() {
    whatever_breaks(&Fault::CutAfter).await;
}

#[tokio::test]
async fn nothing_is_doubled_when_an_answer_breaks_off() {
    whatever_breaks(&Fault::CutWithin).await;
}

#[tokio::test]
async fn nothing_is_left_out_when_github_is_not_there() {
    whatever_breaks(&Fault::CutBefore).await;
}

#[tokio::test]
async fn nothing_is_left_out_when_github_fails() {
    let fails = Fault::Answer(502, Vec::new(), "<html>Bad Gateway</html>");
    whatever_breaks(&fails).await;
}
