//! The file with the user's API key: theirs alone.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use coditect_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// What `coditect login` keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// Which installation.
    pub(crate) url: String,
    /// The API key.
    pub(crate) key: String,
    /// Who signed in, if that is known.
    pub(crate) email: Option<String>,
}

impl Credentials {
    /// What the file keeps; none if there is none.
    ///
    /// # Errors
    /// `Invalid` if others can read it, or it is none of ours; `Unavailable` if it cannot be read.
    pub(crate) fn read(file: &Path) -> Result<Option<Self>> {
        let named = |what: &str| format!("{} {what}", file.display());
        let unreadable =
            |error: std::io::Error| Error::unavailable(named("cannot be read")).because(error);
        let about = match fs::metadata(file) {
            Ok(about) => about,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if about.permissions().mode() & 0o077 != 0 {
            let message = named("can be read by others; revoke its key, or `chmod 600` it");
            return Err(Error::invalid("--credentials", message));
        }
        let text = fs::read(file).map_err(unreadable)?;
        let foreign = named("is not a file of `coditect login`; remove it and sign in again");
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Error::invalid("--credentials", foreign).because(error))
    }

    /// Keeps it there, in the place of what was.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be written.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::internal("a key cannot be written").because(error))?;
        let beside = file.with_extension(format!("{}.new", std::process::id()));
        let written = || -> std::io::Result<()> {
            if let Some(folder) = file.parent() {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)?;
            }
            // Nobody else's from its first byte on; in its place only when it is whole.
            let mut new = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&beside)?;
            new.write_all(&text)?;
            new.sync_all()?;
            fs::rename(&beside, file)
        };
        written().map_err(|error| {
            let message = format!("{} cannot be written", file.display());
            Error::unavailable(message).because(error)
        })
    }

    /// Forgets it; false if nothing was kept.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be removed.
    pub(crate) fn forget(file: &Path) -> Result<bool> {
        match fs::remove_file(file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => {
                let message = format!("{} cannot be removed", file.display());
                Err(Error::unavailable(message).because(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/credentials.json");
        assert_eq!(Credentials::read(&file).unwrap(), None);
        let mut kept = Credentials {
            url: "https://app.example.com".to_owned(),
            key: "coditect_x".to_owned(),
            email: None,
        };
        for key in ["coditect_a", "coditect_b"] {
            kept.key = key.to_owned();
            kept.write(&file).unwrap();
            assert_eq!(Credentials::read(&file).unwrap().as_ref(), Some(&kept));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Credentials::read(&file).unwrap_err();
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
        assert!(Credentials::forget(&file).unwrap());
        assert!(!Credentials::forget(&file).unwrap());
    }
}
