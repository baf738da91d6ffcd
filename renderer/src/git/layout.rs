//! The folder of a bare repository: made, configured, and cleaned of what a killed process left.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use git2::{Repository, RepositoryInitOptions};

use super::{
    error::{Error, Result},
    lock::Lock,
    pack::TEMPORARY,
    reference::{BRANCH, remove_abandoned},
};

/// What Git must know about the repository. Git's own writers (a repack, a push) sync what they write, and
/// nobody collects garbage: the renderer's maintenance does that, in a way that is safe beside it.
const SETTINGS: [(&str, &str); 9] = [
    ("core.fsync", "all"),
    ("core.fsyncMethod", "fsync"),
    // Who else moved the branch stays visible.
    ("core.logAllRefUpdates", "true"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("receive.autogc", "false"),
    ("receive.denyDeletes", "true"),
    ("receive.denyNonFastForwards", "true"),
    ("receive.fsckObjects", "true"),
];

/// What a repository whose making was interrupted may hold.
const BEGUN: [&str; 12] = [
    "HEAD",
    "branches",
    "coditect.lock",
    "config",
    "config.lock",
    "description",
    "hooks",
    "info",
    "lost+found",
    "objects",
    "refs",
    "logs",
];

/// Leftovers of Git's own processes are removed when nobody has written to them for this long.
const OLD: Duration = Duration::from_secs(3_600);

/// Which folder this is, to notice when another takes its place.
pub(super) type Identity = (u64, u64);

/// The identity of the repository's object store; `None` if it is not there.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path.join("objects"))
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Opens the bare repository at `path`, or makes one there. Making it again after an interruption goes on
/// where that ended.
pub(super) fn open_or_create(path: &Path) -> Result<Repository> {
    fs::create_dir_all(path).map_err(|error| Error::io(path, error))?;
    let lock = Lock::take(path)?;
    let created = !path.join("HEAD").exists();
    if created {
        refuse_what_is_not_ours(path)?;
        let mut options = RepositoryInitOptions::new();
        options
            .bare(true)
            .mkdir(false)
            .external_template(false)
            .initial_head("main");
        Repository::init_opts(path, &options).map_err(|error| Error::git(path, error))?;
    }
    let repository = open(path)?;
    configure(&repository).map_err(|error| Error::git(path, error))?;
    if created {
        let folder = File::open(path).map_err(|error| Error::io(path, error))?;
        // Once in the repository's life: everything about it, names and content, reaches the disk.
        rustix::fs::syncfs(&folder).map_err(|error| Error::io(path, error.into()))?;
    }
    clean(path, &lock)?;
    Ok(repository)
}

/// Opens the bare repository at `path` without writing anything.
pub(super) fn open(path: &Path) -> Result<Repository> {
    let repository = Repository::open_bare(path).map_err(|error| Error::git(path, error))?;
    if !repository.is_bare() {
        return Err(Error::unusable(
            path,
            "is a repository with a work tree; the renderer needs a bare one: name another folder",
        ));
    }
    Ok(repository)
}

fn refuse_what_is_not_ours(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).map_err(|error| Error::io(path, error))? {
        let name = entry.map_err(|error| Error::io(path, error))?.file_name();
        if !BEGUN.iter().any(|known| name == *known) {
            let what = format!(
                "holds {} and is not a Git repository: name an empty folder, or one that the renderer made",
                name.display()
            );
            return Err(Error::unusable(path, what));
        }
    }
    Ok(())
}

fn configure(repository: &Repository) -> Result<(), git2::Error> {
    let mut config = repository.config()?.open_level(git2::ConfigLevel::Local)?;
    for (key, value) in SETTINGS {
        if config.get_string(key).ok().as_deref() != Some(value) {
            config.set_str(key, value)?;
        }
    }
    let head = repository.find_reference("HEAD")?;
    if head.symbolic_target().ok().flatten() != Some(BRANCH) {
        repository.reference_symbolic("HEAD", BRANCH, true, "the renderer's branch")?;
    }
    Ok(())
}

/// Removes what killed processes left. `_lock` keeps other renderers from publishing meanwhile; files of
/// their unpublished batches are locked by their makers and stay.
fn clean(path: &Path, _lock: &Lock) -> Result<()> {
    let branch_lock = path.join(format!("{BRANCH}.lock"));
    // First, since its second name is about to go.
    if fs::metadata(&branch_lock).is_ok_and(|metadata| metadata.nlink() > 1) {
        remove_abandoned(&branch_lock)?;
    }
    let packs = path.join("objects/pack");
    for folder in [path, &packs] {
        for entry in fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
            let entry = entry.map_err(|error| Error::io(folder, error))?;
            let (file, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let is_ours = name.starts_with(TEMPORARY);
            // Kept until it is removed: its maker may just be about to lock it, and then sees that it is gone.
            let locked = is_ours
                .then(|| {
                    File::open(&file)
                        .ok()
                        .filter(|file| file.try_lock().is_ok())
                })
                .flatten();
            let gits = folder == packs && is_leftover_of_git(&file, &name);
            if locked.is_some() || gits {
                tracing::info!(file = %file.display(), "removing what an ended process left");
                match fs::remove_file(&file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::io(&file, error));
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// Temporary files of `git repack` and the like, and packs that never got their index.
fn is_leftover_of_git(file: &Path, name: &str) -> bool {
    let temporary =
        name.starts_with(".tmp-") || name.starts_with("tmp_pack_") || name.starts_with("tmp_idx_");
    let without_index = name.starts_with("pack-")
        && name.ends_with(".pack")
        && !file.with_extension("idx").exists();
    let age = || {
        fs::metadata(file)
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|time| time.elapsed().ok())
    };
    (temporary || without_index) && age().is_some_and(|age| age > OLD)
}
