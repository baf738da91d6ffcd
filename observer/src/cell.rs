//! What the tasks of one cell's observer share.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use coditect_core::{
    Catalogue, CellName, CellSummary, Notice, UserId, WorkspaceId, health::Health,
};
use coditect_registry::{Registry, query::UserRuntime};
use kube::Client;
use tokio::sync::{Notify, watch};

use crate::{
    connection::Connections,
    power::Scaler,
    restart::Restarting,
    world::{Touched, World},
};

/// How one cell is observed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which cell.
    pub cell: CellName,
    /// Where Argo CD's Applications are.
    pub argocd_namespace: String,
    /// How often it is decided who is idle.
    pub decide: Duration,
    /// How often running time is counted.
    pub meter: Duration,
    /// How often the whole cell is looked at without being told.
    pub rescan: Duration,
}

impl Settings {
    /// The usual times: decisions every 5 s, running time every minute, everything every 5 minutes.
    #[must_use]
    pub fn new(cell: CellName) -> Self {
        Self {
            cell,
            argocd_namespace: "argocd".to_owned(),
            decide: Duration::from_secs(5),
            meter: Duration::from_secs(60),
            rescan: Duration::from_secs(300),
        }
    }
}

/// What the tasks of one cell's observer share.
pub(crate) struct Cell {
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) client: Client,
    pub(crate) catalogue: watch::Receiver<Arc<Catalogue>>,
    pub(crate) health: Health,
    pub(crate) connections: Connections,
    pub(crate) scaler: Scaler,
    /// Woken when there is somebody to look at.
    pub(crate) work: Notify,
    /// Woken when a pod may have become ready.
    pub(crate) knock: Notify,
    /// Set while too many users are refused for it to be their own doing.
    pub(crate) refusals: Mutex<Option<String>>,
    world: Mutex<World>,
    rows: Mutex<BTreeMap<UserId, Arc<UserRuntime>>>,
    dirty: Mutex<Touched>,
    everybody: AtomicBool,
    read: AtomicBool,
    notices: Mutex<BTreeMap<WorkspaceId, Vec<Notice>>>,
    restarting: Mutex<Restarting>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cell {
    pub(crate) fn new(
        settings: Settings,
        registry: Registry,
        client: Client,
        catalogue: watch::Receiver<Arc<Catalogue>>,
        health: Health,
    ) -> Self {
        Self {
            settings,
            registry,
            client,
            catalogue,
            health,
            connections: Connections::default(),
            scaler: Scaler::default(),
            work: Notify::new(),
            knock: Notify::new(),
            refusals: Mutex::default(),
            world: Mutex::default(),
            rows: Mutex::default(),
            dirty: Mutex::default(),
            everybody: AtomicBool::new(false),
            read: AtomicBool::new(false),
            notices: Mutex::default(),
            restarting: Mutex::default(),
        }
    }

    /// The cell's name as metrics write it.
    pub(crate) fn name(&self) -> String {
        self.settings.cell.to_string()
    }

    /// The cell as the policy in force says; none if it says nothing.
    pub(crate) fn summary(&self) -> Option<CellSummary> {
        self.catalogue
            .borrow()
            .cells
            .get(&self.settings.cell)
            .cloned()
    }

    /// True while nobody of the cell is to run.
    pub(crate) fn is_held(&self) -> bool {
        self.summary().is_some_and(|summary| summary.held)
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// What was last read of the registry, by user.
    pub(crate) fn rows(&self) -> MutexGuard<'_, BTreeMap<UserId, Arc<UserRuntime>>> {
        lock(&self.rows)
    }

    /// What the decisions say, by workspace.
    pub(crate) fn notices(&self) -> MutexGuard<'_, BTreeMap<WorkspaceId, Vec<Notice>>> {
        lock(&self.notices)
    }

    pub(crate) fn restarting(&self) -> MutexGuard<'_, Restarting> {
        lock(&self.restarting)
    }

    pub(crate) fn refusals(&self) -> MutexGuard<'_, Option<String>> {
        lock(&self.refusals)
    }

    /// Has these looked at soon.
    pub(crate) fn touch(&self, touched: Touched) {
        if touched.users.is_empty() && touched.shards.is_empty() {
            return;
        }
        let mut dirty = lock(&self.dirty);
        dirty.users.extend(touched.users);
        dirty.shards.extend(touched.shards);
        drop(dirty);
        self.work.notify_one();
    }

    pub(crate) fn touch_users(&self, users: impl IntoIterator<Item = UserId>) {
        self.touch(Touched {
            users: users.into_iter().collect(),
            shards: BTreeSet::new(),
        });
    }

    /// Has the whole cell read anew.
    pub(crate) fn look_at_all(&self) {
        self.everybody.store(true, Ordering::Release);
        self.work.notify_one();
    }

    /// True once after the whole cell was to be read anew.
    pub(crate) fn take_all(&self) -> bool {
        self.everybody.swap(false, Ordering::AcqRel)
    }

    /// Notes that the rows are those of the whole cell.
    pub(crate) fn note_read(&self) {
        self.read.store(true, Ordering::Release);
    }

    /// True once the whole cell has been read: until then a row that is missing says nothing.
    pub(crate) fn is_read(&self) -> bool {
        self.read.load(Ordering::Acquire)
    }

    /// At most `limit` users who are to be looked at, taken from the list.
    pub(crate) fn take_dirty(&self, limit: usize) -> Vec<UserId> {
        let mut dirty = lock(&self.dirty);
        if !dirty.shards.is_empty() {
            let shards = std::mem::take(&mut dirty.shards);
            let rows = self.rows();
            let of_shards = rows
                .iter()
                .filter(|(_, user)| shards.contains(&user.row.intent.shard));
            dirty.users.extend(of_shards.map(|(user, _)| *user));
        }
        let mut taken = Vec::with_capacity(limit.min(dirty.users.len()));
        while taken.len() < limit
            && let Some(user) = dirty.users.pop_first()
        {
            taken.push(user);
        }
        metrics::gauge!("coditect_observer_queue_depth", "cell" => self.name(), "queue" => "status")
            .set(f64::from(u32::try_from(dirty.users.len()).unwrap_or(u32::MAX)));
        taken
    }
}
