//! Plans, and the tenant's own.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use coditect_core::{
    Catalogue, Error, Kind, Limits, Plan, PlanName, RequestId, Result, TenantId, TenantName,
};
use coditect_registry::{
    View,
    operation::{FollowPlan, SetPlan},
    record::Role,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entity;
use crate::{
    caller::SignedIn,
    config::PlanChanges,
    extract::JsonBody,
    problem::{Answer, BILLING_REQUIRED, Problem},
    state::ApiState,
};

/// A plan as sold.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
pub(super) struct PlanBody {
    #[schema(value_type = String, example = "starter")]
    name: PlanName,
    /// US cents a month.
    price_cents_per_month: u32,
    limits: LimitsBody,
}

/// What may be used.
#[derive(Serialize, ToSchema)]
#[schema(as = Limits)]
pub(super) struct LimitsBody {
    /// Size of each workspace's volume in GiB.
    storage_gib: u32,
    /// Hours a month that workspaces may run.
    hours_per_month: u32,
    /// LLM requests a month.
    llm_requests_per_month: u32,
    /// How many workspaces.
    workspaces: u32,
    /// Minutes without activity after which a workspace is suspended.
    idle_minutes: u32,
    /// CPU of a workspace in thousandths of a core.
    cpu_millis: u32,
    /// Memory of a workspace in MiB.
    memory_mib: u32,
}

impl From<&Limits> for LimitsBody {
    fn from(limits: &Limits) -> Self {
        Self {
            storage_gib: limits.storage_gib,
            hours_per_month: limits.hours_per_month,
            llm_requests_per_month: limits.llm_requests_per_month,
            workspaces: limits.workspaces,
            idle_minutes: limits.idle_minutes,
            cpu_millis: limits.pod.cpu_millis,
            memory_mib: limits.pod.memory_mib,
        }
    }
}

impl From<&Plan> for PlanBody {
    fn from(plan: &Plan) -> Self {
        Self {
            name: plan.name.clone(),
            price_cents_per_month: plan.price_cents_per_month,
            limits: (&plan.limits).into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = PlanList)]
pub(super) struct PlansBody {
    /// By price.
    items: Vec<PlanBody>,
    /// The plan of a new sign-up.
    #[schema(value_type = Option<String>)]
    default_plan: Option<PlanName>,
}

/// The plans as sold.
#[utoipa::path(get, path = "/api/v5/plans", tag = "plans", responses((status = 200, description = "The plans", body = PlansBody)))]
pub(super) async fn list(State(state): State<ApiState>) -> Json<PlansBody> {
    let policy = state.policy();
    let mut plans: Vec<&Plan> = policy.plans.values().collect();
    plans.sort_by_key(|plan| plan.price_cents_per_month);
    Json(PlansBody {
        items: plans.into_iter().map(PlanBody::from).collect(),
        default_plan: policy.default_plan.clone(),
    })
}

/// The tenant of the signed-in person.
#[derive(Serialize, ToSchema)]
#[schema(as = Tenant)]
pub(super) struct TenantBody {
    #[schema(value_type = Uuid)]
    id: TenantId,
    /// What its people call it; null: it has no name.
    #[schema(value_type = Option<String>)]
    name: Option<TenantName>,
    /// What the person may do in it.
    role: RoleName,
    /// The plan chosen.
    #[schema(value_type = String)]
    plan: PlanName,
    /// What applies: the plan with reviewed exceptions; null while no policy knows the plan.
    limits: Option<LimitsBody>,
}

/// What a member may do.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleName {
    /// Pays and may hand everything over.
    Owner,
    /// May manage members.
    Admin,
    /// May use workspaces.
    Member,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Member => Self::Member,
        }
    }
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Owner => Self::Owner,
            RoleName::Admin => Self::Admin,
            RoleName::Member => Self::Member,
        }
    }
}

impl TenantBody {
    pub(super) async fn read(
        view: &mut View,
        policy: &Catalogue,
        id: TenantId,
        role: Role,
    ) -> Result<Option<Self>> {
        let Some(tenant) = view.tenant(id).await? else {
            return Ok(None);
        };
        let limits = policy
            .entitlement(id, &tenant.plan)
            .map(|entitled| LimitsBody::from(&entitled.limits));
        Ok(Some(Self {
            id,
            name: tenant.name,
            role: role.into(),
            plan: tenant.plan,
            limits,
        }))
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlanChoice)]
pub(super) struct PlanChoice {
    #[schema(example = "starter")]
    plan: String,
}

/// Chooses the tenant's plan, where plans need no payment.
#[utoipa::path(
    put, path = "/api/v5/tenant/plan", tag = "plans", request_body = PlanChoice,
    responses((status = 200, description = "The tenant with its new plan", body = TenantBody)),
)]
pub(super) async fn set(
    State(state): State<ApiState>,
    caller: SignedIn,
    JsonBody(choice): JsonBody<PlanChoice>,
) -> Answer<Response> {
    let (tenant, user) = caller.membership()?;
    match state.config.plan_changes {
        PlanChanges::SelfService => {}
        PlanChanges::Billing => {
            return Err(Problem::new(
                &BILLING_REQUIRED,
                "The plan of this tenant changes when the payment is known.",
            ));
        }
    }
    let missing = || Error::not_found("this account belongs to no tenant any more");
    let (_, user) = state
        .registry
        .view()
        .await?
        .user(user)
        .await?
        .ok_or_else(missing)?;
    match user.role {
        Role::Owner => {}
        Role::Admin | Role::Member => {
            return Err(Error::new(
                Kind::Forbidden,
                "only the tenant's owner may choose its plan",
            )
            .into());
        }
    }
    let policy = state.policy();
    let plan: PlanName = choice.plan.parse()?;
    let known = policy
        .plans
        .keys()
        .map(PlanName::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let unknown = || Error::invalid("plan", format!("is none of the plans: {known}"));
    let limits = policy
        .plans
        .get(&plan)
        .and_then(|plan| policy.entitlement(tenant, &plan.name))
        .ok_or_else(unknown)?
        .limits;
    let operation = SetPlan {
        actor: Some(caller.account),
        tenant,
        plan,
        limits,
        at: state.now(),
    };
    let mut left = state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    while left {
        let follow = FollowPlan {
            tenant,
            at: state.now(),
        };
        // The plan is the tenant's already: what fails here the janitor goes on with.
        left = state
            .registry
            .apply(RequestId::random(), &follow)
            .await
            .unwrap_or(false);
    }
    let body = TenantBody::read(
        &mut state.registry.view().await?,
        &policy,
        tenant,
        user.role,
    )
    .await?
    .ok_or_else(missing)?;
    entity::answer(StatusCode::OK, 0, &body)
}
