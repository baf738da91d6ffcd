//! From lines to a registry.
//!
//! 1. The whole file is read and checked before anything is written.
//! 2. The registry is claimed for this file: [`keys::import`] names it. From here on nobody else opens the
//!    registry, and only the same file may be imported.
//! 3. Records are set in batches, several under way at once. Setting one twice is setting it once, so whatever
//!    was under way at a kill is set again.
//! 4. Sequences are appended one batch after the other, each together with how far the import has come: an append
//!    must not happen twice.
//! 5. One transaction lets go of the claim, begins a new epoch and wakes everyone who waits for a cell.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{BufRead, Seek},
    sync::Arc,
};

use coditect_core::{CellName, Epoch, Error, Result};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::{
    line::Record,
    lines::{Content, Lines, verify},
};
use crate::{
    keys::{self, Export, KeyPart},
    keyspace,
    reader::{Reader, everything},
    store::{Isolation, Key, Store, StoreError, Value},
    tx::Tx,
};

/// Bytes of one transaction: far below [`crate::store::limits::TRANSACTION_BYTES`], as FoundationDB advises.
const BATCH_BYTES: usize = 500_000;
/// Records of one transaction.
const BATCH_RECORDS: usize = 2_000;
/// Transactions under way at once. They share the syncs of the embedded store and hide the round trips to a
/// cluster.
const AT_ONCE: usize = 8;
/// After how many batches it is written down how far the import has come.
const BATCHES_BETWEEN_NOTES: u32 = 16;

/// That an import has been begun, and whether it is finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportState {
    /// The checksum of the file, as its last line gives it.
    pub sha256: String,
    /// True once everything is there.
    pub finished: bool,
}

impl crate::record::Record for ImportState {}
impl crate::record::Record for Progress {}

/// How far an import has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// This many records of the file are there, from its beginning.
    pub records: u64,
}

/// What was imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// What the file holds.
    pub content: Content,
    /// How many of its records were there already, from an import that was interrupted.
    pub already_there: u64,
    /// True if the same file had been imported to its end before: nothing was done.
    pub already_finished: bool,
    /// The registry's new life.
    pub epoch: Epoch,
}

/// Imports `file` into `store`, which must be empty, or hold a part of the same file. `progress` is called with the
/// number of records that have been checked, then with those that are there.
///
/// # Errors
/// `Invalid` with the line, if the file is not acceptable: nothing was written then. `Conflict` if the registry is
/// not empty. As the store; importing the same file again goes on.
pub async fn import<F: BufRead + Seek + Send>(
    store: &Arc<dyn Store>,
    file: &mut F,
    progress: &(dyn Fn(Step, u64) + Send + Sync),
) -> Result<Imported> {
    let content = verify(file, &|records| progress(Step::Checking, records))?;
    file.rewind()
        .map_err(|error| Error::unavailable("the export cannot be read again").because(error))?;
    let state = claim(store, &content).await?;
    if state.finished {
        let mut tx = begin(store).await?;
        return Ok(Imported {
            already_there: content.records,
            content,
            already_finished: true,
            epoch: tx.get(&keys::epoch()).await?.unwrap_or_else(Epoch::random),
        });
    }
    let mut work = Work {
        store: Arc::clone(store),
        sha256: content.sha256.clone(),
        done: progress_so_far(store).await?,
        cells: BTreeSet::new(),
        progress,
    };
    let already_there = work.done;
    work.all(Lines::new(file)?, &content).await?;
    let epoch = work.finish().await?;
    Ok(Imported {
        content,
        already_there,
        already_finished: false,
        epoch,
    })
}

/// What an import is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reads the file to its end.
    Checking,
    /// Writes.
    Writing,
}

async fn begin(store: &Arc<dyn Store>) -> Result<Tx> {
    Ok(Tx::new(store.begin().await?, Isolation::Serializable))
}

/// Runs `work` in a transaction until it commits.
macro_rules! committed {
    ($store:expr, |$tx:ident| $work:block) => {{
        let mut $tx = begin($store).await?;
        loop {
            let attempt: Result<_, StoreError> = async {
                let done = $work;
                $tx.commit().await?;
                Ok(done)
            }
            .await;
            match attempt {
                Ok(done) => break done,
                Err(error) => $tx.reset(error).await?,
            }
        }
    }};
}

/// Refuses a registry that is half imported: what is missing would look like deleted.
///
/// # Errors
/// `NotOpened` if an import is unfinished, with what to do; as the store.
pub(crate) async fn refuse_unfinished(tx: &mut Tx) -> Result<(), StoreError> {
    match tx.get::<ImportState>(&keys::import()).await? {
        Some(state) if !state.finished => Err(StoreError::NotOpened(
            "an import into this registry is unfinished: run `coditect registry import` with the same file again, or begin with an empty registry"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Makes the registry this import's, if it is empty or has been this import's before.
async fn claim(store: &Arc<dyn Store>, content: &Content) -> Result<ImportState> {
    let mut tx = begin(store).await?;
    let found = tx.get::<ImportState>(&keys::import()).await?;
    drop(tx);
    match found {
        Some(state) if state.sha256 == content.sha256 => return Ok(state),
        Some(state) if !state.finished => {
            return Err(Error::conflict(format!(
                "another import into this registry is unfinished; finish it with the file whose checksum is {}, or begin with an empty registry",
                state.sha256
            )));
        }
        _ => {}
    }
    if let Some(key) = first_record(store).await? {
        return Err(Error::conflict(format!(
            "the registry is not empty ({key} is there); import into a new one: name another folder with --data, or another prefix of the cluster"
        )));
    }
    let state = ImportState {
        sha256: content.sha256.clone(),
        finished: false,
    };
    Ok(committed!(store, |tx| {
        let now = tx.get::<ImportState>(&keys::import()).await?;
        if now == found {
            tx.put(&keys::import(), &state)?;
            tx.clear(&keys::import_progress());
            state.clone()
        } else {
            // Somebody began in the same moment. With the same file that is harmless.
            now.filter(|now| now.sha256 == state.sha256)
                .ok_or(StoreError::Conflict)?
        }
    }))
}

/// The first key that an export would hold.
async fn first_record(store: &Arc<dyn Store>) -> Result<Option<String>> {
    let mut reader = Reader::new(Arc::clone(store));
    let mut rest = everything();
    loop {
        let page = reader.page(&rest).await?;
        for (key, _) in &page.entries {
            if keys::parse(key).map_or(true, |parsed| parsed.kind.export != Export::No) {
                return Ok(Some(keyspace::readable(key)));
            }
        }
        match page.entries.last() {
            Some((last, _)) if page.more => rest = rest.after(last),
            _ => return Ok(None),
        }
    }
}

async fn progress_so_far(store: &Arc<dyn Store>) -> Result<u64> {
    let progress = begin(store)
        .await?
        .get::<Progress>(&keys::import_progress())
        .await?;
    Ok(progress.unwrap_or_default().records)
}

#[derive(Debug, Default)]
struct Batch {
    records: Vec<(Key, Value)>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, record: Record) {
        self.bytes += record.key.len() + record.value.len();
        self.records.push((record.key, record.value));
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.records.len() >= BATCH_RECORDS
    }
}

struct Work<'progress> {
    store: Arc<dyn Store>,
    sha256: String,
    /// Records from the beginning of the file that are certainly there.
    done: u64,
    cells: BTreeSet<CellName>,
    progress: &'progress (dyn Fn(Step, u64) + Send + Sync),
}

impl Work<'_> {
    async fn all(&mut self, mut lines: Lines<'_>, content: &Content) -> Result<()> {
        let mut under_way = UnderWay::default();
        let mut batch = Batch::default();
        let mut in_sequence = false;
        let mut number = 0;
        while let Some(record) = lines.next()? {
            self.note_cell(&record);
            number += 1;
            if number <= self.done {
                continue;
            }
            if record.in_sequence() && !in_sequence {
                // From here on every batch stands alone: what was set before is there.
                self.set(&mut under_way, std::mem::take(&mut batch)).await?;
                self.settle(&mut under_way).await?;
                in_sequence = true;
            }
            batch.push(record);
            if batch.is_full() {
                let full = std::mem::take(&mut batch);
                if in_sequence {
                    self.append(full).await?;
                } else {
                    self.set(&mut under_way, full).await?;
                }
            }
        }
        if in_sequence {
            self.append(batch).await?;
        } else {
            self.set(&mut under_way, batch).await?;
        }
        self.settle(&mut under_way).await?;
        // The file was checked before; this is for one that was changed since.
        if lines.content()? != *content || self.done != content.records {
            return Err(Error::conflict(
                "the file was changed while it was imported; import it again into an empty registry",
            ));
        }
        Ok(())
    }

    fn note_cell(&mut self, record: &Record) {
        if record.kind.pattern == "cell/{cell}/user/{u}"
            && let Ok(parsed) = keys::parse(&record.key)
            && let Some(KeyPart::Text(cell)) = keyspace::parts(&parsed).next()
            && let Ok(cell) = cell.parse()
        {
            self.cells.insert(cell);
        }
    }

    /// Sends a batch of records on its way, waiting until there is room.
    async fn set(&mut self, under_way: &mut UnderWay, batch: Batch) -> Result<()> {
        if batch.records.is_empty() {
            return Ok(());
        }
        if under_way.batches.len() >= AT_ONCE {
            self.one_arrives(under_way).await?;
        }
        let (store, sha256) = (Arc::clone(&self.store), self.sha256.clone());
        let records = batch.records.len() as u64;
        let task = tokio::spawn(async move { set(&store, &sha256, &batch.records).await });
        under_way.batches.push_back((records, task));
        Ok(())
    }

    /// Waits for the oldest batch, so that what is noted has no holes.
    async fn one_arrives(&mut self, under_way: &mut UnderWay) -> Result<()> {
        let Some((records, task)) = under_way.batches.pop_front() else {
            return Ok(());
        };
        task.await
            .map_err(|error| Error::internal("an import's task failed").because(error))??;
        self.done += records;
        (self.progress)(Step::Writing, self.done);
        under_way.since_note += 1;
        if under_way.since_note == BATCHES_BETWEEN_NOTES {
            under_way.since_note = 0;
            self.note().await?;
        }
        Ok(())
    }

    async fn settle(&mut self, under_way: &mut UnderWay) -> Result<()> {
        while !under_way.batches.is_empty() {
            self.one_arrives(under_way).await?;
        }
        self.note().await
    }

    /// Writes down how far the import has come.
    async fn note(&self) -> Result<()> {
        let (sha256, done) = (self.sha256.as_str(), self.done);
        committed!(&self.store, |tx| {
            still_ours(&mut tx, sha256).await?;
            let key = keys::import_progress();
            let noted: Progress = tx.get(&key).await?.unwrap_or_default();
            if noted.records < done {
                tx.put(&key, &Progress { records: done })?;
            }
        });
        Ok(())
    }

    /// Appends a batch and writes down that it is there, both or neither.
    async fn append(&mut self, batch: Batch) -> Result<()> {
        let (sha256, before) = (self.sha256.as_str(), self.done);
        let after = before + batch.records.len() as u64;
        committed!(&self.store, |tx| {
            still_ours(&mut tx, sha256).await?;
            let key = keys::import_progress();
            let noted: Progress = tx.get(&key).await?.unwrap_or_default();
            if noted.records == before {
                for (feed, value) in &batch.records {
                    tx.append_bytes(feed, value);
                }
                tx.put(&key, &Progress { records: after })?;
            } else if noted.records != after {
                return Err(taken_over());
            }
        });
        self.done = after;
        (self.progress)(Step::Writing, self.done);
        Ok(())
    }

    /// Makes the registry everybody's again.
    async fn finish(&self) -> Result<Epoch> {
        let epoch = Epoch::random();
        committed!(&self.store, |tx| {
            still_ours(&mut tx, &self.sha256).await?;
            let finished = ImportState {
                sha256: self.sha256.clone(),
                finished: true,
            };
            tx.put(&keys::import(), &finished)?;
            tx.clear(&keys::import_progress());
            tx.put(&keys::epoch(), &epoch)?;
            for cell in &self.cells {
                tx.add(&keys::change_signal(cell), 1);
                tx.add(&keys::power_signal(cell), 1);
            }
        });
        Ok(epoch)
    }
}

#[derive(Default)]
struct UnderWay {
    batches: VecDeque<(u64, JoinHandle<Result<()>>)>,
    since_note: u32,
}

async fn set(store: &Arc<dyn Store>, sha256: &str, records: &[(Key, Value)]) -> Result<()> {
    committed!(store, |tx| {
        still_ours(&mut tx, sha256).await?;
        for (key, value) in records {
            tx.put_bytes(key, value);
        }
    });
    Ok(())
}

/// That this import has not ended meanwhile. A process that slept through the end must not write what it still had
/// in its hands over what people have done since.
async fn still_ours(tx: &mut Tx, sha256: &str) -> Result<(), StoreError> {
    match tx.get::<ImportState>(&keys::import()).await? {
        Some(state) if !state.finished && state.sha256 == sha256 => Ok(()),
        _ => Err(taken_over()),
    }
}

fn taken_over() -> StoreError {
    StoreError::NotOpened(
        "another process works on this import or has finished it; look with `coditect registry show`"
            .to_owned(),
    )
}
