//! The reaper, pass by pass.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use coditect_core::{
    CellName, CellSummary, Entitlement, Kind, Limits, PodSize, Readiness, RegistrationId,
    RequestId, Result, Shard, UserId, WorkspaceId,
};
use coditect_observer::reap::{Allowance, Head, Outcome, Reaper, Report, Repository, Why};
use coditect_registry::{
    Registry,
    operation::{
        CreateWorkspace, DeleteAccount, DeleteUser, DeleteWorkspace, Placement, Provisioned,
        Register, Verification,
    },
    record::RegistrationState,
    store::{Store, memory::MemoryStore},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api_server::ApiServer;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
}

fn local() -> CellName {
    "local".parse().unwrap()
}

const LIMITS: Limits = Limits {
    storage_gib: 1,
    hours_per_month: 10,
    llm_requests_per_month: 100,
    workspaces: 3,
    idle_minutes: 30,
    pod: PodSize {
        cpu_millis: 1000,
        cpu_request_millis: 100,
        memory_mib: 1024,
        ephemeral_storage_mib: 1024,
        pids: 512,
    },
};

fn summary() -> CellSummary {
    CellSummary {
        name: local(),
        capacity: 1_000,
        closed: false,
        storage_class: "standard-rwo".parse().unwrap(),
        domain: "workspaces.example".into(),
        held: false,
        readiness: Readiness::default(),
    }
}

/// What Git's newest commit holds, by id.
#[derive(Clone, Default)]
struct Commit(Arc<Mutex<BTreeSet<String>>>);

#[async_trait]
impl Repository for Commit {
    async fn head(&self) -> Result<Box<dyn Head>> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Head for Commit {
    fn commit(&self) -> &str {
        "c0ffee"
    }

    async fn holds(&self, user: UserId) -> Result<bool> {
        Ok(self.0.lock().unwrap().contains(&user.to_string()))
    }

    async fn holds_volume(&self, _: UserId, workspace: WorkspaceId) -> Result<bool> {
        Ok(self.0.lock().unwrap().contains(&workspace.to_string()))
    }
}

struct World {
    registry: Registry,
    api: ApiServer,
    commit: Commit,
    reaper: Reaper,
}

impl World {
    async fn new() -> Self {
        let store = MemoryStore::new() as Arc<dyn Store>;
        let registry = Registry::open(store).await.unwrap();
        let api = ApiServer::start().await;
        let commit = Commit::default();
        let reaper = Reaper::new(registry.clone(), local(), api.client.clone())
            .asking(Arc::new(commit.clone()));
        Self {
            registry,
            api,
            commit,
            reaper,
        }
    }

    /// A reaper that has only Argo CD to ask.
    fn without_repository(mut self) -> Self {
        self.reaper = Reaper::new(self.registry.clone(), local(), self.api.client.clone());
        self
    }

    /// Signs a person up, and makes their objects as Argo CD would.
    async fn sign_up(&self, name: &str) -> Provisioned {
        let register = Register {
            registration: RegistrationId::random(),
            email: format!("{name}@example.com").parse().unwrap(),
            display_name: name.parse().unwrap(),
            password_hash: "$argon2id$test".into(),
            terms: None,
            verification: Verification::None,
            placement: Placement {
                plan: "free".parse().unwrap(),
                limits: LIMITS,
                cells: vec![summary()],
            },
            at: at(0),
        };
        self.registry
            .apply(RequestId::random(), &register)
            .await
            .unwrap();
        let mut view = self.registry.view().await.unwrap();
        let registration = view.registration(register.registration).await.unwrap();
        let RegistrationState::Complete {
            account,
            tenant,
            user,
            workspace,
            ..
        } = registration.unwrap().state
        else {
            panic!("not signed up");
        };
        self.api.put(
            "namespaces",
            json!({"metadata": {"name": user.namespace(),
                "labels": {"app.kubernetes.io/managed-by": "coditect"}}}),
        );
        let person = Provisioned {
            account,
            tenant,
            user,
            workspace,
        };
        self.stands(user, workspace);
        self.synced(&person, &[]);
        person
    }

    fn stands(&self, user: UserId, workspace: WorkspaceId) {
        for plural in ["statefulsets", "persistentvolumeclaims"] {
            self.api.put(
                plural,
                json!({"metadata": {"name": workspace.object_name(), "namespace": user.namespace(),
                    "labels": {"coditect.ai/workspace": workspace.to_string()}}, "spec": {}}),
            );
        }
        let mut held = self.commit.0.lock().unwrap();
        held.extend([user.to_string(), workspace.to_string()]);
    }

    /// What Argo CD says of the user's shard: synced, with these resources.
    fn synced(&self, person: &Provisioned, resources: &[Value]) {
        self.application(
            person.user,
            json!({"sync": {"status": "Synced", "revision": "c0ffee"},
                "reconciledAt": at(1).to_string(), "resources": resources}),
        );
    }

    fn application(&self, user: UserId, status: Value) {
        let shard = Shard::of(user);
        self.api.put(
            "applications",
            json!({"metadata": {"name": format!("local-shard-{shard}"), "namespace": "argocd",
                "labels": {"coditect.ai/cell": "local", "coditect.ai/shard": shard.to_string()}},
                "spec": {}, "status": status}),
        );
    }

    /// Argo CD after the commit that no longer has the user: everything pruned but what it never prunes.
    fn pruned(&self, person: &Provisioned) {
        let namespace = person.user.namespace();
        let name = person.workspace.object_name();
        self.commit
            .0
            .lock()
            .unwrap()
            .remove(&person.user.to_string());
        self.api.remove("statefulsets", &namespace, &name);
        self.synced(
            person,
            &[
                json!({"kind": "Namespace", "name": namespace, "requiresPruning": true}),
                json!({"kind": "PersistentVolumeClaim", "name": name, "namespace": namespace,
                    "requiresPruning": true}),
            ],
        );
    }

    async fn delete_account(&self, person: &Provisioned) {
        let delete = DeleteAccount {
            account: person.account,
            at: at(0),
        };
        self.registry
            .apply(RequestId::random(), &delete)
            .await
            .unwrap();
    }

    async fn pass(&mut self) -> Report {
        self.reaper.pass(at(2), false).await.unwrap()
    }

    /// The only outcome of a pass.
    async fn outcome(&mut self) -> Outcome {
        let mut rows = self.pass().await.rows;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0).outcome
    }

    async fn listed(&self) -> usize {
        let mut view = self.registry.view().await.unwrap();
        view.reap_list(&local()).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_user_who_is_gone_from_git_leaves_the_cluster_and_the_list() {
    let mut world = World::new().await;
    let (person, other) = (world.sign_up("ada").await, world.sign_up("bob").await);
    world.delete_account(&person).await;
    assert_eq!(world.outcome().await, Outcome::Waits(Why::InGit));
    world.pruned(&person);
    let namespace = person.user.namespace();

    let report = world.reaper.pass(at(2), true).await.unwrap();
    assert_eq!(report.rows[0].outcome, Outcome::WouldRemove);
    assert!(world.api.changes().is_empty(), "a dry run changes nothing");

    assert_eq!(world.outcome().await, Outcome::Removed);
    let path = format!("/api/v1/namespaces/{namespace}");
    assert_eq!(
        world.api.changes(),
        [
            ("PATCH".to_owned(), path.clone(), 200),
            ("DELETE".to_owned(), path, 200)
        ],
        "the tombstone first"
    );
    let live = world.api.get("namespaces", "", &namespace).unwrap();
    assert_eq!(
        live["metadata"]["annotations"]["coditect.ai/tombstone"],
        "c0ffee"
    );
    assert!(matches!(
        world.outcome().await,
        Outcome::Waits(Why::Terminating { .. })
    ));
    world.api.end_namespace(&namespace);
    assert_eq!(
        world.outcome().await,
        Outcome::Waits(Why::Behind),
        "Argo CD has not looked again"
    );
    world.synced(&person, &[]);
    assert_eq!(world.outcome().await, Outcome::Gone);
    assert_eq!(world.listed().await, 0);
    assert!(world.pass().await.rows.is_empty());
    let kept = other.user.namespace();
    assert!(world.api.get("namespaces", "", &kept).is_some());
}

#[tokio::test]
async fn argo_cds_word_is_enough_where_there_is_no_repository() {
    let mut world = World::new().await.without_repository();
    let person = world.sign_up("ada").await;
    world.delete_account(&person).await;
    assert_eq!(
        world.outcome().await,
        Outcome::Waits(Why::NotTracked),
        "without its word nothing goes"
    );
    world.pruned(&person);
    assert_eq!(world.outcome().await, Outcome::Removed);
    world.api.end_namespace(&person.user.namespace());
    world.synced(&person, &[]);
    assert_eq!(
        world.outcome().await,
        Outcome::Waits(Why::MayStillCome),
        "a sync of an older commit may be under way"
    );
    world.application(
        person.user,
        json!({"sync": {"status": "Synced", "revision": "c0ffee"}, "reconciledAt": at(11).to_string()}),
    );
    assert_eq!(world.outcome().await, Outcome::Gone);
}

#[tokio::test]
async fn a_shard_that_is_not_synced_keeps_everything() {
    let mut world = World::new().await;
    let person = world.sign_up("ada").await;
    world.delete_account(&person).await;
    world.pruned(&person);
    let resources =
        json!([{"kind": "Namespace", "name": person.user.namespace(), "requiresPruning": true}]);
    for status in [
        json!({"sync": {"status": "OutOfSync"}, "resources": resources}),
        json!({"sync": {"status": "Synced"}, "operationState": {"phase": "Running"}, "resources": resources}),
    ] {
        world.application(person.user, status);
        assert!(matches!(
            world.outcome().await,
            Outcome::Waits(Why::NotSynced(_))
        ));
    }
    assert!(world.api.changes().is_empty());
}

#[tokio::test]
async fn a_deleted_workspaces_volume_goes_when_no_pod_uses_it_and_its_neighbour_stays() {
    let mut world = World::new().await;
    let person = world.sign_up("ada").await;
    let create = CreateWorkspace {
        account: person.account,
        user: person.user,
        name: "second".parse().unwrap(),
        entitlement: Entitlement {
            plan: "free".parse().unwrap(),
            limits: LIMITS,
            storage_class: None,
        },
        cell: summary(),
        at: at(0),
    };
    let second = world
        .registry
        .apply(RequestId::random(), &create)
        .await
        .unwrap();
    world.stands(person.user, second);
    let delete = DeleteWorkspace {
        account: person.account,
        workspace: second,
        at: at(0),
    };
    world
        .registry
        .apply(RequestId::random(), &delete)
        .await
        .unwrap();
    let (namespace, name) = (person.user.namespace(), second.object_name());
    world.commit.0.lock().unwrap().remove(&second.to_string());
    let extraneous = json!({"kind": "PersistentVolumeClaim", "name": name, "namespace": namespace,
        "requiresPruning": true});
    world.synced(&person, std::slice::from_ref(&extraneous));
    assert_eq!(
        world.outcome().await,
        Outcome::Waits(Why::Leftovers(vec![format!("StatefulSet/{name}")]))
    );
    world.api.remove("statefulsets", &namespace, &name);
    let pod = |phase: &str| {
        json!({"metadata": {"name": "shell", "namespace": namespace}, "status": {"phase": phase},
            "spec": {"containers": [], "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]}})
    };
    world.api.put("pods", pod("Running"));
    assert_eq!(
        world.outcome().await,
        Outcome::Waits(Why::InUse(vec!["Pod/shell".into()]))
    );
    world.api.put("pods", pod("Succeeded"));
    assert_eq!(world.outcome().await, Outcome::Removed);
    let volumes = "persistentvolumeclaims";
    assert!(world.api.get(volumes, &namespace, &name).is_none());
    let neighbour = person.workspace.object_name();
    assert!(world.api.get(volumes, &namespace, &neighbour).is_some());
    world.synced(&person, &[]);
    assert_eq!(world.outcome().await, Outcome::Gone);
}

#[tokio::test]
async fn what_is_not_ours_stays_whatever_the_list_says() {
    let mut world = World::new().await;
    let person = world.sign_up("ada").await;
    world.delete_account(&person).await;
    world.pruned(&person);
    let namespace = person.user.namespace();
    world.api.change("namespaces", "", &namespace, |live| {
        live["metadata"]["labels"] = json!({});
    });
    assert_eq!(world.outcome().await, Outcome::Waits(Why::NotOurs));
    assert!(world.api.changes().is_empty());
}

#[tokio::test]
async fn pods_that_people_started_by_hand_do_not_keep_a_namespace() {
    let mut world = World::new().await;
    let person = world.sign_up("ada").await;
    world.delete_account(&person).await;
    world.pruned(&person);
    let namespace = person.user.namespace();
    let pod = |name: &str, owner: Value| {
        json!({"metadata": {"name": name, "namespace": namespace, "ownerReferences": owner,
            "labels": {"coditect.ai/workspace": person.workspace.to_string()}},
            "spec": {"containers": []}})
    };
    let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "w", "uid": "1", "controller": true}]);
    world.api.put("pods", pod("workspace", owner));
    world.api.put("pods", pod("by-hand", Value::Null));
    assert_eq!(
        world.outcome().await,
        Outcome::Waits(Why::Leftovers(vec!["Pod/workspace".into()]))
    );
    world.api.remove("pods", &namespace, "workspace");
    assert_eq!(world.outcome().await, Outcome::Removed);
}

#[tokio::test]
async fn deletions_that_nobody_asked_for_have_a_budget_and_the_excess_waits() {
    let mut world = World::new().await;
    let mut people = Vec::new();
    for number in 0..5 {
        let person = world.sign_up(&format!("person{number}")).await;
        people.push(person);
    }
    for person in &people {
        let delete = DeleteUser {
            user: person.user,
            at: at(0),
        };
        world
            .registry
            .apply(RequestId::random(), &delete)
            .await
            .unwrap();
        world.pruned(person);
    }
    let report = world.pass().await;
    assert_eq!((report.removed(), report.waiting()), (3, 2));
    assert_eq!(
        report.allowance,
        Allowance {
            routine: 3,
            own: 50
        }
    );
    let budgeted = |report: &Report| {
        let waits =
            |row: &&coditect_observer::reap::Row| row.outcome == Outcome::Waits(Why::Budget);
        report.rows.iter().filter(waits).count()
    };
    assert_eq!(budgeted(&report), 2);
    assert_eq!(budgeted(&world.pass().await), 2, "the hour is not over");
    let later = world.reaper.pass(at(2 + 60), false).await.unwrap();
    assert_eq!((later.removed(), budgeted(&later)), (2, 0));
}

#[tokio::test]
async fn an_object_that_changes_meanwhile_is_left_for_the_next_pass() {
    let mut world = World::new().await;
    let person = world.sign_up("ada").await;
    world.delete_account(&person).await;
    world.pruned(&person);
    let namespace = person.user.namespace();
    // Marked by somebody in another way: the server takes no second tombstone, and the reaper asks for none.
    world.api.change("namespaces", "", &namespace, |live| {
        live["metadata"]["annotations"] = json!({"coditect.ai/tombstone": "earlier"});
    });
    assert_eq!(world.outcome().await, Outcome::Removed);
    assert_eq!(world.api.changes().len(), 1, "only the deletion");
}

#[tokio::test]
async fn without_applications_nothing_is_removed() {
    let mut world = World::new().await;
    let person = world.sign_up("ada").await;
    world.delete_account(&person).await;
    world.pruned(&person);
    let shard = Shard::of(person.user);
    world
        .api
        .remove("applications", "argocd", &format!("local-shard-{shard}"));
    let error = world.reaper.pass(at(2), false).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Unavailable), "{error}");
    world.api.trouble("applications", 403);
    let error = world.reaper.pass(at(2), false).await.unwrap_err();
    assert!(error.message().contains("cannot be read"), "{error}");
    assert!(world.api.changes().is_empty());
    assert_eq!(world.listed().await, 1);
}
