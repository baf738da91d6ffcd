//! A workspace is suspended once, on what was seen of it, and never against its person.

use std::time::Duration;

use coditect_core::{Kind, Power};
use coditect_registry::{
    operation::{CreateWorkspace, Keep, Provisioned, Suspend},
    record::{Action, PowerCause},
    store::{StoreError, faulty::Fault},
};

use crate::{
    observer::{local, power},
    support::{World, at, cell, entitlement},
};
fn suspend(person: &Provisioned, seen: i64, seconds: i64, cause: PowerCause) -> Suspend {
    Suspend {
        cell: local(),
        workspace: person.workspace,
        seen: at(seen),
        cause,
        at: at(seconds),
    }
}

#[tokio::test]
async fn who_switched_it_is_told() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    assert_eq!(world.workspace(&ada).await.power.cause, PowerCause::SignUp);
    let create = CreateWorkspace {
        account: ada.account,
        user: ada.user,
        name: "second".parse().unwrap(),
        entitlement: entitlement("free"),
        cell: cell("local", 10),
        at: at(1),
    };
    let second = world.apply(&create).await;
    let mut view = world.registry.view().await.unwrap();
    let second = view.workspace(ada.account, second).await.unwrap();
    assert_eq!(second.power.cause, PowerCause::Person);
    world.apply(&power(&ada, Power::Off, 2)).await;
    world.apply(&power(&ada, Power::On, 3)).await;
    assert_eq!(world.workspace(&ada).await.power.cause, PowerCause::Person);
}

#[tokio::test]
async fn a_suspension_is_done_once_and_only_on_what_was_seen() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let before = world.version().await;
    let idle = suspend(&ada, 0, 1_800, PowerCause::Idle);
    assert!(world.apply(&idle).await);
    assert!(world.apply(&idle).await, "sent again, it is done");
    let power_now = world.workspace(&ada).await.power;
    assert_eq!(
        (power_now.power, power_now.since, power_now.cause),
        (Power::Off, at(1_800), PowerCause::Idle)
    );
    let suspended = Action::WorkspaceSuspended {
        workspace: ada.workspace,
        cause: PowerCause::Idle,
    };
    let actions = world.actions(&ada).await;
    assert_eq!(
        actions
            .iter()
            .filter(|action| **action == suspended)
            .count(),
        1
    );
    let mut view = world.registry.view().await.unwrap();
    let feed = view.power_after(&local(), before, 10).await.unwrap();
    assert_eq!(
        feed.workspaces.into_iter().collect::<Vec<_>>(),
        [ada.workspace]
    );

    // The person started it again: a decision of before is void.
    world.apply(&power(&ada, Power::On, 1_801)).await;
    assert!(!world.apply(&idle).await);
    assert_eq!(world.workspace(&ada).await.power.power, Power::On);
    let unknown = Suspend {
        workspace: coditect_core::WorkspaceId::random(),
        ..suspend(&ada, 1_801, 1_900, PowerCause::Hours)
    };
    assert!(!world.apply(&unknown).await);
    let elsewhere = Suspend {
        cell: "other".parse().unwrap(),
        ..suspend(&ada, 1_801, 1_900, PowerCause::Hours)
    };
    assert!(!world.apply(&elsewhere).await);
}

#[tokio::test]
async fn a_suspension_of_unknown_result_is_done_once() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    for (seconds, fault) in [
        (10, Fault::CommitThenUnknown),
        (20, Fault::Commit(StoreError::UnknownResult)),
    ] {
        let seen = world.workspace(&ada).await.power.since;
        world.store.inject(fault, 1);
        let idle = Suspend {
            seen,
            ..suspend(&ada, 0, seconds, PowerCause::Idle)
        };
        assert!(world.apply(&idle).await);
        world.apply(&power(&ada, Power::On, seconds + 1)).await;
    }
    let suspensions = world.actions(&ada).await.into_iter();
    assert_eq!(
        suspensions
            .filter(|action| matches!(action, Action::WorkspaceSuspended { .. }))
            .count(),
        2
    );
}

#[tokio::test]
async fn whoever_races_a_suspension_the_person_wins() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    for round in 1..=20 {
        let seen = world.workspace(&ada).await.power.since;
        let idle = Suspend {
            seen,
            ..suspend(&ada, 0, round * 10, PowerCause::Idle)
        };
        // Every other time the suspension has read before the person's change and commits after it.
        if round % 2 == 0 {
            let slow = Fault::SlowCommit(Duration::from_millis(5));
            world.store.inject(slow, 1);
        }
        let (off, on) = (
            power(&ada, Power::Off, round * 10 + 1),
            power(&ada, Power::On, round * 10 + 2),
        );
        let person = async {
            world.apply(&off).await;
            world.apply(&on).await;
        };
        tokio::join!(world.apply(&idle), person);
        let now = world.workspace(&ada).await.power;
        assert_eq!(
            (now.power, now.cause),
            (Power::On, PowerCause::Person),
            "round {round}"
        );
    }
}

#[tokio::test]
async fn somebody_who_just_kept_it_keeps_it() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let keep = Keep {
        account: ada.account,
        workspace: ada.workspace,
        at: at(1_799),
    };
    world.apply(&keep).await;
    assert!(
        !world
            .apply(&suspend(&ada, 0, 1_800, PowerCause::Idle))
            .await
    );
    assert!(
        !world
            .apply(&suspend(&ada, 0, 1_800, PowerCause::LongestSession))
            .await
    );
    assert!(
        world
            .apply(&suspend(&ada, 0, 1_800, PowerCause::Hours))
            .await,
        "a click buys no hours"
    );
    assert_eq!(world.refused(&keep).await, Kind::Conflict);
    let bob = world.sign_up("bob@example.com").await;
    let foreign = Keep {
        account: bob.account,
        ..keep
    };
    assert_eq!(world.refused(&foreign).await, Kind::NotFound);
}
