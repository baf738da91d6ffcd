//! Folders.

use std::{fs, path::Path};

use crate::{During, Result};

/// Copies a folder with everything below it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result {
    fs::create_dir_all(to).during(to.display())?;
    for entry in fs::read_dir(from).during(from.display())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).during(target.display())?;
        }
    }
    Ok(())
}
