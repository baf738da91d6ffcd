//! The policy and templates a newcomer starts from, built into the program.

use std::{fs, io, path::Path};

use coditect_core::{Error, Result};
use include_dir::{Dir, include_dir};

static POLICY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tenants");
static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Writes the sample into a policy folder that has no policy yet. What a person has put there stays.
///
/// # Errors
/// `Unavailable` if the folder cannot be written.
pub(crate) fn plant(folder: &Path) -> Result<()> {
    planted(folder, DOMAIN)
}

/// As [`plant`], with workspaces below `domain`.
///
/// # Errors
/// `Invalid` if the folder has a policy that says otherwise; `Unavailable` if it cannot be written.
pub(crate) fn plant_below(folder: &Path, domain: &str) -> Result<()> {
    let label = |label: &str| {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_plain)
    };
    if !domain.split('.').all(label) {
        let message = format!("must be like ws.example.test, in lower case, not {domain:?}");
        return Err(Error::invalid("workspace-domain", message));
    }
    planted(folder, domain)?;
    let file = folder.join(CELL);
    let says = fs::read_to_string(&file).unwrap_or_default();
    if says.lines().any(|line| line == wanted(domain)) {
        return Ok(());
    }
    let message = format!(
        "{} is there already and does not say \"{}\"; change it there",
        file.display(),
        wanted(domain)
    );
    Err(Error::invalid("workspace-domain", message))
}

/// The file that says where the sample's workspaces are, and what it says.
const CELL: &str = "tenants/cells/local.yaml";
const DOMAIN: &str = "workspaces.localhost";

fn wanted(domain: &str) -> String {
    format!("domain: {domain}")
}

fn planted(folder: &Path, domain: &str) -> Result<()> {
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
            .and_then(|()| set_domain(&half, domain))
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

/// Puts workspaces below another domain, where a folder holds the sample's cell.
fn set_domain(half: &Path, domain: &str) -> io::Result<()> {
    let file = half.join("cells/local.yaml");
    if domain == DOMAIN || !file.exists() {
        return Ok(());
    }
    let sample = fs::read_to_string(&file)?;
    fs::write(&file, sample.replace(&wanted(DOMAIN), &wanted(domain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_are_where_the_first_start_said() {
        let folder = tempfile::tempdir().unwrap();
        plant_below(folder.path(), "ws.test").unwrap();
        let file = folder.path().join(CELL);
        assert!(
            fs::read_to_string(&file)
                .unwrap()
                .contains("\ndomain: ws.test\n")
        );
        plant(folder.path()).unwrap();
        plant_below(folder.path(), "ws.test").unwrap();
        let error = plant_below(folder.path(), "other.test").unwrap_err();
        assert!(error.to_string().contains("change it there"), "{error}");
        for domain in ["", "a b", "a\nb: c", "*.x", "A.test", "a..b"] {
            assert!(plant_below(folder.path(), domain).is_err(), "{domain}");
        }
        let other = tempfile::tempdir().unwrap();
        plant(other.path()).unwrap();
        plant_below(other.path(), DOMAIN).unwrap();
    }
}
