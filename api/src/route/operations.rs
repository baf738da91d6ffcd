//! What operators and machines ask: health, metrics, keys.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State as FromState,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::health::{Health, State};
use coditect_registry::{
    keys,
    store::{Isolation, Store},
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{key_ring::JsonWebKey, problem::Answer, state::ApiState};

/// Longest time the registry may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(3);

/// How the process and its parts fare.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct BoardBody {
    status: Fare,
    /// Each part, by name.
    parts: BTreeMap<String, PartBody>,
}

/// How one part fares.
#[derive(Serialize, ToSchema)]
#[schema(as = HealthOfPart)]
struct PartBody {
    status: Fare,
    /// What is wrong, and what happens meanwhile.
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Fare {
    /// Works.
    Ok,
    /// Works with a restriction; nothing is lost.
    Degraded,
    /// Does not do its work now; retried.
    Failing,
}

impl From<State> for PartBody {
    fn from(state: State) -> Self {
        match state {
            State::Ok { detail } => Self {
                status: Fare::Ok,
                detail,
            },
            State::Degraded { detail } => Self {
                status: Fare::Degraded,
                detail,
            },
            State::Failing { detail } => Self {
                status: Fare::Failing,
                detail,
            },
        }
    }
}

/// How every part of the process fares.
#[utoipa::path(
    get, path = "/health", tag = "operations",
    responses(
        (status = 200, description = "Nothing is failing", body = BoardBody),
        (status = 503, description = "Something is failing", body = BoardBody),
    ),
)]
pub(super) async fn health(FromState(state): FromState<ApiState>) -> Response {
    board(state.health.clone(), true).await
}

/// The board as a response; `serving` is false while the process stops.
pub(super) async fn board(health: Health, serving: bool) -> Response {
    let mut parts: BTreeMap<String, PartBody> = health
        .snapshot()
        .into_iter()
        .map(|(name, state)| (name, state.into()))
        .collect();
    if !serving {
        parts.insert(
            "server".to_owned(),
            PartBody {
                status: Fare::Failing,
                detail: "stopping".to_owned(),
            },
        );
    }
    let status = parts
        .values()
        .map(|part| part.status)
        .max()
        .unwrap_or(Fare::Ok);
    let code = if status == Fare::Failing {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (code, Json(BoardBody { status, parts })).into_response()
}

/// Whether requests should be sent here.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(super) struct ReadyBody {
    ready: bool,
}

/// Whether requests should be sent here: the registry answers, nothing is failing, and the server is not
/// about to stop.
#[utoipa::path(
    get, path = "/health/ready", tag = "operations",
    responses((status = 200, description = "Ready", body = ReadyBody), (status = 503, description = "Not ready", body = ReadyBody)),
)]
pub(super) async fn ready(FromState(state): FromState<ApiState>) -> Response {
    let serving = !state.stopping.is_cancelled() && read(state.registry.store()).await.is_ok();
    readiness(state.health.clone(), serving).await
}

pub(super) async fn readiness(health: Health, serving: bool) -> Response {
    let ready = serving && health.is_ready();
    let code = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(ReadyBody { ready })).into_response()
}

/// How the registry's store answers.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreHealth)]
pub(super) struct StoreBody {
    status: Fare,
    /// What the store is.
    store: String,
    /// The registry's newest version.
    version: Option<u64>,
    /// Milliseconds that one read took.
    latency_ms: f64,
    /// What the store's cluster says of itself, if it is one.
    message: Option<String>,
}

/// A real read of the registry's store, and how long it took.
#[utoipa::path(
    get, path = "/health/fdb", tag = "operations",
    responses((status = 200, description = "It answers", body = StoreBody), (status = 503, description = "It does not", body = StoreBody)),
)]
pub(super) async fn store(FromState(state): FromState<ApiState>) -> Response {
    asked(Some(Arc::clone(state.registry.store()))).await
}

/// The store as a response; `None` while a process has none yet.
pub(super) async fn asked(store: Option<Arc<dyn Store>>) -> Response {
    let started = Instant::now();
    let body = match store {
        None => StoreBody {
            status: Fare::Failing,
            store: "not open yet".to_owned(),
            version: None,
            latency_ms: 0.0,
            message: None,
        },
        Some(store) => {
            let version = read(&store).await;
            let latency_ms = started.elapsed().as_secs_f64() * 1_000.0;
            StoreBody {
                status: if version.is_ok() {
                    Fare::Ok
                } else {
                    Fare::Failing
                },
                store: store.description(),
                version: version.ok(),
                latency_ms,
                message: store.message().await,
            }
        }
    };
    let code = if body.status == Fare::Ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(body)).into_response()
}

/// The store's newest version, after reading a record that every registry has.
async fn read(store: &Arc<dyn Store>) -> Result<u64, ()> {
    let read = async {
        let mut transaction = store.begin().await?;
        transaction.get(&keys::epoch(), Isolation::Snapshot).await?;
        transaction.read_version().await
    };
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(version)) => Ok(version.0),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the registry does not answer");
            Err(())
        }
        Err(_) => {
            tracing::warn!(
                seconds = PATIENCE.as_secs(),
                "the registry does not answer in time"
            );
            Err(())
        }
    }
}

/// Metrics in Prometheus' text format.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The metrics", content_type = "text/plain", body = String)),
)]
pub(super) async fn metrics(FromState(state): FromState<ApiState>) -> Response {
    exposition(state.metrics.clone()).await
}

pub(super) async fn exposition(metrics: PrometheusHandle) -> Response {
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
        )],
        metrics.render(),
    )
        .into_response()
}

/// The public keys of access tokens (RFC 7517).
#[derive(Serialize, ToSchema)]
#[schema(as = JsonWebKeySet)]
pub(super) struct KeysBody {
    keys: Vec<JsonWebKey>,
}

/// The public keys with which access tokens are verified.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "operations",
    responses((status = 200, description = "The keys; those that sign soon are among them", body = KeysBody)),
)]
pub(super) async fn keys(FromState(state): FromState<ApiState>) -> Answer<Response> {
    // Less than the lead with which a new key is published.
    let cache = [(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    )];
    Ok((
        cache,
        Json(KeysBody {
            keys: state.tokens.keys.public(),
        }),
    )
        .into_response())
}
