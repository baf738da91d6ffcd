//! A workspace as shown.

use coditect_core::{Catalogue, PlanName, Slug, StorageClassName, WorkspaceId, WorkspaceName};
use coditect_registry::WorkspaceView;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    approval_body::AwaitedApprovalBody,
    workspace_road::{
        self as road, NoticeBody, PhaseName, PowerCauseName, PowerName, ReasonBody, StepBody,
    },
};

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
    /// Why it stands still, and what can be done about it.
    reason: Option<ReasonBody>,
    /// What else should be known of it.
    notices: Vec<NoticeBody>,
    power: PowerBody,
    /// Set while the newest change of its user waits for people's approval.
    approval: Option<AwaitedApprovalBody>,
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
    /// Who or what wanted it.
    cause: PowerCauseName,
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
    /// When its present road began: with the newest change, or with a change of power after it.
    began_at: Timestamp,
    /// The steps of its present road so far, oldest first. A change of a workspace that runs takes its steps
    /// here, while its phase stays `ready`.
    steps: Vec<StepBody>,
}

impl WorkspaceBody {
    /// `url` is the address of a workspace, in which `{host}` stands for its host name.
    pub(super) fn new(view: &WorkspaceView, policy: &Catalogue, url: &str) -> Self {
        let phase = view.phase();
        let plan = &view.row.intent.plan;
        let landed = view
            .landed
            .as_ref()
            .filter(|landed| landed.generation >= view.requested.generation);
        // What is marked is shown on its way out, whatever stands in the way of the rest.
        let status = view.status.as_ref().filter(|status| status.phase == phase);
        Self {
            id: view.id,
            name: view.profile.name.clone(),
            slug: view.intent.slug.clone(),
            url: address(view, policy, url),
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
                .map(ReasonBody::from),
            notices: view
                .status
                .iter()
                .flat_map(|status| &status.notices)
                .map(NoticeBody::from)
                .collect(),
            power: PowerBody {
                wanted: view.power.power.into(),
                since: view.power.since,
                cause: view.power.cause.into(),
            },
            approval: view.approval.as_ref().map(AwaitedApprovalBody::new),
            commit: landed.map(|landed| landed.commit.clone()),
            timeline: Timeline {
                created_at: view.profile.created_at,
                requested_at: view.requested.at,
                committed_at: landed.map(|landed| landed.committed_at),
                request_to_commit_ms: landed
                    .map(|landed| road::millis(landed.requested_at, landed.committed_at)),
                phase_since: status.map(|status| status.since),
                began_at: road::began_at(view),
                steps: road::steps(view),
            },
            deletes_at: view.profile.mark.as_ref().map(|mark| mark.until),
        }
    }
}

/// Where a workspace is reached: the template with its host name; none while no policy knows its cell.
pub(super) fn address(view: &WorkspaceView, policy: &Catalogue, template: &str) -> Option<String> {
    let cell = policy.cells.get(&view.place.cell)?;
    let host = format!("{}.{}", view.intent.slug, cell.domain);
    Some(template.replace("{host}", &host))
}
