//! Many people who are there before the product starts: by the registry's own operations, as thousands of sign-ups
//! over HTTP would mostly hash passwords.

use std::{path::Path, sync::Arc};

use argon2::{Argon2, PasswordHasher};
use coditect_core::{CellName, RegistrationId, RequestId, Shard};
use coditect_registry::{
    Registry,
    operation::{Placement, Register, Verification},
    record::RegistrationState,
    store::{Store, embedded::EmbeddedStore},
};
use coditect_renderer::inputs::Inputs;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::PASSWORD;
use crate::{Failure, Result};

/// How many are signed up at once: they share the registry's syncs to disk.
const AT_ONCE: usize = 64;

/// Somebody who was there before; [`super::Api::sign_in`] makes a [`super::Person`] of them.
#[derive(Clone, Debug)]
pub struct Seeded {
    /// With which address.
    pub email: String,
    /// The shard of their user, as it stands in names: `00` to `7f`.
    pub shard: String,
}

/// Signs up so many people in a data folder that has its policy and no running program.
pub(super) async fn seed(data: &Path, cell: &str, people: usize) -> Result<Vec<Seeded>> {
    let inputs = Inputs::load(&data.join("policy")).map_err(Failure::new)?;
    let catalogue = inputs.policy.catalogue();
    let name: CellName = cell.parse()?;
    let (Some(plan), Some(cell)) = (
        catalogue
            .default_plan
            .as_ref()
            .and_then(|plan| catalogue.plans.get(plan)),
        catalogue.cells.get(&name),
    ) else {
        return Err(Failure::new("the policy has no such cell, or no plan"));
    };
    // However many the policy lets in now: a cell may be fuller than its policy once meant.
    let mut cell = cell.clone();
    cell.capacity = cell.capacity.max(u32::try_from(people)?);
    let placement = Placement {
        plan: plan.name.clone(),
        limits: plan.limits,
        cells: vec![cell],
    };
    let hash = Argon2::default().hash_password_with_salt(PASSWORD.as_bytes(), &[7; 16]);
    let hash = hash.map_err(|error| Failure::new(error.to_string()))?;
    let file = data.join("registry.redb");
    let store = spawn_blocking(move || EmbeddedStore::open(file)).await??;
    let registry = Registry::open(store as Arc<dyn Store>).await?;
    let (registry, placement, hash) = (&registry, &placement, &hash.to_string());
    stream::iter(0..people)
        .map(|number| one(registry, placement, hash, number))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn one(
    registry: &Registry,
    placement: &Placement,
    hash: &str,
    number: usize,
) -> Result<Seeded> {
    let email = format!("seeded-{number}@example.test");
    let register = Register {
        registration: RegistrationId::random(),
        email: email.parse()?,
        display_name: email.parse()?,
        password_hash: hash.to_owned(),
        terms: None,
        verification: Verification::None,
        placement: placement.clone(),
        at: Timestamp::now(),
    };
    registry.apply(RequestId::random(), &register).await?;
    let mut view = registry.view().await?;
    let record = view.registration(register.registration).await?;
    match record.map(|record| record.state) {
        Some(RegistrationState::Complete { user, .. }) => Ok(Seeded {
            email,
            shard: Shard::of(user).to_string(),
        }),
        _ => Err(Failure::new(format!("{email} was not signed up"))),
    }
}
