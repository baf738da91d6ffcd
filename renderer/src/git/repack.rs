//! Joins packs that are large already, by `git pack-objects`.
//!
//! So that each pack left has at least twice the objects of all smaller ones together: about log2(n) packs, and each
//! object is rewritten about log2(n) times in its life. That is what `git repack --geometric=2` does; but that would also
//! take the packs of single commits, which are joined at the same time ([`super::join`]).

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use super::{
    command,
    error::{Error, Result},
    lock::{LARGE_PACKS, Lock},
    pack::{sync_folder, temporary},
    packs::{self, Pack, Packs},
};

/// Joins the packs of `small` bytes or more as far as they are to be, with what everybody else leaves of the processors:
/// nobody waits for it. Returns how many were joined and set aside; none if somebody else is at it.
///
/// # Errors
/// If `git pack-objects` fails or takes longer than `limit`. The repository is whole in any case.
pub(super) async fn repack(path: &Path, small: u64, limit: Duration) -> Result<usize> {
    let Some(_lock) = Lock::unless_held(path, LARGE_PACKS)? else {
        return Ok(0);
    };
    let mut packs = Packs::of(path, small)?.others;
    packs.sort_by_key(|pack| pack.bytes);
    let (mut joined, mut waiting, mut objects) = (Vec::new(), Vec::new(), 0);
    for pack in packs {
        let its = pack.count()?;
        waiting.push(pack);
        if its < 2 * objects {
            joined.append(&mut waiting);
        }
        objects += its;
    }
    if joined.is_empty() {
        return Ok(0);
    }
    let new = write(path, &joined, limit).await?;
    packs::set_aside(path, &joined, &new)?;
    Ok(joined.len())
}

/// One pack of all the objects that these have, synced.
async fn write(path: &Path, packs: &[Pack], limit: Duration) -> Result<PathBuf> {
    let folder = packs::folder(path);
    let mut names = temporary(path)?;
    for name in packs.iter().filter_map(|pack| pack.path.file_name()) {
        writeln!(names, "{}", name.display()).map_err(|error| Error::io(names.path(), error))?;
    }
    let names = names
        .reopen()
        .map_err(|error| Error::io(names.path(), error))?;
    let mut command = command::git(path);
    command
        .args(["-c", "core.fsync=all", "-c", "pack.threads=1"])
        .args(["pack-objects", "--stdin-packs", "--delta-base-offset", "-q"])
        .arg(folder.join("pack"))
        .stdin(Stdio::from(names));
    let failed = |output| Error::Command {
        command: "pack-objects",
        output,
    };
    let output = command::run_behind(command, limit).await.map_err(failed)?;
    if !output.success {
        let lines: Vec<&str> = output.stderr.lines().collect();
        return Err(failed(lines[lines.len().saturating_sub(3)..].join("; ")));
    }
    sync_folder(&folder)?;
    let new = folder.join(format!("pack-{}.pack", output.stdout.trim()));
    // Costs nothing, and nothing is taken away yet.
    let expected = packs
        .iter()
        .map(Pack::count)
        .try_fold(0, |most, count| count.map(|count| most.max(count)))?;
    match Pack::at(new.clone())?.count()? < expected {
        true => Err(Error::unusable(
            new,
            "lacks objects of the packs it was made of, which stay: look at it by `git verify-pack`",
        )),
        false => Ok(new),
    }
}
