//! Letters to people: written in one place, handed to a relay in the background.
//!
//! What is sent waits in memory: a letter that no relay took by the time this process ends is lost, and whoever waits for
//! it asks again. In return nothing that a request does depends on mail, neither its success nor its time.

mod letter;
mod mailbox;
mod relay;
mod setting;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use coditect_core::{Email, Result, health::Health};
use coditect_registry::record::Counted;
use jiff::SignedDuration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use letter::{Letter, Purpose};
pub(crate) use mailbox::{PATH as MAILBOX, show as show_mailbox};
pub use setting::{Delivery, Relay};

use crate::rate::{Limiter, Tally};
use letter::Written;
use mailbox::MemoryMailbox;
use relay::SmtpRelay;

/// How many letters may wait; more are given up. Each holds a few kilobytes.
const PLACES: usize = 1_000;
/// How many conversations with the relay may go on at a time.
const LINES: usize = 4;
/// How often a letter is offered to the relay: over 26 minutes with the usual pauses.
const TRIES: u32 = 6;
/// How much longer each pause is than the one before.
const GROWTH: u32 = 5;
/// How many letters of one purpose an address gets at once, and how long until it gets one more: in any hour five at
/// most. Whoever asks for letters to somebody else's address must not fill their mailbox.
const AT_ONCE: u32 = 3;
const ONE_MORE: Duration = Duration::from_secs(30 * 60);
/// How long letters may take to be handed over once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// The name under which mail posts its health.
const PART: &str = "mail";

/// Sends letters. Cheap to clone; clones share it.
#[derive(Clone)]
pub(crate) struct Mail(Arc<Parts>);

struct Parts {
    road: Road,
    /// The web app's origin: where links lead.
    app: String,
    caps: Limiter<(Purpose, Email)>,
    places: Arc<Semaphore>,
    lines: Semaphore,
    first_retry: Duration,
    sending: TaskTracker,
    stopping: CancellationToken,
    health: Health,
}

enum Road {
    None,
    Mailbox(MemoryMailbox),
    Relay(Box<SmtpRelay>),
}

impl Mail {
    /// # Errors
    /// `Invalid` or `Unavailable` naming the setting or file that is not usable.
    pub(crate) fn open(
        delivery: &Delivery,
        app: String,
        tally: &Arc<Tally>,
        health: Health,
        stopping: CancellationToken,
    ) -> Result<Self> {
        let (road, first_retry) = match delivery {
            Delivery::None => (Road::None, Duration::ZERO),
            Delivery::Mailbox => (Road::Mailbox(MemoryMailbox::default()), Duration::ZERO),
            Delivery::Relay(setting) => {
                let relay = SmtpRelay::open(setting)?;
                health.ok(PART, format!("letters go to {}", relay.name));
                (Road::Relay(Box::new(relay)), setting.first_retry)
            }
        };
        Ok(Self(Arc::new(Parts {
            road,
            app,
            caps: Limiter::every("letters", AT_ONCE, ONE_MORE, tally),
            places: Arc::new(Semaphore::new(PLACES)),
            lines: Semaphore::new(LINES),
            first_retry,
            sending: TaskTracker::new(),
            stopping,
            health,
        })))
    }

    /// Tells whoever runs this that sign-ups need letters and none is sent.
    pub(crate) fn is_missed(&self) {
        let told = "no letter is sent, so nobody can sign up: name a mail server by --mail-relay, or ask for no proof by --verification none";
        self.0.health.degraded(PART, told);
        tracing::warn!("{told}");
    }

    /// Whether letters reach anybody.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self.0.road, Road::None)
    }

    /// The letters, where they are kept for development.
    pub(crate) fn mailbox(&self) -> Option<&MemoryMailbox> {
        match &self.0.road {
            Road::Mailbox(mailbox) => Some(mailbox),
            Road::None | Road::Relay(_) => None,
        }
    }

    /// Takes one of the letters that an address may get for this purpose; false if there is none left now. For whoever
    /// must know before anything is changed; the letter is then sent by [`Mail::post`].
    pub(crate) fn may(&self, to: &Email, purpose: Purpose) -> bool {
        let may = self.0.caps.take(&(purpose, to.clone())).is_ok();
        if !may {
            count("capped", purpose);
        }
        may
    }

    /// Counts the letters that another process of the API sent so long ago.
    pub(crate) fn heard(&self, counted: &Counted, age: SignedDuration) {
        self.0.caps.heard(counted, age);
    }

    /// Sends a letter, unless its address got enough of the kind. Returns at once: whether and when it arrives shows in
    /// metrics and health alone.
    pub(crate) fn send(&self, to: &Email, letter: &Letter) {
        if self.may(to, letter.purpose()) {
            self.post(to, letter);
        }
    }

    /// As [`Mail::send`], for which the address's limit was asked before.
    pub(crate) fn post(&self, to: &Email, letter: &Letter) {
        let (purpose, to) = (letter.purpose(), to.clone());
        let written = letter.write(&self.0.app);
        match &self.0.road {
            Road::None => {}
            Road::Mailbox(mailbox) => {
                mailbox.put(to, written);
                count("sent", purpose);
            }
            Road::Relay(_) => match Arc::clone(&self.0.places).try_acquire_owned() {
                Ok(place) => {
                    let mail = self.clone();
                    let delivery = async move { mail.deliver(to, purpose, written, place).await };
                    self.0.sending.spawn(delivery);
                }
                Err(_) => {
                    count("failed", purpose);
                    tracing::error!(
                        purpose = purpose.name(),
                        "a letter is given up: {PLACES} wait for the relay already"
                    );
                }
            },
        }
    }

    /// Waits for letters under way, for a while: called when nothing more is sent.
    pub(crate) async fn drain(&self) {
        self.0.sending.close();
        if tokio::time::timeout(DRAIN, self.0.sending.wait())
            .await
            .is_err()
        {
            let left = self.0.sending.len();
            tracing::error!(left, "letters are given up: the server stops");
        }
    }

    /// Offers a letter to the relay until it is taken, refused for good, or has been offered often enough.
    async fn deliver(
        &self,
        to: Email,
        purpose: Purpose,
        letter: Written,
        _place: OwnedSemaphorePermit,
    ) {
        let parts = &*self.0;
        let Road::Relay(relay) = &parts.road else {
            return;
        };
        let mut pause = parts.first_retry;
        for attempt in 1..=TRIES {
            let last = attempt == TRIES || parts.stopping.is_cancelled();
            let offered = {
                // Never closed: an error cannot happen.
                let _line = parts.lines.acquire().await;
                relay.send(&to, &letter).await
            };
            let failure = match offered {
                Ok(()) => {
                    count("sent", purpose);
                    let taken = format!("{} takes letters", relay.name);
                    parts.health.ok(PART, taken);
                    return;
                }
                Err(failure) => failure,
            };
            let (why, name) = (&failure.why, purpose.name());
            if failure.is_final || last {
                count("failed", purpose);
                tracing::warn!(purpose = name, attempt, why, "a letter is given up");
                if failure.is_final {
                    // The relay answers: what it refuses is this letter.
                    return;
                }
            } else {
                tracing::info!(
                    purpose = name,
                    attempt,
                    why,
                    "a letter was not taken and is tried again"
                );
            }
            let waits = format!(
                "{} did not take a letter ({why}); each is tried {TRIES} times: look at the relay and at --mail-relay",
                relay.name
            );
            parts.health.degraded(PART, waits);
            if last {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // One more try, the last.
                () = parts.stopping.cancelled() => {}
            }
            pause = pause.saturating_mul(GROWTH);
        }
    }
}

fn count(outcome: &'static str, purpose: Purpose) {
    metrics::counter!("coditect_api_letters_total", "outcome" => outcome, "purpose" => purpose.name())
        .increment(1);
}
