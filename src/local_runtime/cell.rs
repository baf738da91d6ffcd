//! One cell on this machine: what Git says and the registry's power become processes, and what is seen of them is
//! noted.

mod report;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use coditect_core::{
    Catalogue, CellName, Error, Notice, RequestId, Result, UserId, Version, WorkspaceId,
    health::Health,
};
use coditect_observer::observe::Gateway;
use coditect_registry::{
    Registry,
    operation::TrimPower,
    query::UserRuntime,
    record::{CellState, ReapEntry},
};
use jiff::Timestamp;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::{JoinHandle, JoinSet, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

use super::{
    doors::Doors,
    head::{Files, Head},
    manifest::{Pod, UserFile},
    runner::Runner,
    said,
    usage::Usage,
    volumes::Volumes,
    worker::{Life, Wish, Worker},
};

/// How often the branch is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often everything is looked at although nothing was said to have changed.
const FALLBACK: Duration = Duration::from_secs(5);
/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// How many users are read in one view.
const PAGE: usize = 200;

/// What a cell is run with.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) registry: Registry,
    pub(crate) catalogue: watch::Receiver<Arc<Catalogue>>,
    pub(crate) health: Health,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) volumes: Volumes,
    pub(crate) doors: Doors,
    pub(crate) places: Arc<Semaphore>,
}

/// One cell.
pub(crate) struct Cell {
    name: CellName,
    parts: Parts,
    head: Arc<std::sync::Mutex<Head>>,
    workers: BTreeMap<WorkspaceId, Hired>,
    /// Workers of workspaces that are gone, which may still be stopping something.
    leaving: BTreeMap<WorkspaceId, JoinHandle<()>>,
    /// Told whenever a worker sees something new.
    news: Arc<Notify>,
    /// Up to which power signal the feed was trimmed.
    trimmed: Option<i64>,
    usage: Usage,
    /// What those are told whose workspaces run.
    told: BTreeMap<WorkspaceId, Vec<Notice>>,
    /// What was noted last of the cell as a whole.
    noted: Option<CellState>,
    stop: CancellationToken,
}

/// A worker at work.
struct Hired {
    user: UserId,
    wishes: watch::Sender<Wish>,
    life: watch::Receiver<Life>,
    task: JoinHandle<()>,
}

/// What the registry says at one time.
struct Books {
    /// The power signal as of before everything else was read.
    signal: i64,
    /// The version of the first view.
    version: Version,
    users: Vec<UserRuntime>,
    reap: Vec<ReapEntry>,
}

impl Cell {
    pub(crate) fn new(
        name: CellName,
        repository: std::path::PathBuf,
        parts: Parts,
        stop: CancellationToken,
    ) -> Self {
        Self {
            usage: Usage::new(name.clone(), parts.registry.clone()),
            told: BTreeMap::new(),
            name,
            parts,
            head: Arc::new(std::sync::Mutex::new(Head::new(repository))),
            workers: BTreeMap::new(),
            leaving: BTreeMap::new(),
            news: Arc::default(),
            trimmed: None,
            noted: None,
            stop,
        }
    }

    /// Runs the cell until this process stops; leaves nothing running.
    pub(crate) async fn run(mut self) {
        let part = format!("local-runtime/{}", self.name);
        while !self.stop.is_cancelled() {
            let signal = match self.pass().await {
                Ok(signal) => {
                    let running = format!("looks after {} workspace(s)", self.workers.len());
                    self.parts.health.ok(part.as_str(), running);
                    Some(signal)
                }
                Err(error) => {
                    let why = format!("{}; what runs keeps running", error.chain());
                    self.parts.health.degraded(part.as_str(), why);
                    None
                }
            };
            self.wait(signal).await;
        }
        let workers = std::mem::take(&mut self.workers).into_values();
        let leaving = std::mem::take(&mut self.leaving).into_values();
        for task in workers.map(|hired| hired.task).chain(leaving) {
            if let Err(panicked) = task.await {
                // It has dropped its process, which ends it.
                tracing::error!(error = %panicked, "a worker panicked");
            }
        }
        if let Err(error) = self.note_stopped().await {
            tracing::warn!(error = error.chain(), "what was stopped cannot be noted");
        }
    }

    /// Waits until something may have changed.
    async fn wait(&self, signal: Option<i64>) {
        let registry = self.parts.registry.clone();
        let power = async {
            match signal {
                Some(signal) => registry.power_changed(&self.name, signal).await,
                None => std::future::pending().await,
            }
        };
        let moved = async {
            loop {
                tokio::time::sleep(LOOK).await;
                let head = Arc::clone(&self.head);
                let look = spawn_blocking(move || lock(&head).has_moved());
                if look.await.unwrap_or(true) {
                    return;
                }
            }
        };
        let fallback = match signal {
            Some(_) if self.leaving.is_empty() => FALLBACK,
            Some(_) => LOOK,
            None => AFTER_FAILURE,
        };
        tokio::select! {
            changed = power => if changed.is_err() {
                tokio::time::sleep(AFTER_FAILURE).await;
            },
            () = moved => {}
            () = self.news.notified() => {}
            () = tokio::time::sleep(fallback) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Looks at everything anew and does what follows from it. Gives the power signal that it went by.
    async fn pass(&mut self) -> Result<i64> {
        let books = self.read().await?;
        if self.trimmed != Some(books.signal) {
            // Everything is read anew each time: nobody needs the feed behind the signal.
            let trim = TrimPower {
                cell: self.name.clone(),
                until: books.version,
                at: Timestamp::now(),
            };
            self.parts
                .registry
                .apply(RequestId::random(), &trim)
                .await?;
            self.trimmed = Some(books.signal);
        }
        let head = Arc::clone(&self.head);
        let files = spawn_blocking(move || lock(&head).read())
            .await
            .map_err(|error| Error::internal("reading the repository panicked").because(error))??;
        self.direct(&books, &files)?;
        self.told = self.follow_use(&books.users).await?;
        self.say(&books, &files).await?;
        self.note_cell().await?;
        self.reap(&books.reap, &files).await?;
        Ok(books.signal)
    }

    async fn read(&self) -> Result<Books> {
        let mut view = self.parts.registry.view().await?;
        let signal = view.power_signal(&self.name).await?;
        let version = view.version().await?;
        let reap = view.reap_list(&self.name).await?;
        let mut users = Vec::new();
        loop {
            let after = users.last().map(|user: &UserRuntime| user.row.intent.user);
            let (page, more) = view.runtimes_after(&self.name, after, PAGE).await?;
            users.extend(page);
            if !more {
                break;
            }
            view = self.parts.registry.view().await?;
        }
        Ok(Books {
            signal,
            version,
            users,
            reap,
        })
    }

    fn held(&self) -> bool {
        let catalogue = self.parts.catalogue.borrow();
        catalogue
            .cells
            .get(&self.name)
            .is_some_and(|cell| cell.held)
    }

    /// Tells every worker what is wished; hires and dismisses.
    fn direct(&mut self, books: &Books, files: &Files) -> Result<()> {
        let held = self.held();
        self.leaving.retain(|_, task| !task.is_finished());
        let mut there = BTreeSet::new();
        for user in &books.users {
            for workspace in &user.workspaces {
                let Some((file, pod)) = in_git(files, user.row.intent.user, workspace.id) else {
                    continue;
                };
                let wanted = said::wanted(user, workspace, held);
                let wish = Wish {
                    pod: Arc::clone(pod),
                    on: wanted.on() && file.is_active(workspace.id),
                    may_start: !held && !file.no_room,
                };
                there.insert(workspace.id);
                match self.workers.get(&workspace.id) {
                    Some(hired) => {
                        hired.wishes.send_if_modified(|have| {
                            let differs = *have != wish;
                            *have = wish;
                            differs
                        });
                    }
                    // Its predecessor has the volume until it is gone.
                    None if self.leaving.contains_key(&workspace.id) => {}
                    None => self.hire(wish)?,
                }
            }
        }
        let gone: Vec<WorkspaceId> = self
            .workers
            .keys()
            .filter(|id| !there.contains(id))
            .copied()
            .collect();
        for id in gone {
            if let Some(hired) = self.workers.remove(&id) {
                // The wishes end here, and with them the worker, once nothing runs any more.
                self.leaving.insert(id, hired.task);
            }
        }
        Ok(())
    }

    fn hire(&mut self, wish: Wish) -> Result<()> {
        let (user, id) = (wish.pod.user, wish.pod.workspace);
        let volume = self.parts.volumes.open(user, id)?;
        let (wishes, wished) = watch::channel(wish);
        let (life, seen) = watch::channel(Life::default());
        let worker = Worker {
            cell: self.name.clone(),
            runner: Arc::clone(&self.parts.runner),
            volume,
            doors: self.parts.doors.clone(),
            places: Arc::clone(&self.parts.places),
            wishes: wished,
            life,
            stop: self.stop.clone(),
        };
        let (news, mut lives) = (Arc::clone(&self.news), seen.clone());
        let task = tokio::spawn(async move {
            let mut beside = JoinSet::new();
            let noticed = Arc::clone(&news);
            beside.spawn(async move {
                while lives.changed().await.is_ok() {
                    noticed.notify_one();
                }
            });
            worker.run().await;
            news.notify_one();
        });
        self.workers.insert(
            id,
            Hired {
                user,
                wishes,
                life: seen,
                task,
            },
        );
        Ok(())
    }

    /// What follows from how that is used which runs. Nobody loses their place while the cell is held.
    async fn follow_use(
        &mut self,
        users: &[UserRuntime],
    ) -> Result<BTreeMap<WorkspaceId, Vec<Notice>>> {
        if self.held() {
            return Ok(BTreeMap::new());
        }
        let lives = self
            .workers
            .iter()
            .map(|(id, hired)| (*id, hired.life.borrow()));
        let answers = lives.filter(|(_, life)| life.gateway == Gateway::Answers);
        let running: BTreeSet<WorkspaceId> = answers.map(|(id, _)| id).collect();
        let policy = Arc::clone(&self.parts.catalogue.borrow());
        self.usage
            .step(users, &running, &policy, Timestamp::now())
            .await
    }
}

fn lock(head: &std::sync::Mutex<Head>) -> std::sync::MutexGuard<'_, Head> {
    head.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What Git holds of a workspace.
fn in_git(
    files: &Files,
    user: UserId,
    workspace: WorkspaceId,
) -> Option<(&Arc<UserFile>, &Arc<Pod>)> {
    let file = files.get(&user)?;
    Some((file, file.pods.get(&workspace)?))
}
