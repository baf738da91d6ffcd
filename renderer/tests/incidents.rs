//! What went wrong at others, each with the test that would have caught it. The numbers are the incidents'.
//!
//! More of the same: 10 in `service.rs` (`deletions_above_the_budget_wait_while_the_rest_goes_on`), 11 in
//! `git_repository.rs` and, with processes that are paused and killed, in `tests/renderers.rs`, 16 in
//! `restore.rs` and, with the program itself, in `tests/restore.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cell_support;
mod git_support;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use cell_support::{World, commits, local};
use coditect_core::{LoginId, RequestId, Shard, UserId, UserIntent, WorkspaceId, WorkspaceIntent};
use coditect_registry::{
    Registry,
    operation::{DeleteUser, OpenLogin, SetPlan},
    store::memory::MemoryStore,
};
use coditect_renderer::{
    git::{CHECKPOINT_FILE, CHECKPOINT_FOLDER, Occasion, ShardTree},
    render::ring_of,
    restore::restore_registry,
    service::{Service, Settings},
    verify::verify,
};
use git_support::{Cell, finish};
use jiff::Timestamp;

/// Somebody with one workspace, by number; everything of the same length for everybody.
fn intent(number: u128) -> UserIntent {
    let user = UserId::from_bytes(
        number
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes(),
    );
    UserIntent {
        user,
        tenant: "7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201".parse().unwrap(),
        cell: local(),
        shard: Shard::of(user),
        generation: 7,
        plan: "starter".parse().unwrap(),
        ring: None,
        standing: coditect_core::Standing::Active,
        workspaces: vec![WorkspaceIntent {
            id: WorkspaceId::from_bytes((number + 1).to_be_bytes()),
            slug: format!("quiet-river-{number:05}").parse().unwrap(),
            storage_gib: 10,
            storage_class: "standard-rwo".parse().unwrap(),
            standing: coditect_core::Standing::Active,
        }],
    }
}

/// 1. A RoleBinding with 21,534 subjects; one Ingress with everybody's rules.
#[tokio::test]
async fn incident_1_ten_thousand_users_rendered_and_no_objects_size_depends_on_their_number() {
    let world = World::new().await;
    let inputs = world.inputs.borrow().clone();
    let alone = inputs.renderer.render(&intent(0)).unwrap();
    let mut sizes: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let cell = Cell::new();
    let mut published = None;
    let mut checkpoints = Vec::new();
    for numbers in [0..10, 10..10_000] {
        let (head, tree) = published.as_ref().map_or(
            (None, ShardTree::empty()),
            |last: &coditect_renderer::git::Published| (Some(last.commit), last.tree.clone()),
        );
        let mut batch = cell.repository.begin(head, &tree);
        for number in numbers {
            let intent = intent(number);
            let rendered = inputs.renderer.render(&intent).unwrap();
            batch
                .put(intent.shard, intent.user, &rendered.bytes)
                .unwrap();
            let text = std::str::from_utf8(&rendered.bytes).unwrap();
            // Rings' names differ in length.
            let ring = ring_of(&rendered.bytes).unwrap();
            for (at, object) in text.split("\n---\n").enumerate() {
                let kind = object.lines().find(|line| line.starts_with("kind: "));
                let name = format!("{at} {} of {ring}", kind.unwrap_or("the first line"));
                sizes.entry(name).or_default().insert(object.len());
            }
        }
        let last = finish(batch, 1, Occasion::FullReconcile).publish().unwrap();
        let file = format!("{}:{CHECKPOINT_FOLDER}/{CHECKPOINT_FILE}", last.commit);
        checkpoints.push(git_support::git(&cell.path(), &["show", &file]).len());
        published = Some(last);
    }
    let published = published.unwrap();
    assert_eq!(published.tree.len(), 10_000);
    assert!(sizes.len() > 10, "{sizes:?}");
    for (object, sizes) in &sizes {
        assert_eq!(
            sizes.len(),
            1,
            "{object} has other sizes for others: {sizes:?}"
        );
    }
    let (_, blob) = published.tree.find(intent(0).user).unwrap();
    assert_eq!(
        cell.repository.blob(blob).unwrap(),
        alone.bytes,
        "neighbours change nobody"
    );
    assert_eq!(inputs.renderer.render(&intent(0)).unwrap(), alone);
    // One line for each of the 128 shards, however many users.
    assert!(checkpoints[1] < 4_096, "{checkpoints:?}");
}

fn quota(text: &str) -> Option<&str> {
    text.split("---\n")
        .find(|object| object.contains("kind: ResourceQuota"))
}

/// 2. Quotas not updated, not removed, an administrator's edits overwritten at the next login.
#[tokio::test(flavor = "multi_thread")]
async fn incident_2_a_quota_changes_with_the_plan_goes_with_it_and_a_reviewed_override_survives() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let plain = world.sign_up(0).await;
    let reviewed = world.sign_up(1).await;
    world.until("both", |world| world.users().len() == 2).await;
    let holds = |world: &World, user, what: &str| {
        let (_, text) = world.file(user).unwrap();
        quota(&text).is_some_and(|quota| quota.contains(what))
    };
    assert!(holds(&world, plain.user, "pods: \"3\""));

    // Reviewed: this tenant has room for nine.
    let org = format!("tenants/orgs/{}.yaml", reviewed.tenant);
    world.write(&org, "limits:\n  workspaces: 9\n");
    world
        .until("the override", |world| {
            holds(world, reviewed.user, "pods: \"9\"")
        })
        .await;
    assert!(holds(&world, plain.user, "pods: \"3\""));

    // The plan changes: it changes, and the override survives.
    world.edit(
        "tenants/plans/starter.yaml",
        "workspaces: 3",
        "workspaces: 4",
    );
    world
        .until("the plan", |world| holds(world, plain.user, "pods: \"4\""))
        .await;
    assert!(holds(&world, reviewed.user, "pods: \"9\""));

    // A login and another plan: it survives still.
    let login = OpenLogin {
        account: reviewed.account,
        login: LoginId::random(),
        credential_of: None,
        from: None,
        at: Timestamp::now(),
    };
    world
        .registry
        .apply(RequestId::random(), &login)
        .await
        .unwrap();
    let plan = world.upgrade(&reviewed).await;
    world
        .until("the upgrade", |world| {
            world.intent_in_git(reviewed.user).plan == plan.name
        })
        .await;
    assert!(holds(&world, reviewed.user, "pods: \"9\""));

    // The quota leaves the release: the object goes from everybody, and Argo CD prunes what Git lost.
    let file = "templates/v1/user-20-limits.yaml.j2";
    let template = std::fs::read_to_string(world.folder.path().join("policy").join(file)).unwrap();
    let without: Vec<&str> = template
        .split("---\n")
        .filter(|object| !object.contains("kind: ResourceQuota"))
        .collect();
    world.write(file, &without.join("---\n"));
    world
        .until("no quota", |world| {
            [plain.user, reviewed.user].into_iter().all(|user| {
                let (_, text) = world.file(user).unwrap();
                quota(&text).is_none() && text.contains("kind: LimitRange")
            })
        })
        .await;
    stop.cancel();
    running.await.unwrap();
}

/// 10. 883 sites deleted in 23 minutes.
#[tokio::test(flavor = "multi_thread")]
async fn incident_10_a_commit_that_would_delete_five_in_a_hundred_is_refused() {
    let world = World::new().await;
    let mut people = Vec::new();
    for number in 0..100 {
        people.push(world.sign_up(number).await);
    }
    let (running, stop) = world.start();
    world
        .until("a hundred", |world| world.users().len() == 100)
        .await;
    stop.cancel();
    running.await.unwrap();
    // A script gone wrong, while nobody renders: all of it is in one flush.
    for person in &people[..5] {
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
    let late = world.sign_up(100).await;
    let (running, stop) = world.start();
    world
        .until("said", |world| {
            world
                .said()
                .contains("2 deletion(s) above the hour's budget wait")
        })
        .await;
    let users = world.users();
    assert_eq!(users.len(), 98, "three of five, and the late one");
    assert!(users.contains(&late.user), "the rest goes on");
    assert!(
        people[5..]
            .iter()
            .all(|person| users.contains(&person.user))
    );
    stop.cancel();
    running.await.unwrap();
}

/// 11. Several writers on one branch; pushes that were lost.
#[tokio::test(flavor = "multi_thread")]
async fn incident_11_two_renderers_and_a_lost_push_have_one_winner_and_lose_nobody() {
    let world = World::new().await;
    let mut running = vec![world.start(), world.start()];
    let mut people = BTreeSet::new();
    for round in 0..6 {
        for number in 0..5 {
            people.insert(world.sign_up(round * 5 + number).await.user);
        }
        world
            .until("all of them", |world| world.users() == people)
            .await;
        if round % 2 == 0 {
            // The branch loses its newest commit, as if the push had never arrived.
            let lost = Command::new("git")
                .arg("-C")
                .arg(world.path())
                .args(["update-ref", "refs/heads/main", "main~1"])
                .status()
                .unwrap();
            assert!(lost.success());
            world
                .until("all of them again", |world| world.users() == people)
                .await;
        } else {
            // The one that leads stops; the other goes on.
            let (task, stop) = running.remove(0);
            stop.cancel();
            task.await.unwrap();
            running.push(world.start());
        }
    }
    let inputs = world.receiver.borrow().clone();
    for (task, stop) in running {
        stop.cancel();
        task.await.unwrap();
    }
    assert_eq!(world.users(), people);
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
    // One winner at a time: fencing numbers never go back along the branch.
    let fences: Vec<u64> = commits(&world.path())
        .lines()
        .filter_map(|line| line.strip_prefix("Coditect-Fence: ")?.parse().ok())
        .collect();
    assert!(
        fences.is_sorted_by(|newer, older| newer >= older),
        "{fences:?}"
    );
    assert!(fences.len() > 6, "{fences:?}");
}

/// 16. A registry rebuilt from Git, and the cluster from Git: the same hashes.
#[tokio::test(flavor = "multi_thread")]
async fn incident_16_a_registry_rebuilt_from_git_renders_the_same_hashes() {
    let world = World::new().await;
    let (running, stop) = world.start();
    for number in 0..20 {
        let person = world.sign_up(number).await;
        if number % 4 == 0 {
            let plan =
                world.inputs.borrow().policy.catalogue().plans[&"pro".parse().unwrap()].clone();
            let upgrade = SetPlan {
                actor: None,
                tenant: person.tenant,
                plan: plan.name,
                limits: plan.limits,
                at: Timestamp::now(),
            };
            world
                .registry
                .apply(RequestId::random(), &upgrade)
                .await
                .unwrap();
        }
    }
    let lost = world
        .registry
        .view()
        .await
        .unwrap()
        .intents(&local())
        .await
        .unwrap()
        .rows;
    world
        .until("everybody as wanted", |world| {
            lost.iter().all(|row| {
                world.users().contains(&row.intent.user)
                    && world.intent_in_git(row.intent.user) == row.intent
            })
        })
        .await;
    stop.cancel();
    running.await.unwrap();
    let hashes = world.tree();

    let registry = Registry::open(MemoryStore::new()).await.unwrap();
    let (repository, policy) = (world.repository(), world.policy());
    let report = restore_registry(&registry, &local(), repository, policy, None, |_, _| {})
        .await
        .unwrap();
    assert_eq!(
        (report.adopted, report.refused.len()),
        (20, 0),
        "{report:?}"
    );
    let rebuilt = registry
        .view()
        .await
        .unwrap()
        .intents(&local())
        .await
        .unwrap()
        .rows;
    let intents = |rows: Vec<coditect_registry::record::IntentRow>| -> Vec<UserIntent> {
        rows.into_iter().map(|row| row.intent).collect()
    };
    assert_eq!(intents(rebuilt), intents(lost), "generations included");

    // A renderer over it, on an empty repository and on the old one: the same trees.
    let inputs = world.receiver.borrow().clone();
    for path in [world.folder.path().join("anew.git"), world.path()] {
        let settings = Settings::new(local(), path.clone());
        let service = Service::new(
            registry.clone(),
            settings,
            world.receiver.clone(),
            world.health.clone(),
        );
        service.once().await.unwrap().unwrap();
        let repository = coditect_renderer::git::CellRepository::open(path).unwrap();
        let head = repository.head_commit().unwrap().unwrap();
        assert_eq!(
            repository.tree(head).unwrap().shards_oid(),
            hashes.shards_oid()
        );
        let report = verify(&registry, &local(), repository, inputs.clone(), |_, _| {}).await;
        assert!(report.unwrap().agrees());
    }
}
