//! Intent and policy merged into everything the manifests depend on, split in two: the *shape*, which
//! many users share, and the *identity*, which is the user's own.

use coditect_core::{
    CellName, Error, Limits, PlanName, ReleaseName, Result, RingName, Standing, StorageClassName,
    UserIntent, WorkspaceId,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    ENGINE,
    policy::{AccessMode, Cell, Egress, GatewaySize, Images, Policy, RbacProfile},
    release::{Release, Releases},
};

/// Everything about a user's manifests that is not the user's name for it. Explicit: nothing is left to
/// be looked up later, so that equal shapes give equal bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape<'p> {
    /// The engine that renders.
    pub engine: u32,
    /// The template release.
    pub release: &'p ReleaseName,
    /// The ring whose release that is.
    pub ring: &'p RingName,
    /// The release's git tree id.
    pub tree: &'p str,
    /// The cell's name.
    pub cell_name: &'p CellName,
    /// The cell's facts.
    pub cell: &'p Cell,
    /// The plan that applies.
    pub plan: &'p PlanName,
    /// The limits that apply, plan and override taken together.
    #[serde(serialize_with = "limits")]
    pub limits: Limits,
    /// Whether the user is in use, held, or marked for deletion.
    pub standing: Standing,
    /// What the service account may do.
    pub rbac_profile: RbacProfile,
    /// Whether the IDE gets a token of the service account.
    pub mount_service_account_token: bool,
    /// Where workspaces may connect to.
    pub egress: &'p Egress,
    /// The images of the pod.
    pub images: &'p Images,
    /// Resources of the gateway.
    pub gateway: GatewaySize,
    /// The workspaces, in the order of their ids.
    pub workspaces: Vec<WorkspaceShape<'p>>,
}

/// What is not a workspace's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceShape<'p> {
    /// Size of the volume in GiB.
    pub storage_gib: u32,
    /// The volume's class.
    pub storage_class: &'p StorageClassName,
    /// How the volume is mounted.
    pub access_mode: AccessMode,
    /// In use, held, or marked for deletion.
    pub standing: Standing,
}

/// Only those limits that show in manifests: a change of the others changes nobody's hash.
fn limits<S: serde::Serializer>(limits: &Limits, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown {
        storage_gib: u32,
        workspaces: u32,
        cpu_millis: u32,
        cpu_request_millis: u32,
        memory_mib: u32,
        ephemeral_storage_mib: u32,
        pids: u32,
    }
    Shown {
        storage_gib: limits.storage_gib,
        workspaces: limits.workspaces,
        cpu_millis: limits.pod.cpu_millis,
        cpu_request_millis: limits.pod.cpu_request_millis,
        memory_mib: limits.pod.memory_mib,
        ephemeral_storage_mib: limits.pod.ephemeral_storage_mib,
        pids: limits.pod.pids,
    }
    .serialize(serializer)
}

/// Everything a user's manifests depend on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolved<'p> {
    /// What others may share.
    pub shape: Shape<'p>,
    /// What is the user's own.
    pub identity: &'p UserIntent,
}

/// Merges plan, override, cell and ring.
///
/// # Errors
/// `Invalid` naming what the intent asks for and policy does not have: a cell, plan, ring or storage
/// class; or workspaces out of order.
pub fn resolve<'p>(
    intent: &'p UserIntent,
    policy: &'p Policy,
    releases: &'p Releases,
) -> Result<Resolved<'p>> {
    let (shape, _) = resolve_shape(intent, None, policy, releases)?;
    Ok(Resolved {
        shape,
        identity: intent,
    })
}

/// The shape of an intent and the release that renders it. `stood` is the ring that the user has had until now.
pub(crate) fn resolve_shape<'p>(
    intent: &UserIntent,
    stood: Option<&RingName>,
    policy: &'p Policy,
    releases: &'p Releases,
) -> Result<(Shape<'p>, &'p Release)> {
    let unknown = |field: &str, name: &str| {
        Error::invalid(
            field,
            format!("`{name}` of user {} is not in the policy", intent.user),
        )
    };
    let (cell_name, cell) = policy
        .cells()
        .get_key_value(&intent.cell)
        .ok_or_else(|| unknown("cell", intent.cell.as_str()))?;
    let (plan, limits) = policy
        .entitlement(intent.tenant, &intent.plan)
        .ok_or_else(|| unknown("plan", intent.plan.as_str()))?;
    let by_hand = intent.ring.as_ref();
    let ring = policy
        .ring(intent.user, intent.tenant, by_hand)
        .ok_or_else(|| unknown("ring", by_hand.map_or("", |ring| ring.as_str())))?;
    let ring = policy.ring_after(ring, stood);
    let release = releases
        .get(&ring.release)
        .ok_or_else(|| unknown("release", ring.release.as_str()))?;
    let defaults = policy.defaults();
    let org = policy.orgs().get(&intent.tenant);
    if !intent.workspaces.is_sorted_by(|a, b| a.id < b.id) {
        return Err(Error::invalid(
            "workspaces",
            format!(
                "of user {} are not in ascending order of their ids",
                intent.user
            ),
        ));
    }
    let mut workspaces = Vec::with_capacity(intent.workspaces.len());
    for workspace in &intent.workspaces {
        let class = cell
            .storage_class(&workspace.storage_class)
            .ok_or_else(|| {
                Error::invalid(
                    "storageClass",
                    format!(
                        "`{}` of workspace {} is not one of cell `{cell_name}`",
                        workspace.storage_class, workspace.id
                    ),
                )
            })?;
        workspaces.push(WorkspaceShape {
            // A volume never shrinks: what was once provisioned stays.
            storage_gib: workspace.storage_gib.max(limits.storage_gib),
            storage_class: &class.name,
            access_mode: class.access_mode,
            standing: workspace.standing,
        });
    }
    let shape = Shape {
        engine: ENGINE,
        release: release.name(),
        ring: &ring.name,
        tree: release.tree(),
        cell_name,
        cell,
        plan,
        limits,
        standing: intent.standing,
        rbac_profile: org
            .and_then(|org| org.rbac_profile)
            .unwrap_or(defaults.rbac_profile),
        mount_service_account_token: org
            .and_then(|org| org.mount_service_account_token)
            .unwrap_or(defaults.mount_service_account_token),
        egress: org
            .and_then(|org| org.egress.as_ref())
            .unwrap_or(&defaults.egress),
        images: ring.images.as_ref().unwrap_or(&defaults.images),
        gateway: defaults.gateway,
        workspaces,
    };
    Ok((shape, release))
}

impl Shape<'_> {
    /// SHA-256 over the shape's JSON.
    ///
    /// # Errors
    /// `Internal` if the shape cannot be written as JSON, which is a defect.
    pub fn digest(&self) -> Result<[u8; 32]> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Error::internal("a shape is not JSON").because(error))?;
        Ok(Sha256::digest(json).into())
    }
}

impl Resolved<'_> {
    /// The volumes that this rendering makes larger than the registry's high-water mark, with their new
    /// size in GiB. The mark is raised before the commit that asks for the size.
    #[must_use]
    pub fn raises(&self) -> Vec<(WorkspaceId, u32)> {
        let pairs = self.identity.workspaces.iter().zip(&self.shape.workspaces);
        pairs
            .filter(|(intent, shape)| shape.storage_gib > intent.storage_gib)
            .map(|(intent, shape)| (intent.id, shape.storage_gib))
            .collect()
    }
}
