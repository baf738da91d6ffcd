//! One side of a comparison: a policy with its releases, and every shape that users have under it, cut once.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use coditect_core::{
    CellName, PlanName, Result, RingName, Standing, StorageClassName, TenantId, UserIntent,
};

use crate::{
    inputs::Inputs,
    policy::Policy,
    render::{Cut, cut},
    resolve::resolve_shape,
};

/// What tells users' shapes apart under one policy, without resolving each.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    /// Only of tenants with an override, which may change anything.
    tenant: Option<TenantId>,
    cell: CellName,
    plan: PlanName,
    ring: Option<RingName>,
    standing: Standing,
    workspaces: Vec<(u32, StorageClassName, Standing)>,
}

/// A shape that was met.
pub(super) struct Known {
    /// Its number on this side, in the order in which shapes were met.
    pub(super) id: usize,
    /// What it renders to, or why it cannot be rendered, without names of users.
    pub(super) made: Result<Made, String>,
}

/// A shape that can be rendered.
pub(super) struct Made {
    pub(super) cut: Cut,
    /// The plan that applies.
    pub(super) plan: PlanName,
    pub(super) cell: CellName,
    pub(super) workspaces: usize,
}

#[derive(Default)]
struct Table {
    by_key: HashMap<Key, Arc<Known>>,
    /// Overrides that come to the same share one.
    by_digest: HashMap<[u8; 32], Arc<Known>>,
    met: Vec<Arc<Known>>,
}

/// A policy with its releases, and the shapes met under it.
pub(super) struct Side {
    inputs: Arc<Inputs>,
    table: RwLock<Table>,
}

impl Side {
    pub(super) fn new(inputs: Arc<Inputs>) -> Self {
        Self {
            inputs,
            table: RwLock::default(),
        }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.inputs.policy
    }

    /// A shape by its number.
    pub(super) fn known(&self, id: Option<usize>) -> Option<Arc<Known>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.met.get(id?).cloned()
    }

    /// The shape of an intent, of a user who has had the ring `stood` until now: a look into a table, but for the first of
    /// its kind.
    pub(super) fn shape(&self, intent: &UserIntent, stood: Option<&RingName>) -> Arc<Known> {
        let key = self.key(intent, stood);
        let found = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            table.by_key.get(&key).cloned()
        };
        // Made outside the lock: threads that meet here make the same twice, which harms nothing.
        found.unwrap_or_else(|| self.meet(key, intent, stood))
    }

    /// Whether such a user keeps another ring's release than that of the ring they are in.
    pub(super) fn keeps(&self, intent: &UserIntent, stood: Option<&RingName>) -> bool {
        let policy = self.policy();
        let ring = policy.ring(intent.user, intent.tenant, intent.ring.as_ref());
        ring.is_some_and(|ring| policy.ring_after(ring, stood).name != ring.name)
    }

    fn key(&self, intent: &UserIntent, stood: Option<&RingName>) -> Key {
        let policy = self.policy();
        let ring = policy.ring(intent.user, intent.tenant, intent.ring.as_ref());
        let ring = ring.map(|ring| policy.ring_after(ring, stood));
        Key {
            tenant: policy
                .orgs()
                .contains_key(&intent.tenant)
                .then_some(intent.tenant),
            cell: intent.cell.clone(),
            plan: intent.plan.clone(),
            ring: ring
                .map(|ring| ring.name.clone())
                .or_else(|| intent.ring.clone()),
            standing: intent.standing,
            workspaces: intent
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
        }
    }

    fn meet(&self, key: Key, intent: &UserIntent, stood: Option<&RingName>) -> Arc<Known> {
        let digest = resolve_shape(intent, stood, &self.inputs.policy, &self.inputs.releases)
            .and_then(|(shape, _)| shape.digest());
        let known = digest.as_ref().ok().and_then(|digest| {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            table.by_digest.get(digest).cloned()
        });
        let made = match known {
            Some(_) => None,
            None => Some(
                self.make(intent, stood)
                    .map_err(|error| unnamed(&error, intent)),
            ),
        };
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(met) = table.by_key.get(&key) {
            return Arc::clone(met);
        }
        let again = digest
            .as_ref()
            .ok()
            .and_then(|digest| table.by_digest.get(digest).cloned());
        let known = match (known.or(again), made) {
            (Some(known), _) => known,
            (None, made) => {
                let known = Arc::new(Known {
                    id: table.met.len(),
                    made: made.unwrap_or_else(|| Err("cannot be resolved".to_owned())),
                });
                table.met.push(Arc::clone(&known));
                if let Ok(digest) = digest {
                    table.by_digest.insert(digest, Arc::clone(&known));
                }
                known
            }
        };
        table.by_key.insert(key, Arc::clone(&known));
        known
    }

    fn make(&self, intent: &UserIntent, stood: Option<&RingName>) -> Result<Made> {
        let (shape, release) =
            resolve_shape(intent, stood, &self.inputs.policy, &self.inputs.releases)?;
        Ok(Made {
            cut: cut(&shape, release)?,
            plan: shape.plan.clone(),
            cell: shape.cell_name.clone(),
            workspaces: shape.workspaces.len(),
        })
    }
}

/// An error without the names of the user who happened to be the first of a shape.
fn unnamed(error: &coditect_core::Error, intent: &UserIntent) -> String {
    let text = error
        .to_string()
        .replace(&intent.user.to_string(), "<user>");
    intent.workspaces.iter().fold(text, |text, workspace| {
        text.replace(&workspace.id.to_string(), "<workspace>")
    })
}
