//! How far a template release is.

use async_trait::async_trait;
use coditect_core::{CellName, Error, ReleaseName};
use jiff::Timestamp;

use crate::{
    keys,
    record::Rollout,
    registry::Operation,
    tx::{Abort, Tx},
};

/// Writes how far a release is, and wakes the renderers of the cells concerned: they read it anew. One release at a
/// time is under way.
pub struct PutRollout {
    /// The release.
    pub release: ReleaseName,
    /// How far it is; its revision is set here.
    pub rollout: Rollout,
    /// The revision that this was decided on; 0 if there was none.
    pub expected: u64,
    /// Whose renderers are woken.
    pub cells: Vec<CellName>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for PutRollout {
    const NAME: &'static str = "put_rollout";
    /// The new revision.
    type Output = u64;

    async fn run(&self, tx: &mut Tx) -> Result<u64, Abort> {
        let key = keys::rollout(&self.release);
        let have = tx
            .get::<Rollout>(&key)
            .await?
            .map_or(0, |rollout| rollout.revision);
        if have != self.expected {
            return Err(
                Error::conflict("the roll-out was changed meanwhile; read it again").into(),
            );
        }
        if self.rollout.state.under_way() {
            self.alone(tx).await?;
        }
        let revision = have + 1;
        tx.put(
            &key,
            &Rollout {
                revision,
                release: Some(self.release.clone()),
                ..self.rollout.clone()
            },
        )?;
        for cell in &self.cells {
            tx.add(&keys::change_signal(cell), 1);
        }
        Ok(revision)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl PutRollout {
    /// Two releases on their way through the same rings would each undo the other's steps.
    async fn alone(&self, tx: &mut Tx) -> Result<(), Abort> {
        for (_, other) in tx.scan_all::<Rollout>(&keys::rollouts()).await? {
            if let Some(release) = other.release.filter(|release| *release != self.release)
                && other.state.under_way()
            {
                let message = format!(
                    "the roll-out of `{release}` is under way; wait for its end, or abort it"
                );
                return Err(Error::conflict(message).into());
            }
        }
        Ok(())
    }
}
