//! The reviewed policy: what people write under `tenants/`, read strictly and as a whole.
//!
//! A folder is accepted or refused entirely; a refusal lists everything that is wrong with it.

mod cell;
mod crosscheck;
mod edit;
mod errors;
mod files;
mod fleet;
mod format;
mod network;
mod node;
mod schema;
mod tenant;

use std::{collections::BTreeMap, path::Path};

use coditect_core::{
    Catalogue, CellName, Limits, Plan, PlanName, ReleaseName, RingName, TenantId, UserId,
    catalogue::Override,
};

pub use self::{
    cell::{AccessMode, Cell, GatewayReference, Route, RouteKind, StorageClass},
    edit::{Runs, rings_of, with_ring},
    errors::{PolicyError, PolicyErrors},
    fleet::{
        Approval, ApprovalRules, ApprovedUser, Defaults, DeletionBudget, DeletionBudgets,
        GatewaySize, Images, Ring, ring_number,
    },
    network::{Api, Egress, EgressRule, Network, PodSelector},
    tenant::{Org, RbacProfile},
};
pub(crate) use self::{
    errors::nearest,
    format::{image, label_key, label_value},
    network::{Block, PortRange, block, ports_without},
};
use crate::release::Releases;

/// The policy in force. Two of the same files are equal, whatever order they were read in.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    plans: BTreeMap<PlanName, Plan>,
    orgs: BTreeMap<TenantId, Org>,
    cells: BTreeMap<CellName, Cell>,
    rings: Vec<Ring>,
    defaults: Defaults,
    approval_rules: ApprovalRules,
    approvals: BTreeMap<String, Approval>,
}

impl Policy {
    /// Reads a policy folder.
    ///
    /// # Errors
    /// Everything that is wrong with it: what cannot be read, what is not strict YAML, unknown fields,
    /// values out of range, and names of plans, rings, releases or storage classes that do not exist.
    pub fn load(dir: &Path, releases: &Releases) -> Result<Self, PolicyErrors> {
        let mut errors = errors::Collector::default();
        let files = files::read(dir, &mut errors)?;
        Self::read(&files, releases, errors)
    }

    /// Reads a policy from its files: contents by path relative to the folder, with `/` between parts.
    /// Files that are not YAML are not policy and are passed over.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn parse(
        files: &BTreeMap<String, Vec<u8>>,
        releases: &Releases,
    ) -> Result<Self, PolicyErrors> {
        let there = |(path, bytes): (&String, &Vec<u8>)| (path.clone(), Some(bytes.clone()));
        let files = files.iter().map(there).collect();
        Self::read(&files, releases, errors::Collector::default())
    }

    fn read(
        files: &BTreeMap<String, Option<Vec<u8>>>,
        releases: &Releases,
        mut errors: errors::Collector,
    ) -> Result<Self, PolicyErrors> {
        let parsed = files::Parsed::new(files, &mut errors);
        crosscheck::check(&parsed, releases, &mut errors);
        let policy = parsed.into_policy(&mut errors);
        errors.finish()?;
        policy.ok_or_else(PolicyErrors::incomplete)
    }

    /// Plans by name.
    #[must_use]
    pub const fn plans(&self) -> &BTreeMap<PlanName, Plan> {
        &self.plans
    }

    /// What reviewers decided, by tenant.
    #[must_use]
    pub const fn orgs(&self) -> &BTreeMap<TenantId, Org> {
        &self.orgs
    }

    /// Cells by name.
    #[must_use]
    pub const fn cells(&self) -> &BTreeMap<CellName, Cell> {
        &self.cells
    }

    /// The rings, the first to get a release first.
    #[must_use]
    pub fn rings(&self) -> &[Ring] {
        &self.rings
    }

    /// What applies where nothing else is said.
    #[must_use]
    pub const fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// Which changes wait for a person.
    #[must_use]
    pub const fn approval_rules(&self) -> &ApprovalRules {
        &self.approval_rules
    }

    /// The approvals given, by the name of the change.
    #[must_use]
    pub const fn approvals(&self) -> &BTreeMap<String, Approval> {
        &self.approvals
    }

    /// The plan and the limits that apply to a tenant that bought `plan`; `None` if there is no such plan.
    #[must_use]
    pub fn entitlement(&self, tenant: TenantId, plan: &PlanName) -> Option<(&PlanName, Limits)> {
        let org = self.orgs.get(&tenant);
        let plan = self
            .plans
            .get(org.and_then(|org| org.plan.as_ref()).unwrap_or(plan))?;
        Some((
            &plan.name,
            org.map_or(plan.limits, |org| plan.limits.with(&org.limits)),
        ))
    }

    /// The ring of a user: chosen by hand, else the tenant's, else the one that holds the user's number.
    /// `None` if the ring chosen by hand is not in the policy.
    #[must_use]
    pub fn ring(
        &self,
        user: UserId,
        tenant: TenantId,
        by_hand: Option<&RingName>,
    ) -> Option<&Ring> {
        let name = by_hand.or_else(|| self.orgs.get(&tenant).and_then(|org| org.ring.as_ref()));
        if let Some(name) = name {
            return self.rings.iter().find(|ring| ring.name == *name);
        }
        let number = ring_number(user);
        self.rings.iter().find(|ring| number < ring.below)
    }

    /// The ring whose release a user of `ring` has, who has had that of `stood` until now: `ring`'s, unless that would be a
    /// step back. Rings get a release in their order, so who comes from an earlier ring that runs something else keeps
    /// that one, wherever it goes, until both run the same. The same ring comes of it again if it is asked about.
    #[must_use]
    pub fn ring_after<'p>(&'p self, ring: &'p Ring, stood: Option<&RingName>) -> &'p Ring {
        let place = |name: &RingName| self.rings.iter().position(|known| known.name == *name);
        let Some(stood) = stood.and_then(place) else {
            return ring;
        };
        let earlier = place(&ring.name).is_some_and(|place| stood < place);
        match self.rings.get(stood) {
            Some(before) if earlier && before.release != ring.release => before,
            _ => ring,
        }
    }

    /// Whether all rings run one release, so that nobody can be taken a step back.
    #[must_use]
    pub fn has_one_release(&self) -> bool {
        let mut rings = self.rings.iter();
        let first = rings.next();
        rings.all(|ring| first.is_some_and(|first| first.release == ring.release))
    }

    /// The same policy with every ring on one release.
    #[must_use]
    pub fn with_release(&self, release: &ReleaseName) -> Self {
        let mut policy = self.clone();
        for ring in &mut policy.rings {
            ring.release.clone_from(release);
        }
        policy
    }

    /// The same policy with these rings on these releases.
    #[must_use]
    pub fn with_runs(&self, runs: &[(RingName, Runs)]) -> Self {
        let mut policy = self.clone();
        for ring in &mut policy.rings {
            if let Some((_, runs)) = runs.iter().find(|(name, _)| *name == ring.name) {
                ring.release.clone_from(&runs.release);
                ring.engine = runs.engine;
            }
        }
        policy
    }

    /// What the API needs to know of this policy.
    #[must_use]
    pub fn catalogue(&self) -> Catalogue {
        let reviewed = |org: &Org| Override {
            limits: org.limits,
            plan: org.plan.clone(),
            storage_class: org.storage_class.clone(),
        };
        Catalogue {
            plans: self.plans.clone(),
            default_plan: Some(self.defaults.plan.clone()),
            overrides: self
                .orgs
                .iter()
                .map(|(tenant, org)| (*tenant, reviewed(org)))
                .collect(),
            cells: self
                .cells
                .iter()
                .filter_map(|(name, cell)| Some((name.clone(), cell.summary(name)?)))
                .collect(),
            grace_days: self.defaults.grace_days,
        }
    }

    /// The JSON Schemas of the policy files for editors, by file name (`plan.schema.json`).
    #[must_use]
    pub fn schemas() -> BTreeMap<&'static str, serde_json::Value> {
        files::schemas()
    }
}
