//! What a plan sells: price and limits. Read from policy (`tenants/plans/`), never built in.

use serde::{Deserialize, Serialize};

use crate::name::PlanName;

/// A plan as sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The plan's name, as in `plans/<name>.yaml`.
    pub name: PlanName,
    /// Price in US cents a month.
    pub price_cents_per_month: u32,
    /// What it allows.
    pub limits: Limits,
}

/// What a tenant may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Size of each workspace's volume in GiB.
    pub storage_gib: u32,
    /// Hours a month that workspaces may run, summed over all of a user's workspaces.
    pub hours_per_month: u32,
    /// LLM requests a month.
    pub llm_requests_per_month: u32,
    /// How many workspaces a user may have.
    pub workspaces: u32,
    /// Minutes without activity after which a workspace is suspended.
    pub idle_minutes: u32,
    /// Size of each workspace's pod.
    pub pod: PodSize,
}

/// Limits that a reviewed override replaces; what is absent stays the plan's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsOverride {
    /// See [`Limits::storage_gib`].
    pub storage_gib: Option<u32>,
    /// See [`Limits::hours_per_month`].
    pub hours_per_month: Option<u32>,
    /// See [`Limits::llm_requests_per_month`].
    pub llm_requests_per_month: Option<u32>,
    /// See [`Limits::workspaces`].
    pub workspaces: Option<u32>,
    /// See [`Limits::idle_minutes`].
    pub idle_minutes: Option<u32>,
    /// See [`Limits::pod`].
    pub pod: Option<PodSize>,
}

impl Limits {
    /// These limits with the override's in their place.
    #[must_use]
    pub fn with(self, replaced: &LimitsOverride) -> Self {
        Self {
            storage_gib: replaced.storage_gib.unwrap_or(self.storage_gib),
            hours_per_month: replaced.hours_per_month.unwrap_or(self.hours_per_month),
            llm_requests_per_month: replaced
                .llm_requests_per_month
                .unwrap_or(self.llm_requests_per_month),
            workspaces: replaced.workspaces.unwrap_or(self.workspaces),
            idle_minutes: replaced.idle_minutes.unwrap_or(self.idle_minutes),
            pod: replaced.pod.unwrap_or(self.pod),
        }
    }
}

/// Resources of one workspace pod's IDE container. Requests equal limits for memory, so that a
/// neighbour's peak never evicts a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PodSize {
    /// CPU limit in thousandths of a core.
    pub cpu_millis: u32,
    /// CPU request in thousandths of a core.
    pub cpu_request_millis: u32,
    /// Memory limit and request in MiB.
    pub memory_mib: u32,
    /// Ephemeral storage limit in MiB.
    pub ephemeral_storage_mib: u32,
    /// Most processes and threads. Kubernetes has no field for it in a pod: it is an annotation for the
    /// node's runtime (`podPidsLimit`).
    pub pids: u32,
}
