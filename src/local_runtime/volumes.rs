//! The folders in the place of a cluster's volumes: made with the first start, kept over suspend and wake, removed
//! for a tombstone alone.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use coditect_core::{Error, Result, UserId, WorkspaceId};

use super::runner::Volume;

/// All volumes of this machine: `<folder>/<user>/<workspace>`, as a claim lies in its user's namespace.
#[derive(Clone, Debug)]
pub(crate) struct Volumes {
    folder: PathBuf,
}

impl Volumes {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The volume of a workspace, made if it is not there.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be made.
    pub(crate) fn open(&self, user: UserId, workspace: WorkspaceId) -> Result<Volume> {
        let of_user = self.of(user);
        let folder = of_user.join(workspace.to_string());
        let beside = of_user.join(format!("{workspace}.pod"));
        for folder in [&folder, &beside] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|error| failed("made", folder, error))?;
        }
        Ok(Volume {
            folder,
            beside,
            lock: of_user.join(format!("{workspace}.lock")),
        })
    }

    /// Removes what has a tombstone: a workspace's volume, or all of a user's. What is not there is gone already.
    ///
    /// # Errors
    /// `Unavailable` if something of it stays.
    pub(crate) fn remove(&self, user: UserId, workspace: Option<WorkspaceId>) -> Result<()> {
        let of_user = self.of(user);
        let Some(workspace) = workspace else {
            return remove(&of_user);
        };
        remove(&of_user.join(workspace.to_string()))?;
        remove(&of_user.join(format!("{workspace}.pod")))?;
        remove(&of_user.join(format!("{workspace}.lock")))
    }

    fn of(&self, user: UserId) -> PathBuf {
        self.folder.join(user.to_string())
    }
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("removed", path, error))
        }
        _ => Ok(()),
    }
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::unavailable(format!("the volume {} cannot be {what}", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_kept_until_its_own_tombstone() {
        let folder = tempfile::tempdir().unwrap();
        let volumes = Volumes::new(folder.path().join("volumes"));
        let (ada, eve) = (UserId::random(), UserId::random());
        let (one, two) = (WorkspaceId::random(), WorkspaceId::random());
        let open = |user, workspace| volumes.open(user, workspace).unwrap().folder;
        for (user, workspace) in [(ada, one), (ada, two), (eve, one)] {
            fs::write(open(user, workspace).join("file"), "text").unwrap();
        }
        // A link out of a volume is removed, and not what it leads to.
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "text").unwrap();
        std::os::unix::fs::symlink(&outside, open(ada, one).join("link")).unwrap();

        volumes.remove(ada, Some(one)).unwrap();
        volumes.remove(ada, Some(one)).unwrap();
        assert!(!open(ada, one).join("file").exists());
        assert!(outside.join("kept").exists());
        assert!(open(ada, two).join("file").exists());
        volumes.remove(ada, None).unwrap();
        assert!(!volumes.of(ada).exists());
        assert!(open(eve, one).join("file").exists());
    }
}
