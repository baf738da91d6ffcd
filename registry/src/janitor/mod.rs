//! Takes away what has had its time, in small transactions.
//!
//! How long each kind of record is kept stands in [`crate::keys::layout`]. What has an end of its own (a session, an
//! invitation, a sign-in with the address it came from, an event of Stripe's) is put on a list by its end when it is
//! written, and goes when that has come; the periods of all else are here. The change feed is cut by the renderer
//! alone, up to the checkpoint that it has published, and the power feed by the observer: nobody else knows what they
//! still need.
//!
//! Nothing holds up anything else: each kind of work fails alone, and an entry that cannot be dealt with is logged,
//! counted and put off, while those behind it go on.

mod audit;
mod put_off;

use std::collections::BTreeMap;

use coditect_core::{Error, Kind, RequestId, Result, TenantId};
use jiff::{SignedDuration, Timestamp};

use self::{audit::AuditRound, put_off::PutOff};
use crate::{
    Registry, keys,
    operation::{
        BuryDue, FollowPlan, ForgetExpired, ForgetRegistrations, ForgetRequests, PurgeSlice,
        TrimCounted, TrimRevocations,
    },
    registry::Operation,
    store::{Isolation, Key, KeyRange},
    tx::{Tx, trailing_uuid},
};

/// How long the answer of a request is kept: for a client that sends it again after its own retries, a laptop closed
/// over night included.
pub const REQUESTS: SignedDuration = SignedDuration::from_hours(24);
/// How long a sign-up may be completed and asked for: its address was never proved, so no longer than that.
pub const REGISTRATIONS: SignedDuration = SignedDuration::from_hours(24);
/// How long an API process may be behind before it looks at every sign-in anew: longer than an access token lives.
pub const REVOCATIONS: SignedDuration = SignedDuration::from_hours(1);
/// How long processes of the API tell each other what they let through: longer than any of them is behind.
pub const COUNTED: SignedDuration = SignedDuration::from_mins(2);

/// How many records one transaction handles: a few hundred keys, far from every limit.
const BATCH: usize = 50;
/// How many batches one kind of work gets before it is another's turn.
const TURNS: usize = 100;
/// How many steps of what takes many one kind of work gets: a slice of a thousand records each, or two hundred users.
const STEPS: usize = 500;
/// So many failures in a row because the store does not answer, and the rest of the kind waits for the next pass.
const DOES_NOT_ANSWER: usize = 3;

/// What an operator may decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How long decisions stay in the audit; none: for ever. It holds ids only; addresses of sign-ins are kept
    /// elsewhere, for 30 days.
    pub audit: Option<SignedDuration>,
}

/// Works through what is due, and remembers how far it has come.
#[derive(Debug)]
pub struct Janitor {
    registry: Registry,
    retention: Retention,
    audit: AuditRound,
    put_off: PutOff,
}

/// Whether several entries may share a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    /// They may, until one fails.
    Together,
    /// Each may fill one by itself.
    Alone,
}

impl Janitor {
    /// A janitor of this registry.
    #[must_use]
    pub fn new(registry: Registry, retention: Retention) -> Self {
        Self {
            registry,
            retention,
            audit: AuditRound::default(),
            put_off: PutOff::default(),
        }
    }

    /// How many entries could not be dealt with and are put off: the log names each, and why.
    #[must_use]
    pub fn put_off(&self) -> usize {
        self.put_off.len()
    }

    /// Does what is due at `now`, within bounds: what is left over comes in the next pass. Gives what was taken away.
    /// Several janitors of one registry do no harm.
    ///
    /// # Errors
    /// The first failure of a whole kind of work, as the registry; all other kinds were done.
    pub async fn pass(&mut self, now: Timestamp) -> Result<BTreeMap<&'static str, u64>> {
        let ago = |period| now.saturating_sub(period).unwrap_or(Timestamp::MIN);
        self.put_off.forget_until(now);
        let mut pass = Pass::default();
        let marked = self
            .list(
                "marked",
                Share::Alone,
                keys::grace_until(now),
                now,
                |entries| BuryDue { entries, at: now },
            )
            .await;
        pass.note("marked", marked);
        let expired = self
            .list(
                "expired",
                Share::Together,
                keys::expiries_before(now),
                now,
                |entries| ForgetExpired { entries, at: now },
            )
            .await;
        pass.note("expired", expired);
        let due = keys::registrations_before(ago(REGISTRATIONS));
        let registrations = self
            .list("registrations", Share::Together, due, now, |entries| {
                ForgetRegistrations { entries, at: now }
            })
            .await;
        pass.note("registrations", registrations);
        let due = keys::transactions_before(ago(REQUESTS));
        let requests = self
            .list("requests", Share::Together, due, now, |entries| {
                ForgetRequests { entries, at: now }
            })
            .await;
        pass.note("requests", requests);
        let revocations = self.trim(|limit| TrimRevocations {
            before: ago(REVOCATIONS),
            limit,
            at: now,
        });
        pass.note("revocations", revocations.await);
        let counted = self.trim(|limit| TrimCounted {
            before: ago(COUNTED),
            limit,
            at: now,
        });
        pass.note("counted", counted.await);
        let plans = self
            .finish("plan_changes", keys::plan_changes(), now, |entry| {
                let tenant = TenantId::from_bytes(*trailing_uuid(&entry)?.as_bytes());
                Ok(FollowPlan { tenant, at: now })
            })
            .await;
        pass.note("plan_changes", plans);
        let purged = self
            .finish("purges", keys::purges(), now, |entry| {
                Ok(PurgeSlice { entry, at: now })
            })
            .await;
        pass.note("purges", purged);
        if let Some(period) = self.retention.audit {
            let trimmed = self.audit.go_on(&self.registry, ago(period), now).await;
            pass.note("audit", trimmed);
        }
        pass.end()
    }

    /// Runs an operation over the entries of a list that are due and not put off.
    async fn list<O: Operation<Output = usize>>(
        &mut self,
        what: &'static str,
        share: Share,
        due: KeyRange,
        now: Timestamp,
        operation: impl Fn(Vec<Key>) -> O,
    ) -> Result<u64> {
        let (mut rest, mut count, mut turns, mut silent) = (due, 0, 0, 0);
        while turns < TURNS {
            let (entries, more) = self.next_of(&mut rest).await?;
            if !entries.is_empty() {
                turns += 1;
                let together = match share {
                    Share::Together => {
                        let all = operation(entries.clone());
                        self.registry.apply(RequestId::random(), &all).await.ok()
                    }
                    Share::Alone => None,
                };
                // Which of them fails shows when each has a transaction of its own.
                let alone = if together.is_some() {
                    Vec::new()
                } else {
                    entries
                };
                count += together.unwrap_or_default() as u64;
                for entry in alone {
                    let one = operation(vec![entry.clone()]);
                    match self.registry.apply(RequestId::random(), &one).await {
                        Ok(done) => (count, silent) = (count + done as u64, 0),
                        Err(error) => self.fails(what, entry, error, now, &mut silent)?,
                    }
                }
            }
            if !more {
                break;
            }
        }
        Ok(count)
    }

    /// Puts an entry off. Fails with its error once the store has not answered a few times in a row.
    fn fails(
        &mut self,
        what: &'static str,
        entry: Key,
        error: Error,
        now: Timestamp,
        silent: &mut usize,
    ) -> Result<()> {
        let unavailable = matches!(error.kind(), Kind::Unavailable);
        *silent = if unavailable { *silent + 1 } else { 0 };
        self.put_off.add(what, entry, &error, now);
        if *silent >= DOES_NOT_ANSWER {
            return Err(error);
        }
        Ok(())
    }

    /// The next page of a list without what is put off, and whether there are more behind it; `rest` begins there then.
    async fn next_of(&self, rest: &mut KeyRange) -> Result<(Vec<Key>, bool)> {
        let mut tx = Tx::new(self.registry.store().begin().await?, Isolation::Snapshot);
        let (found, more) = tx.scan_raw(rest, BATCH).await?;
        if let Some((last, _)) = found.last() {
            *rest = rest.after(last);
        }
        let keys = found.into_iter().map(|(key, _)| key);
        let entries = keys.filter(|key| !self.put_off.holds(key)).collect();
        Ok((entries, more))
    }

    /// Cuts the old end off a feed.
    async fn trim<O: Operation<Output = usize>>(
        &self,
        operation: impl Fn(usize) -> O,
    ) -> Result<u64> {
        let mut count = 0;
        for _ in 0..TURNS {
            let trim = operation(BATCH);
            let done = self.registry.apply(RequestId::random(), &trim).await?;
            count += done as u64;
            if done < BATCH {
                break;
            }
        }
        Ok(count)
    }

    /// Goes on with each entry of a list until it is done; gives how many are.
    async fn finish<O: Operation<Output = bool>>(
        &mut self,
        what: &'static str,
        list: KeyRange,
        now: Timestamp,
        operation: impl Fn(Key) -> Result<O>,
    ) -> Result<u64> {
        let (mut rest, mut count, mut turns, mut silent) = (list, 0, 0, 0);
        loop {
            let (entries, more) = self.next_of(&mut rest).await?;
            for entry in entries {
                let next = operation(entry.clone())?;
                loop {
                    if turns == STEPS {
                        return Ok(count);
                    }
                    turns += 1;
                    match self.registry.apply(RequestId::random(), &next).await {
                        Ok(true) => silent = 0,
                        Ok(false) => {
                            (count, silent) = (count + 1, 0);
                            break;
                        }
                        Err(error) => {
                            self.fails(what, entry, error, now, &mut silent)?;
                            break;
                        }
                    }
                }
            }
            if !more {
                return Ok(count);
            }
        }
    }
}

/// What one pass has done, by kind of work.
#[derive(Default)]
struct Pass {
    removed: BTreeMap<&'static str, u64>,
    failed: Option<Error>,
}

impl Pass {
    fn note(&mut self, what: &'static str, done: Result<u64>) {
        match done {
            Ok(0) => {}
            Ok(count) => {
                metrics::counter!("coditect_registry_removed_total", "what" => what)
                    .increment(count);
                self.removed.insert(what, count);
            }
            Err(error) => {
                tracing::warn!(what, error = %error.chain(), "this kind of upkeep waits for the next pass");
                self.failed.get_or_insert(error);
            }
        }
    }

    fn end(self) -> Result<BTreeMap<&'static str, u64>> {
        self.failed.map_or(Ok(self.removed), Err)
    }
}
