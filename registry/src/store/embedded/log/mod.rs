//! The log: what has been committed since the last checkpoint, in two files beside the database.
//!
//! A group of commits is durable when its record is: one write to pages that lie side by side, and one sync. The
//! database takes the same commits into memory, and onto its disk at a checkpoint. Records go to one file until a
//! checkpoint begins, then to the other; before the first is written again, the checkpoint is on disk. Room is made
//! ahead of the records, so that a sync waits for their bytes alone and not for the file system's journal.
//!
//! A *round* is one opening of the store: a number drawn at random that stands in the database and in each record.
//! Records of other rounds are nobody's.

mod record;
mod tail;
mod thread;

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use coditect_core::Version;
use redb::{StorageBackend, backends::FileBackend};

use super::super::optimistic::Mutation;
use record::BLOCK;
pub(super) use record::longest;
pub(super) use tail::Tail;
use thread::Thread;

/// How much room is made at once.
const PIECE: usize = 1 << 20;
static ZEROS: [u8; PIECE] = [0; PIECE];

/// Where the log of the store at `path` lies.
pub(super) fn beside(path: &Path) -> [PathBuf; 2] {
    ["0", "1"].map(|number| {
        let mut name = OsString::from(path);
        name.push(".log.");
        name.push(number);
        name.into()
    })
}

/// Makes empty files where there are none, and says whether there were none.
///
/// # Errors
/// What the file system says.
pub(super) fn make(path: &Path) -> io::Result<bool> {
    let mut made = false;
    for place in beside(path) {
        if !place.try_exists()? {
            open(&place)?;
            made = true;
        }
    }
    Ok(made)
}

/// What the log holds of a round beyond a version. An empty file holds nothing; one that is not there is an error.
///
/// # Errors
/// What the file system says.
pub(super) fn read(path: &Path, round: u64, version: Version) -> io::Result<Tail> {
    let [first, second] = beside(path).map(fs::read);
    Ok(tail::read(&[first?, second?], round, version))
}

/// Removes the files, with all that they hold.
///
/// # Errors
/// What the file system says.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    for place in beside(path) {
        match fs::remove_file(place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What the files take on disk in bytes.
pub(super) fn size(path: &Path) -> u64 {
    let sizes = beside(path).map(|place| fs::metadata(place).map_or(0, |about| about.blocks()));
    // stat(2) counts in blocks of 512 bytes, whatever the file system's own.
    sizes.iter().sum::<u64>() * 512
}

fn open(place: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(place)
}

/// The log, being written.
pub(super) struct Log {
    round: u64,
    files: [Arc<dyn StorageBackend>; 2],
    /// How long each file is; before that, every byte was written once.
    lengths: [u64; 2],
    /// Which file the next record goes to.
    current: usize,
    /// Where in it.
    tail: u64,
    /// Where the last one went.
    last: u64,
    thread: Thread,
}

impl Log {
    /// Begins a round. Whatever the files held is no longer needed, and is gone.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn begin(path: &Path, round: u64) -> io::Result<Self> {
        let [first, second] = beside(path).map(|place| -> io::Result<_> {
            let file = FileBackend::new(open(&place)?).map_err(io::Error::other)?;
            #[cfg(test)]
            let file = super::disk::Disk::new(file, &place);
            let file: Arc<dyn StorageBackend> = Arc::new(file);
            file.set_len(0)?;
            file.set_len(PIECE as u64)?;
            // Synced with the first record.
            file.write(0, &ZEROS)?;
            Ok(file)
        });
        Ok(Self {
            round,
            files: [first?, second?],
            lengths: [PIECE as u64; 2],
            current: 0,
            tail: 0,
            last: 0,
            thread: Thread::start()?,
        })
    }

    /// Makes room for a record.
    ///
    /// # Errors
    /// What the disk says; then nothing has happened.
    pub(super) fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        let (file, length) = (&self.files[self.current], &mut self.lengths[self.current]);
        let needed = (self.tail + bytes).next_multiple_of(PIECE as u64);
        if needed > *length {
            file.set_len(needed)?;
        }
        while *length < needed {
            file.write(*length, &ZEROS)?;
            *length += PIECE as u64;
        }
        Ok(())
    }

    /// Begins to write a record for which there is room; [`Self::wait`] is to follow.
    pub(super) fn append<'a>(
        &mut self,
        before: Version,
        transactions: impl ExactSizeIterator<Item = &'a [Mutation]>,
    ) {
        let record = record::encode(self.round, before, transactions);
        (self.last, self.tail) = (self.tail, self.tail + record.len() as u64);
        let file = Arc::clone(&self.files[self.current]);
        self.thread.write(file, self.last, record);
    }

    /// Returns when the record is on disk.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        self.thread.wait()
    }

    /// Takes the last record back, which somebody waited for.
    ///
    /// # Errors
    /// What the disk says; then it may be found or not.
    pub(super) fn cancel(&mut self) -> io::Result<()> {
        let file = &self.files[self.current];
        file.write(self.last, &ZEROS[..BLOCK])?;
        file.sync_data()?;
        self.tail = self.last;
        Ok(())
    }

    /// Goes on at the beginning of the other file, whose records are no longer needed.
    pub(super) fn turn(&mut self) {
        self.current = 1 - self.current;
        self.tail = 0;
    }

    /// How many bytes the current file holds.
    pub(super) fn bytes(&self) -> u64 {
        self.tail
    }
}

/// Forgets what the operating system holds of the files in memory.
pub(super) fn distrust(path: &Path) {
    for place in beside(path).iter().map(PathBuf::as_path).chain([path]) {
        // Advice; whoever cannot take it reads what is in memory, as they would without it.
        let _ = File::open(place)
            .map(|file| rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed));
    }
}
