//! Changes that wait for approval: opened once, moved on what is known, left when nobody waits.

use coditect_core::{ApprovalReason, ChangeId, Kind, UserId};
use coditect_registry::{
    operation::{
        DeleteAccount, ForgetExpired, LeaveApproval, MoveApproval, OpenApproval, Provisioned, Raise,
    },
    record::{Action, ApprovalState, ApprovalUser, AuditEntry, Expiring},
};

use crate::{
    members::join,
    observer::local,
    support::{World, at},
};

fn asked(user: UserId, generation: u64) -> ApprovalUser {
    ApprovalUser {
        user,
        generation,
        intent_hash: format!("hash of {generation}"),
        reasons: vec![ApprovalReason::Plan {
            plan: "pro".parse().unwrap(),
        }],
    }
}

/// Asks for the users' intents as they are.
pub(crate) async fn ask(world: &World, of: &Provisioned, users: &[UserId]) -> OpenApproval {
    let mut all = Vec::new();
    for user in users {
        all.push((asked(*user, world.generation(*user).await), None));
    }
    OpenApproval {
        cell: local(),
        tenant: of.tenant,
        change: ChangeId::random(),
        asked: all,
        at: at(10),
    }
}

pub(crate) fn leave(users: &[UserId], change: ChangeId, approved: Option<&str>) -> LeaveApproval {
    LeaveApproval {
        cell: local(),
        users: users.iter().map(|user| (*user, change)).collect(),
        approved: approved.map(Into::into),
        at: at(40),
    }
}

fn step(change: ChangeId, expected: u64, to: ApprovalState) -> MoveApproval {
    MoveApproval {
        cell: local(),
        change,
        expected,
        to,
        at: at(20),
    }
}

async fn state(world: &World, change: ChangeId) -> Option<ApprovalState> {
    let mut view = world.view().await;
    let found = view.approval(&local(), change).await.unwrap();
    let listed = view.approvals(&local()).await.unwrap();
    assert_eq!(
        listed.iter().find(|request| request.change == change),
        found.as_ref()
    );
    found.map(|request| request.state)
}

async fn awaits(world: &World, user: UserId) -> Option<ChangeId> {
    let mut view = world.view().await;
    let all = view.awaited_approvals(&local()).await.unwrap();
    let one = view.approval_of(user).await.unwrap();
    assert_eq!(all.get(&user), one.as_ref().map(|(awaited, _)| awaited));
    one.map(|(awaited, _)| awaited.change)
}

/// Something else is wanted of the user.
async fn want_more(world: &World, user: UserId, workspace: coditect_core::WorkspaceId, gib: u32) {
    let raise = Raise {
        cell: local(),
        user,
        sizes: vec![(workspace, gib)],
        above_generation: 0,
        at: at(15),
    };
    world.apply(&raise).await.unwrap();
}

#[tokio::test]
async fn the_same_is_asked_once_even_if_it_was_declined() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let users = [ada.user, bob.user];
    let open = ask(&world, &ada, &users).await;
    assert_eq!(world.apply(&open).await, users.into());
    assert_eq!(
        state(&world, open.change).await,
        Some(ApprovalState::Waiting)
    );

    let again = ask(&world, &ada, &users).await;
    assert!(world.apply(&again).await.is_empty());
    assert_eq!(state(&world, again.change).await, None);

    let declined = ApprovalState::Rejected { at: at(20) };
    world.apply(&step(open.change, 1, declined.clone())).await;
    assert!(world.apply(&again).await.is_empty());
    assert_eq!(state(&world, open.change).await, Some(declined));
    assert_eq!(awaits(&world, bob.user).await, Some(open.change));
    let actions = world.actions(&ada).await;
    assert!(actions.contains(&Action::ApprovalDeclined {
        change: open.change
    }));
}

#[tokio::test]
async fn a_change_is_overtaken_when_its_last_user_wants_something_else() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let open = ask(&world, &ada, &[ada.user, bob.user]).await;
    world.apply(&open).await;

    world.create(&ada, "second").await.unwrap();
    let second = ask(&world, &ada, &[ada.user]).await;
    assert_eq!(world.apply(&second).await, [ada.user].into());
    assert_eq!(
        state(&world, open.change).await,
        Some(ApprovalState::Waiting)
    );
    assert_eq!(awaits(&world, ada.user).await, Some(second.change));
    assert_eq!(awaits(&world, bob.user).await, Some(open.change));

    world.apply(&leave(&[bob.user], open.change, None)).await;
    assert_eq!(
        state(&world, open.change).await,
        Some(ApprovalState::Overtaken)
    );
    assert_eq!(
        world
            .refused(&step(open.change, 2, ApprovalState::Waiting))
            .await,
        Kind::Conflict
    );
    assert_eq!(awaits(&world, bob.user).await, None);

    // What was read before is no reason to open anything.
    let stale = OpenApproval {
        asked: vec![(asked(ada.user, 1), None)],
        ..ask(&world, &ada, &[]).await
    };
    assert!(world.apply(&stale).await.is_empty());
    assert_eq!(awaits(&world, ada.user).await, Some(second.change));
}

#[tokio::test]
async fn an_approval_is_of_all_its_users_and_is_forgotten_in_time() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let open = ask(&world, &ada, &[ada.user, bob.user]).await;
    world.apply(&open).await;
    let proposed = ApprovalState::Proposed {
        branch: "approvals/x".into(),
        url: None,
    };
    assert_eq!(
        world.apply(&step(open.change, 1, proposed.clone())).await,
        2
    );
    assert_eq!(
        world.refused(&step(open.change, 1, proposed)).await,
        Kind::Conflict,
        "decided on an older revision"
    );

    // Whoever left another change leaves nothing.
    world
        .apply(&leave(&[ada.user], ChangeId::random(), Some("c0ffee")))
        .await;
    assert_eq!(awaits(&world, ada.user).await, Some(open.change));
    world
        .apply(&leave(&[ada.user, bob.user], open.change, Some("c0ffee")))
        .await;
    let approved = ApprovalState::Approved {
        commit: "c0ffee".into(),
    };
    assert_eq!(state(&world, open.change).await, Some(approved));
    assert_eq!(awaits(&world, ada.user).await, None);

    let request = world
        .view()
        .await
        .approval(&local(), open.change)
        .await
        .unwrap()
        .unwrap();
    let expiring = Expiring::Approval {
        cell: local(),
        change: open.change,
    };
    let entries = vec![expiring.key(request.expires_at())];
    let forget = ForgetExpired {
        entries,
        at: request.expires_at(),
    };
    world.apply(&forget).await;
    assert_eq!(state(&world, open.change).await, None);
}

#[tokio::test]
async fn whoever_an_approval_leaves_out_waits_on_and_the_change_says_so() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let granted = async |change| {
        let mut view = world.view().await;
        let log = view.audit(ada.tenant, 100).await.unwrap();
        let is = |entry: &&AuditEntry| entry.action == Action::ApprovalGranted { change };
        log.iter().filter(is).count()
    };
    for last_is_approved in [true, false] {
        let open = ask(&world, &ada, &[ada.user, bob.user]).await;
        world.apply(&open).await;
        world
            .apply(&leave(&[ada.user], open.change, Some("c0ffee")))
            .await;
        assert_eq!(
            state(&world, open.change).await,
            Some(ApprovalState::Waiting)
        );
        assert_eq!(awaits(&world, ada.user).await, None);
        assert_eq!(awaits(&world, bob.user).await, Some(open.change));
        assert_eq!(granted(open.change).await, 1);
        let declined = ApprovalState::Rejected { at: at(20) };
        world.apply(&step(open.change, 1, declined.clone())).await;
        assert_eq!(state(&world, open.change).await, Some(declined));
        let (commit, ends) = match last_is_approved {
            true => (Some("decaf"), "approved"),
            false => (None, "overtaken"),
        };
        world.apply(&leave(&[bob.user], open.change, commit)).await;
        let state = state(&world, open.change).await.unwrap();
        assert_eq!(state.word(), ends);
    }
}

#[tokio::test]
async fn whoever_is_erased_waits_for_nothing() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let open = ask(&world, &ada, &[ada.user, bob.user]).await;
    world.apply(&open).await;
    let erase = |of: &Provisioned| DeleteAccount {
        account: of.account,
        at: at(30),
    };
    world.apply(&erase(&bob)).await;
    let request = world
        .view()
        .await
        .approval(&local(), open.change)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(request.users.len(), 1, "{request:?}");
    assert_eq!(request.state, ApprovalState::Waiting);
    world.apply(&erase(&ada)).await;
    assert_eq!(state(&world, open.change).await, None);
    for id in [ada.user, bob.user] {
        assert_eq!(world.traces(id.as_uuid()).await, Vec::<String>::new());
    }

    // A proposal that nobody waits for is still there for whoever takes it back.
    let eve = world.sign_up("eve@example.com").await;
    let open = ask(&world, &eve, &[eve.user]).await;
    world.apply(&open).await;
    let proposed = ApprovalState::Proposed {
        branch: "approvals/y".into(),
        url: None,
    };
    world.apply(&step(open.change, 1, proposed)).await;
    world.apply(&erase(&eve)).await;
    assert_eq!(
        state(&world, open.change).await,
        Some(ApprovalState::Overtaken)
    );
}

#[tokio::test]
async fn a_row_that_was_only_raised_says_from_which_generation() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let row = async || {
        let mut view = world.view().await;
        view.intent(&local(), ada.user).await.unwrap().unwrap()
    };
    let first = row().await;
    assert_eq!(first.raised_from, None);
    for gib in [5, 7] {
        want_more(&world, ada.user, ada.workspace, gib).await;
        assert_eq!(row().await.raised_from, Some(first.intent.generation));
    }
    // Git has seen a later life of the registry: that is another matter.
    let above = Raise {
        cell: local(),
        user: ada.user,
        sizes: Vec::new(),
        above_generation: 50,
        at: at(16),
    };
    world.apply(&above).await;
    let raised = row().await;
    assert_eq!((raised.intent.generation, raised.raised_from), (51, None));
}
