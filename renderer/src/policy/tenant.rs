//! Plans and tenants' overrides, as their files spell them.

use coditect_core::{Limits, LimitsOverride, PlanName, PodSize, RingName, StorageClassName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    format,
    network::{Egress, EgressOverride},
};

/// `plans/<name>.yaml`: a plan as sold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Plan")]
pub(crate) struct PlanFile {
    /// Price in US cents a month.
    pub(crate) price_cents_per_month: u32,
    /// What the plan allows.
    pub(crate) limits: LimitsFile,
}

/// What a plan allows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LimitsFile {
    /// Size of each workspace's volume in GiB.
    #[schemars(range(min = 1, max = 65536))]
    storage_gib: u32,
    /// Hours a month that workspaces may run, summed over all of a user's workspaces.
    hours_per_month: u32,
    /// LLM requests a month.
    llm_requests_per_month: u32,
    /// How many workspaces a user may have.
    #[schemars(range(min = 1, max = 100))]
    workspaces: u32,
    /// Minutes without activity after which a workspace is suspended.
    #[schemars(range(min = 1))]
    idle_minutes: u32,
    /// Size of each workspace's pod.
    pod: PodFile,
}

/// Resources of the IDE's container.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PodFile {
    /// CPU limit in thousandths of a core.
    #[schemars(range(min = 1))]
    pub(crate) cpu_millis: u32,
    /// CPU request in thousandths of a core; at most the limit.
    #[schemars(range(min = 1))]
    pub(crate) cpu_request_millis: u32,
    /// Memory limit and request in MiB.
    #[schemars(range(min = 1))]
    pub(crate) memory_mib: u32,
    /// Ephemeral storage limit in MiB.
    #[schemars(range(min = 1))]
    pub(crate) ephemeral_storage_mib: u32,
    /// Most processes and threads.
    #[schemars(range(min = 16))]
    pub(crate) pids: u32,
}

impl From<PodFile> for PodSize {
    fn from(file: PodFile) -> Self {
        Self {
            cpu_millis: file.cpu_millis,
            cpu_request_millis: file.cpu_request_millis,
            memory_mib: file.memory_mib,
            ephemeral_storage_mib: file.ephemeral_storage_mib,
            pids: file.pids,
        }
    }
}

impl From<&LimitsFile> for Limits {
    fn from(file: &LimitsFile) -> Self {
        Self {
            storage_gib: file.storage_gib,
            hours_per_month: file.hours_per_month,
            llm_requests_per_month: file.llm_requests_per_month,
            workspaces: file.workspaces,
            idle_minutes: file.idle_minutes,
            pod: file.pod.into(),
        }
    }
}

/// `orgs/<tenant id>.yaml`: what a reviewer decided for one tenant. What is absent is the plan's or the
/// default. A tenant's cell cannot be named here: moving is a procedure, not an edit.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Override")]
pub(crate) struct OrgFile {
    /// The plan that applies, whatever the tenant bought.
    #[schemars(with = "Option<format::Plan>")]
    #[serde(default)]
    pub(crate) plan: Option<PlanName>,
    /// Limits that replace the plan's, one by one.
    #[serde(default)]
    pub(crate) limits: LimitsOverrideFile,
    /// The ring of all the tenant's users.
    #[schemars(with = "Option<format::Ring>")]
    #[serde(default)]
    pub(crate) ring: Option<RingName>,
    /// Where the tenant's workspaces may connect to.
    #[serde(default)]
    pub(crate) egress: Option<EgressOverride>,
    /// What a workspace's service account may do in its namespace.
    #[serde(default)]
    pub(crate) rbac_profile: Option<RbacProfile>,
    /// Gives the IDE a token of that service account and a way to the API server.
    #[serde(default)]
    pub(crate) mount_service_account_token: Option<bool>,
    /// The storage class of new volumes. A volume that exists never changes class.
    #[schemars(with = "Option<format::DnsLabel>")]
    #[serde(default)]
    pub(crate) storage_class: Option<StorageClassName>,
}

/// Limits that replace the plan's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct LimitsOverrideFile {
    /// Size of each workspace's volume in GiB.
    #[schemars(range(min = 1, max = 65536))]
    storage_gib: Option<u32>,
    /// Hours a month that workspaces may run.
    hours_per_month: Option<u32>,
    /// LLM requests a month.
    llm_requests_per_month: Option<u32>,
    /// How many workspaces a user may have.
    #[schemars(range(min = 1, max = 100))]
    workspaces: Option<u32>,
    /// Minutes without activity after which a workspace is suspended.
    #[schemars(range(min = 1))]
    idle_minutes: Option<u32>,
    /// Size of each workspace's pod.
    pod: Option<PodFile>,
}

impl From<&LimitsOverrideFile> for LimitsOverride {
    fn from(file: &LimitsOverrideFile) -> Self {
        Self {
            storage_gib: file.storage_gib,
            hours_per_month: file.hours_per_month,
            llm_requests_per_month: file.llm_requests_per_month,
            workspaces: file.workspaces,
            idle_minutes: file.idle_minutes,
            pod: file.pod.map(PodSize::from),
        }
    }
}

/// What a workspace's service account may do in its own namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RbacProfile {
    /// Look: get, list and watch.
    Restricted,
    /// Work with pods: get, list, watch, create, delete, logs and exec; get and list volumes. Only in
    /// cells with `developerProfileGuarded`.
    Developer,
}

/// What a reviewer decided for one tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Org {
    /// The plan that applies, whatever the tenant bought.
    pub plan: Option<PlanName>,
    /// Limits that replace the plan's.
    pub limits: LimitsOverride,
    /// The ring of all the tenant's users.
    pub ring: Option<RingName>,
    /// Where the tenant's workspaces may connect to, with what it inherits of the defaults.
    pub egress: Option<Egress>,
    /// What a workspace's service account may do.
    pub rbac_profile: Option<RbacProfile>,
    /// Whether the IDE gets a token of that service account.
    pub mount_service_account_token: Option<bool>,
    /// The storage class of new volumes.
    pub storage_class: Option<StorageClassName>,
}

impl OrgFile {
    /// The decision in full; `defaults` is where everyone else may connect to.
    pub(crate) fn into_org(self, defaults: &Egress) -> Org {
        Org {
            limits: LimitsOverride::from(&self.limits),
            plan: self.plan,
            ring: self.ring,
            egress: self.egress.map(|egress| egress.over(defaults)),
            rbac_profile: self.rbac_profile,
            mount_service_account_token: self.mount_service_account_token,
            storage_class: self.storage_class,
        }
    }
}
