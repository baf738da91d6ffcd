//! One user: what Git says, what the registry wants of the scale, and what stands in the cluster.

use std::{collections::BTreeMap, fmt};

use coditect_core::WorkspaceId;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{
    fields::{Field, fields},
    foreign::foreign,
};
use crate::seen::{GENERATION, WORKSPACE};

/// Objects that clusters put into every namespace themselves.
const EVERYWHERE: [(&str, &str); 2] = [
    ("ServiceAccount", "default"),
    // Google Kubernetes Engine, "Resource quotas".
    ("ResourceQuota", "gke-resource-quotas"),
];

/// What is wanted of one user.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The documents of the user's file at the newest commit.
    pub documents: Vec<Value>,
    /// How many replicas StatefulSets are to have, by name; those not named are not asked for it.
    pub scales: BTreeMap<String, i64>,
    /// Why an older file stands in the place of the one that was refused, if one does.
    pub quarantined: Option<String>,
}

/// A live object, as far as it is compared.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Since when it is being removed.
    pub deleting: Option<Timestamp>,
    /// True if another object is its owner, as a pod is of its own volume.
    pub owned: bool,
    /// The object as a whole.
    pub object: Value,
}

/// How the cluster differs from what is wanted of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    /// Git has the object, the cluster has not.
    Missing {
        /// `Kind/name`.
        object: String,
    },
    /// The object is not what Git says.
    Fields {
        /// `Kind/name`.
        object: String,
        /// In which fields.
        fields: Vec<Field>,
    },
    /// Somebody else owns fields of the object that Git does not speak of.
    Foreign {
        /// `Kind/name`.
        object: String,
        /// Who, as the API server recorded it.
        manager: String,
        /// The first of the fields.
        field: String,
    },
    /// The object is being removed although Git has it.
    Deleting {
        /// `Kind/name`.
        object: String,
    },
    /// The Namespace is of another generation of the user than Git.
    Generation {
        /// What Git holds.
        wanted: String,
        /// What the Namespace says.
        found: Option<String>,
    },
    /// The scale is not what the registry's power asks for.
    Scale {
        /// `StatefulSet/name`.
        object: String,
        /// What the registry wants.
        wanted: i64,
        /// What stands.
        found: Option<i64>,
    },
    /// The cluster has the object in a user's namespace, Git has not.
    Unexpected {
        /// `Kind/name`.
        object: String,
    },
    /// The cluster has a namespace of ours, Git has no such user, and no tombstone says why.
    Orphan {
        /// The namespace.
        namespace: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { object } => write!(f, "{object} is not in the cluster"),
            Self::Fields { object, fields } => {
                write!(f, "{object} differs in ")?;
                for (at, field) in fields.iter().enumerate() {
                    write!(f, "{}{field}", if at > 0 { "; " } else { "" })?;
                }
                Ok(())
            }
            Self::Foreign {
                object,
                manager,
                field,
            } => write!(f, "{object} has {field}, set by {manager} and not in Git"),
            Self::Deleting { object } => write!(f, "{object} is being removed although Git has it"),
            Self::Generation { wanted, found } => write!(
                f,
                "the cluster has generation {}, Git holds {wanted}",
                found.as_deref().unwrap_or("none")
            ),
            Self::Scale {
                object,
                wanted,
                found,
            } => write!(
                f,
                "{object} has {} replicas, the registry wants {wanted}",
                found.map_or_else(|| "no".to_owned(), |found| found.to_string())
            ),
            Self::Unexpected { object } => write!(f, "{object} is in the cluster and not in Git"),
            Self::Orphan { namespace } => write!(
                f,
                "namespace {namespace} is in the cluster; Git and registry know nothing of it"
            ),
        }
    }
}

/// A volume in a user's namespace that Git does not have: no difference if the workspace has a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The volume's name.
    pub name: String,
    /// Its workspace, if it says one.
    pub workspace: Option<WorkspaceId>,
}

/// What the comparison of one user gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Every difference.
    pub differences: Vec<Difference>,
    /// Volumes that Git does not have, to be judged by the registry's tombstones.
    pub leftovers: Vec<Leftover>,
    /// How many objects of Git were compared.
    pub objects: usize,
}

/// Compares everything of one user. Pure.
#[must_use]
pub fn user(wanted: &Wanted, live: &[Live]) -> Compared {
    let mut compared = Compared {
        objects: wanted.documents.len(),
        ..Compared::default()
    };
    let mut expected: Vec<(&str, &str)> = Vec::with_capacity(wanted.documents.len());
    for document in &wanted.documents {
        let kind = document["kind"].as_str().unwrap_or_default();
        let name = document["metadata"]["name"].as_str().unwrap_or_default();
        expected.push((kind, name));
        let found = live
            .iter()
            .find(|live| live.kind == kind && live.name == name);
        compared
            .differences
            .extend(object(wanted, document, kind, name, found));
    }
    for live in live {
        let known = |list: &[(&str, &str)]| list.contains(&(live.kind, live.name.as_str()));
        if live.owned || known(&expected) || known(&EVERYWHERE) {
            continue;
        }
        if live.kind == "PersistentVolumeClaim" {
            let label = live.object["metadata"]["labels"][WORKSPACE].as_str();
            compared.leftovers.push(Leftover {
                name: live.name.clone(),
                workspace: label.and_then(|label| label.parse().ok()),
            });
        } else {
            compared.differences.push(Difference::Unexpected {
                object: format!("{}/{}", live.kind, live.name),
            });
        }
    }
    compared
}

fn object(
    wanted: &Wanted,
    document: &Value,
    kind: &str,
    name: &str,
    found: Option<&Live>,
) -> Vec<Difference> {
    let object = format!("{kind}/{name}");
    let Some(live) = found else {
        return vec![Difference::Missing { object }];
    };
    if live.deleting.is_some() {
        return vec![Difference::Deleting { object }];
    }
    let mut differences = Vec::new();
    if kind == "Namespace"
        && let Some(difference) = generation(document, &live.object)
    {
        // Everything else follows from it, and is on its way.
        differences.push(difference);
    }
    let fields = fields(document, &live.object);
    if !fields.is_empty() {
        differences.push(Difference::Fields {
            object: object.clone(),
            fields,
        });
    }
    for (manager, field) in foreign(&live.object["metadata"]["managedFields"]) {
        differences.push(Difference::Foreign {
            object: object.clone(),
            manager,
            field,
        });
    }
    if kind == "StatefulSet"
        && let Some(scale) = wanted.scales.get(name)
    {
        let found = live.object["spec"]["replicas"].as_i64();
        if found != Some(*scale) {
            differences.push(Difference::Scale {
                object,
                wanted: *scale,
                found,
            });
        }
    }
    differences
}

fn generation(document: &Value, live: &Value) -> Option<Difference> {
    let of = |object: &Value| {
        object["metadata"]["annotations"][GENERATION]
            .as_str()
            .map(ToOwned::to_owned)
    };
    let (wanted, found) = (of(document)?, of(live));
    (found.as_ref() != Some(&wanted)).then_some(Difference::Generation { wanted, found })
}
