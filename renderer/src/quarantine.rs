//! What stands in Git for a user whose file the cluster refuses, so that the neighbours in its shard proceed:
//! the last good file if it may come back, else a Namespace that runs no pods. Pure.

use coditect_core::{Error, Result, Standing, UserIntent};
use serde_json::Value;

use crate::{check, render::intent_of};

/// What stands in the place of a refused file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// The last file that was not refused.
    LastGood,
    /// A Namespace with a quota of zero pods; the volumes stay.
    NoPods,
    /// The same, which the cluster refuses as well: nothing more is committed until the rendering changes.
    RefusedToo,
}

/// Users that may be quarantined at once before something is wrong with more than these users: 3, or 1 % of the
/// cell.
#[must_use]
pub fn tolerated(users: usize) -> usize {
    (users / 100).max(3)
}

/// Whether an older file of the user may come back while `wanted` is refused. It must pass today's checks, must
/// bring back no workspace that is gone by now, and must not set free what is held or marked for deletion. Its
/// volumes may be smaller: the refused file may never have arrived, and if it did, the cluster refuses to shrink
/// them and the Namespace without pods follows.
///
/// # Errors
/// Why it may not.
pub fn last_good(file: &[u8], wanted: &UserIntent) -> Result<(), String> {
    let text = std::str::from_utf8(file).map_err(|_| "is not text".to_owned())?;
    check::check(text, &wanted.user.namespace()).map_err(|error| error.to_string())?;
    let had = intent_of(file).ok_or("records no intent")?;
    if (had.user, had.tenant, had.shard) != (wanted.user, wanted.tenant, wanted.shard)
        || had.cell != wanted.cell
    {
        return Err("is of another user, tenant, cell or shard".into());
    }
    let freed = |now: Standing, then: Standing| !now.is_active() && now != then;
    if freed(wanted.standing, had.standing) {
        return Err("would set the user free, who is held by now".into());
    }
    for workspace in &had.workspaces {
        match wanted.workspace(workspace.id) {
            None => return Err(format!("has workspace {}, which is gone", workspace.id)),
            Some(now) if freed(now.standing, workspace.standing) => {
                return Err(format!(
                    "would set workspace {} free, which is held by now",
                    workspace.id
                ));
            }
            Some(_) => {}
        }
    }
    let pods = documents(text)?
        .iter()
        .any(|(_, document)| document["kind"] == "StatefulSet");
    if !pods && had.workspaces.iter().any(|one| one.standing.is_active()) {
        return Err("is itself a Namespace without pods".into());
    }
    Ok(())
}

/// The Namespace without pods for a user, from the rendering that is refused: the Namespace, which records the
/// intent; a quota of zero pods; the policy that denies all traffic, for pods that are still ending; and the
/// volumes that an older file of the user had just so. Whatever else may be refused is left out.
///
/// Volumes that are left out stay in the cluster: they are never pruned.
///
/// # Errors
/// `Invalid` if the rendering is no user's file.
pub fn without_pods(rendered: &[u8], older: Option<&[u8]>, intent: &UserIntent) -> Result<Vec<u8>> {
    let namespace = intent.user.namespace();
    let unreadable = |why: String| Error::invalid(format!("{namespace}:"), why);
    let text = String::from_utf8_lossy(rendered);
    let had = older.map(String::from_utf8_lossy);
    let had = match &had {
        Some(text) => documents(text).unwrap_or_default(),
        None => Vec::new(),
    };
    let mut out = String::from(text.split("---\n").next().unwrap_or_default());
    let mut quota = None;
    let mut kept = String::new();
    for (part, document) in documents(&text).map_err(unreadable)? {
        match document["kind"].as_str().unwrap_or_default() {
            "Namespace" => out.push_str(part),
            "NetworkPolicy" if denies_all(&document) => kept.push_str(part),
            "PersistentVolumeClaim" if had.iter().any(|(_, old)| same_volume(old, &document)) => {
                kept.push_str(part);
            }
            "ResourceQuota" => quota = quota.or_else(|| name_of(&document)),
            _ => {}
        }
    }
    let quota = quota.unwrap_or_else(|| "workspace-quota".into());
    out.push_str(&format!(
        "---\napiVersion: v1\nkind: ResourceQuota\nmetadata:\n  name: \"{quota}\"\n  namespace: \"{namespace}\"\nspec:\n  hard:\n    pods: \"0\"\n"
    ));
    out.push_str(&kept);
    check::check(&out, &namespace)?;
    Ok(out.into_bytes())
}

/// Whether `file` is the Namespace without pods for this rendering, whichever volumes it keeps.
#[must_use]
pub fn is_without_pods(file: &[u8], rendered: &[u8], intent: &UserIntent) -> bool {
    without_pods(rendered, Some(file), intent).is_ok_and(|expected| expected == file)
}

/// The documents of a file as written and as read. A document begins at a line of three hyphens, which our
/// templates write nowhere else: values are JSON, on one line.
fn documents(text: &str) -> Result<Vec<(&str, Value)>, String> {
    let mut starts: Vec<usize> = text
        .match_indices("\n---\n")
        .map(|(at, _)| at + 1)
        .collect();
    if text.starts_with("---\n") {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let mut found = Vec::with_capacity(starts.len());
    for (start, end) in starts.iter().copied().zip(ends) {
        let part = &text[start..end];
        let values = check::documents(part).map_err(|error| error.to_string())?;
        let [value] = <[Value; 1]>::try_from(values)
            .map_err(|_| "has a document that is not one".to_owned())?;
        found.push((part, value));
    }
    Ok(found)
}

fn name_of(document: &Value) -> Option<String> {
    Some(document["metadata"]["name"].as_str()?.to_owned())
}

fn denies_all(policy: &Value) -> bool {
    let spec = &policy["spec"];
    let everyone = spec["podSelector"]
        .as_object()
        .is_some_and(|selector| selector.is_empty());
    everyone && spec.get("ingress").is_none() && spec.get("egress").is_none()
}

fn same_volume(old: &Value, new: &Value) -> bool {
    old["kind"] == "PersistentVolumeClaim"
        && old["metadata"]["name"] == new["metadata"]["name"]
        && old["spec"] == new["spec"]
}
