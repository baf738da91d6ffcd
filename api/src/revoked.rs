//! Who ended their sign-in lately, for gateways: one follower of the registry's feed for all that ask.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coditect_core::{AccountId, LoginId, Result, Version, sidecar::LONGEST_ENTRY};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::state::ApiState;

/// How long an ended sign-in is told: no token that was handed out before it ended lasts longer, and clocks differ.
const TOLD: SignedDuration = SignedDuration::from_secs(LONGEST_ENTRY.as_secs() + 120);
/// How often the feed is looked at although nothing was said to have changed.
const FALLBACK: Duration = Duration::from_secs(2);
/// How long to wait after the store has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How many entries of the feed are read at a time.
const PAGE: usize = 1_000;

/// The sign-ins that ended lately, by account. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended(Arc<BTreeMap<AccountId, Vec<(Timestamp, LoginId)>>>);

impl Ended {
    /// Those of one account, in order of id.
    pub(crate) fn of(&self, account: AccountId) -> Vec<LoginId> {
        let ended = self.0.get(&account).into_iter().flatten();
        let mut logins: Vec<LoginId> = ended.map(|(_, login)| *login).collect();
        logins.sort_unstable();
        logins.dedup();
        logins
    }
}

/// What is known of them.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// Nobody has looked yet.
    NotYet,
    /// The registry does not answer.
    Away,
    /// All of them.
    All(Ended),
}

/// What is known of them, for whoever asks.
#[derive(Debug)]
pub(crate) struct Revoked {
    known: watch::Sender<Known>,
    asked: Notify,
}

impl Revoked {
    pub(crate) fn new() -> Self {
        Self {
            known: watch::Sender::new(Known::NotYet),
            asked: Notify::new(),
        }
    }

    /// Follows what is known.
    pub(crate) fn follow(&self) -> watch::Receiver<Known> {
        self.asked.notify_one();
        self.known.subscribe()
    }
}

/// Keeps it up to date until `stop`, from when the first one asks.
pub(crate) async fn run(state: ApiState, stop: CancellationToken) {
    let mut follower = Follower {
        state,
        seen: Version::default(),
        ended: Ended::default(),
    };
    stop.run_until_cancelled(async {
        follower.state.revoked.asked.notified().await;
        loop {
            if let Err(error) = follower.step().await {
                tracing::warn!(
                    error = error.chain(),
                    "who ended their sign-in is not known now"
                );
                // What is not known must not look as if nobody had.
                let told = &follower.state.revoked.known;
                told.send_if_modified(|known| {
                    !matches!(std::mem::replace(known, Known::Away), Known::Away)
                });
                sleep(AFTER_FAILURE).await;
            }
        }
    })
    .await;
}

struct Follower {
    state: ApiState,
    /// Everything up to and including this version is known.
    seen: Version,
    ended: Ended,
}

impl Follower {
    /// Reads what is new, tells it, and waits until there may be more.
    async fn step(&mut self) -> Result<()> {
        // Seen first, read second: what changes in between is noticed as a change of what was seen.
        let signal = self
            .state
            .registry
            .view()
            .await?
            .revocation_signal()
            .await?;
        let changed = self.read().await?;
        self.state.revoked.known.send_if_modified(|known| {
            let news = changed || !matches!(known, Known::All(_));
            if news {
                *known = Known::All(self.ended.clone());
            }
            news
        });
        tokio::select! {
            moved = self.state.registry.revoked(signal) => moved,
            () = sleep(FALLBACK) => Ok(()),
        }
    }

    /// Reads the feed to its end, and lets go what is old; true if anything changed.
    async fn read(&mut self) -> Result<bool> {
        let mut ended = (*self.ended.0).clone();
        let mut changed = false;
        loop {
            let mut view = self.state.registry.view().await?;
            let page = view.revocations_after(self.seen, PAGE).await?;
            for revocation in page.ended {
                let of_account = ended.entry(revocation.account).or_default();
                of_account.push((revocation.at, revocation.login));
                changed = true;
            }
            self.seen = page.until;
            if !page.more {
                break;
            }
        }
        let now = self.state.now();
        ended.retain(|_, logins| {
            let before = logins.len();
            logins.retain(|(at, _)| now.duration_since(*at) < TOLD);
            changed |= logins.len() != before;
            !logins.is_empty()
        });
        self.ended = Ended(Arc::new(ended));
        Ok(changed)
    }
}
