//! Takes away what has had its time, in small transactions.
//!
//! How long each kind of record is kept stands in [`crate::keys::layout`]. What has an end of its own (a session, an
//! invitation, a sign-in with the address it came from, an event of Stripe's) is put on a list by its end when it is
//! written, and goes when that has come; the periods of all else are here. The change feed is cut by the renderer
//! alone, up to the checkpoint that it has published, and the power feed by the observer: nobody else knows what they
//! still need.

use std::collections::BTreeMap;

use coditect_core::{RequestId, Result};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Registry, keys,
    operation::{BuryDue, ForgetExpired, ForgetRegistrations, ForgetRequests, TrimRevocations},
    record::AuditEntry,
    registry::Operation,
    store::{Isolation, KeyRange, StoreError},
    tx::Tx,
};

/// How long the answer of a request is kept: for a client that sends it again after its own retries, a laptop closed
/// over night included.
pub const REQUESTS: SignedDuration = SignedDuration::from_hours(24);
/// How long a sign-up may be completed and asked for: its address was never proved, so no longer than that.
pub const REGISTRATIONS: SignedDuration = SignedDuration::from_hours(24);
/// How long an API process may be behind before it looks at every sign-in anew: longer than an access token lives.
pub const REVOCATIONS: SignedDuration = SignedDuration::from_hours(1);

/// How many records one transaction handles: a few hundred keys, far from every limit.
const BATCH: usize = 50;
/// How many transactions one kind of work gets before it is another's turn.
const TURNS: usize = 100;

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
    /// What of the audit is still to be looked at in this round.
    audit: KeyRange,
    /// When the last round through the audit ended.
    audit_seen: Option<Timestamp>,
}

/// Between two rounds through the audit: every tenant is looked at, and what is kept for months is not kept to the
/// hour.
const AUDIT_ROUND: SignedDuration = SignedDuration::from_hours(24);

impl Janitor {
    /// A janitor of this registry.
    #[must_use]
    pub fn new(registry: Registry, retention: Retention) -> Self {
        Self {
            registry,
            retention,
            audit: whole_audit(),
            audit_seen: None,
        }
    }

    /// Does what is due at `now`, within bounds: what is left over comes in the next pass. Gives what was taken away.
    /// Several janitors of one registry do no harm.
    ///
    /// # Errors
    /// As the registry.
    pub async fn pass(&mut self, now: Timestamp) -> Result<BTreeMap<&'static str, u64>> {
        let ago = |period| now.saturating_sub(period).unwrap_or(Timestamp::MIN);
        let limit = BATCH;
        let mut removed = BTreeMap::new();
        let due = self.all(&BuryDue { limit, at: now }).await?;
        removed.insert("marked", due);
        let expired = self.all(&ForgetExpired { limit, at: now }).await?;
        removed.insert("expired", expired);
        let registrations = ForgetRegistrations {
            before: ago(REGISTRATIONS),
            limit,
            at: now,
        };
        removed.insert("registrations", self.all(&registrations).await?);
        let requests = ForgetRequests {
            before: ago(REQUESTS),
            limit,
            at: now,
        };
        removed.insert("requests", self.all(&requests).await?);
        let revocations = TrimRevocations {
            before: ago(REVOCATIONS),
            limit,
            at: now,
        };
        removed.insert("revocations", self.all(&revocations).await?);
        if let Some(period) = self.retention.audit {
            removed.insert("audit", self.audit(ago(period), now).await?);
        }
        removed.retain(|_, count| *count > 0);
        for (what, count) in &removed {
            metrics::counter!("coditect_registry_removed_total", "what" => *what).increment(*count);
        }
        Ok(removed)
    }

    /// Runs an operation that says how many it did, until it does less than it may.
    async fn all<O: Operation<Output = usize>>(&self, operation: &O) -> Result<u64> {
        let mut count = 0;
        for _ in 0..TURNS {
            let done = self.registry.apply(RequestId::random(), operation).await?;
            count += done as u64;
            if done < BATCH {
                break;
            }
        }
        Ok(count)
    }

    /// Goes on through the audit of all tenants, once a day.
    async fn audit(&mut self, before: Timestamp, now: Timestamp) -> Result<u64> {
        let seen = self.audit_seen;
        if seen.is_some_and(|seen| now.duration_since(seen) < AUDIT_ROUND) {
            return Ok(0);
        }
        let mut count = 0;
        for _ in 0..TURNS {
            let (removed, rest) = self.trim_audit(before).await?;
            count += removed;
            match rest {
                Some(rest) => self.audit = rest,
                None => {
                    self.audit = whole_audit();
                    self.audit_seen = Some(now);
                    break;
                }
            }
        }
        Ok(count)
    }

    /// Removes what is old at the beginning of what is left, and says what is left then.
    async fn trim_audit(&self, before: Timestamp) -> Result<(u64, Option<KeyRange>)> {
        let mut tx = Tx::new(self.registry.store().begin().await?, Isolation::Snapshot);
        loop {
            let attempt = async {
                let (entries, more) = tx.scan::<AuditEntry>(&self.audit, BATCH).await?;
                let mut removed = 0;
                let mut rest = None;
                for (key, entry) in &entries {
                    if entry.at >= before {
                        // A tenant's later decisions are younger still: on to the next tenant.
                        rest = next_tenant(key).map(|begin| KeyRange {
                            begin,
                            end: self.audit.end.clone(),
                        });
                        break;
                    }
                    tx.clear(key);
                    removed += 1;
                    rest = Some(self.audit.after(key));
                }
                let at_the_end = !more && removed as usize == entries.len();
                tx.commit().await?;
                Ok((removed, if at_the_end { None } else { rest }))
            }
            .await;
            match attempt {
                Ok(done) => return Ok(done),
                Err::<_, StoreError>(error) => tx.reset(error).await?,
            }
        }
    }
}

fn whole_audit() -> KeyRange {
    crate::keyspace::below("audit")
}

/// Behind everything of the tenant whose audit this key belongs to.
fn next_tenant(key: &[u8]) -> Option<Vec<u8>> {
    let parsed = keys::parse(key).ok()?;
    match parsed.parts.get(1)? {
        keys::KeyPart::Id(id) => {
            let tenant = coditect_core::TenantId::from_bytes(*id.as_bytes());
            Some(KeyRange::below(&keys::audit(tenant)).end)
        }
        _ => None,
    }
}
