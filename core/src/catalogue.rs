//! What of the reviewed policy the API needs to know: plans, overrides, cells. The renderer's policy
//! loader makes one; whoever serves requests reads the newest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    id::TenantId,
    name::{CellName, PlanName, StorageClassName},
    plan::{Limits, LimitsOverride, Plan},
};

/// Plans, overrides and cells in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Plans by name.
    pub plans: BTreeMap<PlanName, Plan>,
    /// The plan of a new sign-up.
    pub default_plan: Option<PlanName>,
    /// Reviewed overrides by tenant.
    pub overrides: BTreeMap<TenantId, Override>,
    /// Cells by name.
    pub cells: BTreeMap<CellName, CellSummary>,
    /// Days between marking for deletion and the tombstone.
    pub grace_days: u32,
}

/// The part of a tenant's override that the API must honour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// Limits that replace the plan's, one by one.
    pub limits: LimitsOverride,
    /// The plan that applies whatever the registry says.
    pub plan: Option<PlanName>,
    /// The storage class of new volumes.
    pub storage_class: Option<StorageClassName>,
}

/// A cell, as far as placing a user in it and watching over its workspaces goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellSummary {
    /// The cell's name.
    pub name: CellName,
    /// How many users it takes at most.
    pub capacity: u32,
    /// True while the cell takes no new users.
    pub closed: bool,
    /// The storage class of new volumes.
    pub storage_class: StorageClassName,
    /// Workspace hosts are `<slug>.<domain>`.
    pub domain: String,
    /// True while nobody is started, as while the cluster is rebuilt from Git.
    #[serde(default)]
    pub held: bool,
    /// What a workspace's readiness is read from.
    #[serde(default)]
    pub readiness: Readiness,
}

/// What says that a workspace is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Readiness {
    /// Its gateway answered the observer through the workspace's Service.
    #[default]
    Gateway,
    /// Its pod's own `Ready` condition, for clusters whose pods the observer cannot reach.
    Pod,
}

/// What one tenant may use, plan and override taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// The plan that applies.
    pub plan: PlanName,
    /// The limits that apply.
    pub limits: Limits,
    /// The storage class of new volumes, if the tenant has one of its own.
    pub storage_class: Option<StorageClassName>,
}

impl Catalogue {
    /// What the tenant may use; `None` if the plan is in no policy.
    #[must_use]
    pub fn entitlement(&self, tenant: TenantId, plan: &PlanName) -> Option<Entitlement> {
        let reviewed = self.overrides.get(&tenant);
        let plan = self.plans.get(
            reviewed
                .and_then(|reviewed| reviewed.plan.as_ref())
                .unwrap_or(plan),
        )?;
        Some(Entitlement {
            plan: plan.name.clone(),
            limits: reviewed.map_or(plan.limits, |reviewed| plan.limits.with(&reviewed.limits)),
            storage_class: reviewed.and_then(|reviewed| reviewed.storage_class.clone()),
        })
    }
}
