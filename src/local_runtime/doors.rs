//! Where the running workspaces answer.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use coditect_core::Slug;

/// Addresses of the workspaces that answer, by the first label of their host. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doors(Arc<RwLock<HashMap<Slug, SocketAddr>>>);

impl Doors {
    /// Where the workspace answers, if it does.
    pub(crate) fn address(&self, slug: &Slug) -> Option<SocketAddr> {
        let doors = self.0.read().unwrap_or_else(PoisonError::into_inner);
        doors.get(slug).copied()
    }

    /// Opens a workspace's door until the answer is dropped.
    pub(crate) fn open(&self, slug: Slug, address: SocketAddr) -> OpenDoor {
        let mut doors = self.0.write().unwrap_or_else(PoisonError::into_inner);
        doors.insert(slug.clone(), address);
        OpenDoor {
            doors: self.clone(),
            slug,
        }
    }
}

/// A door that closes when this is dropped.
#[derive(Debug)]
pub(crate) struct OpenDoor {
    doors: Doors,
    slug: Slug,
}

impl Drop for OpenDoor {
    fn drop(&mut self) {
        let mut doors = self.doors.0.write().unwrap_or_else(PoisonError::into_inner);
        doors.remove(&self.slug);
    }
}
