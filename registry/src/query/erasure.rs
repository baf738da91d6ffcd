//! Who was erased.

use coditect_core::{ErasureId, Error, Result};

use crate::{
    keys,
    record::{ErasedUsers, Erasure, IdentityHash},
    registry::View,
    tx::trailing_uuid,
};

impl View {
    /// One erasure.
    ///
    /// # Errors
    /// As the store.
    pub async fn erasure(&mut self, erasure: ErasureId) -> Result<Option<Erasure>> {
        match self.tx.get(&keys::erasure(erasure)).await? {
            Some(record) => Ok(Some(self.whole(erasure, record).await?)),
            None => Ok(None),
        }
    }

    /// The record with all of its users.
    async fn whole(&mut self, erasure: ErasureId, mut record: Erasure) -> Result<Erasure> {
        for number in 1..=std::mem::take(&mut record.further) {
            let key = keys::erasure_users(erasure, number);
            let part = self.tx.get::<ErasedUsers>(&key).await?.ok_or_else(|| {
                Error::internal("an erasure lacks some of its users; take it from a backup")
            })?;
            record.users.extend(part.users);
        }
        Ok(record)
    }

    /// At most `limit` erasures behind `after`, in order of id, and whether there are more: the ledger that a
    /// restore replays.
    ///
    /// # Errors
    /// As the store.
    pub async fn erasures_after(
        &mut self,
        after: Option<ErasureId>,
        limit: usize,
    ) -> Result<(Vec<(ErasureId, Erasure)>, bool)> {
        let mut range = keys::erasures();
        if let Some(after) = after {
            range = range.after(&keys::erasure(after));
        }
        let (found, more) = self.tx.scan(&range, limit).await?;
        let mut erasures = Vec::with_capacity(found.len());
        for (key, record) in found {
            let erasure = ErasureId::from_bytes(*trailing_uuid(&key)?.as_bytes());
            erasures.push((erasure, self.whole(erasure, record).await?));
        }
        Ok((erasures, more))
    }

    /// The newest erasure of whoever had this identity. They may have signed up again since.
    ///
    /// # Errors
    /// As the store.
    pub async fn erased(&mut self, identity: &IdentityHash) -> Result<Option<ErasureId>> {
        Ok(self.tx.get(&keys::erased(identity)).await?)
    }
}
