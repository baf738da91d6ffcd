//! What a cell's repository holds of one user and how that came to be, in words for the person.

use coditect_core::{Error, Result, Standing, UserId, UserIntent, WorkspaceId, WorkspaceIntent};
use jiff::Timestamp;
use serde::Deserialize;
use similar::TextDiff;

use crate::{
    git::{CellRepository, Change, ChangeKind, Oid, path_of},
    names::WORKSPACE,
    render::intent_of,
};

/// Longest difference that is shown, in bytes.
const LONGEST_DIFF: usize = 64 * 1024;
/// Lines of what stayed, before and after what changed.
const CONTEXT: usize = 3;

/// A commit that touched a user's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The commit's id in hexadecimal.
    pub commit: String,
    /// When it was made.
    pub at: Timestamp,
    /// What changed, a sentence each; at least one.
    pub sentences: Vec<String>,
    /// Unified diff of the file, cut off at the end of a line if it is very long.
    pub diff: String,
}

/// What the repository holds for a workspace as of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The commit's id in hexadecimal.
    pub commit: String,
    /// When it was made.
    pub at: Timestamp,
    /// Where in the repository the user's file is.
    pub path: String,
    /// Its objects: the workspace's, and those that all of the user's workspaces share.
    pub objects: Vec<Object>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The whole of it.
    pub yaml: String,
}

/// The commits that touched the user's file, the newest first, at most `limit`.
///
/// # Errors
/// If the repository cannot be read.
pub fn history(repository: &CellRepository, user: UserId, limit: usize) -> Result<Vec<Told>> {
    let path = path_of(coditect_core::Shard::of(user), user);
    let changes = changes(repository, user)?;
    let told = changes.iter().take(limit).map(|change| {
        let (before, after) = (
            text(repository, change.before)?,
            text(repository, change.after)?,
        );
        Ok(Told {
            commit: change.commit.to_string(),
            at: change.time,
            sentences: sentences(change, &before, &after),
            diff: difference(&path, &before, &after),
        })
    });
    told.collect()
}

/// What the repository holds for a workspace, as of the newest commit that touched its user's file, or of the one named.
///
/// # Errors
/// `NotFound` if no such commit touched the file, or it was gone afterwards; if the repository cannot be read.
pub fn manifests(
    repository: &CellRepository,
    user: UserId,
    workspace: WorkspaceId,
    commit: Option<&str>,
) -> Result<Held> {
    let changes = changes(repository, user)?;
    let change = changes
        .iter()
        .find(|change| commit.is_none_or(|commit| change.commit.to_string() == commit))
        .filter(|change| change.after.is_some())
        .ok_or_else(|| Error::not_found("no such commit holds anything of this workspace"))?;
    let file = text(repository, change.after)?;
    let objects = objects(&file, workspace)?;
    Ok(Held {
        commit: change.commit.to_string(),
        at: change.time,
        path: path_of(coditect_core::Shard::of(user), user),
        objects,
    })
}

fn changes(repository: &CellRepository, user: UserId) -> Result<Vec<Change>> {
    match repository.head()? {
        Some(head) => Ok(repository.history_of(head.commit, user)?),
        None => Ok(Vec::new()),
    }
}

fn text(repository: &CellRepository, file: Option<Oid>) -> Result<String> {
    let bytes = match file {
        Some(oid) => repository.blob(oid)?,
        None => Vec::new(),
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn difference(path: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut text = diff
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string();
    if text.len() > LONGEST_DIFF {
        let end = text.as_bytes()[..LONGEST_DIFF]
            .iter()
            .rposition(|byte| *byte == b'\n');
        // Behind a line's end a letter begins.
        text.truncate(end.map_or(0, |end| end + 1));
    }
    text
}

/// What a change means. Where the intent is the same, something else was rendered anew: the commit says why.
fn sentences(change: &Change, before: &str, after: &str) -> Vec<String> {
    let mut told = Vec::new();
    if change.quarantined {
        told.push(
            "The cluster refused the version before; what it last accepted stands in its place."
                .to_owned(),
        );
    }
    let intents = (intent_of(before.as_bytes()), intent_of(after.as_bytes()));
    match (change.kind, intents) {
        (ChangeKind::Created, (_, Some(after))) => {
            told.push(format!(
                "Written for the first time, with the plan {}.",
                after.plan
            ));
            told.extend(after.workspaces.iter().map(added));
        }
        (ChangeKind::Deleted, _) => told.push("Removed with all its objects.".to_owned()),
        (_, (Some(before), Some(after))) => told.extend(differences(&before, &after)),
        _ => {}
    }
    if told.is_empty() {
        let why = change.reason.as_ref().unwrap_or(&change.subject);
        told.push(format!("Rendered anew: {why}."));
    }
    told
}

fn differences(before: &UserIntent, after: &UserIntent) -> Vec<String> {
    let mut told = Vec::new();
    if before.plan != after.plan {
        told.push(format!("Plan {} → {}.", before.plan, after.plan));
    }
    if before.standing != after.standing {
        let standing = standing(after.standing);
        told.push(format!("All workspaces: {standing}."));
    }
    for workspace in &after.workspaces {
        let slug = &workspace.slug;
        match before.workspace(workspace.id) {
            None => told.push(added(workspace)),
            Some(was) => {
                if was.storage_gib != workspace.storage_gib {
                    let (was, is) = (was.storage_gib, workspace.storage_gib);
                    told.push(format!("Storage of {slug} {was} Gi → {is} Gi."));
                }
                if was.standing != workspace.standing {
                    told.push(format!("{slug}: {}.", standing(workspace.standing)));
                }
            }
        }
    }
    for was in &before.workspaces {
        if after.workspace(was.id).is_none() {
            told.push(format!("{} removed.", was.slug));
        }
    }
    told
}

fn added(workspace: &WorkspaceIntent) -> String {
    let WorkspaceIntent {
        slug,
        storage_gib,
        storage_class,
        ..
    } = workspace;
    format!("{slug} added, with {storage_gib} Gi of {storage_class}.")
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "in use again",
        Standing::Suspended => "held, files are kept",
        Standing::Marked => "marked for deletion, files are kept until then",
    }
}

/// As much of a document as says what it is.
#[derive(Deserialize)]
struct Document {
    kind: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

/// The documents of a file that are the workspace's, or of no workspace.
fn objects(file: &str, workspace: WorkspaceId) -> Result<Vec<Object>> {
    let workspace = workspace.to_string();
    let mut objects = Vec::new();
    for yaml in documents(file) {
        let document: Document = serde_saphyr::from_str(&yaml).map_err(|error| {
            Error::internal("a file of the repository holds what is no object").because(error)
        })?;
        let of = document.metadata.labels.get(WORKSPACE);
        if of.is_none_or(|of| *of == workspace) {
            objects.push(Object {
                kind: document.kind,
                name: document.metadata.name,
                yaml,
            });
        }
    }
    Ok(objects)
}

/// The documents of a file, each without the line that separates it from the one before.
fn documents(file: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in file.split_inclusive('\n') {
        match documents.last_mut() {
            Some(last) if line.trim_end() != "---" => last.push_str(line),
            _ => documents.push(String::new()),
        }
    }
    // Before the first stands what the file says of itself, in comments.
    let says = |line: &str| !line.trim().is_empty() && !line.starts_with('#');
    documents.retain(|document| document.lines().any(says));
    documents
}

#[cfg(test)]
mod tests {
    use coditect_core::{Shard, TenantId};

    use super::*;

    fn intent() -> UserIntent {
        let user = UserId::random();
        UserIntent {
            user,
            tenant: TenantId::random(),
            cell: "local".parse().unwrap(),
            shard: Shard::of(user),
            generation: 1,
            plan: "free".parse().unwrap(),
            ring: None,
            standing: Standing::Active,
            workspaces: vec![workspace("quiet-otter-7k3fm")],
        }
    }

    fn workspace(slug: &str) -> WorkspaceIntent {
        WorkspaceIntent {
            id: WorkspaceId::random(),
            slug: slug.parse().unwrap(),
            storage_gib: 1,
            storage_class: "standard-rwo".parse().unwrap(),
            standing: Standing::Active,
        }
    }

    #[test]
    fn what_differs_is_said_a_sentence_each() {
        let before = intent();
        assert!(differences(&before, &before).is_empty());
        let mut after = before.clone();
        after.plan = "pro".parse().unwrap();
        after.workspaces[0].storage_gib = 10;
        after.workspaces.push(workspace("brave-heron-2m9qx"));
        assert_eq!(
            differences(&before, &after),
            [
                "Plan free → pro.",
                "Storage of quiet-otter-7k3fm 1 Gi → 10 Gi.",
                "brave-heron-2m9qx added, with 1 Gi of standard-rwo.",
            ]
        );
        let mut marked = after.clone();
        marked.workspaces[0].standing = Standing::Marked;
        marked.workspaces.pop();
        assert_eq!(
            differences(&after, &marked),
            [
                "quiet-otter-7k3fm: marked for deletion, files are kept until then.",
                "brave-heron-2m9qx removed.",
            ]
        );
    }

    #[test]
    fn a_file_is_told_without_what_other_workspaces_have() {
        let (ours, others) = (WorkspaceId::random(), WorkspaceId::random());
        let document = |kind: &str, of: Option<WorkspaceId>| {
            let labels = of.map_or(String::new(), |of| {
                format!("  labels:\n    {WORKSPACE}: \"{of}\"\n")
            });
            format!("---\nkind: {kind}\nmetadata:\n  name: x\n{labels}")
        };
        let file = [
            document("Namespace", None),
            document("Service", Some(ours)),
            document("Service", Some(others)),
            document("StatefulSet", Some(ours)),
        ]
        .concat();
        let file = format!("# What a file says of itself.\n{file}");
        let objects = objects(&file, ours).unwrap();
        let kinds: Vec<_> = objects.iter().map(|object| object.kind.as_str()).collect();
        assert_eq!(kinds, ["Namespace", "Service", "StatefulSet"]);
        assert!(
            objects
                .iter()
                .all(|object| object.yaml.starts_with("kind:"))
        );
        assert!(
            !objects
                .iter()
                .any(|object| object.yaml.contains(&others.to_string()))
        );
    }

    #[test]
    fn a_very_long_difference_ends_with_a_line() {
        let after = "äöü and more\n".repeat(20_000);
        let diff = difference("x.yaml", "", &after);
        assert!(diff.len() <= LONGEST_DIFF && diff.ends_with("more\n"));
        assert!(diff.starts_with("--- a/x.yaml\n+++ b/x.yaml\n@@"));
    }
}
