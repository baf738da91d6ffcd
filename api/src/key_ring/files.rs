//! The files of a key ring: written once, whole or not at all, and readable by their owner only.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use coditect_core::{Error, Result};
use zeroize::Zeroizing;

pub(super) fn key_path(directory: &Path, second: i64) -> PathBuf {
    directory.join(format!("access-{second}.pem"))
}

pub(super) fn revoked_path(directory: &Path, second: i64, id: &str) -> PathBuf {
    directory.join(format!("revoked-{second}.{id}"))
}

/// Writes the file unless it is there, whole or not at all, readable by its owner only.
pub(super) fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let fail = |error| unusable(path, "cannot be written", error);
    let name = format!(".{:016x}.tmp", rand::random::<u64>());
    let temporary = path.with_file_name(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary).map_err(fail)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    // A link, unlike a renaming, never replaces what another process wrote first.
    let linked = written.and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(fail(error)),
        _ => removed.map_err(fail)?,
    }
    let directory = path.parent().unwrap_or(path);
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(fail)
}

/// The file's text, if nobody but its owner may read it.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<String>> {
    let fail = |error| unusable(path, "cannot be read", error);
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(path).map_err(fail)?.permissions(),
        );
        if mode & 0o077 != 0 {
            return Err(Error::invalid(
                path.display().to_string(),
                "may be read by others than its owner; run chmod 600 on it",
            ));
        }
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(fail)
}

pub(super) fn unusable(path: &Path, what: &str, error: std::io::Error) -> Error {
    Error::unavailable(format!("{} {what}: {error}", path.display())).because(error)
}
