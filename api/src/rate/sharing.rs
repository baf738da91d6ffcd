//! Limits that several processes of the API share: each tells what it let through, and counts what the others did.
//!
//! A process says that it is there as it starts and every half minute; one that hears of no other tells nothing. Told is
//! what was gathered for a moment, by one write to the registry; heard is by its feed. So within less than a second
//! everybody counts everything: what somebody gets beyond a limit by asking many processes at once is what passes in
//! that moment. Without the registry each counts for itself; nothing can be signed in to then anyway.

use std::{collections::BTreeMap, time::Duration};

use coditect_core::{RequestId, Result, Version};
use coditect_registry::{
    operation::NoteCounted,
    record::{Count, Counted},
};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::state::ApiState;

/// How long is gathered before it is told.
const GATHERED: Duration = Duration::from_millis(200);
/// How often a process says that it is there.
const SAID: Duration = Duration::from_secs(30);
/// How long one that says nothing is taken to be there still.
const THERE: SignedDuration = SignedDuration::from_secs(90);
/// How often the feed is looked at although nothing was said to have changed.
const FALLBACK: Duration = Duration::from_secs(5);
/// How long to wait after the store has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How many notes are read at a time.
const PAGE: usize = 100;

/// Tells and hears until `stop`. Returns at once where nothing is limited.
pub(crate) async fn run(state: ApiState, stop: CancellationToken) {
    if state.limits.is_none() {
        return;
    }
    let process = Uuid::new_v4();
    let newcomer = Notify::new();
    let both = async {
        tokio::join!(
            tell(&state, process, &newcomer),
            hear(&state, process, &newcomer)
        )
    };
    stop.run_until_cancelled(both).await;
}

/// Tells what was let through, and now and then that this process is there; to a newcomer at once.
async fn tell(state: &ApiState, process: Uuid, newcomer: &Notify) {
    let (mut number, mut say_by) = (0, Instant::now());
    loop {
        tokio::select! {
            () = state.tally.news() => sleep(GATHERED).await,
            () = newcomer.notified() => {}
            () = sleep_until(say_by) => {}
        }
        let mut notes = state.tally.drain();
        if notes.is_empty() {
            notes.push(BTreeMap::new());
        }
        for limits in notes {
            number += 1;
            if let Err(error) = note(state, process, number, limits).await {
                tracing::debug!(
                    error = error.chain(),
                    "what was counted cannot be told; each process counts for itself"
                );
                metrics::counter!("coditect_api_limits_untold_total").increment(1);
                sleep(AFTER_FAILURE).await;
            }
        }
        say_by = Instant::now() + SAID;
    }
}

async fn note(
    state: &ApiState,
    process: Uuid,
    number: u64,
    limits: BTreeMap<String, Vec<Count>>,
) -> Result<()> {
    let counted = Counted {
        at: state.now(),
        process,
        number,
        limits,
    };
    let operation = NoteCounted { counted };
    state.registry.apply(RequestId::random(), &operation).await
}

/// Counts what the others let through.
async fn hear(state: &ApiState, process: Uuid, newcomer: &Notify) {
    let mut listener = Listener {
        state,
        process,
        newcomer,
        seen: Version::default(),
        others: BTreeMap::new(),
    };
    loop {
        if let Err(error) = listener.step().await {
            tracing::debug!(
                error = error.chain(),
                "what others counted cannot be read; each process counts for itself"
            );
            sleep(AFTER_FAILURE).await;
        }
    }
}

struct Listener<'a> {
    state: &'a ApiState,
    process: Uuid,
    newcomer: &'a Notify,
    /// Everything up to and including this version is known.
    seen: Version,
    /// The other processes, and when each was last heard of.
    others: BTreeMap<Uuid, Timestamp>,
}

impl Listener<'_> {
    /// Reads what is new, and waits until there may be more.
    async fn step(&mut self) -> Result<()> {
        let registry = &self.state.registry;
        // Seen first, read second: what changes in between is noticed as a change of what was seen.
        let signal = registry.view().await?.counted_signal().await?;
        loop {
            let page = registry
                .view()
                .await?
                .counted_after(self.seen, PAGE)
                .await?;
            for counted in &page.notes {
                self.count(counted);
            }
            self.seen = page.until;
            if !page.more {
                break;
            }
        }
        self.forget();
        tokio::select! {
            moved = registry.counted(signal) => moved,
            () = sleep(FALLBACK) => Ok(()),
        }
    }

    fn count(&mut self, counted: &Counted) {
        if counted.process == self.process {
            return;
        }
        let age = self.state.now().duration_since(counted.at);
        if age < THERE && self.others.insert(counted.process, counted.at).is_none() {
            self.state.tally.share(true);
            self.newcomer.notify_one();
        }
        if let Some(limits) = &self.state.limits {
            limits.heard(counted, age);
        }
        self.state.mail.heard(counted, age);
    }

    /// Forgets processes that say nothing any more.
    fn forget(&mut self) {
        let now = self.state.now();
        self.others
            .retain(|_, heard| now.duration_since(*heard) < THERE);
        self.state.tally.share(!self.others.is_empty());
        metrics::gauge!("coditect_api_limits_shared_with").set(self.others.len() as f64);
    }
}
