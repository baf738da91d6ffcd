//! The packs of a repository: which there are, and setting aside those that were joined.
//!
//! Packs are set aside, in a folder that Git does not look at, and removed later, when nobody commits. For ext4 does not
//! give away an inode that was freed in the last one to five minutes, and looks at each such one whenever a file is made
//! (`recently_deleted` in the kernel's `fs/ext4/ialloc.c`): a few thousand cost a commit as much again as all its syncs.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use git2::Oid;

use super::{
    error::{Error, Result},
    pack::sync_folder,
    pack_index,
};

/// Files beside a pack that say it is not simply a pack of ours: such a pack stays.
const SPECIAL: [&str; 4] = ["keep", "promisor", "mtimes", "bitmap"];

/// Where joined packs are until they are removed.
const ASIDE: &str = "coditect-joined";

/// A pack with its index.
pub(super) struct Pack {
    pub(super) path: PathBuf,
    pub(super) modified: SystemTime,
    /// Its size without the index.
    pub(super) bytes: u64,
}

impl Pack {
    /// The pack at `path`.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn at(path: PathBuf) -> Result<Self> {
        let read = |metadata: fs::Metadata| Ok((metadata.modified()?, metadata.len()));
        match fs::metadata(&path).and_then(read) {
            Ok((modified, bytes)) => Ok(Self {
                path,
                modified,
                bytes,
            }),
            Err(error) => Err(Error::io(&path, error)),
        }
    }

    /// The ids of its objects, in the order in which these were written.
    ///
    /// # Errors
    /// If its index cannot be read.
    pub(super) fn objects(&self) -> Result<Vec<Oid>> {
        self.read_index(|mut file| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(pack_index::oids(&bytes))
        })
    }

    /// How many objects it has.
    ///
    /// # Errors
    /// If its index cannot be read.
    pub(super) fn count(&self) -> Result<u64> {
        self.read_index(|mut file| {
            let mut head = [0; pack_index::HEAD];
            file.read_exact(&mut head)?;
            Ok(pack_index::count(&head).map(u64::from))
        })
    }

    fn read_index<T>(&self, read: impl FnOnce(File) -> io::Result<Option<T>>) -> Result<T> {
        let index = self.path.with_extension("idx");
        let found = File::open(&index).and_then(read).and_then(|found| {
            found.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is no index"))
        });
        found.map_err(|error| Error::io(&index, error))
    }
}

/// What there is.
#[derive(Default)]
pub(super) struct Packs {
    /// How many packs.
    pub(super) count: usize,
    /// Those of single commits or little more, newest first.
    pub(super) small: Vec<Pack>,
    /// The others that can be joined.
    pub(super) others: Vec<Pack>,
}

impl Packs {
    /// The packs of the repository at `path`; those below `small` bytes are small.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(super) fn of(path: &Path, small: u64) -> Result<Self> {
        let folder = folder(path);
        Self::read(&folder, small).map_err(|error| Error::io(&folder, error))
    }

    fn read(folder: &Path, small: u64) -> io::Result<Self> {
        let mut packs = Self::default();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if path.extension() != Some(OsStr::new("pack")) {
                continue;
            }
            packs.count += 1;
            let there = |extension: &&str| path.with_extension(extension).exists();
            if !there(&"idx") || SPECIAL.iter().any(there) {
                continue;
            }
            // Gone again: somebody else joins packs.
            let Ok(pack) = Pack::at(path) else {
                continue;
            };
            match pack.bytes < small {
                true => packs.small.push(pack),
                false => packs.others.push(pack),
            }
        }
        packs
            .small
            .sort_by_key(|pack| std::cmp::Reverse(pack.modified));
        Ok(packs)
    }
}

/// Where a repository's packs are.
pub(super) fn folder(repository: &Path) -> PathBuf {
    repository.join("objects/pack")
}

/// Sets packs of the repository at `path` aside, except for `joined`, which has all they have and is on the disk.
///
/// # Errors
/// If one cannot be moved.
pub(super) fn set_aside(path: &Path, packs: &[Pack], joined: &Path) -> Result<()> {
    let aside = path.join(ASIDE);
    fs::create_dir_all(&aside).map_err(|error| Error::io(&aside, error))?;
    // All of it may have been in one of them.
    for pack in packs.iter().filter(|pack| pack.path != joined) {
        // The index first: a pack without one is not looked at, an index without its pack is an error to Git.
        for extension in ["idx", "rev", "pack"] {
            let file = pack.path.with_extension(extension);
            let Some(name) = file.file_name() else {
                continue;
            };
            match fs::rename(&file, aside.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io(&file, error));
                }
                _ => {}
            }
        }
    }
    sync_folder(&folder(path))
}

/// Removes at most so many files of what was set aside; true if there may be more. The folder stays: somebody may be
/// setting more aside.
///
/// # Errors
/// If one cannot be removed.
pub(super) fn sweep(path: &Path, most: usize) -> Result<bool> {
    let aside = path.join(ASIDE);
    let swept = fs::read_dir(&aside).and_then(|files| {
        let mut swept = 0;
        for file in files.take(most) {
            match fs::remove_file(file?.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => swept += 1,
            }
        }
        Ok(swept == most)
    });
    match swept {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        swept => swept.map_err(|error| Error::io(&aside, error)),
    }
}
