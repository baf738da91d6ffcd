//! Namespaces, StatefulSets and nodes.

use coditect_registry::record::RingRelease;
use jiff::Timestamp;
use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1::Node},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Edit, GENERATION, RELEASE, RING, created, edited_by_hand};

/// A user's Namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceSeen {
    /// Tells it from another one of the same name.
    pub uid: String,
    /// The generation of the intent that it was made from.
    pub generation: u64,
    /// The ring that its user is of and the release that it was rendered with.
    pub runs: Option<RingRelease>,
    /// True while it is on its way out with everything in it.
    pub deleting: bool,
    /// The newest change by hand.
    pub edit: Option<Edit>,
}

impl NamespaceSeen {
    /// What is kept of it.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        let annotation = |name| meta.annotations.as_ref()?.get(name);
        let runs = || {
            Some(RingRelease {
                ring: annotation(RING)?.parse().ok()?,
                release: annotation(RELEASE)?.parse().ok()?,
            })
        };
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            generation: annotation(GENERATION)
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
            runs: runs(),
            deleting: meta.deletion_timestamp.is_some(),
            // Other controllers write to Namespaces too; a person's tools are known by name.
            edit: edited_by_hand(meta).filter(|edit| edit.tool.starts_with("kubectl")),
        }
    }
}

/// A workspace's StatefulSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetSeen {
    /// Tells it from another one of the same name.
    pub uid: String,
    /// When it was made.
    pub created: Timestamp,
    /// How many pods it asks for.
    pub replicas: i32,
    /// How many pods its controller knows of.
    pub pods: i32,
    /// True if its controller has acted on what it asks for now.
    pub observed: bool,
    /// The revision that its next pod will have.
    pub update_revision: Option<String>,
    /// The newest change by hand.
    pub edit: Option<Edit>,
}

impl SetSeen {
    /// What is kept of it.
    #[must_use]
    pub fn of(set: &StatefulSet) -> Self {
        let status = set.status.as_ref();
        Self {
            uid: set.metadata.uid.clone().unwrap_or_default(),
            created: created(&set.metadata),
            // The API server fills in 1 where nobody says (Kubernetes API, StatefulSetSpec.replicas).
            replicas: set
                .spec
                .as_ref()
                .and_then(|spec| spec.replicas)
                .unwrap_or(1),
            pods: status.map_or(0, |status| status.replicas),
            observed: status.and_then(|status| status.observed_generation)
                >= set.metadata.generation,
            update_revision: status.and_then(|status| status.update_revision.clone()),
            edit: edited_by_hand(&set.metadata),
        }
    }
}

/// A node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeSeen {
    /// True if its kubelet answers.
    pub ready: bool,
}

impl NodeSeen {
    /// What is kept of it.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        let conditions = node
            .status
            .as_ref()
            .and_then(|status| status.conditions.as_ref());
        Self {
            ready: conditions
                .into_iter()
                .flatten()
                .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        }
    }
}
