//! A tenant: who belongs to it, who may, what was decided.

use coditect_core::{AccountId, Email, InvitationId, Result, TenantId, UserId};

use crate::{
    keys,
    record::{AuditEntry, Invitation, Tenant, User, UserPlace},
    registry::View,
    store::KeyRange,
    tx::trailing_uuid,
};

/// Where an entry of an audit is: the versionstamp in its key, as the key holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPlace(pub [u8; 13]);

impl View {
    /// A tenant.
    ///
    /// # Errors
    /// As the store.
    pub async fn tenant(&mut self, tenant: TenantId) -> Result<Option<Tenant>> {
        Ok(self.tx.get(&keys::tenant(tenant)).await?)
    }

    /// A user with its tenant.
    ///
    /// # Errors
    /// As the store.
    pub async fn user(&mut self, user: UserId) -> Result<Option<(TenantId, User)>> {
        let Some(place) = self.tx.get::<UserPlace>(&keys::user_place(user)).await? else {
            return Ok(None);
        };
        Ok(self
            .tx
            .get(&keys::user(place.tenant, user))
            .await?
            .map(|user| (place.tenant, user)))
    }

    /// The newest entries of a tenant's audit, newest first.
    ///
    /// # Errors
    /// As the store.
    pub async fn audit(&mut self, tenant: TenantId, limit: usize) -> Result<Vec<AuditEntry>> {
        let found = self
            .tx
            .scan_back(&KeyRange::below(&keys::audit(tenant)), limit)
            .await?;
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }

    /// At most `limit` entries of a tenant's audit before `before`, newest first, each with its place.
    ///
    /// # Errors
    /// As the store.
    pub async fn audit_before(
        &mut self,
        tenant: TenantId,
        before: Option<AuditPlace>,
        limit: usize,
    ) -> Result<Vec<(AuditPlace, AuditEntry)>> {
        let feed = keys::audit(tenant);
        let mut range = KeyRange::below(&feed);
        if let Some(AuditPlace(place)) = before {
            range.end = [feed.as_slice(), &place].concat();
        }
        let found = self.tx.scan_back(&range, limit).await?;
        let places = found.into_iter().filter_map(|(key, entry)| {
            let place = key.strip_prefix(feed.as_slice())?;
            Some((AuditPlace(place.try_into().ok()?), entry))
        });
        Ok(places.collect())
    }

    /// The account's user in a tenant, if it is a member there.
    ///
    /// # Errors
    /// As the store.
    pub async fn membership(
        &mut self,
        account: AccountId,
        tenant: TenantId,
    ) -> Result<Option<UserId>> {
        Ok(self.tx.get(&keys::membership(account, tenant)).await?)
    }

    /// At most `limit` users of a tenant behind `after`, in order of id, and whether there are more.
    ///
    /// # Errors
    /// As the store.
    pub async fn members_after(
        &mut self,
        tenant: TenantId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<(Vec<(UserId, User)>, bool)> {
        let mut range = keys::members(tenant);
        if let Some(after) = after {
            range = range.after(&keys::member(tenant, after));
        }
        let (found, more) = self.tx.scan::<AccountId>(&range, limit).await?;
        let mut members = Vec::with_capacity(found.len());
        for (key, _) in found {
            let id = UserId::from_bytes(*trailing_uuid(&key)?.as_bytes());
            if let Some(user) = self.tx.get(&keys::user(tenant, id)).await? {
                members.push((id, user));
            }
        }
        Ok((members, more))
    }

    /// A tenant's open invitations.
    ///
    /// # Errors
    /// As the store.
    pub async fn invitations(
        &mut self,
        tenant: TenantId,
    ) -> Result<Vec<(InvitationId, Invitation)>> {
        let found = self.tx.scan_all(&keys::invitations(tenant)).await?;
        found
            .into_iter()
            .map(|(key, record)| {
                let id = InvitationId::from_bytes(*trailing_uuid(&key)?.as_bytes());
                Ok((id, record))
            })
            .collect()
    }

    /// One invitation, if it is open.
    ///
    /// # Errors
    /// As the store.
    pub async fn invitation(
        &mut self,
        tenant: TenantId,
        invitation: InvitationId,
    ) -> Result<Option<Invitation>> {
        Ok(self.tx.get(&keys::invitation(tenant, invitation)).await?)
    }

    /// The open invitations of an address.
    ///
    /// # Errors
    /// As the store.
    pub async fn invitations_of(
        &mut self,
        email: &Email,
    ) -> Result<Vec<(TenantId, InvitationId, Invitation)>> {
        let found = self
            .tx
            .scan_all::<TenantId>(&keys::address_invitations(email))
            .await?;
        let mut invitations = Vec::with_capacity(found.len());
        for (key, tenant) in found {
            let id = InvitationId::from_bytes(*trailing_uuid(&key)?.as_bytes());
            if let Some(record) = self.tx.get(&keys::invitation(tenant, id)).await? {
                invitations.push((tenant, id, record));
            }
        }
        Ok(invitations)
    }
}
