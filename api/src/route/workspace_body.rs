//! A workspace as shown.

use coditect_core::{
    Catalogue, Phase, PlanName, Power, Slug, StorageClassName, WorkspaceId, WorkspaceName,
};
use coditect_registry::WorkspaceView;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A workspace.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Workspace)]
pub(super) struct WorkspaceBody {
    #[schema(value_type = Uuid)]
    id: WorkspaceId,
    #[schema(value_type = String)]
    name: WorkspaceName,
    /// The first label of its host name.
    #[schema(value_type = String, example = "quiet-otter-7k3fm")]
    slug: Slug,
    /// Where it is reached once it is ready; null while no policy knows its cell.
    url: Option<String>,
    /// The plan that applies.
    #[schema(value_type = String)]
    plan: PlanName,
    storage: StorageBody,
    phase: PhaseName,
    /// Why it stands still, in words a person can act on.
    reason: Option<String>,
    power: PowerBody,
    /// The commit that holds its newest change; null until there is one.
    #[schema(example = "3f786850e387550fdab836ed7e6dc881de23001b")]
    commit: Option<String>,
    timeline: Timeline,
    /// Set while it is marked for deletion: until then it can be restored.
    deletes_at: Option<Timestamp>,
}

/// A workspace's volume.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Storage)]
struct StorageBody {
    /// Provisioned size; a volume never shrinks.
    gib: u32,
    #[schema(value_type = String)]
    class: StorageClassName,
}

/// Whether the workspace should run.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = WorkspacePower)]
struct PowerBody {
    wanted: PowerName,
    since: Timestamp,
}

/// When what happened.
#[derive(Clone, Serialize, ToSchema)]
struct Timeline {
    created_at: Timestamp,
    /// When the newest change was asked for.
    requested_at: Timestamp,
    /// When the commit that holds it was published.
    committed_at: Option<Timestamp>,
    /// Milliseconds between the two.
    request_to_commit_ms: Option<u64>,
    /// Since when it is in its phase, where the cluster says so.
    phase_since: Option<Timestamp>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PowerName {
    On,
    Off,
}

/// A step on the road from request to ready.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PhaseName {
    /// Recorded, not yet in Git.
    Requested,
    /// In Git, at the commit shown.
    Committed,
    /// Applied to the cluster.
    Synced,
    /// Its pod is on its way.
    Starting,
    /// It answers.
    Ready,
    /// Its pod is being stopped.
    Suspending,
    /// No pod; the volume is kept.
    Suspended,
    /// Marked for deletion or on its way out.
    Deleting,
    /// Stands still; the reason says why.
    Failed,
}

impl From<Phase> for PhaseName {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Requested => Self::Requested,
            Phase::Committed => Self::Committed,
            Phase::Synced => Self::Synced,
            Phase::Starting => Self::Starting,
            Phase::Ready => Self::Ready,
            Phase::Suspending => Self::Suspending,
            Phase::Suspended => Self::Suspended,
            Phase::Deleting => Self::Deleting,
            Phase::Failed => Self::Failed,
        }
    }
}

impl WorkspaceBody {
    pub(super) fn new(view: &WorkspaceView, policy: &Catalogue) -> Self {
        let phase = view.phase();
        let plan = &view.row.intent.plan;
        let landed = view
            .landed
            .as_ref()
            .filter(|landed| landed.generation >= view.requested.generation);
        // What the observer saw counts once the newest change is in Git.
        let status = view.status.as_ref().filter(|status| status.phase == phase);
        let domain = policy.cells.get(&view.place.cell).map(|cell| &cell.domain);
        Self {
            id: view.id,
            name: view.profile.name.clone(),
            slug: view.intent.slug.clone(),
            url: domain.map(|domain| format!("https://{}.{domain}", view.intent.slug)),
            plan: policy
                .entitlement(view.place.tenant, plan)
                .map_or_else(|| plan.clone(), |entitled| entitled.plan),
            storage: StorageBody {
                gib: view.intent.storage_gib,
                class: view.intent.storage_class.clone(),
            },
            phase: phase.into(),
            reason: status
                .and_then(|status| status.reason.as_ref())
                .map(|reason| format!("{}; {}", reason.detail, reason.cause.remedy())),
            power: PowerBody {
                wanted: match view.power.power {
                    Power::On => PowerName::On,
                    Power::Off => PowerName::Off,
                },
                since: view.power.since,
            },
            commit: landed.map(|landed| landed.commit.clone()),
            timeline: Timeline {
                created_at: view.profile.created_at,
                requested_at: view.requested.at,
                committed_at: landed.map(|landed| landed.committed_at),
                request_to_commit_ms: landed.and_then(|landed| {
                    u64::try_from(
                        landed
                            .committed_at
                            .duration_since(landed.requested_at)
                            .as_millis(),
                    )
                    .ok()
                }),
                phase_since: status.map(|status| status.since),
            },
            deletes_at: view.profile.mark.as_ref().map(|mark| mark.until),
        }
    }
}
