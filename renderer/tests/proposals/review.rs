//! A change that waits, the policy repository, and people who look at it.

use std::{path::Path, sync::Arc};

use coditect_core::{ApprovalReason, ChangeId, RequestId};
use coditect_registry::{
    operation::{LeaveApproval, OpenApproval, SetPlan},
    record::{ApprovalRequest, ApprovalState, ApprovalUser},
};
use coditect_renderer::{
    approval::{intent_hash, wanted},
    git::{PolicyRemote, PolicyRemoteConfig},
    proposals::{Pages, Passed, PolicyHost, due, pass},
};
use jiff::Timestamp;

use crate::{
    cell_support::{World, local},
    git_support::git,
};

/// A registry in which somebody waits for the plan pro, a hosted policy, and a reviewer's clone of it.
pub(crate) struct Review {
    pub(crate) world: World,
    pub(crate) waits: ApprovalRequest,
}

impl Review {
    pub(crate) async fn new() -> Self {
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

        let policy = Arc::clone(&world.inputs.borrow().policy);
        let plan: coditect_core::PlanName = "pro".parse().unwrap();
        let mut view = world.registry.view().await.unwrap();
        let row = view.intent(&local(), person.user).await.unwrap();
        let before = wanted(&row.unwrap(), &policy);
        let set = SetPlan {
            actor: None,
            tenant: person.tenant,
            plan: plan.clone(),
            limits: policy.plans()[&plan].limits,
            at: Timestamp::now(),
        };
        let registry = &world.registry;
        registry.apply(RequestId::random(), &set).await.unwrap();
        let mut view = registry.view().await.unwrap();
        let row = view.intent(&local(), person.user).await.unwrap().unwrap();
        let wanted = wanted(&row, &policy);
        let asked = ApprovalUser {
            user: person.user,
            generation: wanted.generation,
            intent_hash: intent_hash(&wanted),
            reasons: vec![ApprovalReason::Plan { plan }],
        };
        let open = OpenApproval {
            cell: local(),
            tenant: person.tenant,
            change: ChangeId::random(),
            asked: vec![(asked, Some(before))],
            at: Timestamp::now(),
        };
        let opened = registry.apply(RequestId::random(), &open).await.unwrap();
        assert_eq!(opened.len(), 1);
        let mut all = registry.view().await.unwrap();
        let waits = all.approvals(&local()).await.unwrap().remove(0);
        Self { world, waits }
    }

    /// As one process: with a copy of its own.
    pub(crate) fn remote(&self, copy: &str) -> PolicyRemote {
        let folder = self.world.folder.path();
        PolicyRemote::open(PolicyRemoteConfig::new(
            folder.join("policy.git").display().to_string(),
            "main",
            folder.join(copy),
        ))
        .unwrap()
    }

    /// One pass of a process that knows nothing of the ones before, but for what `pages` know.
    pub(crate) async fn pass(&self, copy: &str, pages: Option<&Pages>) -> Passed {
        let registry = &self.world.registry;
        let requests = due(registry, &local()).await.unwrap();
        match pass(registry, &requests, &self.remote(copy), pages).await {
            Ok(passed) => passed,
            Err(error) => Passed {
                failed: Some(error),
                ..Passed::default()
            },
        }
    }

    pub(crate) fn pages(&self, host: Arc<dyn PolicyHost>) -> Pages {
        Pages::new(host, self.world.receiver.clone())
    }

    /// Passes until nothing is left to do, each by another process.
    pub(crate) async fn settle(&self) -> ApprovalState {
        for life in 0..8 {
            let passed = self.pass(&format!("copy-{life}"), None).await;
            assert!(passed.failed.is_none(), "{passed:?}");
            if passed.steps == 0 {
                return self.state().await;
            }
        }
        panic!("never settles: {:?}", self.state().await);
    }

    pub(crate) async fn state(&self) -> ApprovalState {
        let mut view = self.world.registry.view().await.unwrap();
        let found = view.approval(&local(), self.waits.change).await.unwrap();
        found.unwrap().state
    }

    /// How many branches of Coditect's the host has. It never packs them.
    pub(crate) fn branches(&self) -> usize {
        let folder = self.hosted().join("refs/heads/coditect/approvals");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    /// The repository that the host has.
    pub(crate) fn hosted(&self) -> std::path::PathBuf {
        self.world.folder.path().join("policy.git")
    }

    pub(crate) fn reviewer(&self, arguments: &[&str]) {
        let desk: &Path = &self.world.folder.path().join("desk");
        git(desk, &["fetch", "-q", "--prune"]);
        git(desk, arguments);
    }

    pub(crate) async fn wants_something_else(&self) {
        let leave = LeaveApproval {
            cell: local(),
            users: vec![(self.waits.users[0].user, self.waits.change)],
            approved: None,
            at: Timestamp::now(),
        };
        let registry = &self.world.registry;
        registry.apply(RequestId::random(), &leave).await.unwrap();
    }
}
