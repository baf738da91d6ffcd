//! Where the bytes of files' snapshots are: object storage, which knows names and bytes and nothing else. What they are,
//! and whether anything refers to them, is in the registry.

mod collect;

use std::{fmt, future::Future, path::Path as Folder, sync::Arc, time::Duration};

use axum::body::Bytes;
use coditect_core::{Error, Result};
use futures::TryStreamExt;
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path,
};
use tokio::time::timeout;

pub use collect::{Collected, collect};

/// How long one object may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long removing everything below a prefix may take at a time.
const LONG: Duration = Duration::from_secs(60);

/// Object storage. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Objects(Arc<dyn ObjectStore>);

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.0)
    }
}

impl Objects {
    /// Objects as files in a folder, which is made if it is not there. What was put there is synced before it counts.
    /// Several processes may share it.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be made or read.
    pub fn folder(folder: &Folder) -> Result<Self> {
        let shown = folder.display();
        let unusable = || format!("the folder of objects, {shown}, cannot be used");
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::unavailable(unusable()).because(error))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| Error::unavailable(unusable()).because(error))?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        Ok(Self(Arc::new(store)))
    }

    /// Keeps bytes under a name that was never used before.
    ///
    /// # Errors
    /// `Unavailable` if the storage does not take them in time: they may be there or not.
    pub(crate) async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let (name, bytes) = (Path::from(name), bytes.into());
        in_time(PATIENCE, self.0.put(&name, bytes))
            .await?
            .map_err(away)?;
        Ok(())
    }

    /// The bytes of this name, if there are any.
    ///
    /// # Errors
    /// `Unavailable` if the storage does not answer in time.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        let name = Path::from(name);
        let read = async {
            match self.0.get(&name).await {
                Ok(found) => found.bytes().await.map(Some),
                Err(StoreError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        in_time(PATIENCE, read).await?.map_err(away)
    }

    /// Removes the bytes of this name; what is not there is removed.
    ///
    /// # Errors
    /// As [`Objects::put`].
    async fn remove(&self, name: &str) -> Result<()> {
        let name = Path::from(name);
        match in_time(PATIENCE, self.0.delete(&name)).await? {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(away(error)),
        }
    }

    /// Removes everything below a prefix.
    ///
    /// # Errors
    /// As [`Objects::put`]; what is left is removed the next time.
    async fn remove_below(&self, prefix: &str) -> Result<()> {
        let prefix = Path::from(prefix);
        let removed = async {
            let mut found = self.0.list(Some(&prefix));
            while let Some(object) = found.try_next().await? {
                match self.0.delete(&object.location).await {
                    Ok(()) | Err(StoreError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        in_time(LONG, removed).await?.map_err(away)
    }
}

fn away(error: StoreError) -> Error {
    Error::unavailable("the storage of files' versions does not answer; try again in a moment")
        .because(error)
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T> {
    timeout(limit, work).await.map_err(|_| {
        Error::unavailable(
            "the storage of files' versions does not answer in time; try again in a moment",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_put_is_there_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::folder(&folder.path().join("objects")).unwrap();
        for name in ["files/u/w/1", "files/u/w/2", "files/u/w2/1"] {
            objects
                .put(name, Bytes::from_static(b"text"))
                .await
                .unwrap();
        }
        let there = async |name| objects.get(name).await.unwrap().is_some();
        assert_eq!(objects.get("files/u/w/1").await.unwrap().unwrap(), "text");
        for _ in 0..2 {
            objects.remove("files/u/w/1").await.unwrap();
            assert!(!there("files/u/w/1").await && there("files/u/w/2").await);
        }
        for _ in 0..2 {
            objects.remove_below("files/u/w/").await.unwrap();
            assert!(!there("files/u/w/2").await && there("files/u/w2/1").await);
        }
        // No folder is left behind that says who was there.
        objects.remove_below("files/u/w2/").await.unwrap();
        let left = std::fs::read_dir(folder.path().join("objects")).unwrap();
        assert_eq!(left.count(), 0);
    }
}
