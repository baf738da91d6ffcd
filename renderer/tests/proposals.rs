//! What waits for people, on a real policy repository whose branches are all there is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cell_support;
mod git_support;

use std::path::Path;

use cell_support::{World, local};
use coditect_core::{ApprovalReason, ChangeId, RequestId};
use coditect_registry::{
    operation::{LeaveApproval, OpenApproval},
    record::{ApprovalRequest, ApprovalState, ApprovalUser},
};
use coditect_renderer::{
    git::{PolicyRemote, PolicyRemoteConfig},
    proposals::{branch_of, due, pass, path_of},
};
use git_support::git;
use jiff::Timestamp;

/// A registry in which somebody waits, a hosted policy, and a reviewer's clone of it.
struct Review {
    world: World,
    waits: ApprovalRequest,
}

impl Review {
    async fn new() -> Self {
        let world = World::new().await;
        let person = world.sign_up(0).await;
        let folder = world.folder.path();
        git(
            folder,
            &["init", "-q", "--bare", "-b", "main", "policy.git"],
        );
        git(folder, &["clone", "-q", "policy.git", "desk"]);
        let desk = folder.join("desk");
        git(&desk, &["commit", "-q", "--allow-empty", "-m", "first"]);
        git(&desk, &["push", "-q", "origin", "HEAD:main"]);
        let asked = ApprovalUser {
            user: person.user,
            generation: 1,
            intent_hash: "0f".repeat(32),
            reasons: vec![ApprovalReason::Cell { cell: local() }],
        };
        let open = OpenApproval {
            cell: local(),
            tenant: person.tenant,
            change: ChangeId::random(),
            asked: vec![(asked, None)],
            at: Timestamp::now(),
        };
        world
            .registry
            .apply(RequestId::random(), &open)
            .await
            .unwrap();
        let mut all = world.registry.view().await.unwrap();
        let waits = all.approvals(&local()).await.unwrap().remove(0);
        Self { world, waits }
    }

    /// As one process: with a copy of its own.
    fn remote(&self, copy: &str) -> PolicyRemote {
        let folder = self.world.folder.path();
        PolicyRemote::open(PolicyRemoteConfig::new(
            folder.join("policy.git").display().to_string(),
            "main",
            folder.join(copy),
        ))
        .unwrap()
    }

    /// Passes until nothing is left to do, each by a process that knows nothing of the one before.
    async fn settle(&self) -> ApprovalState {
        for life in 0..8 {
            let remote = self.remote(&format!("copy-{life}"));
            let registry = &self.world.registry;
            let requests = due(registry, &local()).await.unwrap();
            let passed = pass(registry, &requests, &remote, None).await.unwrap();
            assert!(passed.failed.is_none(), "{passed:?}");
            if passed.steps == 0 {
                return self.state().await;
            }
        }
        panic!("never settles: {:?}", self.state().await);
    }

    async fn state(&self) -> ApprovalState {
        let mut view = self.world.registry.view().await.unwrap();
        let found = view.approval(&local(), self.waits.change).await.unwrap();
        found.unwrap().state
    }

    async fn branches(&self) -> usize {
        self.remote("look").look().await.unwrap().ours.len()
    }

    fn reviewer(&self, arguments: &[&str]) {
        let desk: &Path = &self.world.folder.path().join("desk");
        git(desk, &["fetch", "-q", "--prune"]);
        git(desk, arguments);
    }
}

#[tokio::test]
async fn a_merged_branch_approves_and_goes() {
    let review = Review::new().await;
    let branch = branch_of(review.waits.change);
    let proposed = ApprovalState::Proposed {
        branch: branch.clone(),
        url: None,
    };
    assert_eq!(review.settle().await, proposed);
    assert_eq!(review.branches().await, 1);
    let theirs = format!("origin/{branch}");
    review.reviewer(&["merge", "-q", "--no-ff", "-m", "approved", &theirs]);
    review.reviewer(&["push", "-q", "origin", "HEAD:main"]);
    assert_eq!(review.settle().await.word(), "approved");
    assert_eq!(review.branches().await, 0);
    let remote = review.remote("look");
    let main = remote.look().await.unwrap().main;
    let file = remote.file(main, path_of(review.waits.change)).await;
    assert!(file.unwrap().is_some());
}

#[tokio::test]
async fn a_deleted_branch_declines_and_is_not_made_again() {
    let review = Review::new().await;
    let branch = branch_of(review.waits.change);
    review.settle().await;
    review.reviewer(&["push", "-q", "origin", "--delete", &branch]);
    assert_eq!(review.settle().await.word(), "rejected");
    assert_eq!(review.branches().await, 0);
}

#[tokio::test]
async fn who_wants_something_else_is_not_asked_about_any_more() {
    let review = Review::new().await;
    review.settle().await;
    let leave = LeaveApproval {
        cell: local(),
        users: vec![(review.waits.users[0].user, review.waits.change)],
        approved: None,
        at: Timestamp::now(),
    };
    let registry = &review.world.registry;
    registry.apply(RequestId::random(), &leave).await.unwrap();
    assert_eq!(review.settle().await, ApprovalState::Overtaken);
    assert_eq!(review.branches().await, 0);
}
