//! What a person changes about themselves.

use async_trait::async_trait;
use coditect_core::{AccountId, DisplayName, Error, LoginId, TenantId};
use jiff::Timestamp;

use super::{
    email::{forget_email_change, forget_password_reset},
    login::end_all_but,
    who,
};
use crate::{
    keys,
    record::{Account, Action, Credential},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Changes what a person is called.
pub struct ChangeProfile {
    /// Who.
    pub account: AccountId,
    /// The new name.
    pub display_name: DisplayName,
    /// The revision the caller saw, if it insists.
    pub expected: Option<u64>,
    /// The tenant in whose audit it stands.
    pub tenant: TenantId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ChangeProfile {
    const NAME: &'static str = "change_profile";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let key = keys::account(self.account);
        let mut record: Account = tx.require(&key, "there is no account of that id").await?;
        if self
            .expected
            .is_some_and(|expected| expected != record.revision)
        {
            return Err(Error::conflict("the profile was changed meanwhile; read it again").into());
        }
        record.display_name = self.display_name.clone();
        record.revision += 1;
        tx.put(&key, &record)?;
        tx.audit(
            self.tenant,
            self.at,
            Some(self.account),
            Action::ProfileChanged,
        )?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Replaces a person's password, ends every other sign-in and takes back whatever waits for a proof, a change of e-mail
/// or another password: it may be the wish of whoever the person shuts out by this.
pub struct ChangePassword {
    /// Who.
    pub account: AccountId,
    /// The new password's Argon2id hash.
    pub password_hash: String,
    /// The sign-in that stays.
    pub keep: LoginId,
    /// The tenant in whose audit it stands.
    pub tenant: TenantId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ChangePassword {
    const NAME: &'static str = "change_password";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        // An account erased while the new password was being hashed must not come back as a hash.
        tx.require::<Account>(
            &keys::account(self.account),
            "there is no account of that id",
        )
        .await?;
        let credential = Credential {
            password_hash: self.password_hash.clone(),
            changed_at: self.at,
        };
        tx.put(&keys::credential(self.account), &credential)?;
        end_all_but(tx, self.account, Some(self.keep), self.at).await?;
        forget_email_change(tx, self.account).await?;
        forget_password_reset(tx, self.account).await?;
        tx.audit(
            self.tenant,
            self.at,
            Some(self.account),
            Action::PasswordChanged,
        )?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes that a person took a copy of what the registry holds of them.
pub struct NoteCopy {
    /// Whose.
    pub account: AccountId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteCopy {
    const NAME: &'static str = "note_copy";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        who::account(tx, self.account).await?;
        let action = Action::PersonalCopyTaken;
        tx.audit_account(self.account, &action, self.at).await?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
