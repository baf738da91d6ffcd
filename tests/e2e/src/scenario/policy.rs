//! Changes of the policy that people write, and back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::looks::LIMIT;
use crate::{During, Product, Result, ensure, until};

/// Files of the policy that were changed, and what they held before; none if there was no such file.
pub(super) struct Edit(Vec<(PathBuf, Option<String>)>);

impl Edit {
    /// Writes a file, and waits until the change is in force.
    pub(super) async fn write(product: &Product, file: &str, text: &str) -> Result<Self> {
        Self::write_all(product, [(PathBuf::from(file), text.to_owned())]).await
    }

    /// Writes several files, and waits until all are in force.
    pub(super) async fn write_all(
        product: &Product,
        files: impl IntoIterator<Item = (PathBuf, String)>,
    ) -> Result<Self> {
        let now = files.into_iter().map(|(file, text)| (file, Some(text)));
        let now: Vec<_> = now.collect();
        let before = now.iter().map(|(file, _)| {
            let before = fs::read_to_string(product.policy().join(file)).ok();
            (file.clone(), before)
        });
        let edit = Self(before.collect());
        put(product, &now).await?;
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
        put(product, &self.0).await
    }
}

async fn put(product: &Product, files: &[(PathBuf, Option<String>)]) -> Result {
    let policy = product.policy();
    for (file, text) in files {
        let path = policy.join(file);
        match text {
            Some(text) => {
                fs::create_dir_all(path.parent().unwrap_or(&policy))?;
                fs::write(&path, text)?;
            }
            None => fs::remove_file(&path)?,
        }
    }
    // The process that owns the folder commits what it has read: what the commit holds is in force.
    until("the policy to be in force", LIMIT, || async {
        for (file, text) in files {
            let held = committed(&policy, file)?;
            ensure!(
                held == *text,
                "the newest commit has another {}",
                file.display()
            );
        }
        Ok(())
    })
    .await
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
