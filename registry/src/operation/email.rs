//! A person's address changes, or proves that they forgot the password.

use async_trait::async_trait;
use coditect_core::{AccountId, Email, Error, Kind, LoginId};
use jiff::Timestamp;

use super::{forget::forget_address, login::end_all_but, who};
use crate::{
    keys,
    record::{Action, Credential, EmailChange, Expiring, PasswordReset},
    registry::Operation,
    tx::{Abort, Tx},
};

fn wrong_proof() -> Abort {
    let message = "this link is not valid any more; ask for a new one";
    Error::new(Kind::Forbidden, message).into()
}

/// Notes the address that a person wants. It becomes theirs when it is proved ([`ConfirmEmail`]); until then nothing
/// changes. A later request replaces an earlier one.
pub struct RequestEmail {
    /// Whose address.
    pub account: AccountId,
    /// The address wanted.
    pub email: Email,
    /// The hash of what is sent there.
    pub proof_hash: String,
    /// Until when it may be shown.
    pub expires_at: Timestamp,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RequestEmail {
    const NAME: &'static str = "request_email";
    /// False if the address is an account's by now: nothing is noted. What the person is told must not depend on it.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        who::account(tx, self.account).await?;
        forget_email_change(tx, self.account).await?;
        if tx
            .get::<AccountId>(&keys::email(&self.email))
            .await?
            .is_some()
        {
            return Ok(false);
        }
        tx.put(
            &keys::email_change(self.account),
            &EmailChange {
                email: self.email.clone(),
                proof_hash: self.proof_hash.clone(),
                expires_at: self.expires_at,
            },
        )?;
        let expiring = Expiring::EmailChange {
            account: self.account,
        };
        tx.expire(&expiring, self.expires_at)?;
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Removes an account's change of e-mail and its expiry.
pub(super) async fn forget_email_change(tx: &mut Tx, account: AccountId) -> Result<(), Abort> {
    let key = keys::email_change(account);
    if let Some(change) = tx.get::<EmailChange>(&key).await? {
        tx.clear(&key);
        tx.keep(&Expiring::EmailChange { account }, change.expires_at);
    }
    Ok(())
}

/// Gives an account the address that was proved, and frees the one it had, in one step. Sign-ups and invitations that
/// name the former address go with it.
pub struct ConfirmEmail {
    /// Whose address.
    pub account: AccountId,
    /// The hash of what was shown.
    pub proof_hash: String,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ConfirmEmail {
    const NAME: &'static str = "confirm_email";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let mut record = who::account(tx, self.account).await?;
        let change = tx
            .get::<EmailChange>(&keys::email_change(self.account))
            .await?
            .filter(|change| change.proof_hash == self.proof_hash && self.at < change.expires_at)
            .ok_or_else(wrong_proof)?;
        let index = keys::email(&change.email);
        if tx.get::<AccountId>(&index).await?.is_some() {
            return Err(Error::conflict("this address has an account by now").into());
        }
        tx.clear(&keys::email(&record.email));
        // Later nothing leads from the person to this address any more.
        forget_address(tx, &record.email).await?;
        tx.put(&index, &self.account)?;
        forget_email_change(tx, self.account).await?;
        // Whoever gets mail at the old address may not use it to enter any more.
        forget_password_reset(tx, self.account).await?;
        record.email = change.email;
        record.email_verified_at = Some(self.at);
        record.revision += 1;
        tx.put(&keys::account(self.account), &record)?;
        tx.audit_account(self.account, &Action::EmailChanged, self.at)
            .await?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes that whoever gets the account's mail may replace the password. A later request replaces an earlier one.
pub struct RequestPasswordReset {
    /// Whose password.
    pub account: AccountId,
    /// The hash of what is sent.
    pub proof_hash: String,
    /// Until when it may be shown.
    pub expires_at: Timestamp,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RequestPasswordReset {
    const NAME: &'static str = "request_password_reset";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        who::account(tx, self.account).await?;
        forget_password_reset(tx, self.account).await?;
        tx.put(
            &keys::password_reset(self.account),
            &PasswordReset {
                proof_hash: self.proof_hash.clone(),
                expires_at: self.expires_at,
            },
        )?;
        let expiring = Expiring::PasswordReset {
            account: self.account,
        };
        tx.expire(&expiring, self.expires_at)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Removes an account's forgotten password and its expiry.
pub(super) async fn forget_password_reset(tx: &mut Tx, account: AccountId) -> Result<(), Abort> {
    let key = keys::password_reset(account);
    if let Some(reset) = tx.get::<PasswordReset>(&key).await? {
        tx.clear(&key);
        tx.keep(&Expiring::PasswordReset { account }, reset.expires_at);
    }
    Ok(())
}

/// Replaces a forgotten password, ends every sign-in and takes back a change of e-mail that waits for its proof: it may
/// be the wish of whoever the person shuts out by this.
pub struct ResetPassword {
    /// Whose password.
    pub account: AccountId,
    /// The hash of what was shown.
    pub proof_hash: String,
    /// The new password's Argon2id hash.
    pub password_hash: String,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ResetPassword {
    const NAME: &'static str = "reset_password";
    /// The sign-ins that ended.
    type Output = Vec<LoginId>;

    async fn run(&self, tx: &mut Tx) -> Result<Vec<LoginId>, Abort> {
        let mut record = who::account(tx, self.account).await?;
        tx.get::<PasswordReset>(&keys::password_reset(self.account))
            .await?
            .filter(|reset| reset.proof_hash == self.proof_hash && self.at < reset.expires_at)
            .ok_or_else(wrong_proof)?;
        forget_password_reset(tx, self.account).await?;
        forget_email_change(tx, self.account).await?;
        // What was shown went to the address: whoever reads its mail is here.
        if record.email_verified_at.is_none() {
            record.email_verified_at = Some(self.at);
            tx.put(&keys::account(self.account), &record)?;
        }
        let credential = Credential {
            password_hash: self.password_hash.clone(),
            changed_at: self.at,
        };
        tx.put(&keys::credential(self.account), &credential)?;
        let ended = end_all_but(tx, self.account, None, self.at).await?;
        tx.audit_account(self.account, &Action::PasswordReset, self.at)
            .await?;
        Ok(ended)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
