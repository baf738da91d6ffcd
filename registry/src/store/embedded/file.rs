//! The store's files: how they come to be, are opened, and what is said of those that cannot be.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use coditect_core::Version;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError};

use super::{
    super::StoreError,
    behind::{Behind, Queue},
    durable::{Files, Pages},
    format::{self, ABOUT, DATA, Identity, ROUND, VERSION},
    holder,
    log::{self, Tail},
    room::Room,
    watermark::{self, Watermark},
    write::NO_ROUND,
};

/// Memory for pages. The operating system caches the file as well, so more buys little.
const CACHE_BYTES: usize = 32 << 20;

/// Open files that hold what was promised.
pub(super) struct Opened {
    pub(super) files: Files,
    pub(super) version: Version,
    pub(super) watermark: Watermark,
}

/// Opens the file, making an empty store if there is none.
pub(super) fn open(path: &Path) -> Result<Opened, StoreError> {
    if !path
        .try_exists()
        .map_err(|error| not_opened(path, &error))?
    {
        create(path)?;
    }
    reopen(path)
}

/// Opens the file, which must exist, and takes in what its log holds beyond it.
pub(super) fn reopen(path: &Path) -> Result<Opened, StoreError> {
    let in_order = closed_in_order(path).map_err(|error| not_opened(path, &error))?;
    let (database, queue) = database(path, false).map_err(|error| explain(path, error))?;
    // Refused from here on, it stays as it was.
    let pages = Pages::new(database, queue.clone());
    let found = format::identify(&pages.database, path)?;
    let in_order = in_order && found.round == NO_ROUND;
    let tail = tail(path, found)?;
    let all = Identity {
        version: tail.version,
        ..found
    };
    let watermark = Watermark::check(path, all, in_order, tail.held)?;
    if !tail.records.is_empty() {
        tracing::info!(
            path = %path.display(),
            from = found.version.0,
            to = tail.version.0,
            "the registry takes in what its log holds"
        );
    }
    let files =
        Files::begin(path, pages, queue, &tail).map_err(|error| not_opened(path, &error))?;
    Ok(Opened {
        files,
        version: tail.version,
        watermark,
    })
}

/// What the log holds beyond a database that was not closed in order.
fn tail(path: &Path, found: Identity) -> Result<Tail, StoreError> {
    if found.round == NO_ROUND {
        return Ok(Tail::none(found.version));
    }
    log::read(path, found.round, found.version).map_err(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            return not_opened(path, &error);
        }
        let [first, second] = log::beside(path);
        StoreError::Corrupt(format!(
            "{} was not closed in order, and its log is not there: it belongs with {} and {}. Put them back beside \
             it, or restore the newest backup; or decide to go on with what is there: make empty files of those \
             names, remove {} and begin a new epoch",
            path.display(),
            first.display(),
            second.display(),
            watermark::beside(path).display()
        ))
    })
}

/// Whether redb says that the file was closed after its last write: in the header's tenth byte, behind the
/// magic number, the second bit asks for recovery
/// (<https://github.com/cberner/redb/blob/master/docs/design.md>).
fn closed_in_order(path: &Path) -> io::Result<bool> {
    const RECOVERY_REQUIRED: u8 = 2;
    let mut header = [0; 10];
    match File::open(path)?.read_exact_at(&mut header, 0) {
        // Too short for a registry, which opening it will say.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| header[9] & RECOVERY_REQUIRED == 0),
    }
}

fn database(path: &Path, create: bool) -> Result<(Database, Behind), DatabaseError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if !create && file.metadata()?.len() == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty").into());
    }
    let disk = Room::new(file)?;
    #[cfg(test)]
    let disk = super::disk::Disk::new(disk, path);
    let (disk, queue) = Queue::before(disk)?;
    let shown = path.display().to_string();
    let in_order = closed_in_order(path)?;
    let database = Builder::new()
        .set_cache_size(CACHE_BYTES)
        // Reads the whole file: a byte that the disk has changed is found now, not when somebody asks for it.
        .set_check_integrity_on_open(true)
        .set_repair_callback(move |check| {
            if check.progress() == 0.0 && !in_order {
                tracing::info!(
                    path = shown,
                    "the registry was not closed in order; checking it"
                );
            } else if check.progress() == 0.3 {
                tracing::warn!(
                    path = shown,
                    "the registry's last commit is not whole; going back to the one before"
                );
            }
        })
        .create_with_backend(disk)?;
    Ok((database, queue))
}

/// Makes an empty store beside its place and puts it there whole, so that no crash leaves half of one.
fn create(path: &Path) -> Result<(), StoreError> {
    let unfinished = unfinished(path);
    let (database, _) = match database(&unfinished, true) {
        // Somebody was killed here before the first page was whole.
        Err(DatabaseError::Storage(StorageError::Io(error)))
            if error.kind() == io::ErrorKind::InvalidData =>
        {
            fs::remove_file(&unfinished).map_err(|error| not_opened(path, &error))?;
            database(&unfinished, true)
        }
        opened => opened,
    }
    .map_err(|error| explain(&unfinished, error))?;
    format::found(&database).map_err(|error| not_opened(path, &error))?;
    database.close().map_err(|error| explain(path, error))?;
    // A link, unlike a rename, never replaces what another process has put there first.
    let placed = match fs::hard_link(&unfinished, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        placed => placed,
    };
    fs::remove_file(&unfinished)
        .and(placed)
        .map_err(|error| not_opened(path, &error))?;
    sync_folder(path).map_err(|error| not_opened(path, &error))
}

/// Writes all that an open store holds, which is `version`, into a new file, and puts that in the place of the old one, which stays open.
/// Nothing of what was cleared can be in it, which a compaction in place, that moves pages, does not promise. A
/// crash leaves the old file or the new one, each whole.
///
/// # Errors
/// What the disk or the library says; then the old file is in its place.
pub(super) fn rewrite(path: &Path, old: &Database, version: Version) -> Result<(), redb::Error> {
    let beside = unfinished(path);
    // Of a rewrite that was killed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let written = copy(old, version, &beside).and_then(|()| Ok(fs::rename(&beside, path)?));
    if written.is_err() {
        // It is in nobody's way, and the next attempt removes it.
        let _ = fs::remove_file(&beside);
    }
    written?;
    Ok(sync_folder(path)?)
}

fn copy(old: &Database, version: Version, to: &Path) -> Result<(), redb::Error> {
    let (mut new, _) = database(to, true)?;
    let (read, write) = (old.begin_read()?, new.begin_write()?);
    {
        let mut data = write.open_table(DATA)?;
        for entry in read.open_table(DATA)?.iter()? {
            let (key, value) = entry?;
            data.insert(key.value(), value.value())?;
        }
        let mut about = write.open_table(ABOUT)?;
        for entry in read.open_table(ABOUT)?.iter()? {
            let (name, number) = entry?;
            about.insert(name.value(), number.value())?;
        }
        // It holds what the old file's log held.
        about.insert(VERSION, version.0)?;
        about.insert(ROUND, NO_ROUND)?;
    }
    write.commit()?;
    // Filling a tree leaves pages half empty.
    while new.compact()? {}
    Ok(new.close()?)
}

/// Makes the names in the file's folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// What the file takes on disk in bytes, 0 if it cannot be asked. It is longer, by a hole at its end.
pub(super) fn size(path: &Path) -> u64 {
    // stat(2) counts in blocks of 512 bytes, whatever the file system's own.
    fs::metadata(path).map_or(0, |about| about.blocks() * 512)
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn not_opened(path: &Path, error: &dyn std::error::Error) -> StoreError {
    StoreError::NotOpened(format!("{} cannot be opened: {error}", path.display()))
}

fn explain(path: &Path, error: DatabaseError) -> StoreError {
    let shown = path.display();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            let process = holder::of(path).map_or_else(String::new, |id| format!(" ({id})"));
            StoreError::NotOpened(format!(
                "another process{process} has {shown} open; talk to the registry through that process's socket, or stop it first"
            ))
        }
        DatabaseError::Storage(StorageError::Corrupted(why)) => {
            StoreError::Corrupt(format!("{shown}: {why}; restore it from a backup"))
        }
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == io::ErrorKind::UnexpectedEof =>
        {
            StoreError::Corrupt(format!(
                "{shown} is shorter than it says; restore it from a backup"
            ))
        }
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == io::ErrorKind::InvalidData =>
        {
            StoreError::NotOpened(format!(
                "{shown} is not a registry ({error}); choose another place, or restore it from a backup"
            ))
        }
        DatabaseError::UpgradeRequired(format) => StoreError::NotOpened(format!(
            "{shown} has the file format {format} of an older database library, which this program does not read; export it with the program that wrote it"
        )),
        error => not_opened(path, &error),
    }
}
