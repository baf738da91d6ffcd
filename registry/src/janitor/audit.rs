//! Old decisions leave the audit, tenant by tenant.

use coditect_core::{Result, TenantId};
use jiff::{SignedDuration, Timestamp};

use super::{BATCH, TURNS};
use crate::{
    Registry, keys,
    record::{AuditEntry, decode},
    store::{Isolation, KeyRange, StoreError},
    tx::Tx,
};

/// Between two rounds: every tenant is looked at, and what is kept for months is not kept to the hour.
const ROUND: SignedDuration = SignedDuration::from_hours(24);

/// How far a round through the audit has come.
#[derive(Debug)]
pub(super) struct AuditRound {
    /// What is still to be looked at.
    rest: KeyRange,
    /// When the last round ended.
    ended: Option<Timestamp>,
}

impl Default for AuditRound {
    fn default() -> Self {
        Self {
            rest: whole_audit(),
            ended: None,
        }
    }
}

impl AuditRound {
    /// Goes on through the audit of all tenants, once a day.
    pub(super) async fn go_on(
        &mut self,
        registry: &Registry,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<u64> {
        if self
            .ended
            .is_some_and(|ended| now.duration_since(ended) < ROUND)
        {
            return Ok(0);
        }
        let mut count = 0;
        for _ in 0..TURNS {
            let (removed, rest) = self.trim(registry, before).await?;
            count += removed;
            match rest {
                Some(rest) => self.rest = rest,
                None => {
                    self.rest = whole_audit();
                    self.ended = Some(now);
                    break;
                }
            }
        }
        Ok(count)
    }

    /// Removes what is old at the beginning of what is left, and says what is left then.
    async fn trim(
        &self,
        registry: &Registry,
        before: Timestamp,
    ) -> Result<(u64, Option<KeyRange>)> {
        let mut tx = Tx::new(registry.store().begin().await?, Isolation::Snapshot);
        loop {
            let attempt = async {
                let (entries, more) = tx.scan_raw(&self.rest, BATCH).await?;
                let mut removed = 0;
                let mut rest = more
                    .then(|| entries.last().map(|(key, _)| self.rest.after(key)))
                    .flatten();
                for (key, value) in &entries {
                    match decode::<AuditEntry>(value) {
                        Ok(entry) if entry.at >= before => {
                            // A tenant's later decisions are younger still: on to the next tenant.
                            rest = next_tenant(key).map(|begin| KeyRange {
                                begin,
                                end: self.rest.end.clone(),
                            });
                            break;
                        }
                        Ok(_) => {
                            tx.clear(key);
                            removed += 1;
                        }
                        // Nobody knows how old it is. It stays, and the check names it.
                        Err(_) => {}
                    }
                }
                tx.commit().await?;
                Ok((removed, rest))
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
            let tenant = TenantId::from_bytes(*id.as_bytes());
            Some(KeyRange::below(&keys::audit(tenant)).end)
        }
        _ => None,
    }
}
