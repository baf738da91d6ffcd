//! `cells/<name>.yaml`: the facts of one cluster.

use std::collections::BTreeMap;

use coditect_core::{CellName, CellSummary, Readiness, StorageClassName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{format, network::Network};

/// A cell: one cluster, one repository, one Argo CD.
///
/// Written out, it holds only what manifests depend on: it is part of what their input hash covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Cell")]
pub struct Cell {
    /// Workspace hosts are `<slug>.<domain>`.
    #[schemars(with = "format::Domain")]
    pub domain: String,
    /// How many users the cell takes at most. 5,000 keeps a cluster within Kubernetes' own thresholds
    /// (10,000 namespaces and services, SIG Scalability).
    #[schemars(range(max = 5000))]
    #[serde(skip_serializing)]
    pub capacity: u32,
    /// True while the cell takes no new users.
    #[serde(default, skip_serializing)]
    pub closed: bool,
    /// True holds every workspace at a quota of zero pods and the scale 0, as while a cluster is rebuilt from Git.
    #[serde(default)]
    pub hold: bool,
    /// True states that an admission policy of the cluster forbids exec into a workspace's gateway
    /// container, and other pods that mount the gateway's token. Without it the profile `developer` would expose
    /// the gateway's token, and is refused.
    #[serde(default, skip_serializing)]
    pub developer_profile_guarded: bool,
    /// What says that a workspace is ready: `gateway`, an answer of its gateway through the workspace's
    /// Service; or `pod`, the pod's own condition, for clusters whose pods the observer cannot reach.
    #[serde(default, skip_serializing)]
    #[schemars(schema_with = "format::readiness")]
    pub readiness: Readiness,
    /// The classes that volumes of this cell may have; the first is the default.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing)]
    pub storage_classes: Vec<StorageClass>,
    /// How people reach a workspace.
    pub route: Route,
    /// The cell's addresses.
    pub network: Network,
    /// Where Argo CD is told of a new commit.
    #[serde(default, skip_serializing)]
    #[schemars(with = "Option<format::Address>")]
    pub argocd_address: Option<String>,
    /// The RuntimeClass of workspace pods, such as a sandboxed one.
    #[serde(default)]
    #[schemars(with = "Option<format::DnsLabel>")]
    pub runtime_class_name: Option<String>,
    /// False gives every pod its own user namespace (needs Kubernetes 1.33 and a kernel that allows it).
    #[serde(default)]
    pub host_users: Option<bool>,
}

/// A class of volumes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageClass {
    /// Its name in the cluster.
    #[schemars(with = "format::DnsLabel")]
    pub name: StorageClassName,
    /// How its volumes are mounted.
    #[serde(default)]
    pub access_mode: AccessMode,
    /// What a GiB costs a month, in thousandths of a US dollar.
    #[serde(default)]
    pub milli_dollars_per_gib_month: Option<u32>,
}

/// How a volume is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AccessMode {
    /// By one node.
    #[default]
    ReadWriteOnce,
    /// By one pod.
    ReadWriteOncePod,
    /// By several nodes, as network file systems allow.
    ReadWriteMany,
}

/// How people reach a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Which kind of object it is.
    pub kind: RouteKind,
    /// The IngressClass; for an Ingress only.
    #[serde(default)]
    #[schemars(with = "Option<format::DnsLabel>")]
    pub class: Option<String>,
    /// Whether an Ingress asks for TLS, with the controller's own wildcard certificate.
    #[serde(default)]
    pub tls: bool,
    /// The Gateway; for an HTTPRoute only.
    #[serde(default)]
    pub gateway: Option<GatewayReference>,
    /// Annotations of the object, such as a controller's time-outs.
    #[serde(default)]
    #[schemars(extend("propertyNames" = {"format": "label-key"}))]
    pub annotations: BTreeMap<String, String>,
}

/// The kinds of route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RouteKind {
    /// `networking.k8s.io/v1` Ingress, of any class.
    Ingress,
    /// `gateway.networking.k8s.io/v1` HTTPRoute.
    HttpRoute,
}

/// The Gateway whose listener holds the wildcard certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayReference {
    /// Its name.
    #[schemars(with = "format::DnsLabel")]
    pub name: String,
    /// Its namespace.
    #[schemars(with = "format::DnsLabel")]
    pub namespace: String,
    /// Its listener; all listeners if absent.
    #[serde(default)]
    #[schemars(with = "Option<format::DnsLabel>")]
    pub section: Option<String>,
}

impl Cell {
    /// The storage class of that name, if the cell allows it.
    #[must_use]
    pub fn storage_class(&self, name: &StorageClassName) -> Option<&StorageClass> {
        self.storage_classes
            .iter()
            .find(|class| class.name == *name)
    }

    pub(super) fn summary(&self, name: &CellName) -> Option<CellSummary> {
        Some(CellSummary {
            name: name.clone(),
            capacity: self.capacity,
            closed: self.closed,
            storage_class: self.storage_classes.first()?.name.clone(),
            domain: self.domain.clone(),
            held: self.hold,
            readiness: self.readiness,
        })
    }
}
