//! The kinds of object that a user's file may hold.

use kube::core::{ApiResource, GroupVersionKind};

/// A kind, and how the API server is asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its group; empty for the core group.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its name.
    pub kind: &'static str,
    /// The name of its resource.
    pub plural: &'static str,
}

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural,
    }
}

/// Every kind that may be rendered; the first is the Namespace. The renderer's check has the same list.
pub const KINDS: [Kind; 12] = [
    kind("", "v1", "Namespace", "namespaces"),
    kind("", "v1", "ResourceQuota", "resourcequotas"),
    kind("", "v1", "LimitRange", "limitranges"),
    kind("", "v1", "ServiceAccount", "serviceaccounts"),
    kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    kind("", "v1", "Service", "services"),
    kind("apps", "v1", "StatefulSet", "statefulsets"),
    kind("networking.k8s.io", "v1", "Ingress", "ingresses"),
    kind(
        "networking.k8s.io",
        "v1",
        "NetworkPolicy",
        "networkpolicies",
    ),
    kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    kind(
        "rbac.authorization.k8s.io",
        "v1",
        "RoleBinding",
        "rolebindings",
    ),
    kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
];

impl Kind {
    /// True for the one kind that has no namespace.
    #[must_use]
    pub fn is_namespace(&self) -> bool {
        self.kind == KINDS[0].kind
    }

    /// True if a cluster may do without the kind, because it is no part of Kubernetes itself.
    pub(super) fn is_optional(&self) -> bool {
        self.kind == "HTTPRoute"
    }

    pub(super) fn resource(&self) -> ApiResource {
        let named = GroupVersionKind::gvk(self.group, self.version, self.kind);
        ApiResource::from_gvk_with_plural(&named, self.plural)
    }
}
