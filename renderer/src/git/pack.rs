//! Writes a commit's objects as one pack, synced before anything refers to it.
//!
//! Form: `gitformat-pack(5)`, version 2. Why not libgit2's writer: see `docs/adr/0003-packs.md`.

use std::{
    collections::HashSet,
    fs::{File, Permissions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
};

use flate2::{Compress, Compression, FlushCompress, Status};
use git2::Oid;
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;

use super::{
    bases::{Bases, Folders},
    error::{Error, Result},
    object::{Kind, hash},
    pack_index::{self, Entry},
};

/// Begins the name of every file that is not yet in place. Git ignores `tmp_*` among the packs.
pub(super) const TEMPORARY: &str = "tmp_coditect_";

/// Compressed bytes kept back before they are written. A flush of a few users fits: one `write`.
const BUFFER: usize = 256 * 1024;

/// Fastest compression. Measured on rendered files, higher levels save a few per cent.
const LEVEL: u32 = 1;

const HEADER: usize = 12;

/// A pack in the making. Thrown away, it leaves nothing behind.
pub(super) struct PackWriter {
    folder: PathBuf,
    /// Made when the first buffer is full: a batch that changes nothing touches no disk.
    file: Option<NamedTempFile>,
    buffer: Vec<u8>,
    /// Bytes before the buffer.
    written: u64,
    entries: Vec<Entry>,
    seen: HashSet<Oid>,
    bases: Bases,
    /// Where folders of many commits are expected.
    folders: Option<Folders>,
    deflate: Compress,
    delta: Vec<u8>,
}

/// A pack whose bytes, index and names are on the disk. Only [`PackWriter::finish`] makes one, and only
/// with one can a ref be moved.
#[derive(Debug)]
pub(super) struct SyncedPack {
    /// How many objects it holds.
    pub(super) objects: usize,
    /// Its size in bytes, without the index.
    pub(super) bytes: u64,
    /// Where it is.
    pub(super) path: PathBuf,
}

impl PackWriter {
    /// A writer into the folder `objects/pack` of a repository.
    pub(super) fn new(folder: PathBuf) -> Self {
        let mut buffer = Vec::with_capacity(16 * 1024);
        // The number of objects follows when it is known.
        buffer.extend_from_slice(b"PACK\0\0\0\x02\0\0\0\0");
        Self {
            folder,
            file: None,
            buffer,
            written: 0,
            entries: Vec::new(),
            seen: HashSet::new(),
            bases: Bases::default(),
            folders: None,
            deflate: Compress::new(Compression::new(LEVEL), true),
            delta: Vec::new(),
        }
    }

    /// A writer of what many commits brought, newest first: folders too are stored as differences.
    pub(super) fn of_many(folder: PathBuf) -> Self {
        Self {
            folders: Some(Folders::default()),
            ..Self::new(folder)
        }
    }

    /// Adds a file and returns its id.
    pub(super) fn blob(&mut self, body: &[u8]) -> Result<Oid> {
        self.hashed(Kind::Blob, body)
    }

    /// Adds a tree and returns its id.
    pub(super) fn tree(&mut self, body: &[u8]) -> Result<Oid> {
        self.hashed(Kind::Tree, body)
    }

    /// Adds a commit and returns its id.
    pub(super) fn commit(&mut self, body: &[u8]) -> Result<Oid> {
        self.hashed(Kind::Commit, body)
    }

    fn hashed(&mut self, kind: Kind, body: &[u8]) -> Result<Oid> {
        let oid = hash(kind, body).map_err(|error| Error::git(&self.folder, error))?;
        self.add(kind, oid, body)?;
        Ok(oid)
    }

    /// Adds an object unless this pack has it. `oid` is its hash; blobs that resemble an earlier one are
    /// stored as the difference.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub(super) fn add(&mut self, kind: Kind, oid: Oid, body: &[u8]) -> Result<()> {
        if !self.seen.insert(oid) {
            return Ok(());
        }
        let offset = self.written + self.buffer.len() as u64;
        let start = self.buffer.len();
        let mut delta = std::mem::take(&mut self.delta);
        let base = match (kind, &mut self.folders) {
            (Kind::Blob, _) => self.bases.encode(body, &mut delta),
            (Kind::Tree, Some(folders)) => folders.encode(offset, body, &mut delta),
            _ => None,
        };
        if let Some(base) = base {
            push_header(&mut self.buffer, OFS_DELTA, delta.len());
            push_distance(&mut self.buffer, offset - base);
            self.deflate(&delta)?;
        } else {
            push_header(&mut self.buffer, kind as u8, body.len());
            self.deflate(body)?;
            if kind == Kind::Blob {
                self.bases.add(offset, body);
            }
        }
        self.delta = delta;
        self.entries.push(Entry {
            oid,
            crc: crc32fast::hash(&self.buffer[start..]),
            offset,
        });
        if self.buffer.len() >= BUFFER {
            self.write_buffer()?;
        }
        Ok(())
    }

    /// Appends `body` to the buffer, compressed (zlib, RFC 1950).
    fn deflate(&mut self, body: &[u8]) -> Result<()> {
        self.deflate.reset();
        let mut rest = body;
        loop {
            // zlib's own bound for one call (deflateBound), so that one call is the rule.
            self.buffer.reserve(rest.len() + rest.len() / 1_000 + 64);
            let before = self.deflate.total_in();
            let status = self
                .deflate
                .compress_vec(rest, &mut self.buffer, FlushCompress::Finish)
                .map_err(|error| Error::io(&self.folder, std::io::Error::other(error)))?;
            if status == Status::StreamEnd {
                return Ok(());
            }
            let taken = usize::try_from(self.deflate.total_in() - before).unwrap_or(rest.len());
            rest = &rest[taken..];
        }
    }

    fn write_buffer(&mut self) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(temporary(&self.folder)?),
        };
        file.write_all(&self.buffer)
            .map_err(|error| Error::io(&self.folder, error))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Completes the pack and its index, syncs both and the folder, and gives them their names. The order
    /// is Git's own (bytes before names, the index last): killed at any point, a pack is either whole or
    /// not there. `beside` is synced at the same time, which costs nothing more on a journaling disk.
    ///
    /// # Errors
    /// If anything could not be written or synced. Then nothing, or a pack without index, remains, which
    /// Git ignores and the next opening removes.
    pub(super) fn finish(mut self, beside: Option<&File>) -> Result<SyncedPack> {
        let count = u32::try_from(self.entries.len()).map_err(|_| {
            Error::unusable(
                &self.folder,
                "cannot take more than 4,294,967,295 objects at once",
            )
        })?;
        let checksum = self.seal(count)?;
        let index = pack_index::encode(&mut self.entries, &checksum);
        let mut index_file = temporary(&self.folder)?;
        index_file
            .write_all(&index)
            .map_err(|error| Error::io(&self.folder, error))?;
        let Some(pack_file) = self.file.take() else {
            return Err(Error::unusable(&self.folder, "lost its temporary file"));
        };
        let sync = |file: &File| {
            file.sync_all()
                .map_err(|error| Error::io(&self.folder, error))
        };
        thread::scope(|scope| {
            let index = scope.spawn(|| sync(index_file.as_file()));
            let beside = scope.spawn(|| beside.map_or(Ok(()), sync));
            let pack = sync(pack_file.as_file());
            let failed = || {
                Error::io(
                    &self.folder,
                    std::io::Error::other("a thread ended while it synced a file"),
                )
            };
            pack.and(index.join().unwrap_or_else(|_| Err(failed())))
                .and(beside.join().unwrap_or_else(|_| Err(failed())))
        })?;
        let name = checksum
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        let path = self.folder.join(format!("pack-{name}.pack"));
        place(pack_file, &path)?;
        place(index_file, &path.with_extension("idx"))?;
        sync_folder(&self.folder)?;
        Ok(SyncedPack {
            objects: self.entries.len(),
            bytes: self.written,
            path,
        })
    }

    /// Writes the number of objects into the header and the SHA-1 of everything at the end.
    fn seal(&mut self, count: u32) -> Result<[u8; 20]> {
        let count = count.to_be_bytes();
        let mut sha = Sha1::new();
        if self.file.is_none() {
            self.buffer[HEADER - 4..HEADER].copy_from_slice(&count);
            sha.update(&self.buffer);
        } else {
            self.write_buffer()?;
            self.rehash(count, &mut sha)
                .map_err(|error| Error::io(&self.folder, error))?;
        }
        let checksum: [u8; 20] = sha.finalize().into();
        self.buffer.extend_from_slice(&checksum);
        self.write_buffer()?;
        Ok(checksum)
    }

    /// The number stands before all the bytes that are hashed, and is known last: so what was written is
    /// read again (from the page cache; 10,000 users' pack has about 10 MB).
    fn rehash(&mut self, count: [u8; 4], sha: &mut Sha1) -> std::io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.seek(SeekFrom::Start(HEADER as u64 - 4))?;
        file.write_all(&count)?;
        file.rewind()?;
        let mut chunk = vec![0; BUFFER];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(()),
                length => sha.update(&chunk[..length]),
            }
        }
    }
}

fn place(file: NamedTempFile, path: &Path) -> Result<()> {
    // Read-only, as Git leaves them: what is named after its content never changes.
    file.as_file()
        .set_permissions(Permissions::from_mode(0o444))
        .map_err(|error| Error::io(path, error))?;
    file.persist(path)
        .map_err(|error| Error::io(path, error.error))?;
    Ok(())
}

/// A temporary file, locked as long as its maker lives: who can lock one found it left behind.
pub(super) fn temporary(folder: &Path) -> Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(folder)
            .map_err(|error| Error::io(folder, error))?;
        let locked = file.as_file().try_lock().is_ok();
        // Between making and locking, a cleaner may have taken it for a leftover.
        let named = file
            .as_file()
            .metadata()
            .is_ok_and(|metadata| metadata.nlink() > 0);
        if locked && named {
            return Ok(file);
        }
    }
}

/// Makes the names in a folder survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Error::io(folder, error))
}

const OFS_DELTA: u8 = 6;

/// Type and size: four bits of size beside the type, then seven at a time.
fn push_header(out: &mut Vec<u8>, kind: u8, size: usize) {
    let mut byte = kind << 4 | (size & 0x0f) as u8;
    let mut rest = size >> 4;
    while rest > 0 {
        out.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    out.push(byte);
}

/// How far back the base lies: seven bits at a time, highest first, one less for each further byte.
fn push_distance(out: &mut Vec<u8>, mut distance: u64) {
    let mut bytes = [0; 10];
    let mut at = bytes.len() - 1;
    bytes[at] = (distance & 0x7f) as u8;
    distance >>= 7;
    while distance > 0 {
        distance -= 1;
        at -= 1;
        bytes[at] = 0x80 | (distance & 0x7f) as u8;
        distance >>= 7;
    }
    out.extend_from_slice(&bytes[at..]);
}

#[cfg(test)]
mod tests;
