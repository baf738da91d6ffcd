//! Every key that operations write is of a kind that the layout lists, and every kind is written by one.

use std::collections::BTreeSet;

use coditect_core::{AccountId, ErasureId, RequestId, UserId, Version, WorkspaceId};
use coditect_registry::{
    keys,
    operation::{
        AcquireLease, ApplyStripeEvent, DeleteAccount, DeleteWorkspace, EndLogin, HandOver, Heir,
        MarkWorkspace, Meter, NoteCell, NoteCommitted, PutRollout, RemoveMember, ReplayErasure,
        SetPlan, StartRestart, TrimFeed, TrimPower, TrimRevocations,
    },
    record::{
        self, CellState, ErasedUser, Erasure, Restart, Rollout, RolloutRestart, RolloutState,
        RolloutTerms,
    },
    store::Store,
};
use uuid::Uuid;

use crate::{
    approvals, billing,
    cast::{self, external},
    counted,
    members::join,
    observer::local,
    support::{LIMITS, World, at},
};

/// What an import writes, whose own tests say so.
const ELSEWHERE: [&str; 2] = ["import", "import/progress"];

/// Looks at every key and value of the store, and notes their kinds.
async fn look(world: &World, seen: &mut BTreeSet<&'static str>) {
    for (key, value) in world.entries().await {
        let parsed = keys::parse(&key).unwrap_or_else(|error| {
            panic!(
                "{:?} {error}: it is missing in keys::layout() and docs/registry-keys.md",
                key.escape_ascii().to_string()
            )
        });
        record::inspect(parsed.kind.pattern, &value)
            .unwrap_or_else(|error| panic!("{parsed}: {error}"));
        seen.insert(parsed.kind.pattern);
    }
}

#[tokio::test]
async fn operations_write_what_the_layout_lists_and_all_of_it() {
    let world = World::with_identity_key().await;
    let mut seen = BTreeSet::new();
    let ada = cast::ada(&world).await;
    let person = ada.person;
    look(&world, &mut seen).await;

    run_the_cell(&world, person.workspace).await;
    let bob = join(&world, &person, "bob@example.com").await;
    world
        .done(&RemoveMember {
            by: person.account,
            tenant: person.tenant,
            user: bob.user,
            until: at(700_000),
            at: at(60),
        })
        .await;
    let open = approvals::ask(&world, &person, &[person.user]).await;
    world.done(&open).await;
    look(&world, &mut seen).await;
    world
        .done(&approvals::leave(&[person.user], open.change, None))
        .await;
    world
        .done(&HandOver {
            by: person.account,
            tenant: person.tenant,
            user: bob.user,
            to: Heir::Organisation,
            at: at(61),
        })
        .await;
    look(&world, &mut seen).await;
    world
        .done(&SetPlan {
            actor: Some(person.account),
            tenant: person.tenant,
            plan: "starter".parse().unwrap(),
            limits: LIMITS,
            at: at(62),
        })
        .await;
    world
        .done(&ApplyStripeEvent {
            event: external("evt_other"),
            happened_at: at(63),
            customer: external("cus_ada"),
            subscription: None,
            fetched_at: None,
            invoice: None,
            at: at(63),
        })
        .await;
    world
        .done(&EndLogin {
            account: person.account,
            login: ada.login,
            at: at(64),
        })
        .await;
    look(&world, &mut seen).await;
    world
        .done(&TrimRevocations {
            before: at(65),
            limit: 10,
            at: at(65),
        })
        .await;
    world.done(&counted::note(1, 65)).await;
    world
        .done(&MarkWorkspace {
            account: person.account,
            workspace: person.workspace,
            until: at(70_000),
            at: at(66),
        })
        .await;
    look(&world, &mut seen).await;
    world
        .done(&DeleteAccount {
            account: person.account,
            at: at(67),
        })
        .await;
    look(&world, &mut seen).await;

    // What only a large tenant, or the last of many, leaves behind.
    let large = World::new().await;
    let owner = billing::crowd(&large, 201).await;
    large
        .apply(&SetPlan {
            actor: None,
            tenant: owner.tenant,
            plan: "pro".parse().unwrap(),
            limits: LIMITS,
            at: at(68),
        })
        .await;
    let user = |_| ErasedUser {
        tenant: owner.tenant,
        user: UserId::random(),
        cell: local(),
        workspaces: Vec::new(),
    };
    large
        .apply(&ReplayErasure {
            erasure: ErasureId::random(),
            record: Erasure {
                at: at(68),
                account: AccountId::random(),
                complete: false,
                users: (0..1_000).map(user).collect(),
                further: 0,
                identities: Vec::new(),
                kept: Vec::new(),
            },
            at: at(68),
        })
        .await;
    // As many files as a number says.
    let mut transaction = large.store.begin().await.unwrap();
    let files = keys::file_count(owner.tenant, owner.user, owner.workspace);
    transaction.add(&files, 10_001);
    transaction.commit().await.unwrap();
    large
        .apply(&DeleteWorkspace {
            account: owner.account,
            workspace: owner.workspace,
            at: at(69),
        })
        .await;
    look(&large, &mut seen).await;

    let listed: BTreeSet<_> = keys::layout().iter().map(|kind| kind.pattern).collect();
    let unseen: Vec<_> = listed
        .difference(&seen)
        .filter(|pattern| !ELSEWHERE.contains(pattern))
        .collect();
    assert!(unseen.is_empty(), "no operation here writes {unseen:?}");
}

/// What renderer, observer and operator leave behind.
async fn run_the_cell(world: &World, workspace: WorkspaceId) {
    let rows = world.view().await.intents(&local()).await.unwrap().rows;
    world
        .done(&NoteCommitted {
            cell: local(),
            commit: "c0ffee".into(),
            rows,
            checkpoint: Some(Version(1)),
            at: at(54),
        })
        .await;
    world
        .done(&AcquireLease {
            cell: local(),
            holder: Uuid::new_v4(),
            above: coditect_core::Fence(0),
            duration: std::time::Duration::from_secs(10),
            at: at(54),
        })
        .await;
    world
        .done(&Meter {
            cell: local(),
            workspaces: vec![workspace],
            until: at(54),
            at: at(54),
        })
        .await;
    world
        .done(&StartRestart {
            cell: local(),
            restart: Restart {
                id: Uuid::new_v4(),
                of: Vec::new(),
                outdated_before: at(54),
                not_before: at(55),
                not_after: at(99),
                at_once: 1,
                stopped: None,
                done: 0,
                failed: 0,
                left: None,
                started_at: at(54),
            },
            at: at(54),
        })
        .await;
    world
        .done(&NoteCell {
            cell: local(),
            state: CellState {
                held: false,
                scales_wrong: 0,
                workspaces: 1,
                ready: 1,
                connected: true,
                argocd_unreachable: None,
                at: at(54),
            },
            at: at(54),
        })
        .await;
    world.done(&rollout(0)).await;
    world
        .done(&TrimFeed {
            cell: local(),
            until: Version(1),
            at: at(55),
        })
        .await;
    world
        .done(&TrimPower {
            cell: local(),
            until: Version(1),
            at: at(55),
        })
        .await;
}

fn rollout(expected: u64) -> PutRollout {
    PutRollout {
        release: "v2".parse().unwrap(),
        rollout: Rollout {
            from: "v1".parse().unwrap(),
            ring: Some("canary".parse().unwrap()),
            state: RolloutState::Advancing,
            users: 1,
            quarantined: 0,
            started_at: at(54),
            changed_at: at(54),
            revision: 0,
            release: None,
            engine: 1,
            rings: Vec::new(),
            terms: RolloutTerms::default(),
            restart: RolloutRestart::default(),
            holds_since: None,
            falls_since: None,
            seen_at: None,
            hurry: None,
            why: String::new(),
            commits: Vec::new(),
        },
        expected,
        cells: vec![local()],
        at: at(54),
    }
}

#[tokio::test]
async fn a_rollout_is_decided_on_what_is_known_and_wakes_the_renderers() {
    let world = World::new().await;
    assert_eq!(world.done(&rollout(0)).await, 1);
    assert_eq!(
        world.refused(&rollout(0)).await,
        coditect_core::Kind::Conflict,
        "decided on an older revision"
    );
    assert_eq!(world.done(&rollout(1)).await, 2);
    let mut view = world.view().await;
    assert_eq!(view.change_signal(&local()).await.unwrap(), 2);
    let known = view.rollout(&"v2".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((known.revision, known.state), (2, RolloutState::Advancing));
    // The same decision under another request is another decision.
    let again = world.registry.apply(RequestId::random(), &rollout(1)).await;
    assert!(again.is_err());
}

#[tokio::test]
async fn one_release_at_a_time_is_under_way() {
    let world = World::new().await;
    assert_eq!(world.done(&rollout(0)).await, 1);
    let v3 = PutRollout {
        release: "v3".parse().unwrap(),
        ..rollout(0)
    };
    assert_eq!(world.refused(&v3).await, coditect_core::Kind::Conflict);
    let ended = PutRollout {
        rollout: Rollout {
            state: RolloutState::RolledBack { why: "why".into() },
            ..rollout(1).rollout
        },
        ..rollout(1)
    };
    assert_eq!(world.done(&ended).await, 2);
    assert_eq!(world.done(&v3).await, 1);
    let known = world.view().await.rollouts().await.unwrap();
    let names: Vec<_> = known.iter().map(|(release, _)| release.as_str()).collect();
    assert_eq!(names, ["v2", "v3"]);
}

#[test]
fn a_rollout_from_before_it_went_by_rings_is_readable() {
    let old = r#"{"from":"v1","ring":"canary","state":{"state":"advancing"},"users":1,"quarantined":0,
        "started_at":"2026-01-01T00:00:00Z","changed_at":"2026-01-01T00:00:00Z","revision":3}"#;
    let read: Rollout = serde_json::from_str(old).unwrap();
    assert_eq!((read.rings.len(), read.terms), (0, RolloutTerms::default()));
}
