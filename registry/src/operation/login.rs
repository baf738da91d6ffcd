//! Sign-ins: opened, rotated, ended.

use std::net::IpAddr;

use async_trait::async_trait;
use coditect_core::{AccountId, Error, Kind, LoginId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::who;
use crate::{
    keys,
    record::{Action, Credential, Expiring, Login, Revocation, SignIn},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// Hours without a rotation after which a sign-in ends.
pub(super) const IDLE_HOURS: i64 = 24;
/// Seconds in which the token before the current one still yields the current one: two tabs, a lost answer.
const GRACE_SECONDS: i64 = 10;

/// Most sign-ins of an account that are remembered, living or not: whoever signs in by a script every minute must
/// not make an account that is too large to be erased in one transaction.
const MOST: usize = 100;

/// Signs an account in. The oldest of 100 sign-ins is ended and forgotten for it.
pub struct OpenLogin {
    /// Who.
    pub account: AccountId,
    /// The new sign-in, drawn by the caller.
    pub login: LoginId,
    /// When the password that was checked had been set: a password that was replaced while it was being
    /// checked signs nobody in. None if no password was asked for.
    pub credential_of: Option<Timestamp>,
    /// From where, if that is known and may be kept: the network address and what the browser calls itself.
    pub from: Option<(IpAddr, Option<String>)>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for OpenLogin {
    const NAME: &'static str = "open_login";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        who::account(tx, self.account).await?;
        if let Some(checked) = self.credential_of {
            let credential: Option<Credential> = tx.get(&keys::credential(self.account)).await?;
            if credential.is_none_or(|credential| credential.changed_at != checked) {
                let message = "e-mail or password is wrong";
                return Err(Error::new(Kind::Unauthenticated, message).into());
            }
        }
        self.make_room(tx).await?;
        let login = Login {
            counter: 0,
            created_at: self.at,
            rotated_at: self.at,
            tenant: None,
        };
        tx.put(&keys::login(self.account, self.login), &login)?;
        let (address, agent) = self.from.clone().unzip();
        let sign_in = SignIn {
            at: self.at,
            address,
            agent: agent
                .flatten()
                .map(|agent| agent.chars().take(SignIn::LONGEST_AGENT).collect()),
        };
        tx.put(&keys::sign_in(self.account, self.login), &sign_in)?;
        let expiring = Expiring::SignIn {
            account: self.account,
            login: self.login,
        };
        tx.expire(&expiring, SignIn::end_of(self.at))?;
        let action = Action::SignedIn { login: self.login };
        tx.audit_account(self.account, &action, self.at).await?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl OpenLogin {
    async fn make_room(&self, tx: &mut Tx) -> Result<(), Abort> {
        let range = keys::sign_ins(self.account);
        let mut known = tx.scan_all::<SignIn>(&range).await?;
        known.sort_by_key(|(_, sign_in)| sign_in.at);
        let surplus = (known.len() + 1).saturating_sub(MOST);
        for (key, sign_in) in known.into_iter().take(surplus) {
            let login = LoginId::from_bytes(*trailing_uuid(&key)?.as_bytes());
            end(tx, self.account, login, self.at).await?;
            tx.clear(&key);
            let expiring = Expiring::SignIn {
                account: self.account,
                login,
            };
            tx.keep(&expiring, SignIn::end_of(sign_in.at));
        }
        Ok(())
    }
}

/// Exchanges a refresh token for its successor.
pub struct RotateRefresh {
    /// Whose sign-in.
    pub account: AccountId,
    /// Which.
    pub login: LoginId,
    /// The number of the token presented.
    pub counter: u64,
    /// Now.
    pub at: Timestamp,
}

/// What became of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// The successor's number.
    Current(u64),
    /// An older token was used again: somebody copied it. The sign-in is ended.
    Reused,
    /// The sign-in has ended.
    Ended,
}

#[async_trait]
impl Operation for RotateRefresh {
    const NAME: &'static str = "rotate_refresh";
    type Output = Rotation;

    async fn run(&self, tx: &mut Tx) -> Result<Rotation, Abort> {
        let key = keys::login(self.account, self.login);
        let Some(mut login) = tx.get::<Login>(&key).await? else {
            return Ok(Rotation::Ended);
        };
        if !is_live(&login, self.at) {
            tx.clear(&key);
            return Ok(Rotation::Ended);
        }
        // Reads the account, so that nothing of a sign-in is written beside its erasure.
        who::account(tx, self.account).await?;
        if self.counter == login.counter {
            login.counter += 1;
            login.rotated_at = self.at;
            tx.put(&key, &login)?;
            return Ok(Rotation::Current(login.counter));
        }
        if self.counter + 1 == login.counter
            && self.at.duration_since(login.rotated_at).as_secs() < GRACE_SECONDS
        {
            return Ok(Rotation::Current(login.counter));
        }
        end(tx, self.account, self.login, self.at).await?;
        if self.counter > login.counter {
            // Given out after the backup from which the registry was restored. Which of the tokens given out since is
            // the newest is not known any more, so nobody goes on by one; but none was used twice, either.
            return Ok(Rotation::Ended);
        }
        let action = Action::SignInRevoked { login: self.login };
        tx.audit_account(self.account, &action, self.at).await?;
        Ok(Rotation::Reused)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// True while a sign-in may be used.
#[must_use]
pub fn is_live(login: &Login, now: Timestamp) -> bool {
    now.duration_since(login.rotated_at).as_hours() < IDLE_HOURS
        && now < SignIn::end_of(login.created_at)
}

/// Signs out.
pub struct EndLogin {
    /// Whose sign-in.
    pub account: AccountId,
    /// Which.
    pub login: LoginId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for EndLogin {
    const NAME: &'static str = "end_login";
    // Done again, it finds nothing to end.
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        if end(tx, self.account, self.login, self.at).await? {
            let action = Action::SignedOut { login: self.login };
            tx.audit_account(self.account, &action, self.at).await?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Signs out everywhere else.
pub struct EndOtherLogins {
    /// Whose sign-ins.
    pub account: AccountId,
    /// The one that stays, if any.
    pub keep: Option<LoginId>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for EndOtherLogins {
    const NAME: &'static str = "end_other_logins";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let logins = end_all_but(tx, self.account, self.keep, self.at).await?;
        if !logins.is_empty() {
            // One entry a tenant: a hundred sign-ins times hundreds of tenants are more than a transaction holds.
            let action = Action::SignedOutElsewhere { logins };
            tx.audit_account(self.account, &action, self.at).await?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Ends a sign-in and says so to whoever let it in; false if there is none.
async fn end(
    tx: &mut Tx,
    account: AccountId,
    login: LoginId,
    at: Timestamp,
) -> Result<bool, Abort> {
    let key = keys::login(account, login);
    if tx.get::<Login>(&key).await?.is_none() {
        return Ok(false);
    }
    tx.clear(&key);
    tx.announce_revocation(&Revocation { account, login, at })?;
    Ok(true)
}

/// Ends every sign-in of the account but `keep`, and gives those that ended.
pub(super) async fn end_all_but(
    tx: &mut Tx,
    account: AccountId,
    keep: Option<LoginId>,
    at: Timestamp,
) -> Result<Vec<LoginId>, Abort> {
    let mut ended = Vec::new();
    for (key, _) in tx.scan_all::<Login>(&keys::logins(account)).await? {
        let login = LoginId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        if Some(login) != keep {
            end(tx, account, login, at).await?;
            ended.push(login);
        }
    }
    Ok(ended)
}
