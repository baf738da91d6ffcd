//! Joins the packs of single commits into one.
//!
//! Every object of the packs is read by libgit2, which checks its hash, and written again by [`PackWriter`], which knows
//! what `git pack-objects` has to search for: that successive commits hold the same folders with few entries changed.
//! What is written is on the disk before what it replaces is set aside, so a process killed anywhere leaves objects
//! twice, or a pack without index, which the next opening removes.
//!
//! Packs are set aside, in a folder that Git does not look at, and removed later, when nobody commits. For ext4 does not give
//! away an inode that was freed in the last one to five minutes, and looks at each such one whenever a file is made
//! (`recently_deleted` in the kernel's `fs/ext4/ialloc.c`): a few thousand cost a commit as much again as all its syncs.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use git2::{ObjectType, Oid, Repository};

use super::{
    error::{Error, Result},
    layout,
    lock::Lock,
    object::Kind,
    pack::{PackWriter, sync_folder},
    pack_index,
};

/// A pack below this size (bytes) is small. A commit of one user has about 5 KB, a joined pack of 256 such more than this.
const SMALL: u64 = 128 * 1024;

/// Files beside a pack that say it is not simply a pack of ours: such a pack stays.
const SPECIAL: [&str; 4] = ["keep", "promisor", "mtimes", "bitmap"];

/// Where joined packs are until they are removed.
const ASIDE: &str = "coditect-joined";

/// A pack with its index.
struct Pack {
    path: PathBuf,
    modified: SystemTime,
}

/// The repository's packs: how many there are, and the small ones among them, newest first.
fn look(folder: &Path) -> io::Result<(usize, Vec<Pack>)> {
    let (mut count, mut small) = (0, Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension() != Some(OsStr::new("pack")) {
            continue;
        }
        count += 1;
        // Gone again: somebody else joins packs.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let special = |extension: &&str| path.with_extension(extension).exists();
        if metadata.len() < SMALL
            && path.with_extension("idx").exists()
            && !SPECIAL.iter().any(|extension| special(&extension))
        {
            let modified = metadata.modified()?;
            small.push(Pack { path, modified });
        }
    }
    small.sort_by_key(|pack| std::cmp::Reverse(pack.modified));
    Ok((count, small))
}

/// How many packs a repository has: all, and those that [`join`] would take.
pub(super) fn count(repository: &Path) -> (usize, usize) {
    look(&packs_of(repository)).map_or((0, 0), |(count, small)| (count, small.len()))
}

/// Joins the small packs of the repository at `path` into one and sets them aside. Returns how many; none if there are
/// fewer than two, or somebody else is at it. Packs that come meanwhile are not touched, nor is an object dropped that no
/// branch reaches: it may be a commit about to be published.
///
/// # Errors
/// If something cannot be read or written, or it takes longer than `limit`. The repository is whole in any case.
pub(super) fn join(path: &Path, limit: Duration) -> Result<usize> {
    let begun = Instant::now();
    let folder = packs_of(path);
    // Two that join each other's work could each remove what the other relies on.
    let Some(_lock) = Lock::of_maintenance(path)? else {
        return Ok(0);
    };
    let (_, small) = look(&folder).map_err(|error| Error::io(&folder, error))?;
    if small.len() < 2 {
        return Ok(0);
    }
    let repository = layout::open(path)?;
    let mut writer = PackWriter::of_many(folder.clone());
    for pack in &small {
        if begun.elapsed() >= limit {
            let what = format!(
                "has {} small packs that could not be joined within {} s: it is tried again later",
                small.len(),
                limit.as_secs()
            );
            return Err(Error::unusable(path, what));
        }
        copy(&repository, pack, &mut writer).map_err(|error| Error::git(path, error))??;
    }
    let joined = writer.finish(None)?;
    let aside = path.join(ASIDE);
    fs::create_dir_all(&aside).map_err(|error| Error::io(&aside, error))?;
    for pack in &small {
        // All of it may have been in one of them.
        if pack.path != joined.path {
            set_aside(&pack.path, &aside)?;
        }
    }
    sync_folder(&folder)?;
    Ok(small.len())
}

/// Removes what was set aside, unless somebody is just doing that or setting more aside.
///
/// # Errors
/// If it cannot be removed.
pub(super) fn sweep(path: &Path) -> Result<()> {
    let Some(_lock) = Lock::of_maintenance(path)? else {
        return Ok(());
    };
    let aside = path.join(ASIDE);
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(&aside, error)),
        _ => Ok(()),
    }
}

fn packs_of(repository: &Path) -> PathBuf {
    repository.join("objects/pack")
}

/// Adds the pack's objects, in the order in which they were written.
fn copy(
    repository: &Repository,
    pack: &Pack,
    writer: &mut PackWriter,
) -> Result<Result<()>, git2::Error> {
    let objects = repository.odb()?;
    let index = pack.path.with_extension("idx");
    let oids = match read(&index) {
        Ok(oids) => oids,
        Err(error) => return Ok(Err(Error::io(&index, error))),
    };
    for oid in oids {
        let object = objects.read(oid)?;
        let kind = match object.kind() {
            ObjectType::Tree => Kind::Tree,
            ObjectType::Commit => Kind::Commit,
            ObjectType::Tag => Kind::Tag,
            _ => Kind::Blob,
        };
        if let Err(error) = writer.add(kind, oid, object.data()) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

fn read(index: &Path) -> io::Result<Vec<Oid>> {
    let mut bytes = Vec::new();
    File::open(index)?.read_to_end(&mut bytes)?;
    pack_index::oids(&bytes).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The index first: a pack without one is not looked at, an index without its pack is an error to Git.
fn set_aside(pack: &Path, aside: &Path) -> Result<()> {
    for extension in ["idx", "rev", "pack"] {
        let file = pack.with_extension(extension);
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
    Ok(())
}
