//! What a workspace's pod is called in its cluster, and whose it is by that.

use crate::id::{UserId, WorkspaceId};

/// The service account that a workspace's pod runs as.
pub const SERVICE_ACCOUNT: &str = "workspace-sa";
/// The audience of the token by which a gateway proves to the API whose it is.
pub const TOKEN_AUDIENCE: &str = "coditect-api";

/// Whose a pod is, by its namespace, its service account and its name: the only pod of a workspace's StatefulSet, which
/// Kubernetes calls by the set's name and the ordinal 0. None if it is not a workspace's.
#[must_use]
pub fn workspace_of(
    namespace: &str,
    service_account: &str,
    pod: &str,
) -> Option<(UserId, WorkspaceId)> {
    let user: UserId = namespace.strip_prefix("user-")?.parse().ok()?;
    let workspace: WorkspaceId = pod
        .strip_prefix("workspace-")?
        .strip_suffix("-0")?
        .parse()
        .ok()?;
    (service_account == SERVICE_ACCOUNT).then_some((user, workspace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_whose_it_is_called() {
        let (user, workspace) = (UserId::random(), WorkspaceId::random());
        let (namespace, pod) = (user.namespace(), format!("{}-0", workspace.object_name()));
        assert_eq!(
            workspace_of(&namespace, SERVICE_ACCOUNT, &pod),
            Some((user, workspace))
        );
        for (namespace, account, pod) in [
            ("kube-system", SERVICE_ACCOUNT, pod.as_str()),
            (&namespace[5..], SERVICE_ACCOUNT, &pod),
            (&namespace, "default", &pod),
            (&namespace, SERVICE_ACCOUNT, &workspace.object_name()),
            (&namespace, SERVICE_ACCOUNT, &format!("{pod}0")),
            (&namespace, SERVICE_ACCOUNT, &pod.replace("-0", "-1")),
            (&namespace, SERVICE_ACCOUNT, &format!("x{pod}")),
        ] {
            assert_eq!(
                workspace_of(namespace, account, pod),
                None,
                "{namespace} {account} {pod}"
            );
        }
    }
}
