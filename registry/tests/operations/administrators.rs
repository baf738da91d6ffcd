//! What administrators do to a user: hold and let go, and that it is told.

use coditect_core::{AccountId, Kind, Power, Standing, UserId, WorkspaceId};
use coditect_registry::{
    operation::{
        CreateWorkspace, MarkAccount, NoteLook, Provisioned, RestoreAccount, SetHold, SetPower,
    },
    record::{Action, PLATFORM, PowerCause},
};

use crate::{
    observer::local,
    support::{World, at, cell, entitlement},
};

fn hold(by: AccountId, person: &Provisioned, held: bool, seconds: i64) -> SetHold {
    SetHold {
        by,
        user: person.user,
        held,
        at: at(seconds),
    }
}

fn start(person: &Provisioned, seconds: i64) -> SetPower {
    SetPower {
        account: person.account,
        workspace: person.workspace,
        power: Power::On,
        at: at(seconds),
    }
}

async fn standing(world: &World, user: UserId) -> Standing {
    let mut view = world.view().await;
    let row = view.intent(&local(), user).await.unwrap().unwrap();
    row.intent.standing
}

#[tokio::test]
async fn who_is_held_runs_nothing_until_they_are_let_go() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let admin = AccountId::random();
    let before = world.generation(ada.user).await;
    world.done(&hold(admin, &ada, true, 10)).await;
    assert_eq!(standing(&world, ada.user).await, Standing::Suspended);
    assert_eq!(world.generation(ada.user).await, before + 1);
    let mut view = world.view().await;
    let shown = view.workspace(ada.account, ada.workspace).await.unwrap();
    assert_eq!(
        (shown.power.power, shown.power.cause),
        (Power::Off, PowerCause::Held)
    );
    assert_eq!(world.refused(&start(&ada, 11)).await, Kind::Conflict);
    let another = CreateWorkspace {
        account: ada.account,
        user: ada.user,
        name: "another".parse().unwrap(),
        entitlement: entitlement("free"),
        cell: cell("local", 10),
        at: at(12),
    };
    assert_eq!(world.refused(&another).await, Kind::Conflict);
    // Said again, it changes nothing.
    world.done(&hold(admin, &ada, true, 13)).await;
    assert_eq!(world.generation(ada.user).await, before + 1);

    world.done(&hold(admin, &ada, false, 14)).await;
    assert_eq!(standing(&world, ada.user).await, Standing::Active);
    world.done(&start(&ada, 15)).await;
    let nobody = SetHold {
        user: UserId::random(),
        ..hold(admin, &ada, true, 16)
    };
    assert_eq!(world.refused(&nobody).await, Kind::NotFound);
}

#[tokio::test]
async fn a_hold_outlives_a_mark() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let admin = AccountId::random();
    world.done(&hold(admin, &ada, true, 10)).await;
    let mark = MarkAccount {
        account: ada.account,
        until: at(1_000),
        at: at(20),
    };
    world.done(&mark).await;
    assert_eq!(standing(&world, ada.user).await, Standing::Marked);
    let restore = RestoreAccount {
        account: ada.account,
        at: at(30),
    };
    world.done(&restore).await;
    assert_eq!(standing(&world, ada.user).await, Standing::Suspended);

    // Let go while marked, it stays marked, and is free when that is taken back.
    let again = MarkAccount { at: at(40), ..mark };
    world.done(&again).await;
    world.done(&hold(admin, &ada, false, 41)).await;
    assert_eq!(standing(&world, ada.user).await, Standing::Marked);
    let restore = RestoreAccount {
        at: at(42),
        ..restore
    };
    world.done(&restore).await;
    assert_eq!(standing(&world, ada.user).await, Standing::Active);
}

#[tokio::test]
async fn what_administrators_do_is_told_to_the_tenant_and_to_the_platform() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let admin = AccountId::random();
    let look = NoteLook {
        by: admin,
        user: ada.user,
        at: at(10),
    };
    world.done(&look).await;
    world.done(&hold(admin, &ada, true, 11)).await;
    world.done(&hold(admin, &ada, false, 12)).await;
    let user = ada.user;
    let expected = [
        Action::UserLetGo { user },
        Action::UserHeld { user },
        Action::UserLookedAt { user },
    ];
    let mut view = world.view().await;
    for audit in [ada.tenant, PLATFORM] {
        let entries = view.audit(audit, 3).await.unwrap();
        assert!(entries.iter().all(|entry| entry.actor == Some(admin)));
        let actions = entries.into_iter().map(|entry| entry.action);
        assert_eq!(actions.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn everybody_is_listed_by_pages() {
    let world = World::new().await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve"] {
        people.push(world.sign_up(&format!("{name}@example.com")).await);
    }
    let mut view = world.view().await;
    let (mut users, mut workspaces): (Vec<UserId>, Vec<WorkspaceId>) = Default::default();
    loop {
        let (page, more) = view.users_after(users.last().copied(), 2).await.unwrap();
        users.extend(page.iter().map(|(id, ..)| *id));
        if !more {
            break;
        }
    }
    loop {
        let after = workspaces.last().copied();
        let (page, more) = view.workspaces_after(after, 2).await.unwrap();
        workspaces.extend(page.iter().map(|(id, _)| *id));
        if !more {
            break;
        }
    }
    let mut expected: Vec<_> = people.iter().map(|person| person.user).collect();
    expected.sort();
    assert_eq!(users, expected);
    let mut expected: Vec<_> = people.iter().map(|person| person.workspace).collect();
    expected.sort();
    assert_eq!(workspaces, expected);

    let email = "bob@example.com".parse().unwrap();
    let found = view.account_of_address(&email).await.unwrap();
    assert_eq!(found, Some(people[1].account));
    let shown = view
        .workspace(people[1].account, people[1].workspace)
        .await
        .unwrap();
    let slug = &shown.intent.slug;
    assert_eq!(view.workspace_of_slug(slug).await.unwrap(), Some(shown.id));
    let place = view.workspace_place(shown.id).await.unwrap().unwrap();
    assert_eq!(place.user, people[1].user);
}
