//! When something was first seen in a cluster, by one watch of a kind: polling hundreds of objects would be slower than
//! what is to be timed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures::TryStreamExt;
use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

/// What was seen of the objects of one namespace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// A StatefulSet was there.
    pub applied: Option<Instant>,
    /// A pod was ready.
    pub ready: Option<Instant>,
}

/// Watches all workspaces' StatefulSets and pods, until it is dropped.
pub struct Seen {
    times: Arc<Mutex<BTreeMap<String, Times>>>,
    _watches: JoinSet<()>,
}

impl Seen {
    /// Begins to watch.
    #[must_use]
    pub fn watch(client: &Client) -> Self {
        let times = Arc::new(Mutex::new(BTreeMap::new()));
        let mut watches = JoinSet::new();
        let applied = Arc::clone(&times);
        watches.spawn(each(Api::all(client.clone()), move |set: StatefulSet| {
            note(&applied, &set, |times| &mut times.applied);
        }));
        let ready = Arc::clone(&times);
        watches.spawn(each(Api::all(client.clone()), move |pod: Pod| {
            if is_ready(&pod) {
                note(&ready, &pod, |times| &mut times.ready);
            }
        }));
        Self {
            times,
            _watches: watches,
        }
    }

    /// What was seen in a namespace.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Times {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.get(namespace).copied().unwrap_or_default()
    }
}

/// True if a pod says that it is ready.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn note(
    times: &Mutex<BTreeMap<String, Times>>,
    object: &impl ResourceExt,
    which: impl Fn(&mut Times) -> &mut Option<Instant>,
) {
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    let of = times
        .entry(object.namespace().unwrap_or_default())
        .or_default();
    which(of).get_or_insert_with(Instant::now);
}

async fn each<K>(objects: Api<K>, mut note: impl FnMut(K))
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let config = watcher::Config::default().labels("app.kubernetes.io/name=workspace");
    // Errors are tried again, with pauses: an API server may be down for a while.
    let watched = watcher(objects, config).default_backoff().applied_objects();
    let mut watched = std::pin::pin!(watched);
    loop {
        match watched.try_next().await {
            Ok(Some(object)) => note(object),
            Ok(None) => return,
            Err(_) => {}
        }
    }
}
