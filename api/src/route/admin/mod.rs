//! What administrators of the platform see and do. Lists hold ids alone; whoever looks at a person is written down where
//! the person's tenant sees it. Nobody acts in a person's place.

mod approvals;
mod decisions;
mod users;
mod workspaces;

pub(super) use approvals::*;
pub(super) use decisions::*;
pub(super) use users::*;
pub(super) use workspaces::*;
