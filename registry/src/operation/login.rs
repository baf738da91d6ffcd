//! Sign-ins: opened, rotated, ended.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, Kind, LoginId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    keys,
    record::{Account, Credential, Login},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// Hours without a rotation after which a sign-in ends.
const IDLE_HOURS: i64 = 24;
/// Hours after which a sign-in ends whatever happens (30 days).
const LONGEST_HOURS: i64 = 30 * 24;
/// Seconds in which the token before the current one still yields the current one: two tabs, a lost answer.
const GRACE_SECONDS: i64 = 10;

/// Signs an account in.
pub struct OpenLogin {
    /// Who.
    pub account: AccountId,
    /// The new sign-in, drawn by the caller.
    pub login: LoginId,
    /// When the password that was checked had been set: a password that was replaced while it was being
    /// checked signs nobody in. None if no password was asked for.
    pub credential_of: Option<Timestamp>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for OpenLogin {
    const NAME: &'static str = "open_login";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        tx.require::<Account>(
            &keys::account(self.account),
            "there is no account of that id",
        )
        .await?;
        if let Some(checked) = self.credential_of {
            let credential: Option<Credential> = tx.get(&keys::credential(self.account)).await?;
            if credential.is_none_or(|credential| credential.changed_at != checked) {
                let message = "e-mail or password is wrong";
                return Err(Error::new(Kind::Unauthenticated, message).into());
            }
        }
        let login = Login {
            counter: 0,
            created_at: self.at,
            rotated_at: self.at,
        };
        tx.put(&keys::login(self.account, self.login), &login)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
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
        tx.clear(&key);
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
        && now.duration_since(login.created_at).as_hours() < LONGEST_HOURS
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
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        tx.clear(&keys::login(self.account, self.login));
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Ends every sign-in of the account but one.
pub(super) async fn end_others(
    tx: &mut Tx,
    account: AccountId,
    keep: LoginId,
) -> Result<(), Abort> {
    for (key, _) in tx.scan_all::<Login>(&keys::logins(account)).await? {
        if trailing_uuid(&key).map_err(Error::from)? != keep.as_uuid() {
            tx.clear(&key);
        }
    }
    Ok(())
}
