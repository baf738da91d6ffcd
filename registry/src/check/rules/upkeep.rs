//! Lists by which things are found when their time has come.

use coditect_core::{Email, RegistrationId, RequestId, TenantId, Version};
use jiff::Timestamp;

use super::At;
use crate::{
    keys::{self, KeyPart, WorkspacePart},
    record::{
        Account, Grace, Mark, Registration, Tenant, TransactionRecord, User, UserPlace, Workspace,
        WorkspacePlace,
    },
    store::StoreError,
};

pub(super) async fn grace(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let (other, mark) = match at.record()? {
        Grace::Account { account } => {
            let key = keys::account(account);
            let mark = at.get::<Account>(&key).await?.and_then(|found| found.mark);
            (key, mark)
        }
        Grace::User { user } => {
            let place = keys::user_place(user);
            match at.get::<UserPlace>(&place).await? {
                None => (place, None),
                Some(found) => {
                    let key = keys::user(found.tenant, user);
                    let mark = at.get::<User>(&key).await?.and_then(|user| user.mark);
                    (key, mark)
                }
            }
        }
        Grace::Workspace { workspace } => {
            let place = keys::workspace_place(workspace);
            match at.get::<WorkspacePlace>(&place).await? {
                None => (place, None),
                Some(found) => {
                    let key = keys::workspace(
                        found.tenant,
                        found.user,
                        workspace,
                        WorkspacePart::Profile,
                    );
                    let mark = at
                        .get::<Workspace>(&key)
                        .await?
                        .and_then(|workspace| workspace.mark);
                    (key, mark)
                }
            }
        }
    };
    let due = match at.parsed.parts.get(1) {
        Some(KeyPart::Number(second)) => Some(*second),
        _ => None,
    };
    // An entry that outlives its mark deletes nobody: the mark is read again when it is due. One at another time
    // than the mark's is the same.
    if mark.is_none_or(|Mark { until, .. }| Some(i128::from(until.as_second())) != due) {
        at.dangling(other, "nothing is marked for deletion at that time");
    }
    Ok(())
}

pub(super) async fn plan_change(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let other = keys::tenant(TenantId::from_bytes(id));
    if at.get::<Tenant>(&other).await?.is_none() {
        at.dangling(other, "there is no such tenant");
    }
    Ok(())
}

pub(super) async fn request(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let record = at.record::<TransactionRecord>()?;
    let key = keys::transaction_age(record.at, RequestId::from_bytes(id));
    if at.get::<Version>(&key).await?.is_none() {
        at.missing(
            key,
            &Version::default(),
            "the answer would never be forgotten",
        )?;
    }
    Ok(())
}

pub(super) async fn request_age(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let other = keys::transaction(RequestId::from_bytes(id));
    let hour = at.parsed.parts.get(1).cloned();
    let record = at.get::<TransactionRecord>(&other).await?;
    if record.is_none_or(|record| hour != Some(hour_of(record.at))) {
        at.dangling(other, "there is no answer of that hour");
    }
    Ok(())
}

pub(super) async fn registration(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let id = RegistrationId::from_bytes(id);
    let key = keys::registration_age(at.record::<Registration>()?.at, id);
    if at.get::<RegistrationId>(&key).await?.is_none() {
        at.missing(key, &id, "the sign-up would never be forgotten")?;
    }
    Ok(())
}

pub(super) async fn registration_age(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let other = keys::registration(RegistrationId::from_bytes(id));
    if at.get::<Registration>(&other).await?.is_none() {
        at.dangling(other, "there is no such sign-up");
    }
    Ok(())
}

pub(super) async fn address_of_registration(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    // Named so that an address that is none is found, too.
    let _: Email = at.text(1)?;
    let other = keys::registration(RegistrationId::from_bytes(id));
    if at.get::<Registration>(&other).await?.is_none() {
        at.dangling(other, "there is no such sign-up");
    }
    Ok(())
}

fn hour_of(at: Timestamp) -> KeyPart {
    KeyPart::Number((at.as_second() / 3600).into())
}
