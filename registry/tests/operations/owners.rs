//! A tenant has an owner as long as it has members, and nobody waits on others for that to be known.

use std::time::Duration;

use coditect_core::{Kind, RequestId};
use coditect_registry::{
    Operation,
    operation::{
        AppointOwner, DeleteAccount, HandOver, Heir, MarkAccount, Provisioned, RestoreAccount,
    },
    record::{Action, Role},
    store::faulty::Fault,
};

use crate::{
    members::{accept, change, invite, join, missing, remove, role},
    support::{World, at},
};

#[tokio::test]
async fn the_last_owner_stays() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    assert_eq!(world.refused(&remove(&ada, &ada)).await, Kind::Conflict);
    assert_eq!(
        world.refused(&change(&ada, &ada, Role::Member)).await,
        Kind::Conflict
    );
    world.done(&change(&ada, &bob, Role::Owner)).await;
    world.done(&remove(&ada, &ada)).await;
    assert_eq!(world.refused(&remove(&bob, &bob)).await, Kind::Conflict);
    let said = world.view().await.audit(ada.tenant, 1).await.unwrap();
    assert_eq!(said[0].action, Action::MemberLeft { user: ada.user });
}

#[tokio::test]
async fn somebody_succeeds_the_last_owner_whose_time_is_over() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    world.done(&change(&ada, &eve, Role::Admin)).await;
    // Git's history says that she was deleted; that cannot be refused.
    world.done(&missing(&ada)).await;
    assert_eq!(
        (role(&world, &eve).await, role(&world, &bob).await),
        (Role::Owner, Role::Member)
    );
}

fn ask(person: &Provisioned, until: i64) -> MarkAccount {
    MarkAccount {
        account: person.account,
        until: at(until),
        at: at(30),
    }
}

#[tokio::test]
async fn whoever_comes_back_to_a_tenant_whose_owner_is_gone_owns_it() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    // Eve is removed: she does not come back by her own decision. Bob may.
    world.done(&change(&ada, &eve, Role::Admin)).await;
    world.done(&remove(&ada, &eve)).await;
    world.done(&ask(&bob, 900)).await;
    world.done(&ask(&ada, 500)).await;
    world.bury_due(600).await;
    world
        .done(&RestoreAccount {
            account: bob.account,
            at: at(700),
        })
        .await;
    assert_eq!(
        (role(&world, &bob).await, role(&world, &eve).await),
        (Role::Owner, Role::Admin)
    );
    let joins = join(&world, &bob, "joins@example.com").await;
    world.done(&change(&bob, &joins, Role::Admin)).await;
}

#[tokio::test]
async fn what_others_left_waits_for_an_owner_who_may_come_back() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    world.done(&remove(&ada, &eve)).await;
    world
        .done(&HandOver {
            by: ada.account,
            tenant: ada.tenant,
            user: eve.user,
            to: Heir::Member(bob.user),
            at: at(31),
        })
        .await;
    world.done(&ask(&bob, 500)).await;
    world.done(&ask(&ada, 900)).await;
    world.bury_due(600).await;
    world
        .done(&RestoreAccount {
            account: ada.account,
            at: at(700),
        })
        .await;
    assert_eq!(
        world.view().await.custodies(ada.account).await.unwrap(),
        [(ada.tenant, eve.user)]
    );
}

/// Does something whose commit is slow, and something else meanwhile. The first is done at the first attempt: it read
/// nothing that the other wrote.
async fn beside<A: Operation + 'static, B: Operation>(world: &World, slow: A, meanwhile: &B) {
    let slow_commit = Fault::SlowCommit(Duration::from_secs(1));
    world.store.inject(slow_commit.clone(), 1);
    let registry = world.registry.clone();
    let doing = tokio::spawn(async move { registry.apply(RequestId::random(), &slow).await });
    while !world.store.is_spent() {
        tokio::task::yield_now().await;
    }
    world.apply(meanwhile).await;
    world.store.inject(slow_commit, 1);
    if let Err(error) = doing.await.unwrap() {
        panic!("{}: {error:?}", A::NAME);
    }
    assert!(
        !world.store.is_spent(),
        "{} was begun anew because of {}",
        A::NAME,
        B::NAME
    );
    world.store.heal();
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_reads_nobody_who_is_of_no_account() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    let joe = join(&world, &ada, "joe@example.com").await;
    world.done(&change(&ada, &bob, Role::Owner)).await;
    // An owner who is none any more, and one who leaves, while others join.
    let (max, ann) = (
        world.sign_up("max@example.com").await,
        world.sign_up("ann@example.com").await,
    );
    let (first, second) = (
        invite(&ada, "max@example.com", Role::Member),
        invite(&ada, "ann@example.com", Role::Member),
    );
    world.done(&first).await;
    world.done(&second).await;
    let demoted = change(&ada, &bob, Role::Member);
    beside(&world, demoted, &accept(&max, &first)).await;
    world.done(&change(&ada, &bob, Role::Owner)).await;
    beside(&world, remove(&ada, &bob), &accept(&ann, &second)).await;
    // And a burial, while somebody gets another role.
    let erased = DeleteAccount {
        account: joe.account,
        at: at(50),
    };
    beside(&world, erased, &change(&ada, &eve, Role::Admin)).await;
}

#[tokio::test]
async fn an_operator_appoints_an_owner_where_there_is_none() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let appoint = AppointOwner {
        user: bob.user,
        at: at(30),
    };
    assert_eq!(world.refused(&appoint).await, Kind::Conflict);
    world.done(&ask(&bob, 900)).await;
    assert_eq!(world.refused(&appoint).await, Kind::Conflict);
    world.done(&ask(&ada, 900)).await;
    world
        .done(&RestoreAccount {
            account: bob.account,
            at: at(31),
        })
        .await;
    world.done(&appoint).await;
    assert_eq!(role(&world, &bob).await, Role::Owner);
}
