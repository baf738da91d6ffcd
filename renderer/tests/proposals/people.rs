//! What people do on GitHub.

use crate::{
    git_support::git,
    review::Review,
    stand_in::{Comment, Pull, StandIn, State, answers::tip},
};

/// How people merge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Merge {
    Commit,
    Squash,
}

impl StandIn {
    /// The one pull request of Coditect's.
    pub(crate) fn pull(&self) -> Pull {
        let ours: Vec<Pull> = self.with(|state| {
            let pulls = state.pulls.iter();
            pulls.filter(|pull| pull.from == Some(1)).cloned().collect()
        });
        assert_eq!(ours.len(), 1, "{ours:?}");
        ours.into_iter().next().unwrap()
    }

    /// Coditect's comments, in order.
    pub(crate) fn comments(&self) -> Vec<Comment> {
        let ours = |state: &mut State| {
            let all = state.comments.values();
            all.filter(|comment| comment.by == 1).cloned().collect()
        };
        self.with(ours)
    }

    pub(crate) fn merge(&self, review: &Review, how: Merge) {
        let pull = self.pull();
        assert!(pull.open);
        let theirs = format!("origin/{}", pull.head);
        review.reviewer(&["checkout", "-q", "-B", "main", "origin/main"]);
        match how {
            Merge::Commit => review.reviewer(&["merge", "-q", "--no-ff", "-m", "merged", &theirs]),
            Merge::Squash => {
                review.reviewer(&["merge", "-q", "--squash", &theirs]);
                review.reviewer(&["commit", "-q", "-m", "squashed"]);
            }
        }
        review.reviewer(&["push", "-q", "origin", "main"]);
        self.with(|state| {
            let merged = tip(&state.repository, "main");
            let pull = state.pulls.iter_mut().find(|it| it.number == pull.number);
            let pull = pull.unwrap();
            (pull.open, pull.merged) = (false, merged);
        });
    }

    /// Restores the branch, and opens the pull request again.
    pub(crate) fn reopen(&self, review: &Review) {
        let pull = self.pull();
        let name = format!("refs/heads/{}", pull.head);
        git(&review.hosted(), &["update-ref", &name, &pull.at]);
        self.with(|state| {
            let mut pulls = state.pulls.iter_mut();
            pulls.find(|it| it.number == pull.number).unwrap().open = true;
        });
    }

    /// Somebody opens a pull request from a repository of their own.
    pub(crate) fn foreign(&self, head: &str, from: Option<u64>) -> u64 {
        self.with(|state| {
            let number = state.number();
            state.pulls.push(Pull {
                number,
                head: head.to_owned(),
                from,
                base: "main".to_owned(),
                title: "not yours".to_owned(),
                text: String::new(),
                open: true,
                merged: None,
                at: "0".repeat(40),
            });
            number
        })
    }

    pub(crate) fn says(&self, pull: u64, by: u64, text: &str) {
        self.with(|state| {
            let id = state.number();
            let comment = Comment {
                pull,
                by,
                text: text.to_owned(),
                edits: 0,
            };
            state.comments.insert(id, comment);
        });
    }
}
