//! The HTTP API: identity, workspaces, events, operations.
//!
//! A request passes, from the outside in: [`observe`] (id, log, metrics, problem documents, security headers),
//! the panic catcher, CORS, the time limit, then the door of its group of routes (rate limit, access token),
//! then its handler in [`route`], which parses everything into core's types and asks the registry.

mod address;
mod after;
mod api_key;
mod archive;
mod backoff;
mod caller;
mod cell_keys;
mod challenge;
mod code;
mod config;
mod cookie;
mod examples;
mod extract;
mod gateway;
mod gateway_token;
pub mod hostile;
mod identity;
mod key_ring;
mod mail;
mod objects;
mod observe;
mod openapi;
mod page;
mod password;
mod problem;
mod proof;
mod rate;
mod repositories;
mod revoked;
mod route;
mod scope;
mod sealed;
mod serve;
mod signed;
mod state;
mod telemetry;
mod token;
mod totp;
mod web_app;

pub use config::{ApiConfig, Hashing, PlanChanges, Rate, Rates, SignUp, Verification};
pub use identity::{GITHUB, GOOGLE, ProviderConfig, Service};
pub use key_ring::{KeyEntry, KeyRing, KeyState};
pub use mail::{Delivery, Relay};
pub use objects::{Collected, Objects, collect};
pub use openapi::openapi;
pub use repositories::{CommittedChange, Manifest, Manifests, Repositories};
pub use route::{Site, ops_router, router};
pub use serve::{Opening, Plain, ServeLimits, serve, serve_behind, serve_router};
pub use state::ApiState;
pub use telemetry::metrics_builder;
