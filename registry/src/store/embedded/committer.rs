//! The one thread that writes: it takes all commits that wait, checks them, and makes them durable
//! together.

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use coditect_core::Version;
use redb::Database;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    super::{StoreError, conflicts::RecentWrites, limits, optimistic::CommitRequest},
    Shared,
    cache::Cache,
    durable::Files,
    file::{self, Opened},
    log,
    snapshot::EmbeddedSnapshot,
    watermark::Watermark,
    write,
};

/// Most commits of one group: beyond, the first would wait long for the last.
const GROUP_COMMITS: usize = 512;
/// Most bytes of one group: they are held in memory until they are on disk.
const GROUP_BYTES: u64 = 16 << 20;
/// How long an old version stays readable: a transaction's age, and a little more.
const VERSION_AGE: Duration = limits::TRANSACTION_AGE.saturating_add(Duration::from_secs(1));
/// How often there is a look at old versions and at a file in trouble.
const TICK: Duration = Duration::from_millis(250);
/// After a failed write, commits are refused for this long at first, and twice as long after each further
/// one. Opening the file anew after each of them would keep readers waiting.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the thread is asked.
pub(super) enum Command {
    Commit(Pending),
    Compact(oneshot::Sender<Result<(), StoreError>>),
    /// Ends the thread and closes the file.
    Stop,
}

/// A commit that waits.
pub(super) struct Pending {
    pub(super) request: CommitRequest,
    pub(super) bytes: u32,
    pub(super) answer: oneshot::Sender<Result<Version, StoreError>>,
    /// Its room in the queue.
    pub(super) _room: OwnedSemaphorePermit,
}

impl Pending {
    fn answer(self, result: Result<Version, StoreError>) {
        // Who no longer waits has cancelled; what was committed stays committed.
        let _ = self.answer.send(result);
    }
}

/// Why no commit is taken now, and until when.
struct Trouble {
    why: String,
    until: Instant,
    pause: Duration,
}

pub(super) struct Committer {
    path: PathBuf,
    shared: Arc<Shared>,
    files: Option<Files>,
    watermark: Watermark,
    version: Version,
    recent: RecentWrites,
    /// Versions that are no longer the newest, and since when.
    superseded: VecDeque<(Instant, Weak<EmbeddedSnapshot>)>,
    newest: Weak<EmbeddedSnapshot>,
    cache: Arc<Cache>,
    suspect: Arc<AtomicBool>,
    trouble: Option<Trouble>,
}

impl Committer {
    /// Publishes what the database holds.
    pub(super) fn new(
        path: PathBuf,
        shared: Arc<Shared>,
        opened: Opened,
    ) -> Result<Self, StoreError> {
        let Opened {
            files,
            version,
            watermark,
        } = opened;
        let mut committer = Self {
            path,
            shared,
            files: None,
            watermark,
            version,
            recent: RecentWrites::since(version),
            superseded: VecDeque::new(),
            newest: Weak::new(),
            cache: Cache::new(version).into(),
            suspect: Arc::default(),
            trouble: None,
        };
        let snapshot = committer.snapshot(files.database(), version);
        committer.publish(snapshot.map_err(|error| StoreError::Unavailable(error.to_string()))?);
        committer.files = Some(files);
        Ok(committer)
    }

    /// Serves commands until told to stop. If that panics, nobody is left with a version that grows old
    /// in silence.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let _told = TellsOfPanic(Arc::clone(&self.shared));
        loop {
            let command = commands.recv_timeout(TICK);
            self.tick();
            let command = match command {
                Ok(Command::Commit(first)) => {
                    let (group, next) = gather(first, commands);
                    self.commit(group);
                    next
                }
                Ok(other) => Some(other),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Command::Stop),
            };
            match command {
                Some(Command::Compact(answer)) => drop(answer.send(self.compact())),
                Some(Command::Stop) => break,
                Some(Command::Commit(_)) | None => {}
            }
        }
        self.withdraw("it has been closed");
        if let Some(Err(error)) = self.files.take().map(|files| files.close(self.version)) {
            tracing::warn!(%error, "the registry was not closed in order; it will be checked when it is opened");
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        while let Some((since, _)) = self.superseded.front()
            && now.saturating_duration_since(*since) > VERSION_AGE
            && let Some((_, old)) = self.superseded.pop_front()
        {
            old.upgrade().inspect(|old| old.let_go());
        }
        if self.suspect.swap(false, Ordering::AcqRel) && self.files.is_some() {
            self.recover("its file could not be read");
        }
        let ticked = self.files.as_mut().map(|files| files.tick(self.version));
        if let Some(Err(error)) = ticked {
            self.recover(&error.to_string());
        }
        if self.files.is_none()
            && self
                .trouble
                .as_ref()
                .is_none_or(|trouble| trouble.until <= now)
        {
            self.recover("its file could not be opened");
        }
    }

    fn commit(&mut self, group: Vec<Pending>) {
        let now = Instant::now();
        if let Some(trouble) = &self.trouble
            && (self.files.is_none() || now < trouble.until)
        {
            return refuse(group, trouble.why.clone());
        }
        if let Err(error) = self.reserve(&group) {
            let why = format!("{} takes nothing more: {error}", self.path.display());
            return refuse(group, why);
        }
        self.recent.forget(now);
        metrics::histogram!("coditect_registry_group_size").record(group.len() as f64);
        match self.write(&group, now) {
            Ok(verdicts) => {
                self.trouble = None;
                for (pending, verdict) in group.into_iter().zip(verdicts) {
                    if matches!(verdict, Err(StoreError::Conflict)) {
                        metrics::counter!("coditect_registry_conflicts_total").increment(1);
                    }
                    pending.answer(verdict);
                }
            }
            Err(error) => self.fail(group, &error.to_string()),
        }
    }

    /// Makes room for the group, whatever of it passes.
    fn reserve(&mut self, group: &[Pending]) -> io::Result<()> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        let mutations = group.iter().map(|pending| pending.request.mutations.len());
        let bytes = group.iter().map(|pending| u64::from(pending.bytes));
        files.reserve(group.len(), mutations.sum(), bytes.sum())
    }

    /// Checks the group, writes what passes, publishes it, and says what became of each.
    fn write(
        &mut self,
        group: &[Pending],
        now: Instant,
    ) -> Result<Vec<Result<Version, StoreError>>, redb::Error> {
        let Some(files) = self.files.as_mut() else {
            return Err(redb::Error::DatabaseClosed);
        };
        let before = self.version;
        let mut newest = before;
        let mut accepted = Vec::with_capacity(group.len());
        let verdicts = group
            .iter()
            .map(|Pending { request, .. }| {
                self.recent.check(request.read_version, &request.reads)?;
                newest.0 += 1;
                self.recent
                    .record(newest, now, write::written(&request.mutations, newest));
                accepted.push((newest, request.mutations.as_slice()));
                Ok(newest)
            })
            .collect();
        if newest > before {
            files.write(before, &accepted)?;
            self.watermark.note(newest);
            let (cache, suspect) = (Arc::clone(&self.cache), Arc::clone(&self.suspect));
            let snapshot = EmbeddedSnapshot::take(files.database(), newest, cache, suspect)?;
            self.version = newest;
            self.cache.advance(newest, self.recent.after(before));
            self.publish(snapshot);
            for written in self.recent.after(before) {
                self.shared.watches.wake(written);
            }
        }
        Ok(verdicts)
    }

    fn snapshot(
        &self,
        database: &Database,
        version: Version,
    ) -> Result<EmbeddedSnapshot, redb::Error> {
        let (cache, suspect) = (Arc::clone(&self.cache), Arc::clone(&self.suspect));
        EmbeddedSnapshot::take(database, version, cache, suspect)
    }

    /// Makes a snapshot the one that all see who begin from now on.
    fn publish(&mut self, snapshot: EmbeddedSnapshot) {
        let snapshot = Arc::new(snapshot);
        let before = std::mem::replace(&mut self.newest, Arc::downgrade(&snapshot));
        self.superseded.push_back((Instant::now(), before));
        self.shared.publish(Ok(snapshot));
        metrics::gauge!("coditect_registry_store_bytes").set(file::size(&self.path) as f64);
    }

    /// Lets go of every snapshot; nobody begins until the next is published.
    fn withdraw(&mut self, why: &str) {
        self.shared.publish(Err(why.to_owned()));
        for old in self
            .superseded
            .drain(..)
            .map(|(_, old)| old)
            .chain([std::mem::take(&mut self.newest)])
        {
            old.upgrade().inspect(|old| old.let_go());
        }
        self.shared.watches.wake_all();
    }

    /// Tells a group what became of it, after opening the file anew to find that out.
    fn fail(&mut self, group: Vec<Pending>, why: &str) {
        let acknowledged = self.version;
        self.recover(why);
        // Open, and as it was before: it did not happen. Otherwise nobody can promise either.
        let nothing_happened = self.files.is_some() && self.version == acknowledged;
        for pending in group {
            pending.answer(Err(if nothing_happened {
                StoreError::Unavailable(why.to_owned())
            } else {
                StoreError::UnknownResult
            }));
        }
    }

    /// Opens the file and lets everybody read it.
    fn open(&mut self) -> Result<(), StoreError> {
        let Opened {
            files,
            version,
            watermark,
        } = file::reopen(&self.path)?;
        // Whoever still reads the file as it was opened before has the cache of that time.
        self.cache = Cache::new(version).into();
        let snapshot = self.snapshot(files.database(), version);
        let snapshot = snapshot.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        self.version = version;
        self.watermark = watermark;
        self.recent = RecentWrites::since(version);
        self.files = Some(files);
        self.publish(snapshot);
        Ok(())
    }

    /// Opens the file anew. redb takes no more writes after an error, because what it holds in memory may
    /// no longer be what is on disk; neither may what the operating system holds of the files.
    fn recover(&mut self, why: &str) {
        self.withdraw(why);
        drop(self.files.take());
        log::distrust(&self.path);
        let pause = self.trouble.as_ref().map_or(FIRST_PAUSE, |trouble| {
            (trouble.pause * 2).min(LONGEST_PAUSE)
        });
        let why = match self.open() {
            Ok(()) => {
                tracing::warn!(
                    why,
                    version = self.version.0,
                    "the registry's file has been opened anew"
                );
                self.shared.watches.wake_all();
                why.to_owned()
            }
            Err(error) => {
                let why = format!("{why}; {error}");
                tracing::error!(why, "the registry's file cannot be opened");
                self.shared.publish(Err(why.clone()));
                why
            }
        };
        self.trouble = Some(Trouble {
            why,
            until: Instant::now() + pause,
            pause,
        });
    }

    /// Gives unused space back to the file system, with what was left in it. Nobody reads or writes meanwhile.
    fn compact(&mut self) -> Result<(), StoreError> {
        self.withdraw("it is being compacted; try again in a moment");
        let Some(files) = self.files.take() else {
            return Err(StoreError::Unavailable("its file is not open".to_owned()));
        };
        let before = file::size(&self.path);
        let rewritten = file::rewrite(&self.path, files.database(), self.version);
        drop(files);
        let after = file::size(&self.path);
        tracing::info!(before, after, "the registry's file has been compacted");
        metrics::counter!("coditect_registry_compactions_total").increment(1);
        match self.open() {
            Ok(()) => self.shared.watches.wake_all(),
            Err(error) => self.recover(&error.to_string()),
        }
        rewritten
            .map_err(|error| StoreError::Unavailable(format!("it could not be compacted: {error}")))
    }
}

fn refuse(group: Vec<Pending>, why: String) {
    let refusal = StoreError::Unavailable(why);
    group
        .into_iter()
        .for_each(|pending| pending.answer(Err(refusal.clone())));
}

struct TellsOfPanic(Arc<Shared>);

impl Drop for TellsOfPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.publish(Err(
                "its committing thread has failed; start the process anew".to_owned(),
            ));
            self.0.watches.wake_all();
        }
    }
}

/// Everything that waits now, up to the limits of a group, and the first other command behind it.
fn gather(first: Pending, commands: &Receiver<Command>) -> (Vec<Pending>, Option<Command>) {
    let mut bytes = u64::from(first.bytes);
    let mut group = vec![first];
    while group.len() < GROUP_COMMITS && bytes < GROUP_BYTES {
        match commands.try_recv() {
            Ok(Command::Commit(pending)) => {
                bytes += u64::from(pending.bytes);
                group.push(pending);
            }
            Ok(other) => return (group, Some(other)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    (group, None)
}
