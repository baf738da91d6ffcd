//! What an observer notes: statuses, power, activity, quarantine, restarts, cells.

use std::time::Duration;

use coditect_core::{
    Activity, Cause, CellName, Kind, Notice, NoticeKind, Phase, Power, Reason, RequestId, Step,
    Version,
};
use coditect_registry::{
    Operation, WorkspaceView,
    operation::{
        CreateWorkspace, Keep, LiftQuarantine, MarkWorkspace, NoteActivity, NoteCell,
        NoteCommitted, NoteRestart, NoteStatus, Provisioned, PutQuarantine, ResolveQuarantine,
        STATUSES_AT_ONCE, SetPower, StartRestart, StopRestart, Suspend, TrimPower,
    },
    record::{Action, CellState, PowerCause, Restart, Status, decode},
    store::{StoreError, faulty::Fault},
};
use uuid::Uuid;

use crate::support::{World, at, cell, entitlement};

pub(crate) fn local() -> CellName {
    "local".parse().unwrap()
}

impl World {
    pub(crate) async fn apply<O: Operation>(&self, operation: &O) -> O::Output {
        self.registry
            .apply(RequestId::random(), operation)
            .await
            .unwrap()
    }

    pub(crate) async fn workspace(&self, person: &Provisioned) -> WorkspaceView {
        let mut view = self.registry.view().await.unwrap();
        view.workspace(person.account, person.workspace)
            .await
            .unwrap()
    }

    async fn actions(&self, person: &Provisioned) -> Vec<Action> {
        let mut view = self.registry.view().await.unwrap();
        let entries = view.audit(person.tenant, 100).await.unwrap();
        entries.into_iter().map(|entry| entry.action).collect()
    }

    async fn version(&self) -> Version {
        let mut view = self.registry.view().await.unwrap();
        view.version().await.unwrap()
    }
}

pub(crate) fn power(person: &Provisioned, power: Power, seconds: i64) -> SetPower {
    SetPower {
        account: person.account,
        workspace: person.workspace,
        power,
        at: at(seconds),
    }
}

fn status(phase: Phase, seconds: i64) -> Status {
    Status {
        phase,
        since: at(seconds),
        reason: Some(Reason::new(Cause::Quota, "exceeded quota: pods=0")),
        generation: 1,
        steps: vec![Step {
            phase,
            at: at(seconds),
        }],
        notices: vec![Notice {
            kind: NoticeKind::Drift,
            at: at(seconds),
            until: None,
            detail: "the scale was 3".into(),
        }],
    }
}

fn note(person: &Provisioned, status: Status) -> NoteStatus {
    NoteStatus {
        cell: local(),
        statuses: vec![(person.user, person.workspace, status)],
        at: at(50),
    }
}

#[tokio::test]
async fn a_status_is_noted_for_what_is_there_and_feeds_nobody() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let before = world.version().await;
    let seen = status(Phase::Starting, 5);
    let mut both = note(&ada, seen.clone());
    let stranger = coditect_core::WorkspaceId::random();
    both.statuses.push((ada.user, stranger, seen.clone()));
    both.statuses
        .push((ada.user, bob.workspace, status(Phase::Ready, 5)));
    for _ in 0..2 {
        world.apply(&both).await;
    }
    assert_eq!(world.workspace(&ada).await.status, Some(seen.clone()));
    assert_eq!(
        world.workspace(&bob).await.status,
        None,
        "under another's user it is not bob's"
    );
    let mut view = world.registry.view().await.unwrap();
    let changes = view.changes_after(&local(), before, 10).await.unwrap();
    assert!(changes.users.is_empty());

    let elsewhere = NoteStatus {
        cell: "other".parse().unwrap(),
        ..note(&bob, seen.clone())
    };
    world.apply(&elsewhere).await;
    assert_eq!(world.workspace(&bob).await.status, None);

    let many = NoteStatus {
        statuses: vec![(ada.user, ada.workspace, seen.clone()); STATUSES_AT_ONCE + 1],
        ..note(&ada, seen.clone())
    };
    assert!(matches!(world.refused(&many).await, Kind::Invalid { .. }));
    let endless = Status {
        steps: vec![seen.steps[0]; Status::LONGEST_ROAD + 1],
        ..seen
    };
    assert!(matches!(
        world.refused(&note(&ada, endless)).await,
        Kind::Invalid { .. }
    ));
}

#[tokio::test]
async fn a_status_that_says_nothing_new_wakes_nobody() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let noted = note(&ada, status(Phase::Ready, 5));
    let (_, first) = world
        .registry
        .apply_at(RequestId::random(), &noted)
        .await
        .unwrap();
    let (_, second) = world
        .registry
        .apply_at(RequestId::random(), &noted)
        .await
        .unwrap();
    assert_eq!(second, first, "nothing was written");
}

#[test]
fn a_reason_that_was_plain_text_stays_readable() {
    let old = br#"{"phase":"failed","since":"2026-05-01T10:00:00Z","reason":"quota exceeded"}"#;
    let read: Status = decode(&[&[1], old.as_slice()].concat()).unwrap();
    assert_eq!(read.reason.unwrap().detail, "quota exceeded");
    assert_eq!((read.generation, read.steps.len()), (0, 0));
    let older = br#"{"phase":"ready","since":"2026-05-01T10:00:00Z"}"#;
    let read: Status = decode(&[&[1], older.as_slice()].concat()).unwrap();
    assert_eq!(read.reason, None);
    let now = status(Phase::Failed, 1);
    let bytes = coditect_registry::record::encode(&now).unwrap();
    assert_eq!(decode::<Status>(&bytes).unwrap(), now);
    let power = br#"{"power":"on","since":"2026-05-01T10:00:00Z"}"#;
    let read: coditect_registry::record::PowerState =
        decode(&[&[1], power.as_slice()].concat()).unwrap();
    assert_eq!(read.cause, PowerCause::Person);
}

#[tokio::test]
async fn what_runs_is_not_requested_again_by_a_change() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    assert_eq!(world.workspace(&ada).await.phase(), Phase::Requested);
    let mut view = world.registry.view().await.unwrap();
    let committed = NoteCommitted {
        cell: local(),
        commit: "aaaa".into(),
        rows: vec![view.intent(&local(), ada.user).await.unwrap().unwrap()],
        checkpoint: None,
        at: at(2),
    };
    world.apply(&committed).await;
    assert_eq!(world.workspace(&ada).await.phase(), Phase::Committed);
    world.apply(&note(&ada, status(Phase::Ready, 5))).await;
    assert_eq!(world.workspace(&ada).await.phase(), Phase::Ready);

    let raise = coditect_registry::operation::Raise {
        cell: local(),
        user: ada.user,
        sizes: vec![(ada.workspace, 20)],
        above_generation: 0,
        at: at(6),
    };
    world.apply(&raise).await;
    let changed = world.workspace(&ada).await;
    assert_eq!(changed.phase(), Phase::Ready);
    assert!(
        changed.landed.unwrap().generation < changed.requested.generation,
        "the change is on its way, and can be told"
    );
    let mark = MarkWorkspace {
        account: ada.account,
        workspace: ada.workspace,
        until: at(100),
        at: at(7),
    };
    world.apply(&mark).await;
    let marked = world.workspace(&ada).await;
    assert_eq!(
        (marked.phase(), marked.power.cause),
        (Phase::Deleting, PowerCause::Deletion)
    );
}

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

#[tokio::test]
async fn activity_never_goes_back_nor_into_the_future() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let report = |input: Option<i64>, output: Option<i64>, reported, now| NoteActivity {
        cell: local(),
        workspace: ada.workspace,
        activity: Activity {
            input_at: input.map(at),
            output_at: output.map(at),
            reported_at: at(reported),
        },
        at: at(now),
    };
    let known = async || {
        let mut view = world.registry.view().await.unwrap();
        view.activities(&local())
            .await
            .unwrap()
            .get(&ada.workspace)
            .copied()
    };
    assert_eq!(known().await, None, "nothing reported is not idle");
    assert!(world.apply(&report(Some(100), None, 100, 100)).await);
    assert!(world.apply(&report(Some(50), Some(60), 90, 110)).await);
    assert!(world.apply(&report(None, Some(9_999), 9_999, 120)).await);
    assert_eq!(
        known().await,
        Some(Activity {
            input_at: Some(at(100)),
            output_at: Some(at(120)),
            reported_at: at(120),
        })
    );
    let unknown = NoteActivity {
        workspace: coditect_core::WorkspaceId::random(),
        ..report(Some(1), None, 1, 1)
    };
    assert!(!world.apply(&unknown).await);
    let elsewhere = NoteActivity {
        cell: "other".parse().unwrap(),
        ..report(Some(1), None, 1, 1)
    };
    assert!(!world.apply(&elsewhere).await);

    for seconds in [200, 210, 300] {
        let keep = Keep {
            account: ada.account,
            workspace: ada.workspace,
            at: at(seconds),
        };
        world.apply(&keep).await;
    }
    let known = known().await.unwrap();
    assert_eq!(
        (known.input_at, known.output_at, known.reported_at),
        (Some(at(300)), Some(at(120)), at(300))
    );
    let kept = Action::WorkspaceKept {
        workspace: ada.workspace,
    };
    let actions = world.actions(&ada).await;
    assert_eq!(
        actions.iter().filter(|action| **action == kept).count(),
        2,
        "clicks within a minute are one decision"
    );
}

#[tokio::test]
async fn quarantine_is_announced_when_it_begins_and_when_it_ends() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let generation = world.generation(ada.user).await;
    let put = |generation, commit: &str| PutQuarantine {
        cell: local(),
        user: ada.user,
        generation,
        commit: commit.into(),
        reason: Reason::new(Cause::Admission, "denied: privileged"),
        at: at(5),
    };
    let resolve = |commit: &str| ResolveQuarantine {
        cell: local(),
        user: ada.user,
        commit: commit.into(),
        refused: "blob-of-the-refused".into(),
        stands: Some("blob-of-the-last-good".into()),
        at: at(6),
    };
    let lift = LiftQuarantine {
        cell: local(),
        user: ada.user,
        at: at(7),
    };
    let mut seen = world.version().await;
    let mut announced = async || {
        let mut view = world.registry.view().await.unwrap();
        let changes = view.changes_after(&local(), seen, 10).await.unwrap();
        seen = changes.until;
        changes.users.contains(&ada.user)
    };
    let known = async || {
        let mut view = world.registry.view().await.unwrap();
        let runtime = view.runtime(&local(), ada.user).await.unwrap().unwrap();
        let all = view.quarantines(&local()).await.unwrap();
        assert_eq!(all.get(&ada.user), runtime.quarantine.as_ref());
        runtime.quarantine
    };

    assert!(!world.apply(&put(generation + 1, "c1")).await);
    assert!(!world.apply(&lift).await && !world.apply(&resolve("c1")).await);
    assert!(!announced().await && known().await.is_none());

    assert!(world.apply(&put(generation, "c1")).await);
    assert!(announced().await);
    assert!(world.apply(&resolve("c1")).await);
    assert!(!announced().await, "the renderer itself says it");
    assert!(world.apply(&put(generation, "c1")).await);
    assert!(!announced().await, "the same refusal, told again");
    let stands = known().await.unwrap();
    assert_eq!(
        (stands.refused.as_deref(), stands.stands.as_deref()),
        (Some("blob-of-the-refused"), Some("blob-of-the-last-good"))
    );

    assert!(world.apply(&put(generation, "c2")).await);
    assert!(announced().await, "what stood in its place is refused too");
    assert!(
        !world.apply(&resolve("c1")).await,
        "an answer to the refusal before"
    );
    assert_eq!(known().await.unwrap().refused, None);
    assert!(world.apply(&lift).await);
    assert!(announced().await && known().await.is_none());
    assert!(!world.apply(&lift).await);
    assert!(!announced().await);
    let actions = world.actions(&ada).await;
    assert_eq!(
        actions[..3],
        [
            Action::QuarantineLifted { user: ada.user },
            Action::UserQuarantined {
                user: ada.user,
                generation
            },
            Action::UserQuarantined {
                user: ada.user,
                generation
            },
        ]
    );
}

fn window(id: Uuid) -> Restart {
    Restart {
        id,
        outdated_before: at(0),
        not_before: at(100),
        not_after: at(200),
        at_once: 2,
        stopped: None,
        done: 0,
        failed: 0,
        started_at: at(10),
    }
}

#[tokio::test]
async fn a_cell_has_one_restart_at_a_time() {
    let world = World::new().await;
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let start = |restart, seconds| StartRestart {
        cell: local(),
        restart,
        at: at(seconds),
    };
    let progress = |id, done, failed, stopped: Option<&str>| NoteRestart {
        cell: local(),
        id,
        done,
        failed,
        stopped: stopped.map(str::to_owned),
        at: at(110),
    };
    let stop = |seconds| StopRestart {
        cell: local(),
        why: "an operator stopped it".into(),
        at: at(seconds),
    };
    assert!(!world.apply(&stop(10)).await);
    for wrong in [
        Restart {
            at_once: 0,
            ..window(first)
        },
        Restart {
            not_after: at(100),
            ..window(first)
        },
        Restart {
            not_before: at(1),
            not_after: at(9),
            ..window(first)
        },
    ] {
        let kind = world.refused(&start(wrong, 10)).await;
        assert!(matches!(kind, Kind::Invalid { .. }));
    }
    world.apply(&start(window(first), 10)).await;
    assert_eq!(
        world.refused(&start(window(second), 11)).await,
        Kind::Conflict
    );
    for (done, failed) in [(3, 1), (2, 0), (3, 1)] {
        assert!(world.apply(&progress(first, done, failed, None)).await);
    }
    assert!(!world.apply(&progress(second, 9, 9, None)).await);
    assert!(world.apply(&stop(120)).await);
    assert!(!world.apply(&stop(121)).await);
    assert!(world.apply(&progress(first, 4, 1, Some("done"))).await);
    let mut view = world.registry.view().await.unwrap();
    let stopped = view.restart(&local()).await.unwrap().unwrap();
    assert_eq!((stopped.done, stopped.failed), (4, 1), "no count sinks");
    assert_eq!(stopped.stopped.as_deref(), Some("an operator stopped it"));

    world.apply(&start(window(second), 130)).await;
    let third = Restart {
        not_before: at(300),
        not_after: at(400),
        ..window(Uuid::from_u128(3))
    };
    assert_eq!(
        world.refused(&start(third.clone(), 199)).await,
        Kind::Conflict
    );
    world.apply(&start(third, 200)).await;
}

#[tokio::test]
async fn how_a_cell_fares_is_what_was_said_last() {
    let world = World::new().await;
    let state = |ready, seconds| CellState {
        held: true,
        scales_wrong: 1,
        workspaces: 5,
        ready,
        connected: true,
        argocd_unreachable: Some("no Applications".into()),
        at: at(seconds),
    };
    let note = |ready, seconds| NoteCell {
        cell: local(),
        state: state(ready, seconds),
        at: at(seconds),
    };
    for (ready, seconds) in [(1, 1), (2, 2), (2, 2)] {
        world.apply(&note(ready, seconds)).await;
    }
    let mut view = world.registry.view().await.unwrap();
    assert_eq!(view.cell_state(&local()).await.unwrap(), Some(state(2, 2)));
    let other = "other".parse().unwrap();
    assert_eq!(view.cell_state(&other).await.unwrap(), None);
}

#[tokio::test]
async fn power_is_followed_in_pieces_and_trimmed_behind() {
    let world = World::new().await;
    let mut people = Vec::new();
    for n in 0..7 {
        people.push(world.sign_up(&format!("p{n}@example.com")).await);
    }
    let mut view = world.registry.view().await.unwrap();
    let signal = view.power_signal(&local()).await.unwrap();
    let checkpoint = world.version().await;
    let registry = world.registry.clone();
    let waiting = tokio::spawn(async move { registry.power_changed(&local(), signal).await });
    world.apply(&power(&people[3], Power::Off, 1)).await;
    waiting.await.unwrap().unwrap();

    for limit in [1, 3, 100] {
        let (mut seen, mut version) = (Vec::new(), Version(0));
        loop {
            let mut view = world.registry.view().await.unwrap();
            let part = view.power_after(&local(), version, limit).await.unwrap();
            seen.extend(part.workspaces);
            version = part.until;
            if !part.more {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 7, "limit {limit}");
    }
    let trim = |until| TrimPower {
        cell: local(),
        until,
        at: at(2),
    };
    for until in [checkpoint, Version(1), checkpoint] {
        world.apply(&trim(until)).await;
    }
    let mut view = world.registry.view().await.unwrap();
    assert_eq!(view.power_floor(&local()).await.unwrap(), checkpoint);
    let left = view.power_after(&local(), Version(0), 10).await.unwrap();
    assert_eq!(
        left.workspaces.into_iter().collect::<Vec<_>>(),
        [people[3].workspace]
    );
}

#[tokio::test]
async fn a_whole_cell_is_read_in_pages() {
    let world = World::new().await;
    let mut people = Vec::new();
    for n in 0..5 {
        people.push(world.sign_up(&format!("p{n}@example.com")).await);
    }
    let ada = &people[2];
    world.apply(&note(ada, status(Phase::Ready, 5))).await;
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let mut view = world.registry.view().await.unwrap();
        let (page, more) = view.runtimes_after(&local(), after, 2).await.unwrap();
        after = page.last().map(|last| last.row.intent.user);
        read.extend(page);
        if !more {
            break;
        }
    }
    let mut expected: Vec<_> = people.iter().map(|person| person.user).collect();
    expected.sort();
    let users: Vec<_> = read.iter().map(|user| user.row.intent.user).collect();
    assert_eq!(users, expected);
    let own = read
        .iter()
        .find(|user| user.row.intent.user == ada.user)
        .unwrap();
    assert_eq!(own.workspaces.len(), 1);
    assert_eq!(own.workspaces[0].id, ada.workspace);
    assert_eq!(own.workspaces[0].power.power, Power::On);
    assert_eq!(
        own.workspaces[0].status.as_ref().unwrap().phase,
        Phase::Ready
    );
    let mut view = world.registry.view().await.unwrap();
    assert!(
        view.runtime(&local(), coditect_core::UserId::random())
            .await
            .unwrap()
            .is_none()
    );
    let place = view.place_of(ada.workspace).await.unwrap().unwrap();
    assert_eq!((place.user, place.cell), (ada.user, local()));
}
