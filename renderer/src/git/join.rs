//! Joins the packs of single commits into one.
//!
//! Every object of the packs is read by libgit2, which checks its hash, and written again by [`PackWriter`], which knows
//! what `git pack-objects` has to search for: that successive commits hold the same folders with few entries changed.
//! What is written is on the disk before what it replaces is set aside, so a process killed anywhere leaves objects
//! twice, or a pack without index, which the next opening removes.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use git2::{ObjectType, Odb, Oid};

use super::{
    error::{Error, Result},
    layout,
    lock::{Lock, SMALL_PACKS},
    object::Kind,
    pack::PackWriter,
    packs::{self, Packs},
};

/// So many packs are joined at once: libgit2 keeps each one open that it reads, and many systems let a process have
/// 1,024 files open.
pub(super) const AT_ONCE: usize = 512;

/// Joins the packs below `small` bytes of the repository at `path` into one and sets them aside: the newest
/// [`AT_ONCE`], if there are more. Returns how many; none if there are fewer than two, or somebody else is at it. Packs that come meanwhile are not touched, nor is an object
/// dropped that no branch reaches: it may be a commit about to be published.
///
/// # Errors
/// If something cannot be read or written, or it takes longer than `limit`. The repository is whole in any case.
pub(super) fn join(path: &Path, small: u64, limit: Duration) -> Result<usize> {
    let begun = Instant::now();
    // Two that join each other's work could each set aside what the other relies on.
    let Some(_lock) = Lock::unless_held(path, SMALL_PACKS)? else {
        return Ok(0);
    };
    let mut small = Packs::of(path, small)?.small;
    small.truncate(AT_ONCE);
    if small.len() < 2 {
        return Ok(0);
    }
    let repository = layout::open(path)?;
    let objects = repository.odb().map_err(|error| Error::git(path, error))?;
    let mut writer = PackWriter::of_many(packs::folder(path));
    for pack in &small {
        if begun.elapsed() >= limit {
            let what = format!(
                "has {} small packs that could not be joined within {} s: it is tried again later",
                small.len(),
                limit.as_secs()
            );
            return Err(Error::unusable(path, what));
        }
        for oid in pack.objects()? {
            copy(&objects, oid, &mut writer).map_err(|error| Error::git(path, error))??;
        }
    }
    let joined = writer.finish(None)?;
    packs::set_aside(path, &small, &joined.path)?;
    Ok(small.len())
}

fn copy(objects: &Odb<'_>, oid: Oid, writer: &mut PackWriter) -> Result<Result<()>, git2::Error> {
    let object = objects.read(oid)?;
    let kind = match object.kind() {
        ObjectType::Tree => Kind::Tree,
        ObjectType::Commit => Kind::Commit,
        ObjectType::Tag => Kind::Tag,
        _ => Kind::Blob,
    };
    Ok(writer.add(kind, oid, object.data()))
}
