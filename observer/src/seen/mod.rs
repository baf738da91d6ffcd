//! What is kept of each object of a cluster: a few words, cut out as soon as it arrives, so that memory grows
//! with the number of workspaces and not with the size of their objects.

mod application;
mod event;
mod hand;
mod pod;
mod volume;
mod workload;

use coditect_core::{UserId, WorkspaceId};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

pub use application::{Application, ApplicationSeen, Failure, Healed, OperationSeen};
pub use event::{About, Warning, warning_of};
pub use hand::{Edit, edited_by_hand};
pub use pod::{Condition, PodSeen};
pub use volume::VolumeSeen;
pub use workload::{NamespaceSeen, NodeSeen, SetSeen};

/// Label of a workspace's objects: its id.
pub const WORKSPACE: &str = "coditect.ai/workspace";
/// Annotation of a Namespace: the generation of the intent that it was made from.
pub const GENERATION: &str = "coditect.ai/generation";
/// Annotation of a Namespace: the ring that it was rendered for.
pub const RING: &str = "coditect.ai/ring";
/// Annotation of a Namespace: the template release that it was rendered with.
pub const RELEASE: &str = "coditect.ai/release";
/// Label of an Application: its cell.
pub const CELL: &str = "coditect.ai/cell";
/// Label of an Application: its shard.
pub const SHARD: &str = "coditect.ai/shard";
/// Label of Namespaces that are ours, and its value.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "coditect");
/// Which Namespaces are ours, as a selector: [`MANAGED_BY`].
pub const MANAGED: &str = "app.kubernetes.io/managed-by=coditect";
/// Which StatefulSets, pods and volumes are a workspace's.
pub const OF_WORKSPACES: &str = "app.kubernetes.io/name=workspace";

/// The user whose namespace this is.
#[must_use]
pub fn user_of(namespace: &str) -> Option<UserId> {
    namespace.strip_prefix("user-")?.parse().ok()
}

/// The workspace whose object has this name: `workspace-<id>`, with a pod's number or without.
#[must_use]
pub fn workspace_named(name: &str) -> Option<WorkspaceId> {
    // A UUID has 36 characters; a pod's name goes on with `-0`.
    name.strip_prefix("workspace-")?.get(..36)?.parse().ok()
}

/// The user and workspace that an object of a workspace belongs to.
#[must_use]
pub fn owner_of(meta: &ObjectMeta) -> Option<(UserId, WorkspaceId)> {
    let user = user_of(meta.namespace.as_deref()?)?;
    let workspace = meta.labels.as_ref()?.get(WORKSPACE)?.parse().ok()?;
    Some((user, workspace))
}

pub(crate) fn created(meta: &ObjectMeta) -> Timestamp {
    meta.creation_timestamp
        .as_ref()
        .map_or(Timestamp::UNIX_EPOCH, |Time(at)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_an_object_is() {
        let (user, workspace) = (UserId::random(), WorkspaceId::random());
        assert_eq!(user_of(&user.namespace()), Some(user));
        assert_eq!(workspace_named(&workspace.object_name()), Some(workspace));
        assert_eq!(
            workspace_named(&format!("{}-0", workspace.object_name())),
            Some(workspace)
        );
        for other in ["user-x", "argocd", "", "user-"] {
            assert_eq!(user_of(other), None);
            assert_eq!(workspace_named(other), None);
        }
        assert_eq!(workspace_named("workspace-quota"), None);
    }
}
