//! A roll-out carried over a real policy repository and a real cell, look by look.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cell_support;

use std::{fs, process::Command, sync::Arc};

use cell_support::{World, local};
use coditect_core::{Cause, Error, Phase, Reason, RequestId, Result, RingName};
use coditect_registry::{
    operation::{NoteCell, NoteRestart, NoteStatus, Provisioned, PutRollout, StartRestart},
    record::{
        CellState, Restart, RingRelease, Rollout, RolloutRestart, RolloutRing, RolloutState,
        RolloutTerms, Status,
    },
};
use coditect_renderer::{
    git::{Oid, PolicyRepository},
    inputs::Inputs,
    rollout::{PolicyWriter, RolloutService, WriteError},
};
use jiff::Timestamp;

const RINGS: &str = "# Half of all first.\nrings:\n  - {name: canary, below: 5000, release: v1, engine: 1}  # the brave\n  - name: everyone\n    below: 10000\n    release: 'v1'\n    engine: 1\n";

/// Two rings with at least one person in each, and a release v2.
async fn world() -> (World, Vec<Provisioned>) {
    let world = World::new().await;
    let templates = world.folder.path().join("policy/templates");
    fs::create_dir(templates.join("v2")).unwrap();
    for file in fs::read_dir(templates.join("v1")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), templates.join("v2").join(file.file_name())).unwrap();
    }
    world.write("tenants/rings.yaml", RINGS);
    let mut people = Vec::new();
    while ["canary", "everyone"]
        .iter()
        .any(|ring| of_ring(&world, &people, ring).next().is_none())
    {
        people.push(world.sign_up(people.len()).await);
    }
    (world, people)
}

fn of_ring<'p>(
    world: &World,
    people: &'p [Provisioned],
    ring: &str,
) -> impl Iterator<Item = &'p Provisioned> {
    let policy = Arc::clone(&world.receiver.borrow().policy);
    let ring: RingName = ring.parse().unwrap();
    people
        .iter()
        .filter(move |one| policy.ring(one.user, one.tenant, None).unwrap().name == ring)
}

/// What an observer tells: these are ready, or have failed.
async fn seen<'p>(
    world: &World,
    people: impl IntoIterator<Item = &'p Provisioned>,
    phase: Phase,
    connected: bool,
) {
    seen_for(world, people, phase, None, connected).await;
}

/// The same, and why a change of theirs does not arrive.
async fn seen_for<'p>(
    world: &World,
    people: impl IntoIterator<Item = &'p Provisioned>,
    phase: Phase,
    reason: Option<Reason>,
    connected: bool,
) {
    let at = Timestamp::now();
    let status = Status {
        phase,
        since: at,
        reason,
        generation: 1,
        steps: Vec::new(),
        notices: Vec::new(),
    };
    let statuses = people
        .into_iter()
        .map(|one| (one.user, one.workspace, status.clone()));
    let note = NoteStatus {
        cell: local(),
        statuses: statuses.collect(),
        at,
    };
    let random = RequestId::random;
    world.registry.apply(random(), &note).await.unwrap();
    let state = CellState {
        held: false,
        scales_wrong: 0,
        workspaces: 0,
        ready: 0,
        connected,
        argocd_unreachable: None,
        at,
    };
    let cell = local();
    let note = NoteCell { cell, state, at };
    world.registry.apply(random(), &note).await.unwrap();
}

async fn start(world: &World) {
    start_with(world, RolloutRestart::OnNextStart).await;
}

async fn start_with(world: &World, restart: RolloutRestart) {
    let at = Timestamp::now();
    let ring = |name: &str| RolloutRing {
        ring: name.parse().unwrap(),
        release: "v1".parse().unwrap(),
        engine: 1,
        should_run: None,
        ready: None,
        held_back: None,
        restarted: false,
    };
    let put = PutRollout {
        release: "v2".parse().unwrap(),
        rollout: Rollout {
            from: "v1".parse().unwrap(),
            ring: None,
            state: RolloutState::Advancing,
            users: 0,
            quarantined: 0,
            started_at: at,
            changed_at: at,
            revision: 0,
            release: None,
            engine: 1,
            rings: vec![ring("canary"), ring("everyone")],
            terms: RolloutTerms {
                soak_seconds: 0,
                least_ready: 95,
                patience_seconds: 0,
            },
            restart,
            holds_since: None,
            falls_since: None,
            seen_at: None,
            hurry: None,
            why: String::new(),
            commits: Vec::new(),
        },
        expected: 0,
        cells: Vec::new(),
        at,
    };
    let put = world.registry.apply(RequestId::random(), &put);
    assert_eq!(put.await.unwrap(), 1);
}

async fn rollout(world: &World) -> Rollout {
    let mut view = world.registry.view().await.unwrap();
    view.rollout(&"v2".parse().unwrap()).await.unwrap().unwrap()
}

fn service(world: &World, writer: impl PolicyWriter + 'static) -> RolloutService {
    let path = world.path();
    RolloutService::new(
        world.registry.clone(),
        Arc::new(writer),
        world.receiver.clone(),
        Arc::new(move |_: &_| path.clone()),
        world.health.clone(),
    )
}

/// Puts the newest commit in force, as whoever follows the policy does, and waits until the cell is rendered with it.
async fn rendered(world: &World) {
    let policy = world.policy();
    let head = policy.head().unwrap().unwrap();
    let inputs = Inputs::at(&policy, head).unwrap();
    world.inputs.send_replace(Arc::new(inputs));
    world
        .until("the cell to be rendered with the newest policy", |world| {
            let head_of_cell = world.repository().head().unwrap().unwrap();
            let state = head_of_cell.state.unwrap();
            state.checkpoint.policy == Some(head)
        })
        .await;
}

/// The policy's commits with their trailers, the newest first.
fn story(world: &World) -> Vec<String> {
    let log = Command::new("git")
        .arg("-C")
        .arg(world.folder.path().join("policy"))
        .args(["log", "--grep=^Coditect-Rollout: v2$"])
        .arg("--format=%(trailers:key=Coditect-Step,valueonly,separator=) %(trailers:key=Coditect-Ring,valueonly,separator=%x2C)")
        .output()
        .unwrap();
    let log = String::from_utf8(log.stdout).unwrap();
    log.lines().map(ToOwned::to_owned).collect()
}

fn rings(world: &World) -> String {
    let file = world.folder.path().join("policy/tenants/rings.yaml");
    fs::read_to_string(file).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_ring_by_ring_each_its_own_commit() {
    let (world, people) = world().await;
    let (renderer, stop) = world.start();
    world
        .until("everybody is in Git", |world| {
            world.path().exists() && world.users().len() == people.len()
        })
        .await;
    start(&world).await;
    let service = service(&world, world.policy());
    // Nothing is known of the cell.
    service.look().await.unwrap();
    assert_eq!(story(&world), [""; 0]);
    seen(&world, &people, Phase::Ready, true).await;
    service.look().await.unwrap();
    assert_eq!(story(&world), ["promote canary"]);
    // Not rendered yet, or rendered: the next ring does not get it before the cell says so.
    rendered(&world).await;
    // An observer that lost its cluster: what it said before is not known to hold.
    seen(&world, &people, Phase::Ready, false).await;
    service.look().await.unwrap();
    assert_eq!(story(&world).len(), 1);
    seen(&world, &people, Phase::Ready, true).await;
    service.look().await.unwrap();
    assert_eq!(story(&world), ["promote everyone", "promote canary"]);
    rendered(&world).await;
    service.look().await.unwrap();
    let done = rollout(&world).await;
    assert_eq!(done.state, RolloutState::Done, "{done:?}");
    assert_eq!(done.users, people.len() as u64);
    assert_eq!(
        rings(&world),
        RINGS
            .replace("'v1'", "v2")
            .replace("release: v1", "release: v2")
    );
    assert_eq!(service.look().await.unwrap(), "no roll-out is under way");
    stop.cancel();
    renderer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_fails_goes_back_by_a_commit() {
    let (world, people) = world().await;
    let (renderer, stop) = world.start();
    world
        .until("everybody is in Git", |world| {
            world.path().exists() && world.users().len() == people.len()
        })
        .await;
    seen(&world, &people, Phase::Ready, true).await;
    start(&world).await;
    let service = service(&world, world.policy());
    service.look().await.unwrap();
    rendered(&world).await;
    let failing = of_ring(&world, &people, "canary");
    seen(&world, failing, Phase::Failed, true).await;
    service.look().await.unwrap();
    assert_eq!(story(&world), ["rollback canary", "promote canary"]);
    assert_eq!(rings(&world), RINGS);
    let back = rollout(&world).await;
    let RolloutState::RolledBack { why } = &back.state else {
        panic!("{back:?}");
    };
    assert!(why.contains("ring canary: 0 of"), "{why}");
    rendered(&world).await;
    assert_eq!(service.look().await.unwrap(), "no roll-out is under way");
    stop.cancel();
    renderer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_the_cluster_refuses_goes_back_though_everybody_runs() {
    let (world, mut people) = world().await;
    while of_ring(&world, &people, "canary").count() < 4 {
        people.push(world.sign_up(people.len()).await);
    }
    let (renderer, stop) = world.start();
    world
        .until("everybody is in Git", |world| {
            world.path().exists() && world.users().len() == people.len()
        })
        .await;
    seen(&world, &people, Phase::Ready, true).await;
    start(&world).await;
    let service = service(&world, world.policy());
    service.look().await.unwrap();
    rendered(&world).await;
    // Their pods go on running; an observer quarantines three at most, or none while it is away.
    let refused: Vec<_> = of_ring(&world, &people, "canary").collect();
    let reason = Reason::new(Cause::Admission, "Service is invalid");
    seen_for(&world, refused, Phase::Ready, Some(reason), true).await;
    service.look().await.unwrap();
    assert_eq!(story(&world), ["rollback canary", "promote canary"]);
    let RolloutState::RolledBack { why } = rollout(&world).await.state else {
        panic!("it went on");
    };
    assert!(why.contains("the cluster refuses objects of"), "{why}");
    stop.cancel();
    renderer.await.unwrap();
}

/// The cell's newest restart.
async fn restart(world: &World) -> Restart {
    let mut view = world.registry.view().await.unwrap();
    view.restart(&local()).await.unwrap().unwrap()
}

fn of_rings(restart: &Restart) -> Vec<String> {
    let one = |of: &RingRelease| format!("{} {}", of.ring, of.release);
    restart.of.iter().map(one).collect()
}

/// What an observer tells of the cell's restart: which one it was.
async fn restarted(world: &World, done: u32, failed: u32, left: u32) -> Restart {
    let restart = restart(world).await;
    let note = NoteRestart {
        cell: local(),
        id: restart.id,
        done,
        failed,
        left,
        stopped: None,
        at: Timestamp::now(),
    };
    assert!(
        world
            .registry
            .apply(RequestId::random(), &note)
            .await
            .unwrap()
    );
    restart
}

const NOW: RolloutRestart = RolloutRestart::Now {
    from: None,
    until: None,
    at_once: 2,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_whose_pods_are_restarted_is_waited_for_until_none_is_left() {
    let (world, people) = world().await;
    let (renderer, stop) = world.start();
    world
        .until("everybody is in Git", |world| {
            world.path().exists() && world.users().len() == people.len()
        })
        .await;
    seen(&world, &people, Phase::Ready, true).await;
    start_with(&world, NOW).await;
    let service = service(&world, world.policy());
    service.look().await.unwrap();
    rendered(&world).await;
    // Asked for, not seen by an observer yet, and half done.
    for what in ["are to be restarted", "begins"] {
        let said = service.look().await.unwrap();
        assert!(said.contains(what), "{said}");
    }
    let first = restarted(&world, 1, 0, 2).await;
    let said = service.look().await.unwrap();
    assert!(
        said.contains("2 pods of cell local are still to be restarted, 1 were"),
        "{said}"
    );
    assert_eq!(story(&world).len(), 1);
    restarted(&world, 3, 0, 0).await;
    service.look().await.unwrap();
    assert_eq!(story(&world), ["promote everyone", "promote canary"]);
    rendered(&world).await;
    // The window of the first is open still; the second ring's begins all the same.
    service.look().await.unwrap();
    service.look().await.unwrap();
    let second = restarted(&world, 4, 0, 0).await;
    assert_ne!(first.id, second.id);
    service.look().await.unwrap();
    assert_eq!(rollout(&world).await.state, RolloutState::Done);
    stop.cancel();
    renderer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_whose_pods_do_not_come_back_goes_back() {
    let (world, people) = world().await;
    let (renderer, stop) = world.start();
    world
        .until("everybody is in Git", |world| {
            world.path().exists() && world.users().len() == people.len()
        })
        .await;
    seen(&world, &people, Phase::Ready, true).await;
    start_with(&world, NOW).await;
    let service = service(&world, world.policy());
    service.look().await.unwrap();
    rendered(&world).await;
    service.look().await.unwrap();
    let forth = restarted(&world, 1, 4, 9).await;
    service.look().await.unwrap();
    assert_eq!(story(&world), ["rollback canary", "promote canary"]);
    assert_eq!(rings(&world), RINGS);
    let RolloutState::RolledBack { why } = rollout(&world).await.state else {
        panic!("it went on");
    };
    assert!(
        why.contains("4 pods of cell local did not get ready"),
        "{why}"
    );
    // Nobody else is taken down to start on it, and who was comes back on what runs.
    let back = restart(&world).await;
    assert_ne!(back.id, forth.id);
    assert_eq!(of_rings(&forth), ["canary v2"]);
    assert_eq!(of_rings(&back), ["canary v1"]);
    assert_eq!(back.stopped, None);
    stop.cancel();
    renderer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_stops_the_restart_and_another_ones_is_named() {
    let (world, people) = world().await;
    let (renderer, stop) = world.start();
    world
        .until("everybody is in Git", |world| {
            world.path().exists() && world.users().len() == people.len()
        })
        .await;
    seen(&world, &people, Phase::Ready, true).await;
    let now = Timestamp::now();
    let theirs = Restart::asked(RequestId::random().as_uuid(), now, None, 1, now);
    let asked = StartRestart {
        cell: local(),
        restart: theirs.clone(),
        at: now,
    };
    world
        .registry
        .apply(RequestId::random(), &asked)
        .await
        .unwrap();
    start_with(&world, NOW).await;
    let service = service(&world, world.policy());
    service.look().await.unwrap();
    rendered(&world).await;
    // One that an operator began and that is not over goes first.
    service.look().await.unwrap();
    let said = service.look().await.unwrap();
    let first = format!("after restart {} of cell local", theirs.id);
    assert!(said.contains(&first), "{said}");
    restarted(&world, 2, 0, 0).await;
    service.look().await.unwrap();
    let ours = restart(&world).await;
    assert_ne!(ours.id, theirs.id);
    let known = rollout(&world).await;
    let aborted = PutRollout {
        release: "v2".parse().unwrap(),
        expected: known.revision,
        rollout: Rollout {
            state: RolloutState::Aborted {
                why: "a person asked".to_owned(),
            },
            ..known
        },
        cells: Vec::new(),
        at: now,
    };
    world
        .registry
        .apply(RequestId::random(), &aborted)
        .await
        .unwrap();
    service.look().await.unwrap();
    assert_eq!(rings(&world), RINGS);
    let back = restart(&world).await;
    assert_ne!(back.id, ours.id);
    assert_eq!(of_rings(&back), ["canary v1"]);
    stop.cancel();
    renderer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_cannot_render_is_given_to_nobody() {
    let (world, people) = world().await;
    let (renderer, stop) = world.start();
    world
        .until("everybody is in Git", |world| {
            world.path().exists() && world.users().len() == people.len()
        })
        .await;
    // Nobody runs it yet, so the policy that holds it is good.
    let file = "policy/templates/v2/user-10-namespace.yaml.j2";
    let file = world.folder.path().join(file);
    let good = fs::read_to_string(&file).unwrap();
    let bad = good.replace("{{ ring }}", "{{ ringg }}");
    assert_ne!(good, bad);
    fs::write(&file, bad).unwrap();
    world
        .policy()
        .commit_all("a release with a mistake")
        .unwrap();
    rendered(&world).await;
    seen(&world, &people, Phase::Ready, true).await;
    start(&world).await;
    let service = service(&world, world.policy());
    service.look().await.unwrap();
    let RolloutState::Paused { why } = rollout(&world).await.state else {
        panic!("it went on");
    };
    assert!(
        why.starts_with("ring canary cannot be rendered with it: "),
        "{why}"
    );
    assert!(why.contains("user-10-namespace.yaml.j2"), "{why}");
    assert!(
        why.ends_with("mend the release and resume, or abort"),
        "{why}"
    );
    assert_eq!(rings(&world), RINGS);
    stop.cancel();
    renderer.await.unwrap();
}

/// Writes, and then is as one that was killed before it could say so.
struct KilledAfterWriting(PolicyRepository);

impl PolicyWriter for KilledAfterWriting {
    fn head(&self) -> Result<Oid> {
        PolicyWriter::head(&self.0)
    }

    fn file(&self, commit: Oid, path: &str) -> Result<Option<Vec<u8>>> {
        self.0.file(commit, path)
    }

    fn write(&self, parent: Oid, path: &str, bytes: &[u8], why: &str) -> Result<Oid, WriteError> {
        self.0.write(parent, path, bytes, why)?;
        Err(WriteError::Failed(Error::unavailable("killed")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_between_commit_and_note_finds_the_step_in_the_policy() {
    let (world, people) = world().await;
    let (renderer, stop) = world.start();
    world
        .until("everybody is in Git", |world| {
            world.path().exists() && world.users().len() == people.len()
        })
        .await;
    seen(&world, &people, Phase::Ready, true).await;
    start(&world).await;
    let killed = service(&world, KilledAfterWriting(world.policy()));
    killed.look().await.unwrap_err();
    assert_eq!(story(&world), ["promote canary"]);
    assert_eq!(rollout(&world).await.ring, None);
    let next = service(&world, world.policy());
    // Not rendered with it: it is noted, and nothing is written again.
    next.look().await.unwrap();
    assert_eq!(story(&world), ["promote canary"]);
    let canary: RingName = "canary".parse().unwrap();
    assert_eq!(rollout(&world).await.ring, Some(canary));
    rendered(&world).await;
    let failing = of_ring(&world, &people, "canary");
    seen(&world, failing, Phase::Failed, true).await;
    killed.look().await.unwrap_err();
    let state = rollout(&world).await.state;
    assert!(matches!(state, RolloutState::Aborted { .. }), "{state:?}");
    assert_eq!(rings(&world), RINGS);
    next.look().await.unwrap();
    let state = rollout(&world).await.state;
    assert!(
        matches!(state, RolloutState::RolledBack { .. }),
        "{state:?}"
    );
    assert_eq!(story(&world).len(), 2);
    stop.cancel();
    renderer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_that_are_not_committed_and_other_writers_are_never_written_over() {
    let (world, _) = world().await;
    let policy = world.policy();
    let head = policy.head().unwrap().unwrap();
    let file = world.folder.path().join("policy/tenants/rings.yaml");
    fs::write(&file, "# being typed\n").unwrap();
    let refused = policy
        .write(head, "tenants/rings.yaml", b"x", "no")
        .unwrap_err();
    let WriteError::Failed(error) = refused else {
        panic!("{refused:?}");
    };
    assert!(error.to_string().contains("commit them"), "{error}");
    assert_eq!(rings(&world), "# being typed\n");
    world.write("tenants/rings.yaml", &RINGS.replace("brave", "bold"));
    let moved = policy
        .write(head, "tenants/rings.yaml", b"x", "no")
        .unwrap_err();
    assert!(matches!(moved, WriteError::Moved), "{moved:?}");
}
