//! What the person used this month.

use axum::{Json, extract::State};
use coditect_core::{Error, Result};
use coditect_registry::operation::month_of;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{caller::SignedIn, problem::Answer, state::ApiState};

/// What the person used this month, by UTC.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub(super) struct UsageBody {
    /// Hours that workspaces ran.
    hours: f64,
    /// Requests to language models.
    llm_requests: u64,
    /// Bytes on all volumes, as each was last measured; null while none was.
    storage_bytes: Option<u64>,
    /// When the month's counts begin anew.
    resets_at: Timestamp,
}

/// What the person used this month. The limits are the tenant's (`GET /api/v5/me`).
#[utoipa::path(get, path = "/api/v5/me/usage", tag = "me", responses((status = 200, description = "This month so far", body = UsageBody)))]
pub(super) async fn usage(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Json<UsageBody>> {
    let (user, now) = (caller.user()?, state.now());
    let mut view = state.registry.view().await?;
    let used = view.usage(user, &month_of(now)).await?;
    let mut storage_bytes = None;
    for workspace in view.workspaces(user).await? {
        let gateway = view.gateway(&workspace.place, workspace.id).await?;
        if let Some(volume) = gateway.volume {
            let sum: u64 = storage_bytes.unwrap_or_default();
            storage_bytes = Some(sum.saturating_add(volume.used_bytes));
        }
    }
    Ok(Json(UsageBody {
        // Below 2^53 seconds, so exact enough.
        hours: used.seconds as f64 / 3_600.0,
        llm_requests: used.llm_requests,
        storage_bytes,
        resets_at: next_month(now)?,
    }))
}

fn next_month(now: Timestamp) -> Result<Timestamp> {
    let first = now.to_zoned(TimeZone::UTC).first_of_month();
    let next = first
        .and_then(|first| first.start_of_day())
        .and_then(|first| first.checked_add(1.month()));
    next.map(|next| next.timestamp())
        .map_err(|error| Error::internal("there is no next month").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_where_the_next_begins() {
        for (now, next) in [
            ("2026-11-22T12:00:00Z", "2026-12-01T00:00:00Z"),
            ("2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"),
            ("2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ] {
            let month = next_month(now.parse().unwrap()).unwrap();
            assert_eq!(month.to_string(), next);
        }
    }
}
