//! The end of a membership: whose decision it is, what ends with it, and who takes it back.

use coditect_core::{ApiKeyId, Kind, TenantId, UserId};
use coditect_registry::{
    keys,
    operation::{
        DeleteAccount, DeleteWorkspace, ForgetFile, HandOver, Heir, IssueApiKey, MarkAccount,
        MarkWorkspace, Provisioned, RenameWorkspace, RestoreAccount, RestoreWorkspace,
    },
    record::{Action, Mark, Role, encode},
    store::Store,
};

use crate::{
    members::{change, join, missing, remove, restore, role},
    support::{World, at},
};

async fn mark(world: &World, person: &Provisioned) -> Option<Mark> {
    let found = world.view().await.user(person.user).await.unwrap();
    found.unwrap().1.mark
}

fn ask(person: &Provisioned, until: i64) -> MarkAccount {
    MarkAccount {
        account: person.account,
        until: at(until),
        at: at(29),
    }
}

fn take_back(person: &Provisioned) -> RestoreAccount {
    RestoreAccount {
        account: person.account,
        at: at(33),
    }
}

#[tokio::test]
async fn a_request_of_ones_own_does_not_forestall_a_removal() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    world
        .done(&IssueApiKey {
            account: bob.account,
            user: bob.user,
            api_key: ApiKeyId::random(),
            name: "key".into(),
            prefix: "cod".into(),
            hash: "b".repeat(64),
            scopes: [].into(),
            expires_at: None,
            at: at(28),
        })
        .await;
    world.done(&ask(&bob, 500)).await;
    world.done(&remove(&ada, &bob)).await;
    assert!(
        world
            .view()
            .await
            .api_keys(bob.user)
            .await
            .unwrap()
            .is_empty()
    );
    let asked = mark(&world, &bob).await.unwrap();
    assert_eq!((asked.until, asked.requested), (at(500), true));
    // He changes his mind, and is removed all the same.
    world.done(&take_back(&bob)).await;
    let removed = mark(&world, &bob).await.unwrap();
    assert_eq!((removed.until, removed.requested), (at(1_000), false));
    assert_eq!(world.bury_due(999).await, 0);
    assert_eq!(world.bury_due(1_000).await, 1);
    let mut view = world.view().await;
    assert!(view.user(bob.user).await.unwrap().is_none());
    assert!(view.account(bob.account).await.unwrap().is_some());
}

#[tokio::test]
async fn of_removal_and_request_what_is_due_first_is_done_first() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    world.done(&remove(&ada, &bob)).await;
    world.done(&ask(&bob, 2_000)).await;
    // Asked again, the first request stands.
    world.done(&ask(&bob, 9_000)).await;
    let first = mark(&world, &bob).await.unwrap();
    assert_eq!((first.until, first.requested), (at(1_000), false));
    world.done(&restore(&ada, &bob)).await;
    let asked = mark(&world, &bob).await.unwrap();
    assert_eq!((asked.until, asked.requested), (at(2_000), true));
    assert_eq!(
        world.refused(&restore(&ada, &bob)).await,
        Kind::Conflict,
        "what is left is his own request"
    );
    world.done(&take_back(&bob)).await;
    assert_eq!(mark(&world, &bob).await, None);
}

#[tokio::test]
async fn a_removal_is_taken_back_by_who_may_remove() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    world.done(&change(&ada, &bob, Role::Owner)).await;
    world.done(&change(&ada, &eve, Role::Admin)).await;
    world.done(&remove(&bob, &bob)).await;
    assert_eq!(
        world.refused(&restore(&bob, &bob)).await,
        Kind::Forbidden,
        "whoever left asks"
    );
    assert_eq!(world.refused(&restore(&eve, &bob)).await, Kind::Forbidden);
    world.done(&restore(&ada, &bob)).await;
    assert_eq!(role(&world, &bob).await, Role::Owner);
    let said = world.view().await.audit(ada.tenant, 2).await.unwrap();
    assert_eq!(said[0].action, Action::MemberRestored { user: bob.user });
    assert_eq!(
        (&said[1].action, said[1].actor),
        (&Action::UserRestored { user: bob.user }, Some(ada.account))
    );
    // Back for good, and an owner among the others.
    assert_eq!(world.bury_due(5_000).await, 0);
    world.done(&remove(&bob, &ada)).await;
}

#[tokio::test]
async fn who_was_removed_changes_nothing_of_what_waits_to_be_handed_over() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    world.done(&remove(&ada, &bob)).await;
    let (account, workspace, now) = (bob.account, bob.workspace, at(31));
    let erase = DeleteWorkspace {
        account,
        workspace,
        at: now,
    };
    assert_eq!(world.refused(&erase).await, Kind::Conflict);
    let marked = MarkWorkspace {
        account,
        workspace,
        until: at(32),
        at: now,
    };
    assert_eq!(world.refused(&marked).await, Kind::Conflict);
    let rename = RenameWorkspace {
        account,
        workspace,
        name: "nothing of value".parse().unwrap(),
        expected: None,
        at: now,
    };
    assert_eq!(world.refused(&rename).await, Kind::Conflict);
    let forget = ForgetFile {
        account,
        workspace,
        path: "src/main.rs".parse().unwrap(),
        at: now,
    };
    assert_eq!(world.refused(&forget).await, Kind::Conflict);
    let restored = RestoreWorkspace {
        account,
        workspace,
        at: now,
    };
    assert_eq!(world.refused(&restored).await, Kind::Conflict);
    world
        .done(&HandOver {
            by: ada.account,
            tenant: ada.tenant,
            user: bob.user,
            to: Heir::Organisation,
            at: at(40),
        })
        .await;
    world
        .done(&DeleteWorkspace {
            account: ada.account,
            ..erase
        })
        .await;
}

/// Writes a membership of a tenant that is not there, and one that leads to somebody else.
async fn lead_astray(world: &World, person: &Provisioned, other: &Provisioned) {
    let mut transaction = world.store.begin().await.unwrap();
    for (tenant, user) in [
        (TenantId::random(), UserId::random()),
        (other.tenant, other.user),
    ] {
        let key = keys::membership(person.account, tenant);
        transaction.set(&key, &encode(&user).unwrap());
    }
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_membership_that_leads_nowhere_keeps_nobody_from_being_forgotten() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = world.sign_up("eve@example.com").await;
    lead_astray(&world, &bob, &eve).await;
    world.done(&ask(&bob, 500)).await;
    world.done(&take_back(&bob)).await;
    world
        .done(&DeleteAccount {
            account: bob.account,
            at: at(50),
        })
        .await;
    assert!(world.view().await.user(eve.user).await.unwrap().is_some());
    assert!(
        world
            .view()
            .await
            .memberships(bob.account)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn nor_from_being_forgotten_with_the_last_user_there_is() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let eve = world.sign_up("eve@example.com").await;
    lead_astray(&world, &ada, &eve).await;
    world.done(&missing(&ada)).await;
    let mut view = world.view().await;
    assert!(view.account(ada.account).await.unwrap().is_none());
    assert!(view.user(eve.user).await.unwrap().is_some());
}
