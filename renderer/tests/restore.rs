//! A registry read back from Git: whose intent counts, and whose does not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cell_support;

use cell_support::{World, local};
use coditect_core::{Cause, Power, Reason, RequestId};
use coditect_registry::{
    Registry,
    operation::{DeleteUser, PutQuarantine},
    record::PowerCause,
    store::memory::MemoryStore,
};
use coditect_renderer::restore::{Report, restore_registry};
use jiff::Timestamp;

async fn empty() -> Registry {
    Registry::open(MemoryStore::new()).await.unwrap()
}

async fn restore(world: &World, registry: &Registry) -> Report {
    let (repository, policy) = (world.repository(), world.policy());
    restore_registry(registry, &local(), repository, policy, None, |_, _| {})
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_quarantined_comes_back_as_wanted_and_not_as_what_stands() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let person = world.sign_up(0).await;
    let user = person.user;
    world
        .until("committed", |world| world.users().len() == 1)
        .await;
    let (good, _) = world.file(user).unwrap();
    // An upgrade that the cluster refuses.
    let plan = world.upgrade(&person).await;
    world
        .until("upgraded", |world| {
            world.intent_in_git(user).plan == plan.name
        })
        .await;
    let wanted = world.intent_in_git(user);
    for stands in ["the last good file", "no pods"] {
        let put = PutQuarantine {
            cell: local(),
            user,
            generation: wanted.generation,
            commit: world.head().to_string(),
            reason: Reason::new(Cause::Volume, "volumes cannot be expanded"),
            at: Timestamp::now(),
        };
        assert!(
            world
                .registry
                .apply(RequestId::random(), &put)
                .await
                .unwrap()
        );
        world
            .until(stands, |world| {
                let (blob, text) = world.file(user).unwrap();
                if stands == "no pods" {
                    !text.contains("StatefulSet")
                } else {
                    blob == good
                }
            })
            .await;
        let registry = empty().await;
        let report = restore(&world, &registry).await;
        assert_eq!(report.adopted, 1, "{report:?}");
        let mut view = registry.view().await.unwrap();
        let row = view.intent(&local(), user).await.unwrap().unwrap();
        assert_eq!(row.intent, wanted, "{stands}");
        let runtime = view.runtime(&local(), user).await.unwrap().unwrap();
        let power = &runtime.workspaces[0].power;
        assert_eq!(
            (power.power, power.cause),
            (Power::Off, PowerCause::Restored)
        );
    }
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_an_earlier_policy_is_proved_by_that_policy() {
    let world = World::new().await;
    let (running, stop) = world.start();
    world.write(
        "tenants/plans/old.yaml",
        &std::fs::read_to_string(world.folder.path().join("policy/tenants/plans/free.yaml"))
            .unwrap(),
    );
    let stays = world.sign_up_with(0, Some("old")).await;
    world
        .until("committed", |world| world.users().len() == 1)
        .await;
    // The plan leaves the policy: whoever has it cannot be rendered, and the last good file stands.
    let plan = world.folder.path().join("policy/tenants/plans/old.yaml");
    std::fs::remove_file(plan).unwrap();
    world.edit("tenants/plans/starter.yaml", "pids: ", "pids: 1");
    world
        .until("said", |world| {
            world.said().contains("1 user(s) cannot be rendered")
        })
        .await;
    let other = world.sign_up(1).await;
    world
        .until("the other", |world| world.users().contains(&other.user))
        .await;
    stop.cancel();
    running.await.unwrap();
    let registry = empty().await;
    let report = restore(&world, &registry).await;
    assert_eq!((report.adopted, report.refused.len()), (2, 0), "{report:?}");
    let mut view = registry.view().await.unwrap();
    let row = view.intent(&local(), stays.user).await.unwrap().unwrap();
    assert_eq!(row.intent.plan.as_str(), "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_lost_some_gets_those_and_keeps_the_rest() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let mut people = Vec::new();
    for number in 0..3 {
        people.push(world.sign_up(number).await);
    }
    world.until("three", |world| world.users().len() == 3).await;
    let delete = DeleteUser {
        user: people[2].user,
        at: Timestamp::now(),
    };
    let old = world.head();
    world
        .registry
        .apply(RequestId::random(), &delete)
        .await
        .unwrap();
    world.until("two", |world| world.users().len() == 2).await;
    stop.cancel();
    running.await.unwrap();

    let report = restore(&world, &world.registry).await;
    assert_eq!((report.adopted, report.already_there), (0, 2), "{report:?}");
    let epoch = world.registry.view().await.unwrap().epoch().await.unwrap();
    assert_eq!(
        epoch, report.epoch,
        "a new life, so that the renderer reads everybody"
    );
    let mut view = world.registry.view().await.unwrap();
    let power = view
        .runtime(&local(), people[0].user)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        power.workspaces[0].power.power,
        Power::On,
        "what is there is left as it is"
    );
    drop(view);

    // From a commit in which the deleted one still was, into an empty registry: dead is dead.
    let registry = empty().await;
    let (repository, policy) = (world.repository(), world.policy());
    let report = restore_registry(
        &registry,
        &local(),
        repository,
        policy,
        Some(old),
        |_, _| {},
    )
    .await
    .unwrap();
    assert_eq!(report.adopted, 2, "{report:?}");
    assert_eq!(report.deleted, [people[2].user].into());
}
