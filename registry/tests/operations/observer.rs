//! The statuses that an observer notes.

use coditect_core::{
    Cause, CellName, Kind, Notice, NoticeKind, Phase, Power, Reason, RequestId, Step, Version,
};
use coditect_registry::{
    Operation, WorkspaceView,
    operation::{
        MarkWorkspace, NoteCommitted, NoteStatus, Provisioned, STATUSES_AT_ONCE, SetPower,
    },
    record::{Action, PowerCause, Status, decode},
};

use crate::support::{World, at};

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

    pub(crate) async fn actions(&self, person: &Provisioned) -> Vec<Action> {
        let mut view = self.registry.view().await.unwrap();
        let entries = view.audit(person.tenant, 100).await.unwrap();
        entries.into_iter().map(|entry| entry.action).collect()
    }

    pub(crate) async fn version(&self) -> Version {
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

pub(crate) fn status(phase: Phase, seconds: i64) -> Status {
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

pub(crate) fn note(person: &Provisioned, status: Status) -> NoteStatus {
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
