//! How many of some workspaces' pods are not ready at the same time, by a watch that sees every change.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    runtime::watcher::{self, Event, watcher},
};
use tokio::task::JoinSet;

use super::super::looks::LIMIT;
use crate::{Failure, Result, ensure, is_ready, until};

/// Counts until it is dropped.
pub(super) struct Pace {
    tally: Arc<Mutex<Tally>>,
    _watch: JoinSet<()>,
}

#[derive(Default)]
struct Tally {
    /// Namespaces whose pod must be there.
    wanted: BTreeSet<String>,
    ready: BTreeSet<String>,
    /// True once all pods have been listed.
    known: bool,
    most: usize,
    broke: Option<String>,
}

impl Tally {
    fn down(&self) -> impl Iterator<Item = &String> {
        self.wanted.difference(&self.ready)
    }

    fn note(&mut self, event: Event<Pod>) {
        let (pod, is_there) = match event {
            Event::Apply(pod) | Event::InitApply(pod) => (pod, true),
            Event::Delete(pod) => (pod, false),
            Event::InitDone => {
                self.known = true;
                return;
            }
            Event::Init => {
                // What happened meanwhile was not seen, and would not be counted.
                if self.known {
                    self.broke = Some("the watch began anew".to_owned());
                }
                return;
            }
        };
        let namespace = pod.namespace().unwrap_or_default();
        if is_there && is_ready(&pod) && pod.metadata.deletion_timestamp.is_none() {
            self.ready.insert(namespace);
        } else {
            self.ready.remove(&namespace);
        }
        if self.known {
            self.most = self.most.max(self.down().count());
        }
    }
}

impl Pace {
    /// Begins to count the pods of these namespaces, all of which are ready.
    pub(super) async fn watch(
        client: &Client,
        namespaces: impl Iterator<Item = String>,
    ) -> Result<Self> {
        let tally = Arc::new(Mutex::new(Tally {
            wanted: namespaces.collect(),
            ..Tally::default()
        }));
        let mut watch = JoinSet::new();
        let (pods, counted) = (Api::<Pod>::all(client.clone()), Arc::clone(&tally));
        watch.spawn(async move {
            let config = watcher::Config::default().labels("app.kubernetes.io/name=workspace");
            let mut events = std::pin::pin!(watcher(pods, config));
            loop {
                let event = events.try_next().await;
                let mut tally = lock(&counted);
                match event {
                    Ok(Some(event)) => tally.note(event),
                    Ok(None) => return,
                    Err(error) => tally.broke = Some(error.to_string()),
                }
            }
        });
        let pace = Self {
            tally,
            _watch: watch,
        };
        until("all pods to be counted as ready", LIMIT, || async {
            let tally = lock(&pace.tally);
            let down: Vec<&String> = tally.down().collect();
            ensure!(tally.known && down.is_empty(), "not ready: {down:?}");
            Ok(())
        })
        .await?;
        Ok(pace)
    }

    /// Does not count a workspace any more: a person stops it.
    pub(super) fn forget(&self, namespace: &str) {
        lock(&self.tally).wanted.remove(namespace);
    }

    /// The first namespace that is seen without a ready pod.
    pub(super) async fn somebody_down(&self) -> Result<String> {
        until("a pod to go down", LIMIT, || async {
            let tally = lock(&self.tally);
            tally
                .down()
                .next()
                .cloned()
                .ok_or_else(|| Failure::new("none has"))
        })
        .await
    }

    /// How many were down at the same time, at most.
    pub(super) fn most(&self) -> Result<usize> {
        let tally = lock(&self.tally);
        match &tally.broke {
            Some(why) => Err(Failure::new(format!("not everything was counted: {why}"))),
            None => Ok(tally.most),
        }
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
