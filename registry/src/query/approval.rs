//! Changes that wait for approval, as renderer, proposer and people ask for them.

use std::collections::BTreeMap;

use coditect_core::{CellName, ChangeId, Result, UserId};

use crate::{
    keys,
    record::{ApprovalRequest, AwaitedApproval, UserPlace},
    registry::View,
    tx::trailing_uuid,
};

impl View {
    /// Every change of the cell that waits for approval or lately did, in order of id.
    ///
    /// # Errors
    /// As the store.
    pub async fn approvals(&mut self, cell: &CellName) -> Result<Vec<ApprovalRequest>> {
        let found = self.tx.scan_all(&keys::approvals(cell)).await?;
        Ok(found.into_iter().map(|(_, request)| request).collect())
    }

    /// A change that waits for approval or lately did.
    ///
    /// # Errors
    /// As the store.
    pub async fn approval(
        &mut self,
        cell: &CellName,
        change: ChangeId,
    ) -> Result<Option<ApprovalRequest>> {
        Ok(self.tx.get(&keys::approval(cell, change)).await?)
    }

    /// What a user of the cell waits for; none if nothing of them waits.
    ///
    /// # Errors
    /// As the store.
    pub async fn awaited_approval(
        &mut self,
        cell: &CellName,
        user: UserId,
    ) -> Result<Option<AwaitedApproval>> {
        Ok(self.tx.get(&keys::awaited_approval(cell, user)).await?)
    }

    /// What everyone of the cell who waits for approval waits for.
    ///
    /// # Errors
    /// As the store.
    pub async fn awaited_approvals(
        &mut self,
        cell: &CellName,
    ) -> Result<BTreeMap<UserId, AwaitedApproval>> {
        let found = self.tx.scan_all(&keys::awaited_approvals(cell)).await?;
        found
            .into_iter()
            .map(|(key, awaited)| {
                let id = UserId::from_bytes(*trailing_uuid(&key)?.as_bytes());
                Ok((id, awaited))
            })
            .collect()
    }

    /// What a user waits for, and the change that it is part of; none if nothing of them waits.
    ///
    /// # Errors
    /// As the store.
    pub async fn approval_of(
        &mut self,
        user: UserId,
    ) -> Result<Option<(AwaitedApproval, ApprovalRequest)>> {
        let Some(place) = self.tx.get::<UserPlace>(&keys::user_place(user)).await? else {
            return Ok(None);
        };
        let key = keys::awaited_approval(&place.cell, user);
        let Some(awaited) = self.tx.get::<AwaitedApproval>(&key).await? else {
            return Ok(None);
        };
        let request = self.approval(&place.cell, awaited.change).await?;
        Ok(request.map(|request| (awaited, request)))
    }
}
