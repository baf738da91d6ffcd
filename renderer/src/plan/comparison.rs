//! Two shapes beside each other: what changes in which object, what that does to pods, and what is refused.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::Result;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{
    fields,
    objects::{Object, Objects, alike},
    quantity::thousandths,
    refusal::{refused, refused_anew},
};

/// Lines of what stays, before and after what changes.
const CONTEXT: usize = 2;

/// An object that changes, as all its user's objects of that name do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hunk {
    /// `Kind/name`, with placeholders.
    pub(super) object: String,
    /// The lines that go and come, `-` or `+` before each: what tells one change from another.
    pub(super) lines: Vec<String>,
    /// The same with what stands around them.
    pub(super) diff: String,
}

/// Objects of a kind that are made, changed, removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) created: u64,
    pub(super) changed: u64,
    pub(super) removed: u64,
}

/// What comes of one shape when another takes its place.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Every change once, however many workspaces have it.
    pub(super) hunks: BTreeSet<Hunk>,
    pub(super) kinds: BTreeMap<String, Counts>,
    /// Workspaces that are there afterwards.
    pub(super) workspaces: u64,
    pub(super) created: u64,
    pub(super) removed: u64,
    /// Workspaces whose pod is another one from its next start on.
    pub(super) restarts: u64,
    /// Workspaces whose pod ends with the commit: their StatefulSet goes.
    pub(super) ends: u64,
    /// Fields of pod templates that change, with how many workspaces have each.
    pub(super) pod_fields: BTreeMap<String, u64>,
    /// What is refused: object, field and why, with how many objects have it.
    pub(super) refusals: BTreeMap<(String, String, String), u64>,
    /// Quota by resource, in thousandths.
    pub(super) quota: BTreeMap<String, (i64, i64)>,
    /// Volumes by class: thousandths of bytes.
    pub(super) storage: BTreeMap<String, (i64, i64)>,
    /// The largest volume in thousandths of bytes.
    pub(super) largest: (i64, i64),
}

/// Compares two shapes; an absent one has no objects.
pub(super) fn compare(before: Option<&Objects>, after: Option<&Objects>) -> Result<Comparison> {
    let none = Objects::new();
    let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let mut found = Comparison::default();
    for (key, object) in after {
        let (kind, _) = key;
        figures(kind, &object.value, &mut found, |(_, after)| after);
        found.workspaces += u64::from(kind == "StatefulSet");
        match before.get(key) {
            None => {
                found.hunk(object, "", &object.text);
                found.kinds.entry(kind.clone()).or_default().created += 1;
                found.created += u64::from(kind == "StatefulSet");
                found.refuse(object, refused_anew(kind, &object.value));
            }
            Some(old) if old.text != object.text => {
                found.hunk(object, &old.text, &object.text);
                found.kinds.entry(kind.clone()).or_default().changed += 1;
                found.refuse(object, refused(kind, &old.value, &object.value));
                if kind == "StatefulSet" {
                    found.pod(&old.value, &object.value);
                }
            }
            Some(_) => {}
        }
    }
    for (key, object) in before {
        let (kind, _) = key;
        figures(kind, &object.value, &mut found, |(before, _)| before);
        if !after.contains_key(key) {
            found.hunk(object, &object.text, "");
            found.kinds.entry(kind.clone()).or_default().removed += 1;
            found.removed += u64::from(kind == "StatefulSet");
            found.ends += u64::from(kind == "StatefulSet");
        }
    }
    found.volumes_stay(before, after);
    Ok(found)
}

impl Comparison {
    fn hunk(&mut self, object: &Object, before: &str, after: &str) {
        let diff = TextDiff::from_lines(before, after);
        let (mut lines, mut text) = (Vec::new(), String::new());
        for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
            if index > 0 {
                text.push_str(" …\n");
            }
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let sign = match change.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                let line = format!("{sign}{}", change.value().trim_end_matches('\n'));
                text.push_str(&line);
                text.push('\n');
                if sign != ' ' {
                    lines.push(line);
                }
            }
        }
        let hunk = Hunk {
            object: object.shown.clone(),
            lines,
            diff: text,
        };
        // Of several workspaces with one change, what stands around it may differ: the first by its text.
        let same = |other: &&Hunk| (&other.object, &other.lines) == (&hunk.object, &hunk.lines);
        match self.hunks.iter().find(same).cloned() {
            Some(other) if other <= hunk => {}
            Some(other) => {
                self.hunks.remove(&other);
                self.hunks.insert(hunk);
            }
            None => drop(self.hunks.insert(hunk)),
        }
    }

    fn refuse(&mut self, object: &Object, refused: Vec<(String, String)>) {
        for (field, why) in refused {
            let key = (object.shown.clone(), field, alike(&why));
            *self.refusals.entry(key).or_default() += 1;
        }
    }

    fn pod(&mut self, before: &Value, after: &Value) {
        let changed = fields::changed(&before["spec"]["template"], &after["spec"]["template"]);
        self.restarts += u64::from(!changed.is_empty());
        for field in changed {
            *self.pod_fields.entry(field).or_default() += 1;
        }
    }

    /// A volume that leaves Git is kept by the cluster, but the workspace would go on with another, empty one.
    fn volumes_stay(&mut self, before: &Objects, after: &Objects) {
        for ((kind, name), object) in before {
            let gone = kind == "PersistentVolumeClaim"
                && !after.contains_key(&(kind.clone(), name.clone()));
            if gone && !after.is_empty() {
                let why = "would leave Git while its workspace stays, which would go on without its files; keep the claim and its name";
                let refused = vec![("metadata.name".to_owned(), why.to_owned())];
                self.refuse(object, refused);
            }
        }
    }
}

/// What the object asks of quota and storage, on the side that `of` gives.
fn figures(kind: &str, value: &Value, found: &mut Comparison, of: fn(&mut (i64, i64)) -> &mut i64) {
    let amount = |value: &Value| value.as_str().and_then(thousandths).unwrap_or_default();
    match kind {
        "ResourceQuota" => {
            for (resource, value) in value["spec"]["hard"].as_object().into_iter().flatten() {
                *of(found.quota.entry(resource.clone()).or_default()) += amount(value);
            }
        }
        "PersistentVolumeClaim" => {
            let spec = &value["spec"];
            let class = spec["storageClassName"].as_str().unwrap_or_default();
            let size = amount(&spec["resources"]["requests"]["storage"]);
            *of(found.storage.entry(class.to_owned()).or_default()) += size;
            let largest = of(&mut found.largest);
            *largest = size.max(*largest);
        }
        _ => {}
    }
}
