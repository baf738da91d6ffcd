//! The routes, in groups that share a door.

mod admin;
mod approval_body;
mod auth;
mod connect;
mod entity;
mod events;
mod events_of_all;
mod following;
pub(crate) mod hostile;
mod identity;
mod login;
mod me;
mod me_api_keys;
mod me_connections;
mod me_deletion;
mod me_email;
mod me_export;
mod me_logins;
mod me_usage;
mod operations;
mod paging;
mod plans;
mod presence;
mod proofs;
mod second_factor;
mod sessions;
mod sidecar;
mod tenants;
mod wake;
mod wake_page;
mod workspace_body;
mod workspace_deletion;
mod workspace_files;
mod workspace_history;
mod workspace_host;
mod workspace_road;
mod workspace_snapshots;
mod workspace_use;
mod workspaces;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use coditect_core::health::Health;
use coditect_registry::store::Store;
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use workspace_host::Site;
pub(crate) use workspace_host::{host_name, name_of_origin};

use crate::{
    caller::{limit_address, limit_credentials, limit_pods, require_administrator, require_login},
    extract::within,
    gateway::require_credential,
    observe::{self, Observe, REQUEST_ID},
    page,
    state::ApiState,
    telemetry,
};

/// The routes by what stands before them.
pub(crate) struct Groups {
    /// Open to everybody; each request costs a password hash or hands out a login.
    pub(crate) credentials: OpenApiRouter<ApiState>,
    /// Open to everybody.
    pub(crate) public: OpenApiRouter<ApiState>,
    /// Open to everybody and not limited: asked by machines at their own pace.
    pub(crate) operations: OpenApiRouter<ApiState>,
    /// Open to everybody; each request shows a pod's token.
    pub(crate) pods: OpenApiRouter<ApiState>,
    /// For workspaces' gateways only.
    pub(crate) gateways: OpenApiRouter<ApiState>,
    /// For signed-in callers only.
    pub(crate) signed_in: OpenApiRouter<ApiState>,
    /// For signed-in administrators of the platform only.
    pub(crate) administrators: OpenApiRouter<ApiState>,
}

impl Groups {
    pub(crate) fn new() -> Self {
        Self {
            credentials: OpenApiRouter::new()
                .routes(routes!(auth::register))
                .routes(routes!(auth::claim_session))
                .routes(routes!(proofs::verify_email))
                .routes(routes!(proofs::forgot_password))
                .routes(routes!(proofs::reset_password))
                .routes(routes!(second_factor::answer_second_factor))
                .routes(routes!(identity::callback))
                .routes(routes!(identity::session))
                .routes(routes!(login::login)),
            public: OpenApiRouter::new()
                .routes(routes!(auth::registration))
                .routes(routes!(identity::providers))
                .routes(routes!(identity::start))
                .routes(routes!(login::refresh))
                .routes(routes!(login::logout))
                .routes(routes!(plans::list)),
            operations: OpenApiRouter::new()
                .routes(routes!(operations::health))
                .routes(routes!(operations::ready))
                .routes(routes!(operations::store))
                .routes(routes!(operations::metrics))
                .routes(routes!(operations::keys)),
            pods: OpenApiRouter::new().routes(routes!(sidecar::credential)),
            gateways: OpenApiRouter::new()
                .routes(routes!(sidecar::redeem))
                .routes(routes!(sidecar::access))
                .routes(routes!(sidecar::heartbeat))
                .routes(routes!(sidecar::files))
                .routes(routes!(sidecar::wanted))
                .routes(routes!(sidecar::restored_content, sidecar::restored))
                .routes(routes!(sidecar::state, sidecar::put_state))
                .routes(routes!(sidecar::complete)),
            administrators: OpenApiRouter::new()
                .routes(routes!(admin::users))
                .routes(routes!(admin::user))
                .routes(routes!(admin::user_history))
                .routes(routes!(admin::hold))
                .routes(routes!(admin::let_go))
                .routes(routes!(admin::workspaces))
                .routes(routes!(admin::decisions))
                .routes(routes!(admin::approvals)),
            signed_in: OpenApiRouter::new()
                .routes(routes!(me::get, me::patch, me_deletion::delete))
                .routes(routes!(me_deletion::restore))
                .routes(routes!(me::change_password))
                .routes(routes!(me_email::change_email))
                .routes(routes!(
                    second_factor::second_factor,
                    second_factor::offer_second_factor,
                    second_factor::remove_second_factor
                ))
                .routes(routes!(second_factor::confirm_second_factor))
                .routes(routes!(me_usage::usage))
                .routes(routes!(me_export::export))
                .routes(routes!(me_logins::logins))
                .routes(routes!(me_logins::end_login))
                .routes(routes!(me_api_keys::list, me_api_keys::create))
                .routes(routes!(me_api_keys::revoke))
                .routes(routes!(me_connections::list))
                .routes(routes!(me_connections::connect, me_connections::disconnect))
                .routes(routes!(plans::set))
                .routes(routes!(tenants::present, tenants::name_tenant))
                .routes(routes!(tenants::mine))
                .routes(routes!(tenants::switch))
                .routes(routes!(tenants::leave))
                .routes(routes!(tenants::members))
                .routes(routes!(tenants::change_role, tenants::remove_member))
                .routes(routes!(tenants::restore_member))
                .routes(routes!(tenants::hand_over))
                .routes(routes!(tenants::invitations, tenants::invite))
                .routes(routes!(tenants::revoke_invitation))
                .routes(routes!(tenants::audit))
                .routes(routes!(tenants::left_behind))
                .routes(routes!(tenants::my_invitations))
                .routes(routes!(tenants::accept_invitation))
                .routes(routes!(tenants::decline_invitation))
                .routes(routes!(workspaces::list, workspaces::create))
                .routes(routes!(
                    workspaces::get,
                    workspaces::patch,
                    workspace_deletion::delete
                ))
                .routes(routes!(workspaces::start))
                .routes(routes!(workspaces::stop))
                .routes(routes!(sessions::list, sessions::create))
                .routes(routes!(sessions::get, sessions::put, sessions::delete))
                .routes(routes!(sessions::seen))
                .routes(routes!(connect::connect))
                .routes(routes!(workspace_use::keep))
                .routes(routes!(workspace_use::report))
                .routes(routes!(workspace_deletion::restore))
                .routes(routes!(workspace_deletion::erase))
                .routes(routes!(workspace_files::files))
                .routes(routes!(workspace_files::forget_file))
                .routes(routes!(workspace_snapshots::snapshots))
                .routes(routes!(workspace_snapshots::snapshot_content))
                .routes(routes!(workspace_snapshots::restore_snapshot))
                .routes(routes!(workspace_snapshots::restores))
                .routes(routes!(workspace_history::history))
                .routes(routes!(workspace_history::manifests))
                .routes(routes!(events_of_all::events_of_all))
                .routes(routes!(events::events)),
        }
    }
}

/// The whole API, ready to be served.
pub fn router(state: ApiState) -> Router {
    telemetry::describe();
    let groups = Groups::new();
    let behind = |group: OpenApiRouter<ApiState>| Router::from(group);
    let routes = Router::new()
        .merge(
            behind(groups.credentials)
                .route_layer(from_fn_with_state(state.clone(), limit_credentials)),
        )
        .merge(behind(groups.public).route_layer(from_fn_with_state(state.clone(), limit_address)))
        .merge(behind(groups.operations))
        .merge(behind(groups.pods).route_layer(from_fn_with_state(state.clone(), limit_pods)))
        .merge(
            behind(groups.gateways)
                .route_layer(from_fn_with_state(state.clone(), require_credential)),
        )
        .merge(
            behind(groups.administrators)
                .route_layer(from_fn_with_state(state.clone(), require_administrator))
                .route_layer(from_fn_with_state(state.clone(), require_login)),
        )
        .merge(
            behind(groups.signed_in).route_layer(from_fn_with_state(state.clone(), require_login)),
        )
        .merge(page::router());
    let limit = state.config.answer_timeout;
    let over_tls = state.config.public_url.starts_with("https://") && !is_this_machine(&state);
    let cors = cross_origin(&state);
    let routes = routes
        .layer(from_fn(move |request, next: axum::middleware::Next| {
            within(limit, next.run(request))
        }))
        .layer(cors)
        // Outside of everything that belongs to the API: a workspace's host is none of its origins.
        .layer(from_fn_with_state(state.clone(), wake::divert))
        .with_state(state);
    outermost(routes, over_tls)
}

/// Health and metrics alone, for a process that serves nothing else (a renderer), or nothing else yet: without a
/// `store`, there is none that could be asked.
pub fn ops_router(
    health: Health,
    metrics: PrometheusHandle,
    store: Option<Arc<dyn Store>>,
) -> Router {
    telemetry::describe();
    let board = health.clone();
    let routes = Router::new()
        .route(
            "/health",
            get(move || operations::board(board.clone(), true)),
        )
        .route(
            "/health/ready",
            get(move || operations::readiness(health.clone(), true)),
        )
        .route("/health/fdb", get(move || operations::asked(store.clone())))
        .route(
            "/metrics",
            get(move || operations::exposition(metrics.clone())),
        );
    outermost(routes, false)
}

fn outermost(routes: Router, over_tls: bool) -> Router {
    routes
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(from_fn_with_state(Observe { over_tls }, observe::observe))
}

/// Whether people reach the API on their own machine, where other programs answer under the same names: to ask for HTTPS
/// alone there would end those (RFC 6797 knows no ports).
fn is_this_machine(state: &ApiState) -> bool {
    let name = name_of_origin(&state.config.public_url).unwrap_or_default();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Exact origins only; without any configured, no page of another origin may call.
fn cross_origin(state: &ApiState) -> CorsLayer {
    if state.config.origins.is_empty() {
        return CorsLayer::new();
    }
    let named = |name: &'static str| HeaderName::from_static(name);
    CorsLayer::new()
        .allow_origin(
            state
                .origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok())
                .collect::<Vec<_>>(),
        )
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            named("idempotency-key"),
            named("last-event-id"),
            named("traceparent"),
            REQUEST_ID,
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            named("ratelimit"),
            named("ratelimit-policy"),
            REQUEST_ID,
        ])
        // Two hours: the longest that browsers remember it.
        .max_age(std::time::Duration::from_secs(7_200))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_one_callers_problem_and_tells_nothing() {
        let routes = Router::new().route(
            "/",
            get(async || -> &'static str { panic!("secret of ada@example.com") }),
        );
        let routes = outermost(routes, false);
        for _ in 0..2 {
            let answer = routes
                .clone()
                .oneshot(axum::http::Request::new(Body::empty()))
                .await
                .unwrap();
            assert_eq!(answer.status(), 500);
            assert_eq!(
                answer.headers()[header::CONTENT_TYPE],
                "application/problem+json"
            );
            let text =
                String::from_utf8(to_bytes(answer.into_body(), 10_000).await.unwrap().to_vec())
                    .unwrap();
            assert!(
                text.contains("/problems/internal") && !text.contains("secret"),
                "{text}"
            );
        }
    }
}
