//! What a plan says; as JSON it is an interface: fields are added, never renamed or taken away, within one [`FORMAT`].

use std::collections::BTreeMap;

use coditect_core::{CellName, PlanName, UserId};
use schemars::JsonSchema;
use serde::Serialize;

/// The version of the JSON.
pub const FORMAT: u32 = 1;

/// What a proposal does to a fleet.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The version of this document.
    pub format: u32,
    /// What is proposed, in words: a folder, a commit.
    pub proposed: String,
    /// True if something would be refused, or somebody could not be rendered any more.
    pub refused: bool,
    /// Every cell that was read.
    pub cells: Vec<CellReport>,
    /// Users by what becomes of their files.
    pub users: Users,
    /// Workspaces by what becomes of them.
    pub workspaces: Workspaces,
    /// Objects that are made, changed, removed, by kind.
    pub objects: BTreeMap<String, ObjectCounts>,
    /// Fields of pod templates that change, with the number of workspaces that have each.
    pub pod_fields: BTreeMap<String, u64>,
    /// Quotas that change, summed over all users.
    pub quota: Vec<Quota>,
    /// Volumes by storage class.
    pub storage: Vec<Storage>,
    /// What it costs and brings a month.
    pub money: Money,
    /// Changes that `approvals.yaml` of the base wants approved.
    pub approvals: Vec<Approval>,
    /// What the cluster would refuse.
    pub refusals: Vec<Refusal>,
    /// Users who could not be rendered any more; their last good file would stand.
    pub unrenderable: Vec<Unrenderable>,
    /// The changes, those of most users first: each group is one change that many users have alike.
    pub groups: Vec<Group>,
}

/// A cell that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CellReport {
    /// The cell.
    #[schemars(with = "String")]
    pub cell: CellName,
    /// The commit of its repository.
    pub commit: Option<String>,
    /// What it was compared with, in words.
    pub base: String,
    /// The commit of the policy repository that this is, if it is one.
    pub base_commit: Option<String>,
    /// Its users.
    pub users: u64,
    /// Users whose file is not what the base renders: edited by hand, refused by the cluster, or of another policy.
    pub drifted: u64,
    /// A few of them.
    #[schemars(with = "Vec<String>")]
    pub drifted_examples: Vec<UserId>,
    /// Files that hold no intent of this cell; not counted among the users.
    pub unreadable: u64,
    /// A few of them.
    #[schemars(with = "Vec<String>")]
    pub unreadable_examples: Vec<UserId>,
}

/// Users by what becomes of their files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Users {
    /// All of them.
    pub total: u64,
    /// Those whose file becomes another one.
    pub touched: u64,
    /// Those whose file stays.
    pub unchanged: u64,
    /// Of those touched, the ones that the base cannot render.
    pub created: u64,
    /// Those who could not be rendered any more.
    pub unrenderable: u64,
    /// Those in a ring that runs an older release than they have, which they keep until it has caught up.
    pub keeping_release: u64,
}

/// Workspaces by what becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Workspaces {
    /// All that are there afterwards.
    pub total: u64,
    /// Those of users whose file becomes another one.
    pub touched: u64,
    /// Those that come.
    pub created: u64,
    /// Those that go.
    pub removed: u64,
    /// Those whose running pod stays as it is and whose next one is another.
    pub restart_at_next_start: u64,
    /// Those whose running pod ends with the commit.
    pub end_at_once: u64,
    /// Those of touched users whose pod stays the same.
    pub in_place: u64,
    /// Those that no pod could be started for any more: their user's quota of pods becomes zero.
    pub without_pods: u64,
}

/// Objects of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ObjectCounts {
    /// Made.
    pub created: u64,
    /// Changed.
    pub changed: u64,
    /// Removed.
    pub removed: u64,
}

/// An amount before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// Under the base.
    pub before: i64,
    /// Under the proposal.
    pub after: i64,
}

impl Report {
    /// The JSON Schema of a report, in which every field is described.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Report).to_value()
    }
}

impl Change {
    /// By how much it grows; negative if it shrinks.
    #[must_use]
    pub const fn difference(self) -> i64 {
        self.after - self.before
    }
}

/// A resource of quotas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Quota {
    /// As Kubernetes names it (`limits.cpu`).
    pub resource: String,
    /// `millicores`, `bytes` or `count`.
    pub unit: &'static str,
    /// The sum.
    #[serde(flatten)]
    pub change: Change,
}

/// Volumes of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Storage {
    /// The storage class.
    pub class: String,
    /// Their size in GiB.
    pub gib: Change,
    /// What they cost a month, in thousandths of a US dollar, where the class has a price.
    pub milli_dollars_per_month: Change,
    /// Of the size afterwards, what has no price, in GiB.
    pub unpriced_gib: i64,
}

/// What a change costs and brings a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Money {
    /// What volumes cost, in thousandths of a US dollar.
    pub storage_milli_dollars: Change,
    /// By how much the plans' prices change, in US cents, each tenant counted once.
    pub plans_cents_difference: i64,
    /// Tenants whose plan costs something else.
    pub tenants: u64,
}

/// A rule of `approvals.yaml` and whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Approval {
    /// The rule: `plans`, `storageGibAbove` or `workspacesAbove`.
    pub rule: &'static str,
    /// What it says of the change.
    pub why: String,
    /// Users whose change it concerns.
    pub users: u64,
    /// Of them, those whose approval the proposal holds.
    pub approved: u64,
    /// A few of them.
    #[schemars(with = "Vec<String>")]
    pub examples: Vec<UserId>,
}

/// What the cluster would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Refusal {
    /// The object, with placeholders: `StatefulSet/workspace-<workspace>`.
    pub object: String,
    /// The field.
    pub field: String,
    /// Why, and what to do.
    pub why: String,
    /// How many objects.
    pub objects: u64,
    /// Of how many users.
    pub users: u64,
    /// A few of them.
    #[schemars(with = "Vec<String>")]
    pub examples: Vec<UserId>,
}

/// Users who could not be rendered any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unrenderable {
    /// Why.
    pub why: String,
    /// How many.
    pub users: u64,
    /// A few of them.
    #[schemars(with = "Vec<String>")]
    pub examples: Vec<UserId>,
}

/// One change that many users have alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Group {
    /// Names the change: the same lines in the same objects give the same id.
    pub id: String,
    /// How many users have it.
    pub users: u64,
    /// How many workspaces these have.
    pub workspaces: u64,
    /// The users by cell.
    #[schemars(with = "BTreeMap<String, u64>")]
    pub cells: BTreeMap<CellName, u64>,
    /// The users by the plan that applies afterwards.
    #[schemars(with = "BTreeMap<String, u64>")]
    pub plans: BTreeMap<PlanName, u64>,
    /// A few of the users.
    #[schemars(with = "Vec<String>")]
    pub examples: Vec<UserId>,
    /// What changes.
    pub objects: Vec<ObjectChange>,
}

/// An object that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ObjectChange {
    /// `Kind/name`, with placeholders.
    pub object: String,
    /// The lines that go and come, with those around them; placeholders stand for names.
    pub diff: String,
}
