//! Where people review the policy: a folder of this machine, or a repository on a Git host.

mod sync;

use std::{path::PathBuf, sync::Arc};

use coditect_core::{Error, Result};

pub use self::sync::PolicySync;
use crate::{
    git::{PolicyRemote, PolicyRemoteConfig, PolicyRepository},
    reconcile::blocking,
    rollout::PolicyWriter,
};

/// Where people review the policy. Cheap to clone.
#[derive(Clone, Debug)]
pub enum PolicyPlace {
    /// A folder that people edit, or pull into; the commit that is checked out is in force.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// A bare copy, through which branches are made in it; made if it is missing.
        copy: PathBuf,
    },
    /// A repository elsewhere; the newest commit of its branch is in force. Its copy takes the folder's place.
    Remote(PolicyRemote),
}

impl PolicyPlace {
    /// The repository, for branches that people merge: a folder's on the branch that is checked out now.
    ///
    /// # Errors
    /// `Unavailable` if there is no such branch, or the copy cannot be made.
    pub async fn remote(&self) -> Result<PolicyRemote> {
        let (folder, copy) = match self {
            Self::Remote(remote) => return Ok(remote.clone()),
            Self::Folder { folder, copy } => (folder.clone(), copy.clone()),
        };
        blocking(move || {
            let branch = PolicyRepository::open_or_init(&folder)?.branch()?;
            let branch = branch.ok_or_else(|| {
                let message = "the policy folder has no branch checked out, into which an approval could be merged: check one out";
                Error::unavailable(message)
            })?;
            let url = folder.display().to_string();
            PolicyRemote::open(PolicyRemoteConfig::new(url, branch, copy))
        })
        .await
    }

    /// What writes the steps of a roll-out there.
    ///
    /// # Errors
    /// If the folder is missing or cannot be written.
    pub fn writer(&self) -> Result<Arc<dyn PolicyWriter>> {
        Ok(match self {
            Self::Remote(remote) => Arc::new(remote.clone()),
            Self::Folder { folder, .. } => Arc::new(PolicyRepository::open_or_init(folder)?),
        })
    }
}
