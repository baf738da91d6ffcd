//! Everything that changes the registry. Each operation touches all that belongs together, or nothing.

mod deletion;
mod lease;
mod login;
mod plan;
mod profile;
mod renderer;
mod sign_up;
mod upkeep;
mod workspace;

pub use deletion::{
    DeleteAccount, DeleteUser, DeleteWorkspace, MarkAccount, MarkWorkspace, RestoreAccount,
    RestoreWorkspace,
};
pub use lease::{Acquire, AcquireLease, ReleaseLease};
pub use login::{EndLogin, OpenLogin, RotateRefresh, Rotation, is_live};
pub use plan::SetPlan;
pub use profile::{ChangePassword, ChangeProfile};
pub use renderer::{BuryMissing, NoteCommitted, Raise, TrimFeed};
pub use sign_up::{
    ClaimSignIn, CompleteRegistration, Placement, Provisioned, Register, Verification,
};
pub use upkeep::{BeginEpoch, BuryDue, ForgetRegistrations, ForgetRequests};
pub use workspace::{CreateWorkspace, RenameWorkspace, SetPower};
