//! A person: account, ways to sign in, sign-ins.

use coditect_core::{
    AccountId, Email, ExternalId, LoginId, ProviderName, RegistrationId, Result, TenantId, UserId,
};
use jiff::Timestamp;

use crate::{
    keys::{self, KeyPart},
    operation::is_live,
    record::{
        Account, Credential, EmailChange, LinkedIdentity, Login, Registration, SecondFactor, SignIn,
    },
    registry::View,
    tx::trailing_uuid,
};

impl View {
    /// A person.
    ///
    /// # Errors
    /// As the store.
    pub async fn account(&mut self, account: AccountId) -> Result<Option<Account>> {
        Ok(self.tx.get(&keys::account(account)).await?)
    }

    /// Who has this address, and their credential.
    ///
    /// # Errors
    /// As the store.
    pub async fn account_by_email(
        &mut self,
        email: &Email,
    ) -> Result<Option<(AccountId, Credential)>> {
        let Some(account) = self.tx.get::<AccountId>(&keys::email(email)).await? else {
            return Ok(None);
        };
        Ok(self
            .tx
            .get(&keys::credential(account))
            .await?
            .map(|credential| (account, credential)))
    }

    /// A person's credential.
    ///
    /// # Errors
    /// As the store.
    pub async fn credential(&mut self, account: AccountId) -> Result<Option<Credential>> {
        Ok(self.tx.get(&keys::credential(account)).await?)
    }

    /// A sign-in, if it may still be used.
    ///
    /// # Errors
    /// As the store.
    pub async fn login(
        &mut self,
        account: AccountId,
        login: LoginId,
        now: Timestamp,
    ) -> Result<Option<Login>> {
        Ok(self
            .tx
            .get::<Login>(&keys::login(account, login))
            .await?
            .filter(|login| is_live(login, now)))
    }

    /// A sign-up.
    ///
    /// # Errors
    /// As the store.
    pub async fn registration(
        &mut self,
        registration: RegistrationId,
    ) -> Result<Option<Registration>> {
        Ok(self.tx.get(&keys::registration(registration)).await?)
    }

    /// The tenants an account belongs to, each with its user there.
    ///
    /// # Errors
    /// As the store.
    pub async fn memberships(&mut self, account: AccountId) -> Result<Vec<(TenantId, UserId)>> {
        let found = self
            .tx
            .scan_all::<UserId>(&keys::memberships(account))
            .await?;
        found
            .into_iter()
            .map(|(key, user)| Ok((TenantId::from_bytes(*trailing_uuid(&key)?.as_bytes()), user)))
            .collect()
    }

    /// The users that others left behind and the account was given, each with its tenant.
    ///
    /// # Errors
    /// As the store.
    pub async fn custodies(&mut self, account: AccountId) -> Result<Vec<(TenantId, UserId)>> {
        let found = self
            .tx
            .scan_all::<TenantId>(&keys::custodies(account))
            .await?;
        found
            .into_iter()
            .map(|(key, tenant)| Ok((tenant, UserId::from_bytes(*trailing_uuid(&key)?.as_bytes()))))
            .collect()
    }

    /// Whose a provider's identity is.
    ///
    /// # Errors
    /// As the store.
    pub async fn account_by_identity(
        &mut self,
        provider: &ProviderName,
        subject: &ExternalId,
    ) -> Result<Option<AccountId>> {
        Ok(self.tx.get(&keys::oauth(provider, subject)).await?)
    }

    /// The identities that are linked to an account, by provider.
    ///
    /// # Errors
    /// As the store.
    pub async fn identities(
        &mut self,
        account: AccountId,
    ) -> Result<Vec<(ProviderName, LinkedIdentity)>> {
        let found = self.tx.scan_all(&keys::providers(account)).await?;
        let mut identities = Vec::with_capacity(found.len());
        for (key, linked) in found {
            if let Ok(mut parsed) = keys::parse(&key)
                && let Some(KeyPart::Text(provider)) = parsed.parts.pop()
            {
                identities.push((provider.parse()?, linked));
            }
        }
        Ok(identities)
    }

    /// A person's second factor, confirmed or offered.
    ///
    /// # Errors
    /// As the store.
    pub async fn second_factor(&mut self, account: AccountId) -> Result<Option<SecondFactor>> {
        Ok(self.tx.get(&keys::second_factor(account)).await?)
    }

    /// The address that a person asked for and has not proved.
    ///
    /// # Errors
    /// As the store.
    pub async fn email_change(&mut self, account: AccountId) -> Result<Option<EmailChange>> {
        Ok(self.tx.get(&keys::email_change(account)).await?)
    }

    /// The sign-ins of the last 30 days, each with where it came from, and with its family while that lives.
    ///
    /// # Errors
    /// As the store.
    pub async fn sign_ins(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<(LoginId, SignIn, Option<Login>)>> {
        let found = self.tx.scan_all::<SignIn>(&keys::sign_ins(account)).await?;
        let mut sign_ins = Vec::with_capacity(found.len());
        for (key, sign_in) in found {
            let id = LoginId::from_bytes(*trailing_uuid(&key)?.as_bytes());
            sign_ins.push((id, sign_in, self.login(account, id, now).await?));
        }
        Ok(sign_ins)
    }
}
