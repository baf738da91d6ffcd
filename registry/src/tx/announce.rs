//! What is written together: an intent and its feed, power and its feed, what expires and its entry, the audit.

use coditect_core::{AccountId, CellName, TenantId, UserId, WorkspaceId};
use jiff::Timestamp;

use super::{Tx, trailing_uuid};
use crate::{
    keys,
    record::{Action, AuditEntry, Counted, Expiring, IntentRow, PLATFORM, Requested, Revocation},
    store::StoreError,
};

impl Tx {
    /// Writes a changed intent: the generation grows, the time is noted for the workspaces `touched`, the
    /// change feed carries the user's id and its signal moves. The only way an intent is ever changed.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn put_intent(
        &mut self,
        row: &mut IntentRow,
        touched: &[WorkspaceId],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        row.intent.generation = row.intent.generation.saturating_add(1);
        row.raised_from = None;
        row.changed_at = at;
        let requested = Requested {
            generation: row.intent.generation,
            at,
        };
        row.requested
            .extend(touched.iter().map(|workspace| (*workspace, requested)));
        row.requested
            .retain(|workspace, _| row.intent.workspace(*workspace).is_some());
        self.put(&keys::intent(&row.intent.cell, row.intent.user), row)?;
        self.announce_change(&row.intent.cell.clone(), row.intent.user)
    }

    /// Writes an intent that Git has and the registry lost, with Git's generation: nothing is new, so nothing is
    /// announced.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn put_adopted_intent(&mut self, row: &IntentRow) -> Result<(), StoreError> {
        self.put(&keys::intent(&row.intent.cell, row.intent.user), row)
    }

    /// Puts the user's id into the change feed, so that the renderer reads their state anew.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn announce_change(&mut self, cell: &CellName, user: UserId) -> Result<(), StoreError> {
        self.append(&keys::change_feed(cell), &user)?;
        self.add(&keys::change_signal(cell), 1);
        Ok(())
    }

    /// Puts the workspace's id into the power feed, so that the observer reads its power anew.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn announce_power(
        &mut self,
        cell: &CellName,
        workspace: WorkspaceId,
    ) -> Result<(), StoreError> {
        self.append(&keys::power_feed(cell), &workspace)?;
        self.add(&keys::power_signal(cell), 1);
        Ok(())
    }

    /// Puts the end of a sign-in into the feed of revocations, so that whoever let it in shuts it out.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn announce_revocation(&mut self, revocation: &Revocation) -> Result<(), StoreError> {
        self.append(&keys::revocation_feed(), revocation)?;
        self.add(&keys::revocation_signal(), 1);
        Ok(())
    }

    /// Puts what a process of the API let through into the feed that the others read.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn announce_counted(&mut self, counted: &Counted) -> Result<(), StoreError> {
        self.append(&keys::counted_feed(), counted)?;
        self.add(&keys::counted_signal(), 1);
        Ok(())
    }

    /// Notes that `what` is to be forgotten in the hour of `at`.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn expire(&mut self, what: &Expiring, at: Timestamp) -> Result<(), StoreError> {
        self.put(&what.key(at), what)
    }

    /// Takes back that `what` is to be forgotten in the hour of `at`.
    pub fn keep(&mut self, what: &Expiring, at: Timestamp) {
        self.clear(&what.key(at));
    }

    /// Appends what an account decided about itself to the audit of each of its tenants.
    ///
    /// # Errors
    /// As [`Tx::scan`] and [`encode`].
    pub async fn audit_account(
        &mut self,
        account: AccountId,
        action: &Action,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for (key, _) in self.scan_all::<UserId>(&keys::memberships(account)).await? {
            let tenant = TenantId::from_bytes(*trailing_uuid(&key)?.as_bytes());
            self.audit(tenant, at, Some(account), action.clone())?;
        }
        Ok(())
    }

    /// Appends to the tenant's audit that `actor` (none: the product itself) has done `action`.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn audit(
        &mut self,
        tenant: TenantId,
        at: Timestamp,
        actor: Option<AccountId>,
        action: Action,
    ) -> Result<(), StoreError> {
        self.append(&keys::audit(tenant), &AuditEntry { at, actor, action })
    }

    /// As [`Tx::audit`], of what an administrator of the platform has done: the tenant sees it, and so does whoever
    /// looks after administrators.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn audit_administrator(
        &mut self,
        tenant: TenantId,
        at: Timestamp,
        by: AccountId,
        action: Action,
    ) -> Result<(), StoreError> {
        self.audit(tenant, at, Some(by), action.clone())?;
        self.audit(PLATFORM, at, Some(by), action)
    }
}
