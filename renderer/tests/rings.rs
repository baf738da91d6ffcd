//! Whoever changes ring is never taken a step back: decided purely, and done on a real repository.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cell_support;

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, LazyLock},
};

use cell_support::{World, local};
use coditect_core::{ReleaseName, RingName, UserId};
use coditect_registry::{Registry, operation::Provisioned, store::memory::MemoryStore};
use coditect_renderer::{
    again::{Again, Outcome},
    inputs::Inputs,
    plan::{Plan, Report, Tally},
    policy::{Policy, Runs},
    render::{intent_of, ring_of},
    restore::restore_registry,
    verify::verify,
};
use proptest::prelude::*;

/// Rings with their releases, in order; each holds an equal share.
fn rings(releases: &[&str]) -> String {
    let mut text = "rings:\n".to_owned();
    for (index, release) in releases.iter().enumerate() {
        let below = 10_000 * (index + 1) / releases.len();
        text += &format!("  - {{name: r{index}, below: {below}, release: {release}, engine: 1}}\n");
    }
    text
}

/// A cell with so many rings, all on v1, and with releases up to v3 to choose from.
async fn world(count: usize) -> World {
    let world = World::new().await;
    let templates = world.folder.path().join("policy/templates");
    for release in ["v2", "v3"] {
        fs::create_dir(templates.join(release)).unwrap();
        for file in fs::read_dir(templates.join("v1")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), templates.join(release).join(file.file_name())).unwrap();
        }
    }
    world.write("tenants/rings.yaml", &rings(&vec!["v1"; count]));
    world
}

/// Puts a person's tenant into a ring.
fn move_to(world: &World, person: &Provisioned, ring: &str) {
    let file = format!("tenants/orgs/{}.yaml", person.tenant);
    world.write(&file, &format!("ring: {ring}\n"));
}

/// Ring and release of the person's file in Git.
fn has(world: &World, user: UserId) -> (String, String) {
    let (_, text) = world.file(user).unwrap();
    let ring = ring_of(text.as_bytes()).unwrap().to_string();
    let release = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("coditect.ai/release: "));
    (ring, release.unwrap().trim_matches('"').to_owned())
}

fn pair(ring: &str, release: &str) -> (String, String) {
    (ring.to_owned(), release.to_owned())
}

/// Waits until the newest policy is rendered.
async fn rendered(world: &World) {
    let wanted = world.inputs.borrow().commit;
    let is = |world: &World| {
        let head = world.repository().head().unwrap().unwrap();
        head.state.unwrap().checkpoint.policy == wanted
    };
    world.until("the policy is rendered", is).await;
}

/// What the newest policy would do, from what Git holds.
fn plan(world: &World, proposed: Arc<Inputs>) -> Report {
    let mut plan = Plan::new(proposed);
    let base = plan.base(Arc::clone(&world.inputs.borrow()));
    let mut tally = Tally::default();
    let repository = world.repository();
    for (_, _, blob) in world.tree().iter() {
        let file = repository.blob(blob).unwrap();
        let intent = intent_of(&file).unwrap();
        let counted = plan.user(base, 0, &intent, Some(&file), &mut tally);
        counted.unwrap();
    }
    plan.report("the proposal", &tally, &[]).unwrap()
}

async fn assert_proved(world: &World) {
    let cell = local();
    let inputs = Arc::clone(&world.inputs.borrow());
    let report = verify(
        &world.registry,
        &cell,
        world.repository(),
        inputs,
        |_, _| {},
    );
    let report = report.await.unwrap();
    assert!(report.differences.is_empty(), "{:?}", report.differences);
    assert!(report.troubles.is_empty(), "{:?}", report.troubles);
    let mut again = Again::open(world.repository(), world.policy(), local(), world.head()).unwrap();
    let render = again.render(|file| {
        assert_eq!(file.outcome, Outcome::Exact, "{}", file.path);
        Ok(())
    });
    render.unwrap();
    let empty = Registry::open(MemoryStore::new()).await.unwrap();
    let (repository, policy) = (world.repository(), world.policy());
    let restored = restore_registry(&empty, &cell, repository, policy, None, |_, _| {});
    let restored = restored.await.unwrap();
    assert_eq!(restored.adopted, world.users().len(), "{restored:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_an_earlier_ring_keeps_its_release_until_the_new_ring_has_it() {
    let world = world(2).await;
    let (running, stop) = world.start();
    let (ada, grace) = (world.sign_up(0).await, world.sign_up(1).await);
    move_to(&world, &ada, "r0");
    move_to(&world, &grace, "r1");
    world.write("tenants/rings.yaml", &rings(&["v2", "v1"]));
    world
        .until("both are in", |world| world.users().len() == 2)
        .await;
    rendered(&world).await;
    assert_eq!(has(&world, ada.user), pair("r0", "v2"));
    assert_eq!(has(&world, grace.user), pair("r1", "v1"));

    // Said before it is merged, and then so: nothing of hers changes.
    let before = world.file(ada.user);
    let standing = Arc::clone(&world.inputs.borrow());
    move_to(&world, &ada, "r1");
    let proposed = world.inputs.send_replace(standing);
    let told = plan(&world, Arc::clone(&proposed));
    assert_eq!((told.users.touched, told.users.keeping_release), (0, 1));
    world.inputs.send_replace(proposed);
    rendered(&world).await;
    assert_eq!(world.file(ada.user), before);
    assert_proved(&world).await;

    // What she changes meanwhile arrives, with the release that she has; also by a renderer that knows Git alone.
    stop.cancel();
    running.await.unwrap();
    let pro = world.upgrade(&ada).await;
    let (running, stop) = world.start();
    world
        .until("upgraded", |world| {
            world.intent_in_git(ada.user).plan == pro.name
        })
        .await;
    assert_eq!(has(&world, ada.user), pair("r0", "v2"));
    assert_proved(&world).await;

    // A release goes back in the ring that she keeps: it goes back for her too. Forth again does not bring her back in.
    world.write("tenants/rings.yaml", &rings(&["v1", "v1"]));
    rendered(&world).await;
    assert_eq!(has(&world, ada.user), pair("r1", "v1"));
    world.write("tenants/rings.yaml", &rings(&["v2", "v1"]));
    rendered(&world).await;
    assert_eq!(has(&world, ada.user), pair("r1", "v1"));

    // Into an earlier ring: its release at once. Out of it: kept, and followed, until the ring has caught up.
    move_to(&world, &grace, "r0");
    rendered(&world).await;
    assert_eq!(has(&world, grace.user), pair("r0", "v2"));
    move_to(&world, &grace, "r1");
    world.write("tenants/rings.yaml", &rings(&["v3", "v2"]));
    rendered(&world).await;
    assert_eq!(has(&world, grace.user), pair("r0", "v3"));
    assert_eq!(has(&world, ada.user), pair("r1", "v2"));
    assert_proved(&world).await;
    world.write("tenants/rings.yaml", &rings(&["v3", "v3"]));
    rendered(&world).await;
    assert_eq!(has(&world, grace.user), pair("r1", "v3"));
    assert_proved(&world).await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_that_move_take_nobody_a_step_back() {
    let world = world(2).await;
    let (running, stop) = world.start();
    for number in 0..12 {
        world.sign_up(number).await;
    }
    world
        .until("all are in", |world| world.users().len() == 12)
        .await;
    world.write("tenants/rings.yaml", &rings(&["v2", "v1"]));
    rendered(&world).await;
    let before: BTreeMap<_, _> = world
        .users()
        .into_iter()
        .map(|user| (user, has(&world, user)))
        .collect();
    assert!(before.values().any(|has| has.1 == "v2"), "{before:?}");
    // Hardly anybody is in the first ring any more.
    let fewer = rings(&["v2", "v1"]).replace("below: 5000", "below: 1");
    world.write("tenants/rings.yaml", &fewer);
    rendered(&world).await;
    for (user, before) in before {
        assert_eq!(has(&world, user), before);
    }
    assert_proved(&world).await;
    stop.cancel();
    running.await.unwrap();
}

/// A policy with four rings.
static FOUR: LazyLock<Arc<Policy>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async { Arc::clone(&world(4).await.inputs.borrow().policy) })
});

/// A policy whose rings run these releases.
fn running(base: &Policy, releases: &[u32]) -> Policy {
    let runs = releases.iter().enumerate().map(|(index, release)| {
        let ring: RingName = format!("r{index}").parse().unwrap();
        let release: ReleaseName = format!("v{release}").parse().unwrap();
        (ring, Runs { release, engine: 1 })
    });
    base.with_runs(&runs.collect::<Vec<_>>())
}

fn number(release: &ReleaseName) -> u32 {
    release.as_str()[1..].parse().unwrap()
}

proptest! {
    /// Over any history of roll-outs, roll-backs and moves of a user: a move alone never takes a release back, the same
    /// question has the same answer, and where all rings run the same, everybody is in their own.
    #[test]
    fn no_move_is_a_step_back(
        history in prop::collection::vec((prop::collection::vec(1_u32..5, 4), 0_usize..4), 1..12)
    ) {
        let mut stood: Option<RingName> = None;
        for (mut releases, ring) in history {
            // Rings get a release in their order, so earlier ones are ahead.
            releases.sort_unstable_by(|a, b| b.cmp(a));
            let policy = running(&FOUR, &releases);
            let own = &policy.rings()[ring];
            let now = policy.ring_after(own, stood.as_ref());
            if let Some(stood) = &stood {
                let had = policy.rings().iter().find(|known| known.name == *stood).unwrap();
                prop_assert!(number(&now.release) >= number(&had.release), "{stood} to {ring}: {releases:?}");
            }
            prop_assert_eq!(&policy.ring_after(own, Some(&now.name)).name, &now.name);
            prop_assert!(now.release == own.release || stood.as_ref() == Some(&now.name));
            if policy.has_one_release() {
                prop_assert_eq!(&now.name, &own.name);
            }
            stood = Some(now.name.clone());
        }
    }
}

#[tokio::test]
async fn a_ring_that_is_no_more_is_not_kept() {
    let policy = Arc::clone(&world(2).await.inputs.borrow().policy);
    let policy = running(&policy, &[2, 1]);
    let own = &policy.rings()[1];
    let gone: RingName = "gone".parse().unwrap();
    assert_eq!(policy.ring_after(own, Some(&gone)).name, own.name);
    assert_eq!(policy.ring_after(own, None).name, own.name);
}
