//! The Git half of the renderer: a cell's bare repository, written by one commit a flush.
//!
//! ```text
//! shards/00 … shards/7f/<user id>.yaml   one file a user
//! .coditect/state.yaml                   the checkpoint
//! ```
//!
//! [`CellRepository`] reads the head and begins a [`Batch`]; [`Batch::finish`] writes one synced pack;
//! [`Prepared::publish`] moves the branch by compare-and-swap. `docs/adr/0003-packs.md` has the reasons.

mod access;
mod bases;
mod batch;
mod checkout;
mod command;
mod deletions;
mod delta;
mod error;
mod fetch;
mod history;
mod join;
mod layout;
mod lock;
mod maintenance;
mod message;
mod mirror;
mod object;
mod pack;
mod pack_index;
mod packs;
mod paths;
mod policy_remote;
mod policy_repository;
mod redact;
mod reference;
mod remote;
mod repack;
mod repository;
mod serve;
mod state;
mod tree;

pub use git2::Oid;

pub(crate) use self::mirror::jittered;

pub use self::{
    access::GitAccess,
    batch::{Batch, Prepared, Published},
    checkout::Checkout,
    deletions::{Cut, Spent},
    error::{Error, PublishError, Result},
    fetch::fetch_newest,
    history::{Change, ChangeKind, StandIns},
    maintenance::{
        Maintenance, MaintenanceConfig, MaintenanceStatus, join_large_packs, join_small_packs,
    },
    message::{Action, Message, Occasion, Trailers},
    mirror::{Mirror, MirrorConfig, MirrorProblem, MirrorStatus},
    object::IDENTITY,
    paths::Paths,
    policy_remote::{BRANCHES, Edits, PolicyRemote, PolicyRemoteConfig, Seen},
    policy_repository::{PolicyRepository, ReplaceError},
    redact::redacted,
    reference::BRANCH,
    remote::{PushError, Remote, RemoteConfig},
    repository::{CellRepository, Head},
    serve::{FindRepository, GitServeLimits, GitServer, SHORTEST_TOKEN, TOKENS, Tokens},
    state::{Checkpoint, State},
    tree::{CHECKPOINT_FILE, CHECKPOINT_FOLDER, Foreign, SHARDS, ShardTree, path_of},
};
