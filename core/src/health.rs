//! What works and what does not, said in one place and shown by `/health` and the metrics.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

/// The state of one part of the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum State {
    /// Works.
    Ok {
        /// A word about it ("holds the lease of cell local, fence 7").
        detail: String,
    },
    /// Works with a restriction that a person should know; nothing is lost.
    Degraded {
        /// What is wrong and what happens meanwhile.
        detail: String,
    },
    /// Does not do its work now; retried.
    Failing {
        /// What is wrong and what happens meanwhile.
        detail: String,
    },
}

/// A board on which every part of the process posts its state. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, State>>>);

impl Health {
    /// Posts the state of a part, replacing what it said before.
    pub fn set(&self, part: impl Into<String>, state: State) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(part.into(), state);
    }

    /// The part works.
    pub fn ok(&self, part: impl Into<String>, detail: impl Into<String>) {
        self.set(
            part,
            State::Ok {
                detail: detail.into(),
            },
        );
    }

    /// The part works with a restriction.
    pub fn degraded(&self, part: impl Into<String>, detail: impl Into<String>) {
        self.set(
            part,
            State::Degraded {
                detail: detail.into(),
            },
        );
    }

    /// The part does not do its work now.
    pub fn failing(&self, part: impl Into<String>, detail: impl Into<String>) {
        self.set(
            part,
            State::Failing {
                detail: detail.into(),
            },
        );
    }

    /// Every part's state, by name.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, State> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// True if no part is failing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self
            .snapshot()
            .values()
            .any(|state| matches!(state, State::Failing { .. }))
    }
}
