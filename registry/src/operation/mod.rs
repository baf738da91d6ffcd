//! Everything that changes the registry. Each operation touches all that belongs together, or nothing.

mod activity;
mod adopt;
mod deletion;
mod email;
mod identity;
mod lease;
mod login;
mod observer;
mod plan;
mod power;
mod profile;
mod provision;
mod quarantine;
mod renderer;
mod restart;
mod second_factor;
mod sign_up;
mod upkeep;
mod who;
mod workspace;

pub use activity::{Keep, NoteActivity};
pub use adopt::AdoptUser;
pub use deletion::{
    DeleteAccount, DeleteUser, DeleteWorkspace, MarkAccount, MarkWorkspace, RestoreAccount,
    RestoreWorkspace,
};
pub use email::{ConfirmEmail, RequestEmail, RequestPasswordReset, ResetPassword};
pub use identity::{EnterByIdentity, Entered, LinkIdentity, UnlinkIdentity};
pub use lease::{Acquire, AcquireLease, ReleaseLease};
pub use login::{EndLogin, EndOtherLogins, OpenLogin, RotateRefresh, Rotation, is_live};
pub use observer::{NoteCell, NoteReaped, NoteStatus, STATUSES_AT_ONCE, TrimPower};
pub use plan::SetPlan;
pub use power::{Meter, Suspend, month_of};
pub use profile::{ChangePassword, ChangeProfile};
pub use quarantine::{LiftQuarantine, PutQuarantine, ResolveQuarantine};
pub use renderer::{BuryMissing, NoteCommitted, Raise, TrimFeed};
pub use restart::{NoteRestart, StartRestart, StopRestart};
pub use second_factor::{
    ConfirmSecondFactor, OfferSecondFactor, RemoveSecondFactor, SecondProof, UseSecondFactor,
};
pub use sign_up::{
    ClaimSignIn, CompleteRegistration, Placement, Provisioned, Register, Verification,
};
pub use upkeep::{BeginEpoch, BuryDue, ForgetRegistrations, ForgetRequests};
pub use workspace::{CreateWorkspace, RenameWorkspace, SetPower};
