//! Everything that is wrong with a policy and its templates, for whoever is about to commit them.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use coditect_core::{Error, Kind};
use serde::Serialize;

use super::{POLICY, TEMPLATES, lacks_policy};
use crate::{
    policy::{Policy, PolicyError},
    release::Releases,
    render::Renderer,
};

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// True if there is no mistake.
    pub valid: bool,
    /// Every mistake, by file and place. Files are named relative to the folder that was checked.
    pub errors: Vec<PolicyError>,
}

/// Reads `<folder>/tenants` and `<folder>/templates`, and renders a made-up user of every kind with them.
///
/// A file that is no YAML is told with its first mistake, since what follows has no meaning; all others with every
/// one. What can only be found by rendering is looked for once nothing else is wrong.
#[must_use]
pub fn check(folder: &Path) -> Checked {
    if let Some(message) = lacks_policy(folder) {
        let error = PolicyError {
            file: ".".to_owned(),
            line: 1,
            column: 1,
            message,
        };
        return Checked {
            valid: false,
            errors: vec![error],
        };
    }
    let mut errors = BTreeSet::new();
    let (releases, mistakes) = match Releases::load_each(&folder.join(TEMPLATES)) {
        Ok((releases, mistakes)) => (Some(releases), mistakes),
        Err(error) => (None, vec![error]),
    };
    errors.extend(mistakes.iter().map(placed));
    // Without its templates every ring of a policy would be told to be wrong.
    if let Some(releases) = releases {
        match Policy::load(&folder.join(POLICY), &releases) {
            Err(found) => errors.extend(found.below(POLICY).iter().cloned()),
            Ok(policy) if errors.is_empty() => {
                let renderer = Renderer::new(Arc::new(policy), Arc::new(releases));
                let probed = renderer.probe_each(&mut |error| {
                    errors.insert(placed(&error));
                    Ok(())
                });
                errors.extend(probed.err().as_ref().map(placed));
            }
            Ok(_) => {}
        }
    }
    Checked {
        valid: errors.is_empty(),
        errors: errors.into_iter().collect(),
    }
}

/// A template's mistake as one with a place: its field is `<file>:<line>:`, or the file alone.
fn placed(error: &Error) -> PolicyError {
    let field = match error.kind() {
        Kind::Invalid { field } if field.starts_with(TEMPLATES) => field.as_str(),
        _ => {
            return PolicyError {
                file: TEMPLATES.to_owned(),
                line: 1,
                column: 1,
                message: one_line(&error.chain()),
            };
        }
    };
    let mut parts = field.split(':');
    let file = parts.next().unwrap_or(TEMPLATES).to_owned();
    let line = parts.next().and_then(|line| line.parse().ok()).unwrap_or(1);
    PolicyError {
        file,
        line,
        column: 1,
        message: one_line(error.message()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
