//! One user whom the cluster refuses never stops the others: what is known of the refusal, and what stands in
//! its place.

use async_trait::async_trait;
use coditect_core::{CellName, Reason, UserId};
use jiff::Timestamp;

use crate::{
    keys,
    record::{Action, IntentRow, Quarantine},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Notes that the cluster refuses what Git asks for a user, and announces it to the renderer.
pub struct PutQuarantine {
    /// Which cell.
    pub cell: CellName,
    /// Which user.
    pub user: UserId,
    /// The generation that was refused.
    pub generation: u64,
    /// The revision that Argo CD tried, in hexadecimal.
    pub commit: String,
    /// What the cluster said.
    pub reason: Reason,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for PutQuarantine {
    const NAME: &'static str = "put_quarantine";
    // The same refusal told again changes nothing and announces nothing.
    const IDEMPOTENT: bool = true;
    /// False if the user is gone or has another generation by now.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let row = tx
            .get::<IntentRow>(&keys::intent(&self.cell, self.user))
            .await?;
        let Some(row) = row.filter(|row| row.intent.generation == self.generation) else {
            return Ok(false);
        };
        let key = keys::quarantine(&self.cell, self.user);
        let known = tx.get::<Quarantine>(&key).await?.is_some_and(|known| {
            known.generation == self.generation && known.commit == self.commit
        });
        if known {
            return Ok(true);
        }
        tx.put(
            &key,
            &Quarantine {
                generation: self.generation,
                commit: self.commit.clone(),
                reason: self.reason.clone(),
                at: self.at,
                refused: None,
                stands: None,
            },
        )?;
        tx.announce_change(&self.cell, self.user)?;
        let action = Action::UserQuarantined {
            user: self.user,
            generation: self.generation,
        };
        tx.audit(row.intent.tenant, self.at, None, action)?;
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes which file was refused and which stands in its place. Announces nothing: the renderer itself says it.
pub struct ResolveQuarantine {
    /// Which cell.
    pub cell: CellName,
    /// Which user.
    pub user: UserId,
    /// [`Quarantine::commit`] of the refusal that was looked at; a newer one stays open.
    pub commit: String,
    /// The Git blob of the refused file.
    pub refused: String,
    /// The Git blob of the last good file; none: a Namespace with zero pods stands.
    pub stands: Option<String>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ResolveQuarantine {
    const NAME: &'static str = "resolve_quarantine";
    const IDEMPOTENT: bool = true;
    /// False if the user is not quarantined, or for another refusal.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let key = keys::quarantine(&self.cell, self.user);
        let known = tx.get::<Quarantine>(&key).await?;
        let Some(known) = known.filter(|known| known.commit == self.commit) else {
            return Ok(false);
        };
        tx.put(
            &key,
            &Quarantine {
                refused: Some(self.refused.clone()),
                stands: self.stands.clone(),
                ..known
            },
        )?;
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Takes a user out of quarantine, and announces it to the renderer.
pub struct LiftQuarantine {
    /// Which cell.
    pub cell: CellName,
    /// Which user.
    pub user: UserId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for LiftQuarantine {
    const NAME: &'static str = "lift_quarantine";
    const IDEMPOTENT: bool = true;
    /// False if the user was not quarantined.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let key = keys::quarantine(&self.cell, self.user);
        if tx.get::<Quarantine>(&key).await?.is_none() {
            return Ok(false);
        }
        tx.clear(&key);
        tx.announce_change(&self.cell, self.user)?;
        if let Some(row) = tx
            .get::<IntentRow>(&keys::intent(&self.cell, self.user))
            .await?
        {
            tx.audit(
                row.intent.tenant,
                self.at,
                None,
                Action::QuarantineLifted { user: self.user },
            )?;
        }
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
