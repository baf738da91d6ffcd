//! What a user used in a month.

use async_trait::async_trait;
use coditect_core::{Error, Kind, UserId};
use jiff::Timestamp;

use super::{power::month_of, who};
use crate::{
    keys,
    record::UsageKind,
    registry::Operation,
    tx::{Abort, Tx},
};

/// Adds to what a user used in the month of [`RecordUsage::at`] (by UTC). Sent again under the same request id, it
/// counts once.
pub struct RecordUsage {
    /// Whose use.
    pub user: UserId,
    /// Of what.
    pub kind: UsageKind,
    /// How much more.
    pub amount: u32,
    /// If this would bring the month above it, nothing is counted and the limit is named. Counting below a limit
    /// waits for others of the same user and kind; counting without one never does.
    pub limit: Option<u64>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RecordUsage {
    const NAME: &'static str = "record_usage";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (place, _) = who::user(tx, self.user).await?;
        let key = keys::usage(
            place.tenant,
            self.user,
            &month_of(self.at),
            self.kind.name(),
        );
        if let Some(limit) = self.limit {
            let used = u64::try_from(tx.exact_number(&key).await?).unwrap_or(0);
            if used.saturating_add(self.amount.into()) > limit {
                let kind = Kind::LimitReached {
                    limit: self.kind.name(),
                };
                let message = format!(
                    "this month's {limit} {} are used up; choose a larger plan or wait for the next month",
                    self.kind.name().replace('_', " ")
                );
                return Err(Error::new(kind, message).into());
            }
        }
        tx.add(&key, self.amount.into());
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
