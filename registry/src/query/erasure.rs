//! Who was erased.

use coditect_core::{ErasureId, Result};

use crate::{
    keys,
    record::{Erasure, IdentityHash},
    registry::View,
    tx::trailing_uuid,
};

impl View {
    /// One erasure.
    ///
    /// # Errors
    /// As the store.
    pub async fn erasure(&mut self, erasure: ErasureId) -> Result<Option<Erasure>> {
        Ok(self.tx.get(&keys::erasure(erasure)).await?)
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
        let erasures = found
            .into_iter()
            .map(|(key, record)| {
                Ok((
                    ErasureId::from_bytes(*trailing_uuid(&key)?.as_bytes()),
                    record,
                ))
            })
            .collect::<Result<_>>()?;
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
