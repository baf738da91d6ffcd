//! One user whom the cluster refuses never stops the others: what stands for them, when they are tried again, and
//! that none of it goes on for ever.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cell_support;

use std::collections::BTreeSet;

use cell_support::{World, commits, local};
use coditect_core::{Cause, Reason, RequestId, UserId, health::State};
use coditect_registry::{
    operation::{CreateWorkspace, DeleteWorkspace, Provisioned, PutQuarantine},
    record::Quarantine,
};
use coditect_renderer::{
    git::{ChangeKind, Oid},
    verify::{Standin, verify},
};
use jiff::Timestamp;

/// What Argo CD tells of a user: that what stands at this commit was refused.
async fn refuse(world: &World, user: UserId, commit: Oid) {
    let row = world.registry.view().await.unwrap();
    let row = { row }.intent(&local(), user).await.unwrap().unwrap();
    let put = PutQuarantine {
        cell: local(),
        user,
        generation: row.intent.generation,
        commit: commit.to_string(),
        reason: Reason::new(Cause::Admission, "statefulsets is forbidden"),
        at: Timestamp::now(),
    };
    assert!(
        world
            .registry
            .apply(RequestId::random(), &put)
            .await
            .unwrap()
    );
}

async fn quarantine(world: &World, user: UserId) -> Option<Quarantine> {
    let mut view = world.registry.view().await.unwrap();
    view.quarantines(&local()).await.unwrap().remove(&user)
}

/// Waits until the renderer has decided about the refusal at this commit.
async fn decided(world: &World, user: UserId, commit: Oid) -> Quarantine {
    for _ in 0..3_000 {
        if let Some(found) = quarantine(world, user).await
            && found.commit == commit.to_string()
            && found.refused.is_some()
        {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never decided: {:?}", world.health.snapshot());
}

async fn lifted(world: &World, user: UserId) {
    for _ in 0..3_000 {
        if quarantine(world, user).await.is_none() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never lifted: {:?}", world.health.snapshot());
}

/// Changes what everybody's pod looks like.
fn new_release(world: &World, image: u32) {
    let template = "templates/v1/workspace-20-stateful-set.yaml.j2";
    let (before, after) = (
        "terminationGracePeriodSeconds: 12",
        format!("terminationGracePeriodSeconds: 12{image}"),
    );
    world.edit(template, before, &after);
}

/// A cell whose users have two versions in Git, the newer one everybody's, and the blobs of the first user's.
async fn two_versions(world: &World, users: usize) -> (Vec<Provisioned>, Oid, Oid) {
    let mut people = Vec::new();
    for number in 0..users {
        people.push(world.sign_up(number).await);
    }
    world
        .until("committed", |world| world.users().len() == users)
        .await;
    let (good, _) = world.file(people[0].user).unwrap();
    new_release(world, 1);
    let user = people[0].user;
    world
        .until("the new release", |world| {
            world.file(user).unwrap().0 != good && commits(&world.path()).starts_with("full")
        })
        .await;
    let (bad, _) = world.file(user).unwrap();
    (people, good, bad)
}

fn kinds(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("kind: "))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_file_stands_and_the_neighbours_go_on() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let (people, good, bad) = two_versions(&world, 4).await;
    let user = people[0].user;
    let neighbour = world.file(people[1].user).unwrap();
    let commit = world.head();
    refuse(&world, user, commit).await;
    let found = decided(&world, user, commit).await;
    assert_eq!(found.refused, Some(bad.to_string()));
    assert_eq!(found.stands, Some(good.to_string()));
    world
        .until("the good one stands", |world| {
            world.file(user).unwrap().0 == good
        })
        .await;
    assert_eq!(world.file(people[1].user).unwrap(), neighbour);
    let said = commits(&world.path());
    assert!(said.starts_with("quarantine: 1 user\n"), "{said}");
    assert!(
        said.contains(&format!("Coditect-Quarantined: {user}\n")),
        "{said}"
    );
    assert!(
        said.contains(&format!("- changed {user}: quarantined (admission)")),
        "{said}"
    );
    let history = world.repository().history_of(world.head(), user).unwrap();
    assert!(history[0].quarantined && history[0].kind == ChangeKind::Changed);
    assert!(!history[1].quarantined);

    // Sign-ups go on, health says it and is no worse for one user, verify lists it and finds no difference.
    let late = world.sign_up(9).await;
    world
        .until("the late one", |world| world.users().contains(&late.user))
        .await;
    world
        .until("said", |world| {
            world.said().contains("1 user(s) quarantined")
        })
        .await;
    assert!(matches!(
        world.health.snapshot()["renderer/local"],
        State::Ok { .. }
    ));
    let inputs = world.receiver.borrow().clone();
    let report = verify(
        &world.registry,
        &local(),
        world.repository(),
        inputs,
        |_, _| {},
    )
    .await
    .unwrap();
    assert!(report.agrees(), "{report:?}");
    assert_eq!(report.quarantined[&user].stands, Standin::LastGood);
    assert_eq!(report.quarantined[&user].reason.cause, Cause::Admission);

    // A restart reconciles in full and changes nothing.
    let head = world.head();
    stop.cancel();
    running.await.unwrap();
    let (running, stop) = world.start();
    world
        .until("leads again", |world| {
            world.said().contains("1 user(s) quarantined")
        })
        .await;
    assert_eq!(
        world.tree().shards_oid(),
        world.repository().tree(head).unwrap().shards_oid()
    );
    assert_eq!(decided(&world, user, commit).await, found);

    // The policy is corrected: the same pass lifts the quarantine and commits the new file.
    new_release(&world, 2);
    lifted(&world, user).await;
    world
        .until("the corrected one", |world| {
            let (blob, text) = world.file(user).unwrap();
            blob != good && blob != bad && text.contains("PeriodSeconds: 1221")
        })
        .await;
    world
        .until("not said", |world| !world.said().contains("quarantined"))
        .await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_intent_is_tried_at_once() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let (people, good, _) = two_versions(&world, 2).await;
    let user = people[0].user;
    let commit = world.head();
    refuse(&world, user, commit).await;
    decided(&world, user, commit).await;
    world
        .until("the good one stands", |world| {
            world.file(user).unwrap().0 == good
        })
        .await;
    let plan = world.upgrade(&people[0]).await;
    lifted(&world, user).await;
    world
        .until("the upgrade", |world| {
            world.intent_in_git(user).plan == plan.name
        })
        .await;

    // An old report of what was refused before changes nothing more than once.
    refuse(&world, user, commit).await;
    lifted(&world, user).await;
    assert_eq!(world.intent_in_git(user).plan, plan.name);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_again_and_again_ends_in_silence() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let (people, good, bad) = two_versions(&world, 2).await;
    let user = people[0].user;
    let first = world.head();
    refuse(&world, user, first).await;
    decided(&world, user, first).await;
    world
        .until("the good one stands", |world| {
            world.file(user).unwrap().0 == good
        })
        .await;

    // The good one is refused as well.
    let second = world.head();
    refuse(&world, user, second).await;
    let found = decided(&world, user, second).await;
    assert_eq!((found.refused, found.stands), (Some(bad.to_string()), None));
    world
        .until("no pods", |world| {
            !world.file(user).unwrap().1.contains("StatefulSet")
        })
        .await;
    let (empty, text) = world.file(user).unwrap();
    assert_eq!(
        kinds(&text),
        [
            "Namespace",
            "NetworkPolicy",
            "PersistentVolumeClaim",
            "ResourceQuota"
        ]
        .into(),
        "{text}"
    );
    assert!(text.contains("pods: \"0\""), "{text}");
    assert!(
        text.contains("name: \"deny-all\"") || text.contains("name: deny-all"),
        "{text}"
    );
    assert_eq!(
        world.intent_in_git(user).workspaces.len(),
        1,
        "what is wanted is still recorded"
    );

    // An old report of either changes nothing.
    for old in [first, second] {
        refuse(&world, user, old).await;
        let found = decided(&world, user, old).await;
        assert_eq!((found.refused, found.stands), (Some(bad.to_string()), None));
    }
    assert_eq!(world.file(user).unwrap().0, empty);

    // That is refused too: nothing more is committed, and it is said.
    let third = world.head();
    refuse(&world, user, third).await;
    decided(&world, user, third).await;
    world
        .until("said", |world| {
            world
                .said()
                .contains("even a Namespace without pods for 1 user")
        })
        .await;
    assert!(matches!(
        world.health.snapshot()["renderer/local"],
        State::Degraded { .. }
    ));
    assert_eq!(world.head(), third);
    let inputs = world.receiver.borrow().clone();
    let report = verify(
        &world.registry,
        &local(),
        world.repository(),
        inputs,
        |_, _| {},
    )
    .await
    .unwrap();
    assert!(report.agrees(), "{report:?}");
    assert_eq!(report.quarantined[&user].stands, Standin::NoPods);

    // What was refused once does not come back as the last good file of a later refusal.
    new_release(&world, 2);
    lifted(&world, user).await;
    world
        .until("tried", |world| {
            world.file(user).unwrap().1.contains("StatefulSet")
        })
        .await;
    world
        .until("all of it", |world| world.said().starts_with("leads"))
        .await;
    let fourth = world.head();
    refuse(&world, user, fourth).await;
    let found = decided(&world, user, fourth).await;
    assert_eq!(found.stands, None, "neither {good} nor {bad}");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_taken_back_to_what_stands_is_a_refusal_of_its_own() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let (people, good, _) = two_versions(&world, 2).await;
    let user = people[0].user;
    let first = world.head();
    refuse(&world, user, first).await;
    decided(&world, user, first).await;
    world
        .until("the good one stands", |world| {
            world.file(user).unwrap().0 == good
        })
        .await;
    let template = "templates/v1/workspace-20-stateful-set.yaml.j2";
    world.edit(template, "PeriodSeconds: 121", "PeriodSeconds: 12");
    lifted(&world, user).await;
    let other = people[1].user;
    world
        .until("everybody has the old one", |world| {
            world.file(other).unwrap().1.contains("PeriodSeconds: 120")
        })
        .await;
    assert_eq!(world.file(user).unwrap().0, good);

    // Now the cluster refuses that one: what it refused before is no way out, and nothing goes in circles.
    let second = world.head();
    refuse(&world, user, second).await;
    let found = decided(&world, user, second).await;
    assert_eq!(
        (found.refused, found.stands),
        (Some(good.to_string()), None)
    );
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_user_who_is_refused_gets_a_namespace_without_pods() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let person = world.sign_up(0).await;
    world
        .until("committed", |world| world.users().len() == 1)
        .await;
    let commit = world.head();
    refuse(&world, person.user, commit).await;
    decided(&world, person.user, commit).await;
    world
        .until("no pods", |world| {
            !world.file(person.user).unwrap().1.contains("StatefulSet")
        })
        .await;
    let (_, text) = world.file(person.user).unwrap();
    assert_eq!(
        kinds(&text),
        ["Namespace", "NetworkPolicy", "ResourceQuota"].into()
    );

    // Erased on request although quarantined: the workspace goes, and with it what was refused.
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
    lifted(&world, person.user).await;
    world
        .until("rendered again", |world| {
            world.intent_in_git(person.user).workspaces.is_empty()
        })
        .await;
    assert!(commits(&world.path()).contains("Coditect-Deleted-Requested: 1"));
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_workspace_that_is_refused_leaves_the_first_alone_and_is_not_taken_for_deleted() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let person = world.sign_up(0).await;
    let leaver = world.sign_up(1).await;
    world
        .until("committed", |world| world.users().len() == 2)
        .await;
    let (good, _) = world.file(person.user).unwrap();
    let catalogue = world.inputs.borrow().policy.catalogue();
    let cell = catalogue.cells[&local()].clone();
    let starter = "starter".parse().unwrap();
    let second = CreateWorkspace {
        account: person.account,
        user: person.user,
        name: "second".parse().unwrap(),
        entitlement: catalogue.entitlement(person.tenant, &starter).unwrap(),
        cell,
        at: Timestamp::now(),
    };
    world
        .registry
        .apply(RequestId::random(), &second)
        .await
        .unwrap();
    let user = person.user;
    world
        .until("two", |world| {
            world.intent_in_git(user).workspaces.len() == 2
        })
        .await;
    stop.cancel();
    running.await.unwrap();

    // One commit holds the stand-in, which lacks the second workspace, and somebody's deletion.
    let commit = world.head();
    refuse(&world, user, commit).await;
    let delete = DeleteWorkspace {
        account: leaver.account,
        workspace: leaver.workspace,
        at: Timestamp::now(),
    };
    world
        .registry
        .apply(RequestId::random(), &delete)
        .await
        .unwrap();
    let (running, stop) = world.start();
    decided(&world, user, commit).await;
    world
        .until("the first stands", |world| {
            world.file(user).unwrap().0 == good
        })
        .await;
    world
        .until("deleted", |world| {
            world.intent_in_git(leaver.user).workspaces.is_empty()
        })
        .await;
    let cuts = world.repository().cuts(world.head()).unwrap();
    assert!(
        cuts.iter().all(|cut| cut.user == leaver.user) && !cuts.is_empty(),
        "{cuts:?}"
    );
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_hundredth_is_no_matter_of_single_users() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let (people, ..) = two_versions(&world, 6).await;
    let commit = world.head();
    for (number, person) in people.iter().enumerate().take(4) {
        assert!(
            number == 0 || matches!(world.health.snapshot()["renderer/local"], State::Ok { .. })
        );
        refuse(&world, person.user, commit).await;
        decided(&world, person.user, commit).await;
        let many = format!("{} user", number + 1);
        world
            .until("said", |world| world.said().contains(&many))
            .await;
    }
    assert!(matches!(
        world.health.snapshot()["renderer/local"],
        State::Degraded { .. }
    ));
    assert!(
        world
            .said()
            .contains("4 users are quarantined, more than 3"),
        "{}",
        world.said()
    );
    stop.cancel();
    running.await.unwrap();
}
