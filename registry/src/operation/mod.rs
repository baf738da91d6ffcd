//! Everything that changes the registry. Each operation touches all that belongs together, or nothing.

mod activity;
mod adopt;
mod deletion;
mod lease;
mod login;
mod observer;
mod plan;
mod power;
mod profile;
mod quarantine;
mod renderer;
mod restart;
mod sign_up;
mod upkeep;
mod workspace;

pub use activity::{Keep, NoteActivity};
pub use adopt::AdoptUser;
pub use deletion::{
    DeleteAccount, DeleteUser, DeleteWorkspace, MarkAccount, MarkWorkspace, RestoreAccount,
    RestoreWorkspace,
};
pub use lease::{Acquire, AcquireLease, ReleaseLease};
pub use login::{EndLogin, OpenLogin, RotateRefresh, Rotation, is_live};
pub use observer::{NoteCell, NoteReaped, NoteStatus, STATUSES_AT_ONCE, TrimPower};
pub use plan::SetPlan;
pub use power::{Meter, Suspend, month_of};
pub use profile::{ChangePassword, ChangeProfile};
pub use quarantine::{LiftQuarantine, PutQuarantine, ResolveQuarantine};
pub use renderer::{BuryMissing, NoteCommitted, Raise, TrimFeed};
pub use restart::{NoteRestart, StartRestart, StopRestart};
pub use sign_up::{
    ClaimSignIn, CompleteRegistration, Placement, Provisioned, Register, Verification,
};
pub use upkeep::{BeginEpoch, BuryDue, ForgetRegistrations, ForgetRequests};
pub use workspace::{CreateWorkspace, RenameWorkspace, SetPower};
