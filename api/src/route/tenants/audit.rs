//! What was decided in the tenant.

use axum::{Json, extract::State};
use coditect_core::{AccountId, Error, Result, TenantId, UserId};
use coditect_registry::{
    AuditPlace, View,
    record::{AuditEntry, Role},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    super::paging::{self, Paging},
    acting,
};
use crate::{caller::SignedIn, extract::Query, problem::Answer, state::ApiState};

/// A page of what was decided.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(in crate::route) struct AuditBody {
    /// The newest first.
    items: Vec<DecisionBody>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// Something that was decided. Ids only: an audit outlives the people in it.
#[derive(Serialize, ToSchema)]
#[schema(as = Decision)]
struct DecisionBody {
    at: Timestamp,
    /// The account that decided; null: the system.
    #[schema(value_type = Option<Uuid>)]
    actor: Option<AccountId>,
    /// The account's user in this tenant, while it has one.
    #[schema(value_type = Option<Uuid>)]
    actor_user: Option<UserId>,
    /// What was decided.
    #[schema(example = "member_invited")]
    action: String,
    /// What else belongs to it, by name.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
}

impl AuditBody {
    /// A page of a tenant's audit: of as many entries as fit one, those that are `wanted`.
    pub(in crate::route) async fn read(
        view: &mut View,
        tenant: TenantId,
        page: &Paging,
        wanted: impl Fn(&AuditEntry) -> bool,
    ) -> Result<Self> {
        let before = page.after.as_deref().map(|place| {
            let place = place.try_into().map_err(|_| paging::strange())?;
            Ok::<_, Error>(AuditPlace(place))
        });
        let before = before.transpose()?;
        let mut found = view.audit_before(tenant, before, page.limit + 1).await?;
        let more = found.len() > page.limit;
        found.truncate(page.limit);
        let last = found.last().filter(|_| more);
        let next_cursor = last.map(|(AuditPlace(place), _)| paging::cursor(place));
        let mut items = Vec::with_capacity(found.len());
        for (_, entry) in found.into_iter().filter(|(_, entry)| wanted(entry)) {
            let actor_user = match entry.actor {
                Some(actor) => view.membership(actor, tenant).await?,
                None => None,
            };
            items.push(DecisionBody::new(entry, actor_user)?);
        }
        Ok(Self { items, next_cursor })
    }
}

impl DecisionBody {
    fn new(entry: AuditEntry, actor_user: Option<UserId>) -> Result<Self> {
        let unwritable = || Error::internal("an entry of the audit cannot be written");
        let action =
            serde_json::to_value(&entry.action).map_err(|error| unwritable().because(error))?;
        let Value::Object(mut details) = action else {
            return Err(unwritable());
        };
        let Some(Value::String(action)) = details.remove("action") else {
            return Err(unwritable());
        };
        Ok(Self {
            at: entry.at,
            actor: entry.actor,
            actor_user,
            action,
            details,
        })
    }
}

/// What was decided in the tenant, the newest first, a page at a time. For owners and admins.
#[utoipa::path(
    get, path = "/api/v5/tenant/audit", tag = "tenants",
    params(
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page", body = AuditBody), (status = 403, description = "The caller is neither owner nor admin")),
)]
pub(in crate::route) async fn audit(
    State(state): State<ApiState>,
    caller: SignedIn,
    query: Query,
) -> Answer<Json<AuditBody>> {
    let [limit, cursor] = query.take(["limit", "cursor"])?;
    let page = Paging::new(limit, cursor)?;
    let mut view = state.registry.view().await?;
    let (tenant, _) = acting(&mut view, &caller, Role::Admin).await?;
    Ok(Json(
        AuditBody::read(&mut view, tenant, &page, |_| true).await?,
    ))
}
