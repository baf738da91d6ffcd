//! Cut shapes, remembered: as many as fit, the ones not used for longest forgotten first.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use coditect_core::{
    CellName, PlanName, ReleaseName, Result, RingName, Standing, StorageClassName, TenantId,
};

use super::cut::Cut;
use crate::{policy::Images, resolve::Shape};

/// What tells shapes apart under one policy and one set of releases.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// Only of tenants with an override, which may change anything.
    tenant: Option<TenantId>,
    cell: CellName,
    plan: PlanName,
    release: ReleaseName,
    ring: RingName,
    images: Images,
    standing: Standing,
    workspaces: Vec<(u32, StorageClassName, Standing)>,
}

/// Shapes in either half; two halves of some 30 KB each stay near 15 MB.
const HALF: usize = 256;

#[derive(Default)]
struct Halves {
    /// Used since the halves changed places.
    young: HashMap<Key, Arc<Cut>>,
    /// Not used since.
    old: HashMap<Key, Arc<Cut>>,
}

/// A bounded cache in two halves: when the young one is full it becomes the old one, and what the old
/// one held is forgotten unless it was asked for in the meantime.
#[derive(Default)]
pub(super) struct Cache(RwLock<Halves>);

impl Cache {
    /// The cut of a shape, made if it is not there. `tenant` is given if it has an override.
    pub(super) fn get_or_make(
        &self,
        shape: &Shape<'_>,
        tenant: Option<TenantId>,
        make: impl FnOnce() -> Result<Cut>,
    ) -> Result<Arc<Cut>> {
        let key = Key {
            tenant,
            cell: shape.cell_name.clone(),
            plan: shape.plan.clone(),
            release: shape.release.clone(),
            ring: shape.ring.clone(),
            images: shape.images.clone(),
            standing: shape.standing,
            workspaces: shape
                .workspaces
                .iter()
                .map(|workspace| {
                    (
                        workspace.storage_gib,
                        workspace.storage_class.clone(),
                        workspace.standing,
                    )
                })
                .collect(),
        };
        // A panic elsewhere cannot leave a half-written entry: whatever is there is whole.
        if let Some(cut) = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .young
            .get(&key)
        {
            return Ok(Arc::clone(cut));
        }
        let found = self
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .old
            .remove(&key);
        // Made outside the lock: threads that meet here make the same cut twice, which harms nothing.
        let cut = match found {
            Some(cut) => cut,
            None => Arc::new(make()?),
        };
        let mut halves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if halves.young.len() >= HALF {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(key, Arc::clone(&cut));
        Ok(cut)
    }
}
