//! What stands before the API in `dev`: requests for a running workspace's host go to its process, all others
//! to the API, which answers for workspaces that do not run.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    response::Response,
};
use coditect_api::{ApiState, Site};
use tower::ServiceExt;

use super::{doors::Doors, forward};

/// Puts the doors of the running workspaces before the API.
pub(crate) fn before(doors: Doors) -> impl FnOnce(Router, &ApiState) -> Router {
    move |api, state| {
        let state = state.clone();
        let site = move |request: &Request| state.site(request.uri(), request.headers());
        Router::new().fallback(move |request: Request| route(doors, site, api, request))
    }
}

async fn route(
    doors: Doors,
    site: impl Fn(&Request) -> Site,
    api: Router,
    request: Request,
) -> Result<Response, Infallible> {
    let address = match site(&request) {
        Site::Workspace { slug, .. } => doors.address(&slug),
        Site::Elsewhere | Site::Malformed | Site::NoWorkspace => None,
    };
    let Some(address) = address else {
        return api.oneshot(request).await;
    };
    let Ok(connection) = forward::connect(address).await else {
        return api.oneshot(request).await;
    };
    // If the process ends just now, the wake page says so; it needs no body.
    let again = forward::without_body(&request);
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let client = client.map(|ConnectInfo(client)| client.ip());
    match forward::forward(connection, request, client).await {
        Ok(answer) => Ok(answer),
        Err(error) => {
            tracing::debug!(%error, "a workspace went away while it was asked");
            api.oneshot(again).await
        }
    }
}
