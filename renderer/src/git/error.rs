//! What can go wrong with a cell's repository, each with its place and a remedy.

use std::{
    io,
    path::{Path, PathBuf},
};

use coditect_core::{Error as CoreError, Kind};

use super::Oid;

/// The result of anything done to a repository.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the repository's storage. Nothing was published when one is returned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No space or quota left.
    #[error("no space is left for {}: free some or enlarge the volume; nothing was published and it is tried again", place.display())]
    Full {
        /// The file or folder that could not be written.
        place: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file system or the folder may not be written.
    #[error("{} may not be written: mount the volume writable and give this process's user the right to write there", place.display())]
    ReadOnly {
        /// The file or folder that could not be written.
        place: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Any other failure of a file.
    #[error("{} could not be read or written: check the volume it is on", place.display())]
    Io {
        /// The file or folder.
        place: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Someone else holds a lock for longer than a publication takes.
    #[error("{} is held by another process: find it with `fuser` and end it if it hangs; it is tried again", place.display())]
    Busy {
        /// The lock file.
        place: PathBuf,
    },
    /// The folder is not what it should be.
    #[error("{} {what}", place.display())]
    Unusable {
        /// The folder.
        place: PathBuf,
        /// What it is instead, and the remedy.
        what: String,
    },
    /// An object is missing or not of its form, or Git refused.
    #[error("the repository {} cannot be read: compare it with its mirror by `git fsck`, restore it, or move it away and a new one is rendered", place.display())]
    Git {
        /// The repository.
        place: PathBuf,
        /// What libgit2 said.
        source: git2::Error,
    },
    /// The `git` command failed.
    #[error("`git {command}` failed: {output}")]
    Command {
        /// The subcommand.
        command: &'static str,
        /// The last lines it printed, without credentials.
        output: String,
    },
}

impl Error {
    /// Sorts a failure of the operating system by what helps against it.
    pub(super) fn io(place: impl AsRef<Path>, source: io::Error) -> Self {
        let place = place.as_ref().to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { place, source },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { place, source }
            }
            _ => Self::Io { place, source },
        }
    }

    pub(super) fn git(place: impl AsRef<Path>, source: git2::Error) -> Self {
        Self::Git {
            place: place.as_ref().to_path_buf(),
            source,
        }
    }

    pub(super) fn unusable(place: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::Unusable {
            place: place.as_ref().to_path_buf(),
            what: what.into(),
        }
    }
}

impl From<Error> for CoreError {
    fn from(error: Error) -> Self {
        Self::new(Kind::Unavailable, error.to_string()).because(error)
    }
}

/// Why a prepared commit did not become the head.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The head is not what the batch was made on: the compare-and-swap is lost. Throw the batch away,
    /// look at the new head's fencing number, read the registry anew.
    #[error("the head moved from what this commit was made on")]
    Moved {
        /// The head now.
        head: Option<Oid>,
    },
    /// The storage failed. The head is what it was, or already the new commit: read it before going on.
    #[error(transparent)]
    Storage(#[from] Error),
}
