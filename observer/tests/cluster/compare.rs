//! A cell's cluster against what it should hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::{Kind, Result, UserId, WorkspaceId};
use coditect_observer::compare::{Desired, Difference, KINDS, Report, Wanted, compare};
use serde_json::{Value, json};

use crate::api_server::ApiServer;

/// What should stand, as a test says.
#[derive(Default)]
struct Cell {
    wanted: Mutex<BTreeMap<UserId, Wanted>>,
    buried: Mutex<BTreeSet<String>>,
    /// What somebody does when the wish of this user is asked for again.
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    asked: Mutex<BTreeMap<UserId, usize>>,
}

#[async_trait]
impl Desired for Cell {
    async fn users(&self) -> Result<BTreeSet<UserId>> {
        Ok(self.wanted.lock().unwrap().keys().copied().collect())
    }

    async fn of(&self, user: UserId) -> Result<Option<Wanted>> {
        let times = {
            let mut asked = self.asked.lock().unwrap();
            let times = asked.entry(user).or_default();
            *times += 1;
            *times
        };
        if times > 1
            && let Some(meanwhile) = self.meanwhile.lock().unwrap().take()
        {
            meanwhile();
        }
        Ok(self.wanted.lock().unwrap().get(&user).cloned())
    }

    async fn is_buried(&self, user: UserId) -> Result<bool> {
        Ok(self.buried.lock().unwrap().contains(&user.to_string()))
    }

    async fn is_workspace_buried(&self, workspace: WorkspaceId) -> Result<bool> {
        Ok(self.buried.lock().unwrap().contains(&workspace.to_string()))
    }
}

struct World {
    api: ApiServer,
    cell: Arc<Cell>,
}

fn user_of(number: u128) -> UserId {
    UserId::from_bytes((number << 64 | 0x4000_8000).to_be_bytes())
}

fn workspace_of(number: u128) -> WorkspaceId {
    WorkspaceId::from_bytes((number << 64 | 0x4000_8001).to_be_bytes())
}

fn namespace(user: UserId) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": user.namespace(),
        "labels": {"app.kubernetes.io/managed-by": "coditect"},
        "annotations": {"coditect.ai/generation": "1"}}})
}

fn volume(user: UserId, workspace: WorkspaceId) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {
        "name": workspace.object_name(), "namespace": user.namespace(),
        "labels": {"coditect.ai/workspace": workspace.to_string()}},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}}})
}

fn set(user: UserId, workspace: WorkspaceId) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {
        "name": workspace.object_name(), "namespace": user.namespace()},
        "spec": {"template": {"spec": {"containers": [{"name": "ide", "image": "ide:1"}]}}}})
}

impl World {
    async fn new(users: u128) -> Self {
        let world = Self {
            api: ApiServer::start().await,
            cell: Arc::default(),
        };
        for number in 0..users {
            world.add(number);
        }
        // What is beside users' namespaces is nobody's concern here.
        world
            .api
            .put("namespaces", json!({"metadata": {"name": "kube-system"}}));
        world.api.put(
            "services",
            json!({"metadata": {"name": "dns", "namespace": "kube-system"}}),
        );
        world
    }

    /// A user whose workspace is on, in Git and in the cluster.
    fn add(&self, number: u128) {
        let (user, workspace) = (user_of(number), workspace_of(number));
        let documents = vec![
            namespace(user),
            volume(user, workspace),
            set(user, workspace),
        ];
        let mut live = set(user, workspace);
        live["spec"]["replicas"] = json!(1);
        self.api.put("namespaces", namespace(user));
        self.api
            .put("persistentvolumeclaims", volume(user, workspace));
        self.api.put("statefulsets", live);
        self.api.put(
            "serviceaccounts",
            json!({"metadata": {"name": "default", "namespace": user.namespace()}}),
        );
        let wanted = Wanted {
            documents,
            scales: BTreeMap::from([(workspace.object_name(), 1)]),
            quarantined: None,
        };
        self.cell.wanted.lock().unwrap().insert(user, wanted);
    }

    async fn compare(&self) -> Report {
        self.patient(Duration::ZERO).await
    }

    async fn patient(&self, patience: Duration) -> Report {
        let client = &self.api.client;
        compare(client, &*self.cell, patience, |_, _| {})
            .await
            .unwrap()
    }

    /// The one user's differences.
    async fn differences(&self, number: u128) -> Vec<Difference> {
        let mut report = self.compare().await;
        let found = report
            .differences
            .remove(&user_of(number))
            .unwrap_or_default();
        assert!(report.differences.is_empty(), "{report:?}");
        found
    }
}

#[tokio::test]
async fn a_cell_of_several_pages_agrees_and_every_kind_is_listed_once() {
    let world = World::new(450).await;
    let report = world.compare().await;
    assert!(report.agrees(), "{:?}", report.differences);
    assert_eq!((report.users, report.objects), (450, 3 * 450));
    // Three pages of each of the four kinds that there are, one answer for each of the others; a page ends where
    // others' objects do.
    assert_eq!(world.api.lists(), 4 * 3 + KINDS.len() - 4);
}

#[tokio::test]
async fn a_page_that_the_api_server_has_forgotten_is_gone_on_from() {
    let world = World::new(450).await;
    world.api.trouble("statefulsets", 410);
    assert!(world.compare().await.agrees());
}

#[tokio::test]
async fn a_cluster_without_gateway_routes_is_compared() {
    let world = World::new(1).await;
    world.api.trouble("httproutes", 404);
    assert!(world.compare().await.agrees());
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_no_difference_but_an_error() {
    let world = World::new(1).await;
    world.api.trouble("roles", 403);
    let refused = compare(&world.api.client, &*world.cell, Duration::ZERO, |_, _| {}).await;
    let error = refused.unwrap_err();
    assert!(matches!(error.kind(), Kind::Unavailable) && error.message().contains("roles"));
}

#[tokio::test]
async fn each_difference_is_named() {
    let world = World::new(3).await;
    let (user, workspace) = (user_of(1), workspace_of(1).object_name());
    let namespace = user.namespace();
    let object = format!("StatefulSet/{workspace}");
    let change = |change: fn(&mut Value)| {
        world
            .api
            .change("statefulsets", &namespace, &workspace, change);
    };

    change(|set| set["spec"]["replicas"] = json!(0));
    assert_eq!(
        world.differences(1).await,
        [Difference::Scale {
            object: object.clone(),
            wanted: 1,
            found: Some(0)
        }]
    );
    change(|set| set["spec"]["replicas"] = json!(1));

    change(|set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("ide:2"));
    let found = world.differences(1).await;
    assert!(
        matches!(&found[..], [Difference::Fields { fields, .. }]
            if fields[0].path == "spec.template.spec.containers[name=ide].image"),
        "{found:?}"
    );
    change(|set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("ide:1"));

    change(|set| {
        set["metadata"]["managedFields"] = json!([{"manager": "kubectl-edit", "operation": "Update",
            "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:hostNetwork": {}}}}}}]);
    });
    assert_eq!(
        world.differences(1).await,
        [Difference::Foreign {
            object: object.clone(),
            manager: "kubectl-edit".into(),
            field: "spec.template.spec.hostNetwork".into()
        }]
    );
    change(|set| set["metadata"]["managedFields"] = Value::Null);

    change(|set| set["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z"));
    assert_eq!(
        world.differences(1).await,
        [Difference::Deleting {
            object: object.clone()
        }]
    );

    world.api.remove("statefulsets", &namespace, &workspace);
    assert_eq!(
        world.differences(1).await,
        [Difference::Missing {
            object: object.clone()
        }]
    );
}

#[tokio::test]
async fn another_generation_is_named_as_such() {
    let world = World::new(1).await;
    let namespace = user_of(0).namespace();
    world.api.change("namespaces", "", &namespace, |live| {
        live["metadata"]["annotations"]["coditect.ai/generation"] = json!("0");
    });
    let found = world.differences(0).await;
    assert_eq!(
        found[0],
        Difference::Generation {
            wanted: "1".into(),
            found: Some("0".into())
        }
    );
}

#[tokio::test]
async fn what_git_does_not_have_is_an_orphan_unless_a_tombstone_says_why() {
    let world = World::new(3).await;
    let gone = user_of(1);
    world.cell.wanted.lock().unwrap().remove(&gone);
    assert_eq!(
        world.differences(1).await,
        [Difference::Orphan {
            namespace: gone.namespace()
        }]
    );
    world.cell.buried.lock().unwrap().insert(gone.to_string());
    let report = world.compare().await;
    assert!(report.agrees());
    assert_eq!(
        report.waiting[&gone],
        [format!("Namespace/{}", gone.namespace())]
    );
    // A namespace that only has the name of one of ours is not ours.
    let other = user_of(7);
    let name = other.namespace();
    world
        .api
        .put("namespaces", json!({"metadata": {"name": name}}));
    assert!(world.compare().await.agrees());
}

#[tokio::test]
async fn what_nobody_asked_for_in_a_users_namespace_is_found() {
    let world = World::new(2).await;
    let user = user_of(1);
    let service = json!({"metadata": {"name": "door", "namespace": user.namespace()}});
    world.api.put("services", service);
    let object = "Service/door".to_owned();
    assert_eq!(
        world.differences(1).await,
        [Difference::Unexpected { object }]
    );
    world.api.remove("services", &user.namespace(), "door");

    let workspace = workspace_of(9);
    world
        .api
        .put("persistentvolumeclaims", volume(user, workspace));
    let object = format!("PersistentVolumeClaim/{}", workspace.object_name());
    assert_eq!(
        world.differences(1).await,
        [Difference::Unexpected {
            object: object.clone()
        }]
    );
    world
        .cell
        .buried
        .lock()
        .unwrap()
        .insert(workspace.to_string());
    let report = world.compare().await;
    assert!(report.agrees());
    assert_eq!(report.waiting[&user], [object]);

    // A pod's own volume goes with the pod.
    let mut owned = volume(user, workspace_of(10));
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1"}]);
    world.api.put("persistentvolumeclaims", owned);
    assert!(world.compare().await.agrees());
}

#[tokio::test]
async fn a_quarantined_user_is_told_of_and_is_no_difference() {
    let world = World::new(2).await;
    let user = user_of(1);
    {
        let mut wanted = world.cell.wanted.lock().unwrap();
        wanted.get_mut(&user).unwrap().quarantined = Some("refused".into());
    }
    let report = world.compare().await;
    assert!(report.agrees());
    assert_eq!(report.quarantined[&user], "refused");
}

#[tokio::test]
async fn a_change_on_its_way_is_waited_for() {
    let world = World::new(3).await;
    let (namespace, workspace) = (user_of(1).namespace(), workspace_of(1).object_name());
    let scale = |to: i64| {
        let (api, namespace, workspace) = (world.api.clone(), namespace.clone(), workspace.clone());
        move || {
            api.change("statefulsets", &namespace, &workspace, |set| {
                set["spec"]["replicas"] = json!(to);
            });
        }
    };
    scale(0)();
    *world.cell.meanwhile.lock().unwrap() = Some(Box::new(scale(1)));
    let report = world.patient(Duration::from_secs(30)).await;
    assert!(report.agrees(), "{report:?}");
    let asked = world.cell.asked.lock().unwrap().clone();
    assert_eq!(asked[&user_of(0)], 1, "who agrees is not looked at again");
    assert_eq!(asked[&user_of(1)], 2);
}
