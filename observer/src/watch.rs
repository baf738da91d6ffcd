//! Follows the objects of one kind: list, watch, and again when the watch ends.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Event, Namespace, Node, PersistentVolumeClaim, Pod},
};
use kube::{
    Api, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{watcher, watcher::Config},
};
use serde::de::DeserializeOwned;
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    cell::Cell,
    seen::{
        Application, ApplicationSeen, CELL, MANAGED, NamespaceSeen, NodeSeen, OF_WORKSPACES,
        PodSeen, SetSeen, VolumeSeen, owner_of, user_of, warning_of,
    },
    world::{Step, Touched, World},
};

/// How many objects a page of a list holds: one page at a time is in memory as a whole.
const PAGE: u32 = 100;
/// How long one watch lasts, in seconds: less than a connection may say nothing (see [`crate::client`]).
const WATCH: u32 = 60;
/// First and longest pause after a failure. An API server that restarts is back within seconds, and each watch
/// costs it little: it goes on where it was.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// Follows everything that the observer looks at, until `stop`.
pub(crate) fn all(cell: &Arc<Cell>, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
    let client = || cell.client.clone();
    let ours = || Config::default().labels(OF_WORKSPACES);
    tasks.spawn(follow(
        Arc::clone(cell),
        "namespaces",
        Api::<PartialObjectMeta<Namespace>>::all(client()),
        Config::default().labels(MANAGED),
        |namespace: &PartialObjectMeta<Namespace>| {
            let user = user_of(namespace.metadata.name.as_deref()?)?;
            Some((user, NamespaceSeen::of(&namespace.metadata)))
        },
        World::on_namespace,
        stop.clone(),
    ));
    tasks.spawn(follow(
        Arc::clone(cell),
        "statefulsets",
        Api::<StatefulSet>::all(client()),
        ours(),
        |set: &StatefulSet| Some((owner_of(&set.metadata)?, SetSeen::of(set))),
        World::on_set,
        stop.clone(),
    ));
    tasks.spawn(follow(
        Arc::clone(cell),
        "pods",
        Api::<Pod>::all(client()),
        ours(),
        |pod: &Pod| {
            let (user, workspace) = owner_of(&pod.metadata)?;
            Some(((user, workspace, pod.name_any()), PodSeen::of(pod)))
        },
        |world, step, _| world.on_pod(step),
        stop.clone(),
    ));
    tasks.spawn(follow(
        Arc::clone(cell),
        "persistentvolumeclaims",
        Api::<PersistentVolumeClaim>::all(client()),
        ours(),
        |volume: &PersistentVolumeClaim| {
            Some((owner_of(&volume.metadata)?, VolumeSeen::of(volume)))
        },
        World::on_volume,
        stop.clone(),
    ));
    tasks.spawn(follow(
        Arc::clone(cell),
        "events",
        Api::<Event>::all(client()),
        Config::default().fields("type=Warning"),
        |event: &Event| {
            let (user, workspace, warning) = warning_of(event)?;
            Some(((user, workspace, event.name_any()), warning))
        },
        |world, step, _| world.on_warning(step),
        stop.clone(),
    ));
    tasks.spawn(follow(
        Arc::clone(cell),
        "nodes",
        Api::<Node>::all(client()),
        Config::default(),
        |node: &Node| Some((node.name_any(), NodeSeen::of(node))),
        |world, step, _| world.on_node(step),
        stop.clone(),
    ));
    tasks.spawn(follow(
        Arc::clone(cell),
        APPLICATIONS,
        Api::<Application>::namespaced(client(), &cell.settings.argocd_namespace),
        Config::default().labels(&format!("{CELL}={}", cell.settings.cell)),
        ApplicationSeen::of,
        |world, step, _| world.on_application(step),
        stop.clone(),
    ));
}

/// The kind whose absence leaves power and phases working.
pub(crate) const APPLICATIONS: &str = "applications";

async fn follow<K, Key, Value>(
    cell: Arc<Cell>,
    kind: &'static str,
    api: Api<K>,
    config: Config,
    cut: impl Fn(&K) -> Option<(Key, Value)> + Send,
    take: impl Fn(&mut World, Step<Key, Value>, Timestamp) -> Touched + Send,
    stop: CancellationToken,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    Key: Send,
    Value: Send,
{
    let stream = watcher(api, config.page_size(PAGE).timeout(WATCH));
    let mut stream = std::pin::pin!(stream);
    let mut pause = PAUSES[0];
    cell.connections.begin(kind);
    loop {
        let event = tokio::select! {
            event = stream.next() => event,
            () = stop.cancelled() => return,
        };
        let step = match event {
            None => return,
            Some(Err(error)) => {
                metrics::counter!("coditect_observer_watch_restarts_total", "cell" => cell.name(), "kind" => kind).increment(1);
                tracing::debug!(cell = %cell.settings.cell, kind, %error, "a watch ended");
                cell.connections
                    .lost(kind, &error.to_string(), Timestamp::now());
                tokio::select! {
                    () = sleep(pause) => {}
                    () = stop.cancelled() => return,
                }
                pause = (pause * 2).min(PAUSES[1]);
                continue;
            }
            Some(Ok(event)) => {
                let put = |object: &K| cut(object).map(|(key, value)| Step::Put(key, value));
                match event {
                    watcher::Event::Init => Some(Step::Begin),
                    watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
                        put(&object)
                    }
                    watcher::Event::Delete(object) => cut(&object).map(|(key, _)| Step::Gone(key)),
                    watcher::Event::InitDone => Some(Step::Done),
                }
            }
        };
        // A list has begun before the server was asked: only its answer shows that the server is there.
        let began = matches!(step, Some(Step::Begin));
        let done = matches!(step, Some(Step::Done));
        if !began {
            pause = PAUSES[0];
            if cell.connections.back(kind, done) {
                cell.scaler.hurry();
            }
        }
        if let Some(step) = step {
            let now = Timestamp::now();
            let (touched, known) = {
                let mut world = cell.world();
                (take(&mut world, step, now), world.is_known())
            };
            if known {
                cell.touch(touched);
            }
            if done && known {
                cell.look_at_all();
            }
        }
    }
}
