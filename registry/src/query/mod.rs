//! What may be asked of a view, by subject.

mod administrator;
mod approval;
mod billing;
mod cell;
mod conversation;
mod erasure;
mod feed;
mod file;
mod gateway;
mod observer;
mod person;
mod session;
mod tenant;
mod workspace;

pub use billing::Usage;
pub use cell::Complete;
pub use feed::{Changes, CountedLately, Revocations};
pub use gateway::Behind;
pub use observer::{PowerChanges, UserRuntime, WorkspaceRuntime};
pub use tenant::AuditPlace;
pub use workspace::WorkspaceView;
