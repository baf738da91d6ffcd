//! What processes of the API tell each other of rate limits.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    keys,
    record::{Counted, CountedBy},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Tells the other processes of the API what this one let through.
pub struct NoteCounted {
    /// What it let through, at most [`Counted::MOST`] buckets.
    pub counted: Counted,
}

#[async_trait]
impl Operation for NoteCounted {
    const NAME: &'static str = "note_counted";
    /// A process numbers its notes: one sent again is not above the last.
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let key = keys::counted_by(self.counted.process);
        let last = tx.get::<CountedBy>(&key).await?;
        if last.is_some_and(|last| last.number >= self.counted.number) {
            return Ok(());
        }
        let Counted { at, number, .. } = self.counted;
        tx.put(&key, &CountedBy { at, number })?;
        Ok(tx.announce_counted(&self.counted)?)
    }

    fn at(&self) -> Timestamp {
        self.counted.at
    }
}

/// Forgets notes, and processes that noted nothing since, of before a time, a few at a time. Whoever has not read them by then would count them too late.
pub struct TrimCounted {
    /// Those of before this.
    pub before: Timestamp,
    /// How many at most.
    pub limit: usize,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for TrimCounted {
    const NAME: &'static str = "trim_counted";
    const IDEMPOTENT: bool = true;
    /// How many were forgotten.
    type Output = usize;

    async fn run(&self, tx: &mut Tx) -> Result<usize, Abort> {
        let feed = keys::counted_feed();
        let range = keys::feed_after(&feed, Default::default());
        let (oldest, _) = tx.scan::<Counted>(&range, self.limit).await?;
        let old = oldest
            .iter()
            .take_while(|(_, counted)| counted.at < self.before);
        let mut count = 0;
        for (key, _) in old {
            tx.clear(key);
            count += 1;
        }
        let (processes, _) = tx.scan::<CountedBy>(&keys::counting(), self.limit).await?;
        for (key, _) in processes.iter().filter(|(_, by)| by.at < self.before) {
            tx.clear(key);
        }
        Ok(count)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
