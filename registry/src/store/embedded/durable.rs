//! The database and the log before it: together they hold every version that was promised.
//!
//! A group of commits goes to both at once: onto the log's disk, and into the database's memory. A checkpoint
//! brings the database onto its own disk, behind the commits that follow.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use coditect_core::Version;
use redb::Database;

use super::{
    super::optimistic::Mutation,
    behind::Behind,
    file,
    log::{self, Log, Tail},
    write,
};

/// A checkpoint begins once the log has grown to this. The longer, the fewer pages are written for as many commits;
/// and the longer a checkpoint holds up the group that begins it, and an opening after a crash.
const CHECKPOINT_BYTES: u64 = if cfg!(test) { 64 << 10 } else { 2 << 20 };
/// While a checkpoint is under way the log grows no further than this: commits wait for it instead.
const LOG_BYTES: u64 = 64 << 20;
/// A checkpoint begins after so long without a commit, or without a checkpoint: whoever opens the files next, or looks
/// into the database, finds it nearly up to date.
const IDLE: Duration = Duration::from_secs(1);
const AGE: Duration = Duration::from_secs(10);
/// How many bytes of pages may wait for the disk: they are in memory.
const QUEUED_BYTES: usize = 64 << 20;

/// What a group writes: each transaction's version and mutations.
pub(super) type Group<'a> = [(Version, &'a [Mutation])];

/// The database with the queue before its file. Dropped, it leaves the file as a crash would.
pub(super) struct Pages {
    // Dropped first: the library would write what it has in memory when it is closed.
    behind: Abandons,
    pub(super) database: Database,
}

struct Abandons(Option<Behind>);

impl Drop for Abandons {
    fn drop(&mut self) {
        if let Some(behind) = &self.0 {
            behind.abandon();
        }
    }
}

impl Pages {
    pub(super) fn new(database: Database, behind: Behind) -> Self {
        Self {
            behind: Abandons(Some(behind)),
            database,
        }
    }

    /// Closes the file in order.
    pub(super) fn close(mut self) -> Result<(), redb::DatabaseError> {
        self.behind.0.take();
        self.database.close()
    }
}

/// A checkpoint that is on its way to the disk.
struct UnderWay {
    last: u64,
    since: Instant,
}

/// An open store's files.
pub(super) struct Files {
    path: PathBuf,
    pages: Pages,
    queue: Behind,
    log: Log,
    round: u64,
    under_way: Option<UnderWay>,
    /// When the newest commit was written, and when the newest checkpoint began.
    written: Instant,
    turned: Instant,
}

impl Files {
    /// Takes in what the log holds beyond the database, and begins a round.
    pub(super) fn begin(
        path: &Path,
        pages: Pages,
        queue: Behind,
        tail: &Tail,
    ) -> Result<Self, redb::Error> {
        // The number that stands for no round is not drawn.
        let round = rand::random::<u64>() | 1;
        if log::make(path)? {
            file::sync_folder(path)?;
        }
        let group: Vec<_> = tail
            .records
            .iter()
            .flat_map(|record| {
                (record.before.0 + 1..)
                    .map(Version)
                    .zip(&record.transactions)
            })
            .map(|(version, mutations)| (version, mutations.as_slice()))
            .collect();
        write::onto_disk(&pages.database, &group, tail.version, round)?;
        // From here on the log's old records are nobody's.
        queue.flush()?;
        Ok(Self {
            path: path.to_owned(),
            pages,
            queue,
            log: Log::begin(path, round)?,
            round,
            under_way: None,
            written: Instant::now(),
            turned: Instant::now(),
        })
    }

    pub(super) fn database(&self) -> &Database {
        &self.pages.database
    }

    /// Looks how far the disk has come.
    ///
    /// # Errors
    /// That it takes nothing more, in its words.
    fn settle(&mut self) -> io::Result<()> {
        let last = self
            .under_way
            .as_ref()
            .map_or(0, |under_way| under_way.last);
        if self.queue.is_done(last)?
            && let Some(done) = self.under_way.take()
        {
            metrics::counter!("coditect_registry_checkpoints_total").increment(1);
            metrics::histogram!("coditect_registry_checkpoint_seconds")
                .record(done.since.elapsed());
        }
        Ok(())
    }

    /// Makes room for a group of so many commits with so many mutations and bytes, or waits until there is some.
    ///
    /// # Errors
    /// That the disk is full, in its words: nothing has happened, and there may be room later.
    pub(super) fn reserve(
        &mut self,
        commits: usize,
        mutations: usize,
        bytes: u64,
    ) -> io::Result<()> {
        let checkpoint = self
            .under_way
            .as_ref()
            .filter(|_| self.log.bytes() > LOG_BYTES)
            .map(|under_way| under_way.last);
        self.queue.relax(QUEUED_BYTES, checkpoint);
        if let Some(full) = self.queue.full() {
            return Err(io::Error::new(io::ErrorKind::StorageFull, full));
        }
        self.log.reserve(log::longest(commits, mutations, bytes))
    }

    /// Writes a group that continues `before`, for which there is room, and returns when it is durable.
    ///
    /// # Errors
    /// If one of the two did not take it: the files are to be opened anew, and then tell whether it happened.
    pub(super) fn write(&mut self, before: Version, group: &Group<'_>) -> Result<(), redb::Error> {
        let newest = group.last().map_or(before, |(version, _)| *version);
        let transactions = group.iter().map(|(_, mutations)| *mutations);
        self.log.append(before, transactions);
        let due = self.under_way.is_none() && self.log.bytes() >= CHECKPOINT_BYTES;
        let taken = if due {
            self.begin_checkpoint(group, newest)
        } else {
            write::into_memory(self.database(), group)
        };
        let logged = self.log.wait();
        if taken.is_ok() && logged.is_ok() {
            self.written = Instant::now();
            if due {
                self.turn();
            }
            return Ok(());
        }
        if let Err(error) = self.log.cancel() {
            tracing::warn!(%error, "a commit that failed could not be taken back from the registry's log");
        }
        taken?;
        Ok(logged?)
    }

    /// Looks how far the disk has come, and begins a checkpoint of `version`, the newest, if it is time for one.
    ///
    /// # Errors
    /// As [`Self::settle`], or that the library refuses: the files are to be opened anew.
    pub(super) fn tick(&mut self, version: Version) -> Result<(), redb::Error> {
        self.settle()?;
        let due = self.written.elapsed() > IDLE || self.turned.elapsed() > AGE;
        let wanted = self.log.bytes() > 0 && self.under_way.is_none();
        if due && wanted && self.queue.full().is_none() {
            self.begin_checkpoint(&[], version)?;
            self.turn();
        }
        Ok(())
    }

    fn turn(&mut self) {
        self.log.turn();
        self.turned = Instant::now();
    }

    fn begin_checkpoint(&mut self, group: &Group<'_>, newest: Version) -> Result<(), redb::Error> {
        let since = Instant::now();
        let taken = write::onto_disk(self.database(), group, newest, self.round);
        self.under_way = Some(UnderWay {
            last: self.queue.last(),
            since,
        });
        taken
    }

    /// Brings everything up to `version`, the newest, onto the disk, and closes the files. The log is no longer
    /// needed then, and is removed.
    ///
    /// # Errors
    /// What the disk or the library says; then they are as a crash would leave them.
    pub(super) fn close(self, version: Version) -> Result<(), redb::Error> {
        write::onto_disk(self.database(), &[], version, write::NO_ROUND)?;
        let Self {
            path, pages, log, ..
        } = self;
        drop(log);
        pages.close()?;
        Ok(log::remove(&path)?)
    }
}
