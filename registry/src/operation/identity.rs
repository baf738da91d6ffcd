//! Other ways to sign in: somebody else's sign-in linked to an account, or made into one.

use async_trait::async_trait;
use coditect_core::{
    AccountId, DisplayName, Email, Error, ExternalId, ProviderName, RegistrationId, TenantId,
    TermsVersion, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    api_key::revoke_all,
    email::{forget_email_change, forget_password_reset},
    forget::forget_providers,
    login::end_all_but,
    provision::{Person, provision},
    sign_up::{Placement, Provisioned},
    upkeep::forget_registration,
    who,
};
use crate::{
    keys,
    record::{AcceptedTerms, Account, Action, Credential, LinkedIdentity},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// Links a provider's identity to an account. The caller has seen the person prove both.
pub struct LinkIdentity {
    /// The account.
    pub account: AccountId,
    /// Whose sign-in.
    pub provider: ProviderName,
    /// The provider's id of the person.
    pub subject: ExternalId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for LinkIdentity {
    const NAME: &'static str = "link_identity";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        who::account(tx, self.account).await?;
        let index = keys::oauth(&self.provider, &self.subject);
        match tx.get::<AccountId>(&index).await? {
            Some(account) if account == self.account => return Ok(()),
            Some(_) => {
                return Err(Error::conflict(format!(
                    "this {} sign-in belongs to another account; sign in with it, or unlink it there",
                    self.provider
                ))
                .into());
            }
            None => {}
        }
        let key = keys::provider(self.account, &self.provider);
        if tx.get::<LinkedIdentity>(&key).await?.is_some() {
            return Err(Error::conflict(format!(
                "another {} sign-in is linked to this account; unlink it first",
                self.provider
            ))
            .into());
        }
        link(tx, self.account, &self.provider, &self.subject, self.at)?;
        let action = Action::IdentityLinked {
            provider: self.provider.clone(),
        };
        tx.audit_account(self.account, &action, self.at).await?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

fn link(
    tx: &mut Tx,
    account: AccountId,
    provider: &ProviderName,
    subject: &ExternalId,
    at: Timestamp,
) -> Result<(), Abort> {
    tx.put(&keys::oauth(provider, subject), &account)?;
    tx.put(
        &keys::provider(account, provider),
        &LinkedIdentity {
            subject: subject.clone(),
            linked_at: at,
        },
    )?;
    Ok(())
}

/// Unlinks a provider's identity. The last way to sign in stays.
pub struct UnlinkIdentity {
    /// The account.
    pub account: AccountId,
    /// Whose sign-in.
    pub provider: ProviderName,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for UnlinkIdentity {
    const NAME: &'static str = "unlink_identity";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        who::account(tx, self.account).await?;
        let key = keys::provider(self.account, &self.provider);
        let linked: LinkedIdentity = tx
            .require(&key, "no sign-in of that provider is linked")
            .await?;
        let has_password = tx
            .get::<Credential>(&keys::credential(self.account))
            .await?
            .is_some();
        // Two of them, so that one is left.
        let (providers, _) = tx
            .scan::<LinkedIdentity>(&keys::providers(self.account), 2)
            .await?;
        if !has_password && providers.len() < 2 {
            return Err(Error::conflict(
                "this is the only way to sign in to the account; set a password or link another first",
            )
            .into());
        }
        tx.clear(&key);
        tx.clear(&keys::oauth(&self.provider, &linked.subject));
        let action = Action::IdentityUnlinked {
            provider: self.provider.clone(),
        };
        tx.audit_account(self.account, &action, self.at).await?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Finds the account of a provider's identity, or makes one that has no password.
///
/// Who proves an address that an account has without ever having proved it takes that account over: whoever signed up
/// with somebody else's address has lain in wait for its owner, and nothing by which they could enter is kept.
pub struct EnterByIdentity {
    /// Whose sign-in.
    pub provider: ProviderName,
    /// The provider's id of the person.
    pub subject: ExternalId,
    /// The address, which the provider says it has verified.
    pub email: Email,
    /// The name.
    pub display_name: DisplayName,
    /// The terms that the person agreed to when they came.
    pub terms: Option<TermsVersion>,
    /// Where a new user goes; none: no account is made.
    pub placement: Option<Placement>,
    /// Now.
    pub at: Timestamp,
}

/// What came of entering with a provider's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entered {
    /// The identity is linked to this account.
    Known(AccountId),
    /// Account, user and first workspace were made.
    Made(Provisioned),
    /// The address had an account that nobody had proved to be theirs. It is this person's now, and its password,
    /// sign-ins, API keys and other identities are gone.
    Reclaimed(AccountId),
    /// The address has an account that the identity is not linked to: whoever proves to be its person links it.
    AddressTaken,
    /// Nobody has the identity or the address, and no account was to be made.
    Unknown,
}

#[async_trait]
impl Operation for EnterByIdentity {
    const NAME: &'static str = "enter_by_identity";
    type Output = Entered;

    async fn run(&self, tx: &mut Tx) -> Result<Entered, Abort> {
        let index = keys::oauth(&self.provider, &self.subject);
        if let Some(account) = tx.get::<AccountId>(&index).await? {
            return Ok(Entered::Known(account));
        }
        if let Some(account) = tx.get::<AccountId>(&keys::email(&self.email)).await? {
            let record = who::account(tx, account).await?;
            if record.email_verified_at.is_some() {
                return Ok(Entered::AddressTaken);
            }
            self.reclaim(tx, account, record).await?;
            return Ok(Entered::Reclaimed(account));
        }
        let Some(placement) = &self.placement else {
            return Ok(Entered::Unknown);
        };
        let person = Person {
            email: &self.email,
            display_name: &self.display_name,
            password_hash: None,
            terms: self.accepted(),
            verified: true,
        };
        let made = provision(tx, &person, placement, self.at).await?;
        link(tx, made.account, &self.provider, &self.subject, self.at)?;
        Ok(Entered::Made(made))
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl EnterByIdentity {
    fn accepted(&self) -> Option<AcceptedTerms> {
        let version = self.terms.clone()?;
        Some(AcceptedTerms {
            version,
            at: self.at,
        })
    }

    /// Leaves the account nothing by which it could be entered but this identity.
    async fn reclaim(
        &self,
        tx: &mut Tx,
        account: AccountId,
        mut record: Account,
    ) -> Result<(), Abort> {
        tx.clear(&keys::credential(account));
        tx.clear(&keys::second_factor(account));
        forget_providers(tx, account).await?;
        tx.clear_range(&keys::providers(account));
        forget_email_change(tx, account).await?;
        forget_password_reset(tx, account).await?;
        // A sign-up's one sign-in is a way in too.
        for (_, registration) in tx
            .scan_all::<RegistrationId>(&keys::account_registrations(account))
            .await?
        {
            forget_registration(tx, registration).await?;
        }
        for (key, user) in tx.scan_all::<UserId>(&keys::memberships(account)).await? {
            let tenant = TenantId::from_bytes(*trailing_uuid(&key)?.as_bytes());
            revoke_all(tx, tenant, user).await?;
        }
        end_all_but(tx, account, None, self.at).await?;
        record.display_name = self.display_name.clone();
        record.email_verified_at = Some(self.at);
        // Whoever agreed to terms before was somebody else.
        record.terms = self.accepted();
        record.revision += 1;
        tx.put(&keys::account(account), &record)?;
        link(tx, account, &self.provider, &self.subject, self.at)?;
        let action = Action::AccountReclaimed {
            provider: self.provider.clone(),
        };
        tx.audit_account(account, &action, self.at).await?;
        Ok(())
    }
}
