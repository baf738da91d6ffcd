//! What the head of a cell's repository says, read again only where it changed.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

use coditect_core::{Error, Result, UserId};
use coditect_renderer::git::{CellRepository, Oid};

use super::manifest::UserFile;

/// Everything that Git says of a cell's users. Cheap to clone.
pub(crate) type Files = Arc<BTreeMap<UserId, Arc<UserFile>>>;

/// The head of a cell's repository as it was last read.
pub(crate) struct Head {
    path: PathBuf,
    repository: Option<CellRepository>,
    commit: Option<Oid>,
    /// What was read of each file; a file that cannot be read is remembered as such.
    blobs: HashMap<Oid, Option<Arc<UserFile>>>,
    files: Files,
}

impl Head {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            repository: None,
            commit: None,
            blobs: HashMap::new(),
            files: Arc::default(),
        }
    }

    /// The files of the head. Blocks on the disk.
    ///
    /// # Errors
    /// `Unavailable` if the repository cannot be read. What was read before stands.
    pub(crate) fn read(&mut self) -> Result<Files> {
        let unreadable = |error| {
            Error::unavailable("the cell's repository cannot be read; what runs keeps running")
                .because(error)
        };
        let repository = match &self.repository {
            Some(repository) => repository.clone(),
            // The renderer has not made it yet.
            None if !self.path.join("HEAD").exists() => return Ok(Arc::clone(&self.files)),
            None => {
                let opened = CellRepository::open(&self.path).map_err(unreadable)?;
                self.repository.insert(opened).clone()
            }
        };
        let commit = repository.head_commit().map_err(unreadable)?;
        let Some(commit) = commit.filter(|commit| self.commit != Some(*commit)) else {
            return Ok(Arc::clone(&self.files));
        };
        let tree = repository.tree(commit).map_err(unreadable)?;
        let mut blobs = HashMap::new();
        let mut files = BTreeMap::new();
        for (_, user, blob) in tree.iter() {
            let known = match self.blobs.get(&blob) {
                Some(known) => known.clone(),
                None => {
                    let bytes = repository.blob(blob).map_err(unreadable)?;
                    match UserFile::parse(&bytes) {
                        Ok(file) => Some(Arc::new(file)),
                        Err(why) => {
                            tracing::warn!(%user, why, "a user's file cannot be understood; nothing of it runs");
                            None
                        }
                    }
                }
            };
            if let Some(file) = known.clone().filter(|file| file.intent.user == user) {
                files.insert(user, file);
            }
            blobs.insert(blob, known);
        }
        self.commit = Some(commit);
        self.blobs = blobs;
        self.files = Arc::new(files);
        Ok(Arc::clone(&self.files))
    }

    /// True if the branch has moved since the last [`Head::read`]. Blocks on the disk, shortly.
    pub(crate) fn has_moved(&self) -> bool {
        match &self.repository {
            None => self.path.join("HEAD").exists(),
            Some(repository) => repository
                .head_commit()
                .is_ok_and(|commit| commit.is_some() && commit != self.commit),
        }
    }
}
