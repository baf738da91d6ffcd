//! What could not be dealt with, and when it is tried again.

use std::collections::BTreeMap;

use coditect_core::{Error, Kind};
use jiff::{SignedDuration, Timestamp};

use crate::{keyspace::readable, store::Key};

/// What a rule or a damaged record forbids is tried again after this: by then somebody may have put it right.
const REFUSED: SignedDuration = SignedDuration::from_hours(24);
/// What the store did not do is tried again after this: it may do it then, or it may be more than it ever does.
const NOT_DONE: SignedDuration = SignedDuration::from_mins(10);

/// Entries that are left alone for a time. Kept in memory: the entries themselves stay where a check expects them, and
/// a new process tries them once more, which is what an operator wants who has repaired something.
#[derive(Debug, Default)]
pub(super) struct PutOff(BTreeMap<Key, Timestamp>);

impl PutOff {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn holds(&self, entry: &[u8]) -> bool {
        self.0.contains_key(entry)
    }

    /// Forgets what is to be tried again by now.
    pub(super) fn forget_until(&mut self, now: Timestamp) {
        self.0.retain(|_, until| *until > now);
    }

    /// Puts an entry off, with an alarm.
    pub(super) fn add(&mut self, what: &'static str, entry: Key, error: &Error, now: Timestamp) {
        let period = match error.kind() {
            Kind::Unavailable => NOT_DONE,
            _ => REFUSED,
        };
        metrics::counter!("coditect_registry_put_off_total", "what" => what).increment(1);
        // The keys of these lists hold ids and times, no names.
        tracing::error!(
            what,
            entry = %readable(&entry),
            error = %error.chain(),
            "upkeep of one entry failed; it is tried again in {} minutes",
            period.as_mins(),
        );
        let until = now.saturating_add(period).unwrap_or(Timestamp::MAX);
        self.0.insert(entry, until);
    }
}
