//! A renderer at work on a real repository, over a registry that can be told to fail: the guards.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cell_support;

use cell_support::{World, commits, local};
use coditect_core::RequestId;
use coditect_registry::{
    Registry, keys,
    operation::{DeleteAccount, DeleteUser, DeleteWorkspace},
    record::encode,
    store::{Store, StoreError, faulty::Fault, memory::MemoryStore},
};
use coditect_renderer::service::{Service, Settings};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn deletions_above_the_budget_wait_while_the_rest_goes_on() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let mut people = Vec::new();
    for number in 0..10 {
        people.push(world.sign_up(number).await);
    }
    world
        .until("ten users", |world| world.users().len() == 10)
        .await;

    // Nobody's own request backs these: three an hour go, the others wait.
    for person in &people[..6] {
        let delete = DeleteUser {
            user: person.user,
            at: Timestamp::now(),
        };
        world
            .registry
            .apply(RequestId::random(), &delete)
            .await
            .unwrap();
    }
    let late = world.sign_up(10).await;
    world
        .until("three are gone and the new one is there", |world| {
            world.users().len() == 8 && world.users().contains(&late.user)
        })
        .await;
    world
        .until("said", |world| {
            world
                .said()
                .contains("3 deletion(s) above the hour's budget wait")
        })
        .await;

    // A restart forgets neither what was spent nor who waits.
    stop.cancel();
    running.await.unwrap();
    let (running, stop) = world.start();
    world
        .until("said again", |world| {
            world
                .said()
                .contains("3 deletion(s) above the hour's budget wait")
        })
        .await;
    assert_eq!(world.users().len(), 8);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_people_who_ask_for_erasure_in_an_hour_are_erased() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let mut people = Vec::new();
    for number in 0..60 {
        people.push(world.sign_up(number).await);
    }
    world
        .until("sixty users", |world| world.users().len() == 60)
        .await;
    for person in &people[..50] {
        world
            .registry
            .apply(
                RequestId::random(),
                &DeleteAccount {
                    account: person.account,
                    at: Timestamp::now(),
                },
            )
            .await
            .unwrap();
    }
    world
        .until("fifty are gone", |world| world.users().len() == 10)
        .await;
    world
        .until("an alarm", |world| {
            world.said().contains("unusually many deletions")
        })
        .await;
    // The next one waits.
    world
        .registry
        .apply(
            RequestId::random(),
            &DeleteAccount {
                account: people[50].account,
                at: Timestamp::now(),
            },
        )
        .await
        .unwrap();
    world
        .until("said", |world| world.said().contains("1 deletion(s) above"))
        .await;
    assert_eq!(world.users().len(), 10);
    assert!(
        commits(&world.path()).contains("deletion:"),
        "{}",
        commits(&world.path())
    );
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_leaves_only_for_a_tombstone() {
    let world = World::new().await;
    let person = world.sign_up(0).await;
    let (running, stop) = world.start();
    world
        .until("committed", |world| world.users().len() == 1)
        .await;
    let delete = DeleteWorkspace {
        account: person.account,
        workspace: person.workspace,
        at: Timestamp::now(),
    };
    world
        .registry
        .apply(RequestId::random(), &delete)
        .await
        .unwrap();
    world
        .until("the workspace is gone", |world| {
            commits(&world.path()).contains(&format!("workspace {} deleted", person.workspace))
        })
        .await;
    assert!(commits(&world.path()).contains("Coditect-Deleted-Requested: 1"));
    assert_eq!(world.users().len(), 1, "the user stays");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_short_or_failing_read_deletes_nothing() {
    let world = World::new().await;
    for number in 0..8 {
        world.sign_up(number).await;
    }
    let (running, stop) = world.start();
    world
        .until("eight users", |world| world.users().len() == 8)
        .await;
    stop.cancel();
    running.await.unwrap();
    for (fault, says) in [
        (
            Fault::ShortRange(0),
            "gave 0 of cell local's 8 users; nothing is changed on such a read",
        ),
        (
            Fault::ShortRange(3),
            "gave 3 of cell local's 8 users; nothing is changed on such a read",
        ),
        (
            Fault::Range(StoreError::Unavailable("the disk is gone".into())),
            "the registry does not answer now",
        ),
    ] {
        let before = commits(&world.path()).lines().count();
        world.store.inject_always(fault);
        let (running, stop) = world.start();
        world.until(says, |world| world.said().contains(says)).await;
        assert_eq!(world.users().len(), 8, "{says}");
        world.store.heal();
        world
            .until("leads again", |world| {
                world.said().starts_with("leads under fence")
            })
            .await;
        assert_eq!(world.users().len(), 8);
        assert!(commits(&world.path()).lines().count() >= before);
        stop.cancel();
        running.await.unwrap();
    }
    assert!(!commits(&world.path()).contains("deletion"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_git_alone_is_kept_and_reported() {
    let world = World::new().await;
    let person = world.sign_up(0).await;
    world.sign_up(1).await;
    let (running, stop) = world.start();
    world
        .until("two users", |world| world.users().len() == 2)
        .await;
    stop.cancel();
    running.await.unwrap();

    // Another registry, which never heard of them: empty, and of another epoch.
    let stranger = Registry::open(MemoryStore::new()).await.unwrap();
    let stop = CancellationToken::new();
    let service = Service::new(
        stranger,
        Settings::new(local(), world.path()),
        world.receiver.clone(),
        world.health.clone(),
    );
    let running = tokio::spawn(service.run(stop.clone()));
    world
        .until("said", |world| {
            world
                .said()
                .contains("2 user(s) in Git of whom the registry knows nothing are kept")
        })
        .await;
    assert!(world.users().contains(&person.user) && world.users().len() == 2);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_who_cannot_be_rendered_stops_nobody() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let bad = world.sign_up_with(0, Some("no-such-plan")).await;
    let good = world.sign_up(1).await;
    world
        .until("the good one is committed", |world| {
            world.users().contains(&good.user)
        })
        .await;
    world
        .until("said", |world| {
            world.said().contains("1 user(s) cannot be rendered")
        })
        .await;
    assert!(!world.users().contains(&bad.user));
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphaned_workspace_survives_its_users_upgrade() {
    let world = World::new().await;
    let person = world.sign_up(0).await;
    let (running, stop) = world.start();
    world
        .until("committed", |world| world.users().len() == 1)
        .await;
    stop.cancel();
    running.await.unwrap();

    // The registry forgets the workspace, as a restored one would: no row, no tombstone.
    let cell = local();
    let mut view = world.registry.view().await.unwrap();
    let mut row = view.intent(&cell, person.user).await.unwrap().unwrap();
    row.intent.workspaces.clear();
    let mut transaction = world.store.begin().await.unwrap();
    transaction.set(&keys::intent(&cell, person.user), &encode(&row).unwrap());
    transaction.commit().await.unwrap();
    // Then the plan asks for larger volumes.
    let plan = world.upgrade(&person).await;

    let (running, stop) = world.start();
    world
        .until("said", |world| {
            world
                .said()
                .contains("1 user(s) in Git of whom the registry knows nothing")
        })
        .await;
    let intent = world.intent_in_git(person.user);
    assert_eq!(intent.plan, plan.name);
    let kept = intent.workspace(person.workspace).unwrap();
    assert_eq!(kept.storage_gib, plan.limits.storage_gib, "and is recorded");
    stop.cancel();
    running.await.unwrap();
}
