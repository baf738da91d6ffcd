//! Who may write a cell's branch.

use std::time::Duration;

use async_trait::async_trait;
use coditect_core::{CellName, Error, Fence};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    keys,
    record::Lease,
    registry::Operation,
    tx::{Abort, Tx},
};

/// Takes or renews a cell's lease. The clock only decides who may try; what keeps a paused holder from
/// writing is the fencing number, checked where the branch is.
pub struct AcquireLease {
    /// Which cell.
    pub cell: CellName,
    /// Who asks; drawn at random by each renderer.
    pub holder: Uuid,
    /// The fencing number must exceed this one: 0, or what a repository has seen that a restored registry has
    /// forgotten.
    pub above: Fence,
    /// For how long.
    pub duration: Duration,
    /// Now.
    pub at: Timestamp,
}

/// What came of asking for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acquire {
    /// The asker holds it.
    Held {
        /// Its fencing number, greater than that of every other holder before.
        fence: Fence,
    },
    /// Somebody else does.
    Busy {
        /// Until when, unless they renew it.
        until: Timestamp,
    },
}

#[async_trait]
impl Operation for AcquireLease {
    const NAME: &'static str = "acquire_lease";
    // A holder that asks again is given the fence it has.
    const IDEMPOTENT: bool = true;
    type Output = Acquire;

    async fn run(&self, tx: &mut Tx) -> Result<Acquire, Abort> {
        let key = keys::lease(&self.cell);
        let fence = match tx.get::<Lease>(&key).await? {
            Some(lease) if lease.holder == self.holder && lease.fence > self.above => lease.fence,
            Some(lease) if lease.holder != self.holder && lease.expires_at > self.at => {
                return Ok(Acquire::Busy {
                    until: lease.expires_at,
                });
            }
            Some(lease) => Fence(lease.fence.max(self.above).0.saturating_add(1)),
            None => Fence(self.above.0.saturating_add(1)),
        };
        let expires_at = self
            .at
            .checked_add(self.duration)
            .map_err(|error| Error::internal("a lease without end").because(error))?;
        tx.put(
            &key,
            &Lease {
                holder: self.holder,
                fence,
                expires_at,
            },
        )?;
        Ok(Acquire::Held { fence })
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Gives a lease back, so that a successor need not wait.
pub struct ReleaseLease {
    /// Which cell.
    pub cell: CellName,
    /// Who held it.
    pub holder: Uuid,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ReleaseLease {
    const NAME: &'static str = "release_lease";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let key = keys::lease(&self.cell);
        if let Some(lease) = tx.get::<Lease>(&key).await?
            && lease.holder == self.holder
        {
            // The record stays: fencing numbers must go on growing.
            tx.put(
                &key,
                &Lease {
                    holder: Uuid::nil(),
                    expires_at: self.at,
                    ..lease
                },
            )?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
