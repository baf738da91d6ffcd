//! What holds for everyone: defaults, rings and approvals.

use coditect_core::{
    CellName, PlanName, ReleaseName, RingName, StorageClassName, TenantId, UserId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{format, network::Egress, tenant::RbacProfile};

/// `defaults.yaml`: what applies where nothing else is said.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Defaults")]
pub struct Defaults {
    /// The plan of a new sign-up.
    #[schemars(with = "format::Plan")]
    pub plan: PlanName,
    /// Where workspaces may connect to.
    pub egress: Egress,
    /// What a workspace's service account may do.
    pub rbac_profile: RbacProfile,
    /// Whether the IDE gets a token of that service account.
    #[serde(default)]
    pub mount_service_account_token: bool,
    /// The images of a workspace's pod.
    pub images: Images,
    /// Resources of the gateway's container, on top of the plan's.
    pub gateway: GatewaySize,
    /// Days between marking for deletion and the tombstone.
    #[schemars(range(max = 365))]
    pub grace_days: u32,
    /// How many users may leave a cell's repository in an hour.
    pub deletion_budgets: DeletionBudgets,
}

/// The images of a workspace's pod, each by digest or version tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Images {
    /// The IDE.
    #[schemars(with = "format::Image")]
    pub ide: String,
    /// The gateway before it.
    #[schemars(with = "format::Image")]
    pub gateway: String,
}

/// Resources of the gateway's container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewaySize {
    /// CPU limit in thousandths of a core.
    #[schemars(range(min = 1))]
    pub cpu_millis: u32,
    /// CPU request in thousandths of a core; at most the limit.
    #[schemars(range(min = 1))]
    pub cpu_request_millis: u32,
    /// Memory limit and request in MiB.
    #[schemars(range(min = 1))]
    pub memory_mib: u32,
    /// Ephemeral storage limit in MiB; the queue of file events lives there.
    #[schemars(range(min = 1))]
    pub ephemeral_storage_mib: u32,
}

/// How many users may leave a cell's repository in an hour before a person must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletionBudgets {
    /// For deletions that nobody asked for in person.
    pub routine: DeletionBudget,
    /// For those that the person's own, freshly authenticated request backs.
    pub own: DeletionBudget,
}

/// The larger of a number and a share of the cell's users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletionBudget {
    /// This many in any case.
    pub at_least: u32,
    /// Share of the cell's users in per cent.
    #[schemars(range(max = 100))]
    pub percent: u32,
}

impl DeletionBudget {
    /// The budget in users, in a cell of that many.
    #[must_use]
    pub fn of(&self, users: usize) -> usize {
        (users.saturating_mul(self.percent as usize) / 100).max(self.at_least as usize)
    }
}

/// `rings.yaml`: who gets which template release.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Rings")]
pub(crate) struct RingsFile {
    /// The rings, the first to get a release first.
    #[schemars(length(min = 1))]
    pub(crate) rings: Vec<Ring>,
}

/// A share of users that runs one template release.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ring {
    /// Its name.
    #[schemars(with = "format::Ring")]
    pub name: RingName,
    /// The ring holds the users whose number (0 to 9999, a fixed hash of the id) is below this and not
    /// below the ring before it. The last ring's is 10000.
    #[schemars(range(max = 10000))]
    pub below: u32,
    /// The template release, a folder of the templates directory.
    #[schemars(with = "format::Release")]
    pub release: ReleaseName,
    /// The engine version that the release was reviewed with.
    pub engine: u32,
    /// Images in place of the default ones.
    #[serde(default)]
    pub images: Option<Images>,
}

/// The user's number among 10,000, by which rings take their share. Never changes; independent of the
/// shard, so that a ring touches all shards alike.
#[must_use]
pub fn ring_number(user: UserId) -> u32 {
    let digest = Sha256::new_with_prefix(b"coditect ring\0")
        .chain_update(user.as_bytes())
        .finalize();
    let number = u64::from_be_bytes([
        digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
    ]);
    (number % 10_000) as u32
}

/// `approvals.yaml`: which changes wait for a person. Users are asked about only where they come to have what they had
/// not; what policy changes for everybody is reviewed as policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "Approvals")]
pub struct ApprovalRules {
    /// Plans that a user may only come onto with an approval.
    #[schemars(with = "Vec<format::Plan>")]
    pub plans: Vec<PlanName>,
    /// Volumes larger than this many GiB need an approval.
    pub storage_gib_above: Option<u32>,
    /// More than this many workspaces of one user need an approval.
    pub workspaces_above: Option<u32>,
    /// Storage classes that a new volume may only have with an approval.
    #[schemars(with = "Vec<format::DnsLabel>")]
    pub storage_classes: Vec<StorageClassName>,
    /// Cells whose new users need an approval each.
    #[schemars(with = "Vec<format::Cell>")]
    pub cells: Vec<CellName>,
    /// Volumes and numbers of workspaces beyond what the user's plan allows need an approval.
    pub limits_above_plan: bool,
    /// Users leave Git only with an approval, unless their own request is behind it.
    pub tenant_deletion: bool,
    /// When more than this many users of one tenant change at once, all of them need an approval.
    pub users_above: Option<u32>,
}

/// `approvals/<change>.yaml`: one approval, valid for exactly the intents that were reviewed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Approval")]
pub struct Approval {
    /// The tenant of the users.
    #[schemars(with = "format::Tenant")]
    pub tenant: TenantId,
    /// The cell of the users.
    #[schemars(with = "format::Cell")]
    pub cell: CellName,
    /// Why it was asked for, in words; for people.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Whose intents are approved.
    #[schemars(length(min = 1))]
    pub users: Vec<ApprovedUser>,
}

/// One intent that was approved.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovedUser {
    /// The user whose intent it is.
    #[schemars(with = "format::User")]
    pub user: UserId,
    /// Its generation.
    pub generation: u64,
    /// The hash of the intent that was reviewed.
    #[schemars(with = "format::Sha256")]
    pub intent_hash: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_numbers_spread_and_never_change() {
        assert_eq!(ring_number(UserId::from_bytes([7; 16])), 8_330);
        let mut canary = 0;
        for n in 0..20_000_u128 {
            let number = ring_number(UserId::from_bytes(n.to_be_bytes()));
            assert!(number < 10_000);
            canary += u32::from(number < 500);
        }
        assert!(
            (850..1_150).contains(&canary),
            "{canary} of 20000 in a ring of 5 %"
        );
    }

    #[test]
    fn budgets_take_the_larger() {
        let budget = DeletionBudget {
            at_least: 3,
            percent: 1,
        };
        assert_eq!((budget.of(0), budget.of(299), budget.of(5_000)), (3, 3, 50));
    }
}
