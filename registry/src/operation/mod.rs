//! Everything that changes the registry. Each operation touches all that belongs together, or nothing.

mod account_deletion;
mod acting;
mod activity;
mod administrator;
mod adopt;
mod api_key;
mod approval;
mod billing;
mod burial;
mod conversation;
mod counted;
mod custody;
mod deletion;
mod email;
mod erasure;
mod expiry;
mod file;
mod file_restore;
mod forget;
mod gateway;
mod identity;
mod invitation;
mod lease;
mod login;
mod mark;
mod member;
mod observer;
mod plan;
mod power;
mod profile;
mod provision;
mod purge;
mod quarantine;
mod removal;
mod renderer;
mod restart;
mod rollout;
mod second_factor;
mod session;
mod shared_state;
mod sign_up;
pub(crate) mod staying;
mod tenant;
mod upkeep;
mod usage;
mod who;
mod workspace;

pub use account_deletion::{MarkAccount, RestoreAccount};
pub use acting::ActIn;
pub use activity::{Keep, NoteActivity};
pub use administrator::{NoteLook, SetHold};
pub use adopt::AdoptUser;
pub use api_key::{IssueApiKey, RevokeApiKey, TouchApiKey};
pub use approval::{LeaveApproval, MoveApproval, OpenApproval, USERS_OF_A_CHANGE};
pub use billing::{Applied, ApplyStripeEvent, LinkCustomer, Subscription};
pub use conversation::{AppendMessage, DeleteConversation, LONGEST_MESSAGE};
pub use counted::{NoteCounted, TrimCounted};
pub use custody::{HandOver, Heir};
pub use deletion::{DeleteWorkspace, MarkWorkspace, RestoreWorkspace};
pub use email::{ConfirmEmail, RequestEmail, RequestPasswordReset, ResetPassword};
pub use erasure::{DeleteAccount, DeleteUser, ReplayErasure};
pub use expiry::{ForgetExpired, TrimRevocations};
pub use file::{
    BeginUploads, FILES_AT_ONCE, FileContent, FileReport, ForgetFile, NoteDiscarded, PutFiles,
};
pub use file_restore::{EndRestore, MOST_RESTORES, RestoreFile};
pub use gateway::{Admitted, Beat, Enter, TakeBatch};
pub use identity::{EnterByIdentity, Entered, LinkIdentity, UnlinkIdentity};
pub use invitation::{AcceptInvitation, DeclineInvitation, Invite, Joined, RevokeInvitation};
pub use lease::{Acquire, AcquireLease, ReleaseLease};
pub use login::{EndLogin, EndOtherLogins, OpenLogin, RotateRefresh, Rotation, is_live};
pub use member::{AppointOwner, ChangeRole};
pub use observer::{NoteCell, NoteReaped, NoteStatus, STATUSES_AT_ONCE, TrimPower};
pub use plan::{FollowPlan, SetPlan};
pub use power::{Meter, Suspend, month_of};
pub use profile::{ChangePassword, ChangeProfile, NoteCopy};
pub use purge::PurgeSlice;
pub use quarantine::{LiftQuarantine, PutQuarantine, ResolveQuarantine};
pub use removal::{RemoveMember, RestoreMember};
pub use renderer::{BuryMissing, NoteCommitted, Raise, TrimFeed};
pub use restart::{NoteRestart, StartRestart, StopRestart};
pub use rollout::PutRollout;
pub use second_factor::{
    ConfirmSecondFactor, OfferSecondFactor, RemoveSecondFactor, SecondProof, UseSecondFactor,
};
pub use session::{EndSession, OpenSession, TouchSession, UpdateSession};
pub use shared_state::{KeepState, shared_session};
pub use sign_up::{
    ClaimSignIn, CompleteRegistration, Placement, Provisioned, Register, Verification,
};
pub use tenant::NameTenant;
pub use upkeep::{BeginEpoch, BuryDue, ForgetRegistrations, ForgetRequests};
pub use usage::RecordUsage;
pub use workspace::{CreateWorkspace, RenameWorkspace, SetPower};
