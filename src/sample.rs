//! The policy and templates a newcomer starts from, built into the program.

use std::{fs, path::Path};

use coditect_core::{Error, Result};
use include_dir::{Dir, include_dir};

static POLICY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tenants");
static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Writes the sample into a policy folder that has no policy yet. What a person has put there stays.
///
/// # Errors
/// `Unavailable` if the folder cannot be written.
pub(crate) fn plant(folder: &Path) -> Result<()> {
    for (name, sample) in [("tenants", &POLICY), ("templates", &TEMPLATES)] {
        let target = folder.join(name);
        if target.exists() {
            continue;
        }
        // Made whole beside its place, so that a crash leaves no half of a policy.
        let half = folder.join(format!(".{name}.half"));
        let planted = fs::create_dir_all(folder)
            .and_then(|()| {
                if half.exists() {
                    fs::remove_dir_all(&half)
                } else {
                    Ok(())
                }
            })
            .and_then(|()| fs::create_dir(&half))
            .and_then(|()| sample.extract(&half))
            .and_then(|()| fs::rename(&half, &target));
        planted.map_err(|error| {
            Error::unavailable(format!(
                "the sample policy cannot be written to {}",
                target.display()
            ))
            .because(error)
        })?;
    }
    Ok(())
}
