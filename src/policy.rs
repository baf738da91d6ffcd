//! The installation's policy, for commands that read it once.

use coditect_core::{CellName, Error, Result};
use coditect_renderer::{git::PolicyRepository, inputs::Inputs};

use crate::data::Data;

/// The policy at its newest commit.
///
/// # Errors
/// `NotFound` if it has no commit, `Invalid` with everything that is wrong in it, `Unavailable` if it cannot be
/// read.
pub(crate) fn newest(data: &Data) -> Result<Inputs> {
    let repository = PolicyRepository::open_or_init(data.policy())?;
    let commit = repository
        .head()?
        .ok_or_else(|| Error::not_found("the policy repository has no commit yet"))?;
    Inputs::at(&repository, commit)
        .map_err(|why| Error::invalid("policy", format!("is not valid:\n{why}")))
}

/// Refuses cells that were mistyped.
///
/// # Errors
/// `Invalid` if one is none of the policy's.
pub(crate) fn has(inputs: &Inputs, cells: &[CellName]) -> Result<()> {
    let known = inputs.policy.catalogue().cells;
    match cells.iter().find(|cell| !known.contains_key(*cell)) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<&str> = known.keys().map(CellName::as_str).collect();
            let known = known.join(", ");
            let message =
                format!("names {unknown}, which is no cell of the policy; it has: {known}");
            Err(Error::invalid("--cell", message))
        }
    }
}
