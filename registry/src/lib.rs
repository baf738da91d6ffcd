//! The product's memory: records and transactions over a small ordered-key store.
//!
//! - [`store`]: the contract every back end keeps, and the back ends.
//! - [`keys`] and [`record`]: what is remembered and where.
//! - [`operation`]: everything that changes the registry, each whole or not at all.
//! - [`query`]: what may be asked of a [`View`] of one version.
//! - [`dump`], [`check`], [`stats`]: what an operator does with all of it; [`janitor`]: what time does.

mod by_slug;
pub mod check;
pub mod dump;
pub mod janitor;
pub mod keys;
mod keyspace;
pub mod operation;
mod personal;
pub mod query;
mod reader;
pub mod record;
mod registry;
pub mod stats;
pub mod store;
mod tx;

pub use personal::{Copied, PersonalCopy};
pub use query::{
    AuditPlace, Behind, Changes, Complete, PowerChanges, UserRuntime, WorkspaceRuntime,
    WorkspaceView,
};
pub use registry::{Operation, Registry, View};
pub use tx::{Abort, Tx, trailing_uuid};
