//! When the live StatefulSets were seen to be changed, by one watch.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use tokio::task::JoinSet;

use super::super::looks::LIMIT;
use crate::{Failure, Person, Result, until};

/// What a StatefulSet was at some time.
pub(super) struct Sight {
    at: Instant,
    /// The scale that it is asked for.
    pub(super) replicas: Option<i32>,
    /// The memory that its IDE may use.
    pub(super) memory: String,
}

/// Watches all workspaces' StatefulSets, until it is dropped.
pub(super) struct Sights {
    seen: Arc<Mutex<BTreeMap<String, Vec<Sight>>>>,
    _watch: JoinSet<()>,
}

impl Sights {
    /// Begins to watch.
    pub(super) fn watch(client: &Client) -> Self {
        let seen = Arc::default();
        let mut watch = JoinSet::new();
        watch.spawn(follow(Api::all(client.clone()), Arc::clone(&seen)));
        Self {
            seen,
            _watch: watch,
        }
    }

    /// Waits until a person's StatefulSet was seen to be so; gives when that was first so after `began`.
    pub(super) async fn first(
        &self,
        person: &Person,
        began: Instant,
        wanted: impl Fn(&Sight) -> bool,
    ) -> Result<Instant> {
        let namespace = &person.namespace();
        until(format!("{namespace} to be changed"), LIMIT, || async {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let of = seen.get(namespace).into_iter().flatten();
            of.filter(|sight| sight.at >= began && wanted(sight))
                .map(|sight| sight.at)
                .next()
                .ok_or_else(|| Failure::new("it is not"))
        })
        .await
    }
}

async fn follow(sets: Api<StatefulSet>, seen: Arc<Mutex<BTreeMap<String, Vec<Sight>>>>) {
    let config = watcher::Config::default().labels("app.kubernetes.io/name=workspace");
    let watched = watcher(sets, config).default_backoff().applied_objects();
    let mut watched = std::pin::pin!(watched);
    loop {
        match watched.try_next().await {
            Ok(Some(set)) => {
                let namespace = set.namespace().unwrap_or_default();
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.entry(namespace).or_default().push(sight(&set));
            }
            Ok(None) => return,
            // Tried again, with pauses.
            Err(_) => {}
        }
    }
}

fn sight(set: &StatefulSet) -> Sight {
    let spec = set.spec.as_ref();
    let memory = || {
        let containers = &spec?.template.spec.as_ref()?.containers;
        let limits = containers.first()?.resources.as_ref()?.limits.as_ref()?;
        Some(limits.get("memory")?.0.clone())
    };
    Sight {
        at: Instant::now(),
        replicas: spec.and_then(|spec| spec.replicas),
        memory: memory().unwrap_or_default(),
    }
}
