//! What expires, and the list by which the janitor finds it.

use coditect_core::{AccountId, ApiKeyId, InvitationId, LoginId, SessionId, TenantId, UserId};
use jiff::Timestamp;

use super::At;
use crate::{
    keys,
    record::{
        ApiKey, ApprovalRequest, EmailChange, Expiring, Invitation, Login, PasswordReset, Session,
        SignIn, StripeEvent,
    },
    store::StoreError,
};

const FOR_EVER: &str = "nothing would take it away when it has expired";

/// An entry of the list.
pub(super) async fn listed(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let other = match at.record()? {
        Expiring::SignIn { account, login } => keys::sign_in(account, login),
        Expiring::EmailChange { account } => keys::email_change(account),
        Expiring::PasswordReset { account } => keys::password_reset(account),
        Expiring::Session {
            tenant,
            user,
            session,
        } => keys::session(tenant, user, session),
        Expiring::ApiKey {
            tenant,
            user,
            api_key,
        } => keys::api_key(tenant, user, api_key),
        Expiring::Invitation { tenant, invitation } => keys::invitation(tenant, invitation),
        Expiring::StripeEvent { event } => keys::stripe_event(&event),
        Expiring::Approval { cell, change } => keys::approval(&cell, change),
    };
    if !at.is_there(&other).await? {
        at.dangling(other, "what was to expire is not there");
    }
    Ok(())
}

async fn on_the_list(
    at: &mut At<'_, '_>,
    expiring: &Expiring,
    end: Timestamp,
) -> Result<(), StoreError> {
    let key = expiring.key(end);
    if !at.is_there(&key).await? {
        at.missing(key, expiring, FOR_EVER)?;
    }
    Ok(())
}

/// A sign-in's address and its family of tokens, which go together.
pub(super) async fn sign_in(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let end = SignIn::end_of(at.record::<SignIn>()?.at);
    of_sign_in(at, end).await
}

pub(super) async fn login(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let end = SignIn::end_of(at.record::<Login>()?.created_at);
    of_sign_in(at, end).await
}

async fn of_sign_in(at: &mut At<'_, '_>, end: Timestamp) -> Result<(), StoreError> {
    let [account, login] = at.ids()?;
    let expiring = Expiring::SignIn {
        account: AccountId::from_bytes(account),
        login: LoginId::from_bytes(login),
    };
    on_the_list(at, &expiring, end).await
}

pub(super) async fn stripe_event(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let expiring = Expiring::StripeEvent { event: at.text(1)? };
    let end = at.record::<StripeEvent>()?.expires_at();
    on_the_list(at, &expiring, end).await
}

/// A change that nobody waits for any more.
pub(super) async fn approval(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let request = at.record::<ApprovalRequest>()?;
    if !request.state.is_final() {
        return Ok(());
    }
    let end = request.expires_at();
    let ApprovalRequest { cell, change, .. } = request;
    on_the_list(at, &Expiring::Approval { cell, change }, end).await
}

pub(super) async fn email_change(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [account] = at.ids()?;
    let account = AccountId::from_bytes(account);
    let end = at.record::<EmailChange>()?.expires_at;
    on_the_list(at, &Expiring::EmailChange { account }, end).await
}

pub(super) async fn password_reset(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [account] = at.ids()?;
    let account = AccountId::from_bytes(account);
    let end = at.record::<PasswordReset>()?.expires_at;
    on_the_list(at, &Expiring::PasswordReset { account }, end).await
}

pub(super) async fn session(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, user, session] = at.ids()?;
    let expiring = Expiring::Session {
        tenant: TenantId::from_bytes(tenant),
        user: UserId::from_bytes(user),
        session: SessionId::from_bytes(session),
    };
    let end = at.record::<Session>()?.expires_at();
    on_the_list(at, &expiring, end).await
}

pub(super) async fn api_key(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, user, api_key] = at.ids()?;
    let expiring = Expiring::ApiKey {
        tenant: TenantId::from_bytes(tenant),
        user: UserId::from_bytes(user),
        api_key: ApiKeyId::from_bytes(api_key),
    };
    match at.record::<ApiKey>()?.expires_at {
        Some(end) => on_the_list(at, &expiring, end).await,
        None => Ok(()),
    }
}

pub(super) async fn invitation(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, id] = at.ids()?;
    let (tenant, id) = (TenantId::from_bytes(tenant), InvitationId::from_bytes(id));
    let record = at.record::<Invitation>()?;
    let key = keys::address_invitation(&record.email, tenant, id);
    if !at.is_there(&key).await? {
        at.missing(
            key,
            &tenant,
            "the person does not see that they are invited",
        )?;
    }
    let expiring = Expiring::Invitation {
        tenant,
        invitation: id,
    };
    on_the_list(at, &expiring, record.expires_at).await
}

pub(super) async fn address_of_invitation(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, id] = at.ids()?;
    let other = keys::invitation(TenantId::from_bytes(tenant), InvitationId::from_bytes(id));
    if !at.is_there(&other).await? {
        at.dangling(other, "there is no such invitation");
    }
    Ok(())
}
