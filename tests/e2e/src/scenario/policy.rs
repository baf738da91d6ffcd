//! Changes of the policy that people write, and back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::looks::LIMIT;
use crate::{During, Product, Result, ensure, until};

/// A file of the policy that was changed; what it held before.
pub(super) struct Edit {
    file: PathBuf,
    /// None if there was no such file.
    before: Option<String>,
}

impl Edit {
    /// Writes a file, and waits until the change is in force.
    pub(super) async fn write(product: &Product, file: &str, text: &str) -> Result<Self> {
        let path = product.policy().join(file);
        let before = fs::read_to_string(&path).ok();
        let edit = Self {
            file: PathBuf::from(file),
            before,
        };
        edit.put(product, Some(text)).await?;
        Ok(edit)
    }

    /// Replaces a text that a file holds, and waits until the change is in force.
    pub(super) async fn replace(
        product: &Product,
        file: &str,
        from: &str,
        to: &str,
    ) -> Result<Self> {
        let text = fs::read_to_string(product.policy().join(file)).during(file)?;
        ensure!(text.contains(from), "{file} does not hold {from:?}");
        Self::write(product, file, &text.replace(from, to)).await
    }

    /// Puts back what was there, and waits until that is in force.
    pub(super) async fn undo(self, product: &Product) -> Result {
        self.put(product, self.before.as_deref()).await
    }

    async fn put(&self, product: &Product, text: Option<&str>) -> Result {
        let path = product.policy().join(&self.file);
        match text {
            Some(text) => fs::write(&path, text)?,
            None => fs::remove_file(&path)?,
        }
        // The process that owns the folder commits what it has read: what the commit holds is in force.
        until("the policy to be in force", LIMIT, || async {
            let held = committed(&product.policy(), &self.file)?;
            ensure!(held.as_deref() == text, "the newest commit has another one");
            Ok(())
        })
        .await
    }
}

fn committed(policy: &Path, file: &Path) -> Result<Option<String>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(policy)
        .arg("show")
        .arg(format!("HEAD:{}", file.display()))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(output.status.success().then_some(text))
}
