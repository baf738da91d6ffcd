//! What is forgotten because its time has come.

use async_trait::async_trait;
use coditect_core::Version;
use jiff::Timestamp;

use super::{
    api_key::revoke,
    email::{forget_email_change, forget_password_reset},
    invitation::close,
};
use crate::{
    keys,
    record::{EmailChange, Expiring, Invitation, PasswordReset, Revocation, Session},
    registry::Operation,
    store::Key,
    tx::{Abort, Tx},
};

/// Forgets what expired: sign-ins and the addresses they came from, sessions, API keys with an end, invitations,
/// pending proofs, events of Stripe's, changes that nobody waits for any more.
pub struct ForgetExpired {
    /// Entries of [`keys::expiries_before`].
    pub entries: Vec<Key>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ForgetExpired {
    const NAME: &'static str = "forget_expired";
    const IDEMPOTENT: bool = true;
    /// How many entries were there.
    type Output = usize;

    async fn run(&self, tx: &mut Tx) -> Result<usize, Abort> {
        let mut done = 0;
        for key in &self.entries {
            let Some(expiring) = tx.get::<Expiring>(key).await? else {
                continue;
            };
            tx.clear(key);
            self.forget(tx, &expiring).await?;
            done += 1;
        }
        Ok(done)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl ForgetExpired {
    /// Forgets one thing, unless a newer one has its place: that has an entry of its own.
    async fn forget(&self, tx: &mut Tx, expiring: &Expiring) -> Result<(), Abort> {
        match expiring {
            Expiring::SignIn { account, login } => {
                tx.clear(&keys::login(*account, *login));
                tx.clear(&keys::sign_in(*account, *login));
            }
            Expiring::EmailChange { account } => {
                let change = tx.get::<EmailChange>(&keys::email_change(*account)).await?;
                if change.is_some_and(|change| change.expires_at <= self.at) {
                    forget_email_change(tx, *account).await?;
                }
            }
            Expiring::PasswordReset { account } => {
                let reset = tx
                    .get::<PasswordReset>(&keys::password_reset(*account))
                    .await?;
                if reset.is_some_and(|reset| reset.expires_at <= self.at) {
                    forget_password_reset(tx, *account).await?;
                }
            }
            Expiring::Session {
                tenant,
                user,
                session,
            } => {
                let key = keys::session(*tenant, *user, *session);
                let record = tx.get::<Session>(&key).await?;
                if record.is_some_and(|record| record.expires_at() <= self.at) {
                    tx.clear(&key);
                }
            }
            Expiring::ApiKey {
                tenant,
                user,
                api_key,
            } => {
                revoke(tx, *tenant, *user, *api_key).await?;
            }
            Expiring::Invitation { tenant, invitation } => {
                let key = keys::invitation(*tenant, *invitation);
                if let Some(record) = tx.get::<Invitation>(&key).await? {
                    close(tx, *tenant, *invitation, &record);
                }
            }
            Expiring::StripeEvent { event } => tx.clear(&keys::stripe_event(event)),
            Expiring::Approval { cell, change } => tx.clear(&keys::approval(cell, *change)),
        }
        Ok(())
    }
}

/// Forgets revocations of before a time, a few at a time. Whoever has seen less than the floor says checks every
/// sign-in it let in.
pub struct TrimRevocations {
    /// Those of before this.
    pub before: Timestamp,
    /// How many at most.
    pub limit: usize,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for TrimRevocations {
    const NAME: &'static str = "trim_revocations";
    const IDEMPOTENT: bool = true;
    /// How many were forgotten.
    type Output = usize;

    async fn run(&self, tx: &mut Tx) -> Result<usize, Abort> {
        let feed = keys::revocation_feed();
        let range = keys::feed_after(&feed, Version::default());
        let (oldest, _) = tx.scan::<Revocation>(&range, self.limit).await?;
        let old: Vec<_> = oldest
            .iter()
            .take_while(|(_, revocation)| revocation.at < self.before)
            .collect();
        if let Some(until) = old.last().and_then(|(key, _)| keys::stamp_of(key)) {
            tx.clear_range(&keys::feed_until(&feed, until));
            tx.put(&keys::revocation_floor(), &until)?;
        }
        Ok(old.len())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
