//! A registry rebuilt from Git: who owns what Git does not say.

use coditect_core::{AccountId, RequestId, Shard, Standing, TenantId, UserId, UserIntent};
use coditect_registry::{
    operation::{AdoptUser, AppointOwner, RestoreAccount, SetHold},
    record::{Role, User},
};

use crate::{
    members::join,
    observer::local,
    support::{World, at},
};

fn adopt(tenant: TenantId, standing: Standing) -> AdoptUser {
    let user = UserId::random();
    AdoptUser {
        intent: UserIntent {
            user,
            tenant,
            cell: local(),
            shard: Shard::of(user),
            generation: 7,
            plan: "free".parse().unwrap(),
            ring: None,
            standing,
            workspaces: Vec::new(),
        },
        account: AccountId::random(),
        at: at(1),
    }
}

async fn user(world: &World, adopted: &AdoptUser) -> User {
    let found = world.view().await.user(adopted.intent.user).await.unwrap();
    found.unwrap().1
}

#[tokio::test]
async fn whoever_is_alone_owns_the_tenant_and_of_several_nobody_knows() {
    let world = World::new().await;
    let tenant = TenantId::random();
    let all: Vec<_> = [Standing::Active, Standing::Marked, Standing::Active]
        .map(|standing| adopt(tenant, standing))
        .into();
    world.done(&all[0]).await;
    assert_eq!(user(&world, &all[0]).await.role, Role::Owner);
    for adopted in &all[1..] {
        world.done(adopted).await;
    }
    for adopted in &all {
        assert_eq!(user(&world, adopted).await.role, Role::Member);
    }
    world
        .done(&AppointOwner {
            user: all[2].intent.user,
            at: at(2),
        })
        .await;
    assert_eq!(user(&world, &all[2]).await.role, Role::Owner);
    // Whoever comes later finds an owner, whom nobody displaces.
    let late = adopt(tenant, Standing::Active);
    world.done(&late).await;
    assert_eq!(user(&world, &all[2]).await.role, Role::Owner);
    assert_eq!(user(&world, &late).await.role, Role::Member);
}

#[tokio::test]
async fn an_owner_whom_the_registry_knows_stays_one() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let adopted = adopt(ada.tenant, Standing::Active);
    world.done(&adopted).await;
    assert_eq!(user(&world, &adopted).await.role, Role::Member);
    join(&world, &ada, "bob@example.com").await;
}

#[tokio::test]
async fn however_many_come_at_once_none_owns_the_others() {
    let world = World::new().await;
    let tenant = TenantId::random();
    let all: Vec<_> = (0..8).map(|_| adopt(tenant, Standing::Active)).collect();
    let adoptions = all
        .iter()
        .map(|adopted| world.registry.apply(RequestId::random(), adopted));
    for adopted in futures::future::join_all(adoptions).await {
        assert!(adopted.unwrap());
    }
    for adopted in &all {
        assert_eq!(user(&world, adopted).await.role, Role::Member);
    }
}

#[tokio::test]
async fn a_mark_of_which_nobody_knows_why_is_taken_back_by_the_person() {
    let world = World::new().await;
    let adopted = adopt(TenantId::random(), Standing::Marked);
    world.done(&adopted).await;
    assert!(user(&world, &adopted).await.mark.is_some());
    world
        .done(&RestoreAccount {
            account: adopted.account,
            at: at(2),
        })
        .await;
    assert_eq!(user(&world, &adopted).await.mark, None);
}

#[tokio::test]
async fn who_was_held_is_held_and_can_be_let_go() {
    let world = World::new().await;
    let held = adopt(TenantId::random(), Standing::Suspended);
    world.done(&held).await;
    assert_eq!(user(&world, &held).await.held, Some(held.at));
    let let_go = SetHold {
        by: AccountId::random(),
        user: held.intent.user,
        held: false,
        at: at(2),
    };
    world.done(&let_go).await;
    assert_eq!(user(&world, &held).await.held, None);
    let mut view = world.view().await;
    let row = view.intent(&local(), held.intent.user).await.unwrap();
    assert_eq!(row.unwrap().intent.standing, Standing::Active);
}
