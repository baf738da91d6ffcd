//! How the process ends. The statuses are part of the interface; `coditect --help` lists them.

use std::process::ExitCode;

use coditect_core::{Error, Kind};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Failed for a reason of its own.
    Failed,
    /// An input is not acceptable; correct it.
    Invalid,
    /// `verify` or `registry check` found differences, `registry export` saw the registry change, `restore` left
    /// somebody out, `plan` found what would be refused, `render --at` gave other
    /// bytes, or `cell` waits.
    Differs,
    /// Something it depends on does not answer; try again.
    Unavailable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Invalid => 2,
            Exit::Differs => 3,
            Exit::Unavailable => 4,
        })
    }
}

/// Says what went wrong, and why, on standard error.
pub(crate) fn failed(error: &Error) -> Exit {
    crate::output::complain(&error.chain());
    match error.kind() {
        Kind::Invalid { .. } | Kind::NotFound | Kind::Conflict | Kind::LimitReached { .. } => {
            Exit::Invalid
        }
        Kind::Unavailable | Kind::TooMany { .. } => Exit::Unavailable,
        Kind::Internal | Kind::Unauthenticated | Kind::Forbidden => Exit::Failed,
    }
}
