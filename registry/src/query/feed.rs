//! Feeds: what changed behind a version.

use std::collections::BTreeSet;

use coditect_core::{CellName, Error, Result, UserId, Version};

use crate::{
    keys,
    record::{Counted, Record, Revocation},
    registry::View,
    store::Key,
};

/// A part of the change feed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Who changed; their state is read anew.
    pub users: BTreeSet<UserId>,
    /// Every change up to and including this version is among them.
    pub until: Version,
    /// True if the feed holds more.
    pub more: bool,
}

/// A part of the feed of revocations.
#[derive(Clone, Debug)]
pub struct Revocations {
    /// The sign-ins that ended.
    pub ended: BTreeSet<Revocation>,
    /// Every end up to and including this version is among them.
    pub until: Version,
    /// True if the feed holds more.
    pub more: bool,
}

/// A part of the feed of what was counted.
#[derive(Clone, Debug)]
pub struct CountedLately {
    /// What processes let through, the oldest first.
    pub notes: BTreeSet<Counted>,
    /// Every note up to and including this version is among them.
    pub until: Version,
    /// True if the feed holds more.
    pub more: bool,
}

impl View {
    /// What the cell's change signal says, to be handed to [`crate::Registry::changed`].
    ///
    /// # Errors
    /// As the store.
    pub async fn change_signal(&mut self, cell: &CellName) -> Result<i64> {
        Ok(self.tx.number(&keys::change_signal(cell)).await?)
    }

    /// The checkpoint of the newest commit of the cell that the registry was told of.
    ///
    /// # Errors
    /// As the store.
    pub async fn published(&mut self, cell: &CellName) -> Result<Version> {
        Ok(self
            .tx
            .get(&keys::published(cell))
            .await?
            .unwrap_or_default())
    }

    /// Entries of the cell's change feed at or below this version are gone.
    ///
    /// # Errors
    /// As the store.
    pub async fn feed_floor(&mut self, cell: &CellName) -> Result<Version> {
        Ok(self
            .tx
            .get(&keys::feed_floor(cell))
            .await?
            .unwrap_or_default())
    }

    /// The users that changed after `version`, each once, and the version up to which that is everything: that
    /// of the view, or of the last whole commit among the first `limit` entries.
    ///
    /// # Errors
    /// As the store.
    pub async fn changes_after(
        &mut self,
        cell: &CellName,
        version: Version,
        limit: usize,
    ) -> Result<Changes> {
        let (users, until, more) = self.feed(&keys::change_feed(cell), version, limit).await?;
        Ok(Changes { users, until, more })
    }

    /// What a feed of ids holds behind `version`: each id once, the version up to which that is everything, and
    /// whether there is more.
    pub(super) async fn feed<T: Record + Ord>(
        &mut self,
        feed: &Key,
        version: Version,
        limit: usize,
    ) -> Result<(BTreeSet<T>, Version, bool)> {
        let range = keys::feed_after(feed, version);
        let (entries, more) = self.tx.scan::<T>(&range, limit).await?;
        let mut stamped = Vec::with_capacity(entries.len());
        for (key, id) in entries {
            stamped.push((
                keys::stamp_of(&key)
                    .ok_or_else(|| Error::internal("a feed entry without a stamp"))?,
                id,
            ));
        }
        let newest = stamped.last().map(|(stamp, _)| *stamp);
        let until = match newest {
            // One commit may have written more entries than fit; what lies before it is complete.
            Some(newest) if more && stamped[0].0 < newest => {
                stamped.retain(|(stamp, _)| *stamp < newest);
                Version(newest.0 - 1)
            }
            // All of them of one commit: read on, whatever the limit says.
            Some(newest) if more => {
                let (rest, _) = self
                    .tx
                    .scan::<T>(&keys::feed_between(feed, version, newest), usize::MAX)
                    .await?;
                stamped = rest.into_iter().map(|(_, id)| (newest, id)).collect();
                newest
            }
            _ => self.tx.version().await?,
        };
        Ok((stamped.into_iter().map(|(_, id)| id).collect(), until, more))
    }

    /// What the signal of revocations says, to be handed to [`crate::Registry::revoked`].
    ///
    /// # Errors
    /// As the store.
    pub async fn revocation_signal(&mut self) -> Result<i64> {
        Ok(self.tx.number(&keys::revocation_signal()).await?)
    }

    /// Revocations at or below this version are gone: whoever has seen less checks every sign-in it let in.
    ///
    /// # Errors
    /// As the store.
    pub async fn revocation_floor(&mut self) -> Result<Version> {
        Ok(self
            .tx
            .get(&keys::revocation_floor())
            .await?
            .unwrap_or_default())
    }

    /// The sign-ins that ended early after `version`, and the version up to which that is everything, as
    /// [`View::changes_after`].
    ///
    /// # Errors
    /// As the store.
    pub async fn revocations_after(
        &mut self,
        version: Version,
        limit: usize,
    ) -> Result<Revocations> {
        let (ended, until, more) = self.feed(&keys::revocation_feed(), version, limit).await?;
        Ok(Revocations { ended, until, more })
    }

    /// What the signal of what was counted says, to be handed to [`crate::Registry::counted`].
    ///
    /// # Errors
    /// As the store.
    pub async fn counted_signal(&mut self) -> Result<i64> {
        Ok(self.tx.number(&keys::counted_signal()).await?)
    }

    /// What processes of the API let through after `version`, and the version up to which that is everything, as
    /// [`View::changes_after`].
    ///
    /// # Errors
    /// As the store.
    pub async fn counted_after(&mut self, version: Version, limit: usize) -> Result<CountedLately> {
        let (notes, until, more) = self.feed(&keys::counted_feed(), version, limit).await?;
        Ok(CountedLately { notes, until, more })
    }
}
