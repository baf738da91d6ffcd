//! Restarting a cell's pods within a window, because what they run on has changed.

use async_trait::async_trait;
use coditect_core::{CellName, Error};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    keys,
    record::Restart,
    registry::Operation,
    tx::{Abort, Tx},
};

/// Begins a restart. One cell has one at a time.
pub struct StartRestart {
    /// Which cell.
    pub cell: CellName,
    /// What is to be restarted, and when.
    pub restart: Restart,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for StartRestart {
    const NAME: &'static str = "start_restart";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let Self { restart, at, .. } = self;
        if restart.not_after <= restart.not_before || restart.not_after <= *at {
            return Err(Error::invalid("until", "is not after the window's start and now").into());
        }
        if restart.at_once == 0 {
            return Err(Error::invalid("at_once", "is 0; nothing would ever be restarted").into());
        }
        let key = keys::restart(&self.cell);
        if let Some(other) = tx.get::<Restart>(&key).await?
            && other.id != restart.id
            && other.under_way(*at)
        {
            let message = format!(
                "restart {} is under way until {}; stop it first",
                other.id, other.not_after
            );
            return Err(Error::conflict(message).into());
        }
        tx.put(&key, restart)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes how far a restart is. Counts never sink, and what was stopped stays stopped.
pub struct NoteRestart {
    /// Which cell.
    pub cell: CellName,
    /// Which restart.
    pub id: Uuid,
    /// How many pods came back.
    pub done: u32,
    /// How many did not.
    pub failed: u32,
    /// How many are still to be restarted or on their way.
    pub left: u32,
    /// Why it goes no further; none if it does.
    pub stopped: Option<String>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteRestart {
    const NAME: &'static str = "note_restart";
    const IDEMPOTENT: bool = true;
    /// False if the cell has no restart of that id.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let key = keys::restart(&self.cell);
        let known = tx.get::<Restart>(&key).await?;
        let Some(known) = known.filter(|known| known.id == self.id) else {
            return Ok(false);
        };
        let noted = Restart {
            done: known.done.max(self.done),
            failed: known.failed.max(self.failed),
            left: Some(self.left),
            stopped: known.stopped.clone().or_else(|| self.stopped.clone()),
            ..known.clone()
        };
        if noted != known {
            tx.put(&key, &noted)?;
        }
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Stops a restart: pods that are down come back, no other goes down.
pub struct StopRestart {
    /// Which cell.
    pub cell: CellName,
    /// Only this one; none: whichever is under way.
    pub id: Option<Uuid>,
    /// Why.
    pub why: String,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for StopRestart {
    const NAME: &'static str = "stop_restart";
    const IDEMPOTENT: bool = true;
    /// False if none is under way.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let key = keys::restart(&self.cell);
        let known = tx.get::<Restart>(&key).await?;
        let is_it =
            |known: &Restart| known.under_way(self.at) && self.id.is_none_or(|id| id == known.id);
        let Some(mut known) = known.filter(is_it) else {
            return Ok(false);
        };
        known.stopped = Some(self.why.clone());
        tx.put(&key, &known)?;
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
