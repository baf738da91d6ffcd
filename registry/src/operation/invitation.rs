//! Invitations: made, taken back, accepted, declined.

use async_trait::async_trait;
use coditect_core::{AccountId, Email, Error, InvitationId, Kind, TenantId, UserId, WorkspaceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    member::above,
    provision::{NewMember, add_member},
    sign_up::Placement,
    who,
};
use crate::{
    keys,
    record::{Action, Expiring, Invitation, Role, Tenant},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Most open invitations of one tenant.
const MOST: usize = 100;
/// Most open invitations of one address, from all tenants: its person must stay small enough to be erased in one
/// transaction.
const MOST_OF_ADDRESS: usize = 500;

fn not_open() -> Abort {
    Error::not_found("this invitation is not open any more; ask for a new one").into()
}

/// Invites the person of an address to become a member.
pub struct Invite {
    /// Who invites: an owner or an admin, to no role above their own.
    pub by: AccountId,
    /// To which tenant.
    pub tenant: TenantId,
    /// The invitation's id, drawn by the caller.
    pub invitation: InvitationId,
    /// Whom.
    pub email: Email,
    /// To which role.
    pub role: Role,
    /// The hash of what is sent to the address.
    pub proof_hash: String,
    /// Until when it may be accepted.
    pub expires_at: Timestamp,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for Invite {
    const NAME: &'static str = "invite";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (_, by) = who::member(tx, self.tenant, self.by, Role::Admin).await?;
        if by.role < self.role {
            return Err(above().into());
        }
        if let Some(account) = tx.get::<AccountId>(&keys::email(&self.email)).await?
            && tx
                .get::<UserId>(&keys::membership(account, self.tenant))
                .await?
                .is_some()
        {
            return Err(Error::conflict("the person of this address is a member").into());
        }
        let range = keys::invitations(self.tenant);
        let (open, _) = tx.scan::<Invitation>(&range, MOST).await?;
        if open.len() >= MOST {
            let message = format!("at most {MOST} invitations may be open; take some back");
            let kind = Kind::LimitReached {
                limit: "invitations",
            };
            return Err(Error::new(kind, message).into());
        }
        let range = keys::address_invitations(&self.email);
        let (everywhere, _) = tx.scan::<TenantId>(&range, MOST_OF_ADDRESS).await?;
        if everywhere.len() >= MOST_OF_ADDRESS {
            let message = "the person of this address has too many open invitations; try again when some have expired";
            let kind = Kind::LimitReached {
                limit: "invitations",
            };
            return Err(Error::new(kind, message).into());
        }
        // A newer invitation of the same address replaces the older ones.
        for (key, other) in open {
            if other.email == self.email {
                let id = InvitationId::from_bytes(*crate::tx::trailing_uuid(&key)?.as_bytes());
                close(tx, self.tenant, id, &other);
            }
        }
        let record = Invitation {
            email: self.email.clone(),
            role: self.role,
            by: self.by,
            proof_hash: self.proof_hash.clone(),
            at: self.at,
            expires_at: self.expires_at,
        };
        tx.put(&keys::invitation(self.tenant, self.invitation), &record)?;
        tx.put(
            &keys::address_invitation(&self.email, self.tenant, self.invitation),
            &self.tenant,
        )?;
        let expiring = Expiring::Invitation {
            tenant: self.tenant,
            invitation: self.invitation,
        };
        tx.expire(&expiring, self.expires_at)?;
        let action = Action::MemberInvited {
            invitation: self.invitation,
            role: self.role,
        };
        tx.audit(self.tenant, self.at, Some(self.by), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Removes an invitation with its index and its expiry.
pub(super) fn close(tx: &mut Tx, tenant: TenantId, invitation: InvitationId, record: &Invitation) {
    tx.clear(&keys::invitation(tenant, invitation));
    tx.clear(&keys::address_invitation(&record.email, tenant, invitation));
    tx.keep(
        &Expiring::Invitation { tenant, invitation },
        record.expires_at,
    );
}

/// Takes an invitation back.
pub struct RevokeInvitation {
    /// Who decides: an owner or an admin.
    pub by: AccountId,
    /// Of which tenant.
    pub tenant: TenantId,
    /// Which.
    pub invitation: InvitationId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RevokeInvitation {
    const NAME: &'static str = "revoke_invitation";
    // Done again, it finds nothing to take back.
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        who::member(tx, self.tenant, self.by, Role::Admin).await?;
        let key = keys::invitation(self.tenant, self.invitation);
        if let Some(record) = tx.get::<Invitation>(&key).await? {
            close(tx, self.tenant, self.invitation, &record);
            let action = Action::InvitationRevoked {
                invitation: self.invitation,
            };
            tx.audit(self.tenant, self.at, Some(self.by), action)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Accepts an invitation: the account becomes a member, with a first workspace. Open as long as whoever invited may
/// still invite to the role.
pub struct AcceptInvitation {
    /// Who accepts: only the account of the address that was invited.
    pub account: AccountId,
    /// To which tenant.
    pub tenant: TenantId,
    /// Which.
    pub invitation: InvitationId,
    /// The hash of what was shown.
    pub proof_hash: String,
    /// Where the user goes and what the tenant may use; the plan is the tenant's own.
    pub placement: Placement,
    /// Now.
    pub at: Timestamp,
}

/// What an accepted invitation made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The new user.
    pub user: UserId,
    /// Its first workspace.
    pub workspace: WorkspaceId,
}

#[async_trait]
impl Operation for AcceptInvitation {
    const NAME: &'static str = "accept_invitation";
    type Output = Joined;

    async fn run(&self, tx: &mut Tx) -> Result<Joined, Abort> {
        let account = who::account(tx, self.account).await?;
        if account.mark.is_some() {
            return Err(Error::conflict(
                "this account is marked for deletion; restore it before you join a tenant",
            )
            .into());
        }
        let record = open_for(
            tx,
            self.tenant,
            self.invitation,
            &account.email,
            &self.proof_hash,
            self.at,
        )
        .await?;
        self.refuse_if_the_inviter_may_not(tx, &record).await?;
        let tenant: Tenant = tx
            .get(&keys::tenant(self.tenant))
            .await?
            .ok_or_else(not_open)?;
        if tx
            .get::<UserId>(&keys::membership(self.account, self.tenant))
            .await?
            .is_some()
        {
            return Err(Error::conflict("this account has a user in the tenant").into());
        }
        close(tx, self.tenant, self.invitation, &record);
        let new = NewMember {
            account: self.account,
            tenant: self.tenant,
            role: record.role,
            plan: tenant.plan,
            at: self.at,
        };
        let (user, workspace) = add_member(tx, new, &self.placement).await?;
        let action = Action::MemberJoined {
            user,
            workspace,
            invitation: self.invitation,
        };
        tx.audit(self.tenant, self.at, Some(self.account), action)?;
        Ok(Joined { user, workspace })
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl AcceptInvitation {
    /// Whoever has left, or may less than before, brings nobody in any more.
    async fn refuse_if_the_inviter_may_not(
        &self,
        tx: &mut Tx,
        record: &Invitation,
    ) -> Result<(), Abort> {
        let needed = record.role.max(Role::Admin);
        match who::member(tx, self.tenant, record.by, needed).await {
            Err(Abort::Refused(_)) => Err(not_open()),
            answered => answered.map(drop),
        }
    }
}

/// The invitation, if it is open for this address and proof. All that is wrong is answered alike.
async fn open_for(
    tx: &mut Tx,
    tenant: TenantId,
    invitation: InvitationId,
    email: &Email,
    proof_hash: &str,
    at: Timestamp,
) -> Result<Invitation, Abort> {
    tx.get::<Invitation>(&keys::invitation(tenant, invitation))
        .await?
        .filter(|record| {
            record.email == *email && record.proof_hash == proof_hash && at < record.expires_at
        })
        .ok_or_else(not_open)
}

/// Declines an invitation.
pub struct DeclineInvitation {
    /// Who declines: only the account of the address that was invited.
    pub account: AccountId,
    /// Of which tenant.
    pub tenant: TenantId,
    /// Which.
    pub invitation: InvitationId,
    /// The hash of what was shown.
    pub proof_hash: String,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for DeclineInvitation {
    const NAME: &'static str = "decline_invitation";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let account = who::account(tx, self.account).await?;
        let record = open_for(
            tx,
            self.tenant,
            self.invitation,
            &account.email,
            &self.proof_hash,
            self.at,
        )
        .await?;
        close(tx, self.tenant, self.invitation, &record);
        // Nobody of the tenant learns which account the address has.
        tx.audit(
            self.tenant,
            self.at,
            None,
            Action::InvitationDeclined {
                invitation: self.invitation,
            },
        )?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
