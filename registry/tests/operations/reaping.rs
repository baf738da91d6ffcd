//! What is deleted is put on the reaper's list in the same transaction; what comes back from Git.

use std::collections::BTreeSet;

use coditect_core::{
    AccountId, Activity, Cause, Kind, Phase, Power, Reason, Shard, Standing, TenantId, UserId,
    UserIntent, WorkspaceId, WorkspaceIntent,
};
use coditect_registry::{
    operation::{
        AdoptUser, BuryMissing, DeleteAccount, DeleteUser, DeleteWorkspace, MarkAccount,
        MarkWorkspace, Meter, NoteActivity, NoteReaped, NoteStatus, Provisioned, PutQuarantine,
        SetPower,
    },
    record::{PowerCause, ReapEntry, Status},
};

use crate::{
    observer::local,
    support::{World, at},
};

impl World {
    async fn reap_list(&self) -> BTreeSet<(UserId, Option<WorkspaceId>)> {
        let mut view = self.registry.view().await.unwrap();
        let entries = view.reap_list(&local()).await.unwrap();
        entries
            .into_iter()
            .map(
                |ReapEntry {
                     user, workspace, ..
                 }| (user, workspace),
            )
            .collect()
    }

    /// Gives a person everything that an observer and a person leave behind.
    pub(crate) async fn live(&self, person: &Provisioned) {
        let user = self.generation(person.user).await;
        let activity = Activity {
            input_at: Some(at(5)),
            output_at: Some(at(5)),
            reported_at: at(5),
        };
        let status = Status {
            phase: Phase::Ready,
            since: at(5),
            reason: None,
            generation: user,
            steps: Vec::new(),
            notices: Vec::new(),
        };
        self.apply(&NoteStatus {
            cell: local(),
            statuses: vec![(person.user, person.workspace, status)],
            at: at(5),
        })
        .await;
        self.apply(&NoteActivity {
            cell: local(),
            workspace: person.workspace,
            activity,
            at: at(5),
        })
        .await;
        for seconds in [10, 20] {
            self.apply(&Meter {
                cell: local(),
                workspaces: vec![person.workspace],
                until: at(seconds),
                at: at(seconds),
            })
            .await;
        }
        self.apply(&PutQuarantine {
            cell: local(),
            user: person.user,
            generation: user,
            commit: "c1".into(),
            reason: Reason::new(Cause::Admission, "denied"),
            at: at(6),
        })
        .await;
    }
}

#[tokio::test]
async fn erasure_leaves_nothing_of_what_was_observed() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    for person in [&ada, &bob] {
        world.live(person).await;
    }
    let before = world.traces(ada.user.as_uuid()).await;
    for part in ["usage", "metering", "status", "quarantine"] {
        assert!(before.iter().any(|key| key.contains(part)), "{part}");
    }
    assert!(!world.traces(ada.workspace.as_uuid()).await.is_empty());
    world
        .apply(&DeleteAccount {
            account: ada.account,
            at: at(30),
        })
        .await;
    for id in [
        ada.user.as_uuid(),
        ada.workspace.as_uuid(),
        ada.tenant.as_uuid(),
    ] {
        assert_eq!(world.traces(id).await, Vec::<String>::new());
    }
    assert_eq!(world.reap_list().await, [(ada.user, None)].into());
    assert!(!world.traces(bob.user.as_uuid()).await.is_empty());
}

#[tokio::test]
async fn every_way_of_deleting_puts_it_on_the_reapers_list() {
    let world = World::new().await;
    let mut expected = BTreeSet::new();

    let person = world.sign_up("workspace@example.com").await;
    world
        .apply(&DeleteWorkspace {
            account: person.account,
            workspace: person.workspace,
            at: at(1),
        })
        .await;
    expected.insert((person.user, Some(person.workspace)));
    assert_eq!(world.reap_list().await, expected);

    let person = world.sign_up("user@example.com").await;
    world
        .apply(&DeleteUser {
            user: person.user,
            at: at(1),
        })
        .await;
    expected.insert((person.user, None));
    assert_eq!(world.reap_list().await, expected);

    let (marked, leaving) = (
        world.sign_up("marked@example.com").await,
        world.sign_up("leaving@example.com").await,
    );
    world
        .apply(&MarkWorkspace {
            account: marked.account,
            workspace: marked.workspace,
            until: at(10),
            at: at(1),
        })
        .await;
    world
        .apply(&MarkAccount {
            account: leaving.account,
            until: at(10),
            at: at(1),
        })
        .await;
    assert_eq!(world.reap_list().await, expected, "marked is not deleted");
    for _ in 0..2 {
        world.bury_due(11).await;
    }
    expected.extend([(marked.user, Some(marked.workspace)), (leaving.user, None)]);
    assert_eq!(world.reap_list().await, expected);

    let (known, other) = (
        world.sign_up("known@example.com").await,
        world.sign_up("other@example.com").await,
    );
    let (stranger, lost) = (UserId::random(), (UserId::random(), WorkspaceId::random()));
    let missing = BuryMissing {
        cell: local(),
        users: vec![known.user, stranger],
        workspaces: vec![(other.user, other.workspace), lost],
        requested: false,
        at: at(12),
    };
    world.apply(&missing).await;
    expected.extend([
        (known.user, None),
        (stranger, None),
        (other.user, Some(other.workspace)),
        (lost.0, Some(lost.1)),
    ]);
    assert_eq!(world.reap_list().await, expected);

    for (user, workspace) in expected {
        let id = workspace.map_or(user.as_uuid(), |workspace| workspace.as_uuid());
        for _ in 0..2 {
            world
                .apply(&NoteReaped {
                    cell: local(),
                    id,
                    at: at(20),
                })
                .await;
        }
    }
    assert!(world.reap_list().await.is_empty());
    world.apply(&missing).await;
    assert!(
        world.reap_list().await.is_empty(),
        "what has its tombstone is not reaped again"
    );
}

fn intent(standing: Standing) -> UserIntent {
    let user = UserId::random();
    let workspace = |standing| WorkspaceIntent {
        id: WorkspaceId::random(),
        slug: coditect_core::Slug::random(),
        storage_gib: 10,
        storage_class: "standard-rwo".parse().unwrap(),
        standing,
    };
    let mut intent = UserIntent {
        user,
        tenant: TenantId::random(),
        cell: local(),
        shard: Shard::of(user),
        generation: 7,
        plan: "pro".parse().unwrap(),
        ring: None,
        standing,
        workspaces: Vec::new(),
    };
    intent.put_workspace(workspace(Standing::Active));
    intent.put_workspace(workspace(Standing::Marked));
    intent
}

fn adopt(intent: &UserIntent) -> AdoptUser {
    AdoptUser {
        intent: intent.clone(),
        account: AccountId::random(),
        at: at(1),
    }
}

#[tokio::test]
async fn what_git_holds_comes_back_off_and_once() {
    let world = World::new().await;
    let intent = intent(Standing::Active);
    let before = world
        .registry
        .view()
        .await
        .unwrap()
        .version()
        .await
        .unwrap();
    let first = adopt(&intent);
    assert!(world.apply(&first).await);
    assert!(!world.apply(&first).await, "twice is once");
    assert!(
        !world.apply(&adopt(&intent)).await,
        "and under another account too"
    );

    let mut view = world.registry.view().await.unwrap();
    let runtime = view.runtime(&local(), intent.user).await.unwrap().unwrap();
    assert_eq!(runtime.row.intent, intent, "the generation is Git's");
    for workspace in &runtime.workspaces {
        assert_eq!(
            (workspace.power.power, workspace.power.cause),
            (Power::Off, PowerCause::Restored)
        );
    }
    let changes = view.changes_after(&local(), before, 10).await.unwrap();
    assert!(changes.users.is_empty(), "nothing is new");
    assert_eq!(view.cell_load(&local()).await.unwrap(), 1);
    assert_eq!(view.intents(&local()).await.unwrap().rows.len(), 1);
    let (tenant, user) = view.user(intent.user).await.unwrap().unwrap();
    assert_eq!((tenant, user.account), (intent.tenant, first.account));
    assert_eq!(
        view.tenant(tenant).await.unwrap().unwrap().plan,
        intent.plan
    );
    let own = view.workspaces(intent.user).await.unwrap();
    for workspace in &own {
        assert_eq!(
            workspace.profile.name.as_str(),
            workspace.intent.slug.as_str()
        );
        assert_eq!(
            workspace.profile.mark.is_some(),
            workspace.intent.standing == Standing::Marked
        );
    }
    let start = own
        .iter()
        .find(|workspace| workspace.profile.mark.is_none())
        .unwrap();
    world
        .apply(&SetPower {
            account: first.account,
            workspace: start.id,
            power: Power::On,
            at: at(2),
        })
        .await;

    // The marked one goes when a whole grace period has passed, and not before.
    let week = 7 * 86_400;
    for (seconds, buried) in [(week, 0), (week + 1, 1)] {
        assert_eq!(world.bury_due(seconds).await, buried);
    }
}

#[tokio::test]
async fn a_marked_user_from_git_goes_the_same_road_without_a_profile() {
    let world = World::new().await;
    let intent = intent(Standing::Marked);
    world.apply(&adopt(&intent)).await;
    assert!(world.bury_due(8 * 86_400).await > 0);
    let mut view = world.registry.view().await.unwrap();
    let tombstone = view.user_tombstone(&local(), intent.user).await.unwrap();
    assert!(!tombstone.unwrap().requested);
    assert_eq!(
        world.refused(&adopt(&intent)).await,
        Kind::Conflict,
        "nobody who was deleted comes back"
    );
}

#[tokio::test]
async fn what_is_dead_or_somebody_elses_is_not_taken_over() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let mut dead = intent(Standing::Active);
    let bury = BuryMissing {
        cell: local(),
        users: Vec::new(),
        workspaces: vec![(dead.user, dead.workspaces[0].id)],
        requested: true,
        at: at(1),
    };
    world.apply(&bury).await;
    assert_eq!(world.refused(&adopt(&dead)).await, Kind::Conflict);
    dead.workspaces.remove(0);
    assert!(world.apply(&adopt(&dead)).await);

    let mut thief = intent(Standing::Active);
    let mut view = world.registry.view().await.unwrap();
    let own = view.workspace(ada.account, ada.workspace).await.unwrap();
    thief.workspaces[0].slug = own.intent.slug.clone();
    assert_eq!(world.refused(&adopt(&thief)).await, Kind::Conflict);
    let mut thief = intent(Standing::Active);
    thief.workspaces[0].id = ada.workspace;
    assert_eq!(world.refused(&adopt(&thief)).await, Kind::Conflict);
    let mut second = intent(Standing::Active);
    second.tenant = ada.tenant;
    let same_account = AdoptUser {
        account: ada.account,
        ..adopt(&second)
    };
    assert_eq!(world.refused(&same_account).await, Kind::Conflict);
    let mut view = world.registry.view().await.unwrap();
    assert!(
        view.user(second.user).await.unwrap().is_none(),
        "all or nothing"
    );
    assert_eq!(view.cell_load(&local()).await.unwrap(), 2);
}
