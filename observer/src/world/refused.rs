//! Whose objects Argo CD could not apply, and how often.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{Shard, UserId};
use jiff::Timestamp;

use crate::seen::{ApplicationSeen, Failure};

/// That a user's object was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The user's shard.
    pub shard: Shard,
    /// The commit that was tried.
    pub revision: String,
    /// The object and what was answered.
    pub failure: Failure,
    /// When the newest operation that failed began.
    pub started_at: Option<Timestamp>,
    /// The attempts that were seen to fail for this user: when their operation began, and which one of it.
    attempts: BTreeSet<(Option<Timestamp>, u32)>,
    /// True if Argo CD has tried more than once and does not go on.
    given_up: bool,
}

impl Refused {
    /// True if it failed for this user at least twice at the same commit.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.attempts.len() >= 2 || self.given_up
    }
}

/// Takes in what an Application says, and gives back for whom that changes something.
pub(super) fn take_in(
    all: &mut BTreeMap<UserId, Refused>,
    shard: Shard,
    application: &ApplicationSeen,
) -> BTreeSet<UserId> {
    let mut touched = BTreeSet::new();
    // While an attempt runs its results are not complete: what was refused before stays refused.
    let Some(operation) = application
        .operation
        .as_ref()
        .filter(|operation| operation.ended)
    else {
        return touched;
    };
    all.retain(|user, refused| {
        let stays = refused.shard != shard || operation.failures.contains_key(user);
        if !stays {
            touched.insert(*user);
        }
        stays
    });
    for (user, failure) in &operation.failures {
        let attempt = (operation.started_at, operation.attempts);
        let mut attempts = BTreeSet::from([attempt]);
        if let Some(known) = all.get(user) {
            if known.revision == operation.revision {
                attempts.extend(known.attempts.iter().copied());
            }
            if known.failure != *failure {
                touched.insert(*user);
            }
        } else {
            touched.insert(*user);
        }
        all.insert(
            *user,
            Refused {
                shard,
                revision: operation.revision.clone(),
                failure: failure.clone(),
                started_at: operation.started_at,
                attempts,
                given_up: operation.over && operation.attempts >= 2,
            },
        );
    }
    touched
}
