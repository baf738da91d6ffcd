//! The second factor: offered, confirmed, used, switched off.

use async_trait::async_trait;
use coditect_core::{AccountId, Error};
use jiff::Timestamp;

use super::who;
use crate::{
    keys,
    record::{Action, SecondFactor},
    registry::Operation,
    tx::{Abort, Tx},
};

fn none_there() -> Abort {
    Error::not_found("this account has no second factor").into()
}

/// Notes a secret that the person was shown. It is asked for once they confirm it ([`ConfirmSecondFactor`]); an
/// earlier one that was not confirmed is replaced.
pub struct OfferSecondFactor {
    /// Whose.
    pub account: AccountId,
    /// The secret, encrypted by the caller.
    pub sealed_secret: String,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for OfferSecondFactor {
    const NAME: &'static str = "offer_second_factor";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        who::account(tx, self.account).await?;
        let key = keys::second_factor(self.account);
        let have = tx.get::<SecondFactor>(&key).await?;
        if have.is_some_and(|have| have.confirmed_at.is_some()) {
            return Err(
                Error::conflict("this account has a second factor; switch it off first").into(),
            );
        }
        tx.put(
            &key,
            &SecondFactor {
                sealed_secret: self.sealed_secret.clone(),
                confirmed_at: None,
                last_step: 0,
                recovery: Vec::new(),
            },
        )?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Switches the second factor on: the caller has checked a code of the secret that was offered.
pub struct ConfirmSecondFactor {
    /// Whose.
    pub account: AccountId,
    /// The secret that the code was checked with; another one meanwhile is a conflict.
    pub sealed_secret: String,
    /// The time step of the code.
    pub step: u64,
    /// Hashes of the recovery codes.
    pub recovery: Vec<String>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ConfirmSecondFactor {
    const NAME: &'static str = "confirm_second_factor";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        who::account(tx, self.account).await?;
        let key = keys::second_factor(self.account);
        let have: SecondFactor = tx.get(&key).await?.ok_or_else(none_there)?;
        if have.confirmed_at.is_some() || have.sealed_secret != self.sealed_secret {
            return Err(Error::conflict("another second factor was offered meanwhile").into());
        }
        tx.put(
            &key,
            &SecondFactor {
                confirmed_at: Some(self.at),
                last_step: self.step,
                recovery: self.recovery.clone(),
                ..have
            },
        )?;
        tx.audit_account(self.account, &Action::SecondFactorEnabled, self.at)
            .await?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// What a person showed as their second factor.
#[derive(Clone, Debug)]
pub enum SecondProof {
    /// A code of this time step, which the caller has checked.
    Step(u64),
    /// The hash of a recovery code.
    Recovery(String),
}

/// Uses a code up.
pub struct UseSecondFactor {
    /// Whose.
    pub account: AccountId,
    /// What was shown.
    pub proof: SecondProof,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for UseSecondFactor {
    const NAME: &'static str = "use_second_factor";
    /// False if the code was used before, or is none of the account's recovery codes.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        who::account(tx, self.account).await?;
        let key = keys::second_factor(self.account);
        let mut have: SecondFactor = tx
            .get(&key)
            .await?
            .filter(|have: &SecondFactor| have.confirmed_at.is_some())
            .ok_or_else(none_there)?;
        match &self.proof {
            SecondProof::Step(step) if *step > have.last_step => have.last_step = *step,
            SecondProof::Step(_) => return Ok(false),
            SecondProof::Recovery(hash) => {
                let Some(at) = have.recovery.iter().position(|left| left == hash) else {
                    return Ok(false);
                };
                have.recovery.remove(at);
                tx.audit_account(self.account, &Action::RecoveryCodeUsed, self.at)
                    .await?;
            }
        }
        tx.put(&key, &have)?;
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Switches the second factor off.
pub struct RemoveSecondFactor {
    /// Whose.
    pub account: AccountId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RemoveSecondFactor {
    const NAME: &'static str = "remove_second_factor";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let key = keys::second_factor(self.account);
        if let Some(have) = tx.get::<SecondFactor>(&key).await? {
            tx.clear(&key);
            if have.confirmed_at.is_some() {
                tx.audit_account(self.account, &Action::SecondFactorRemoved, self.at)
                    .await?;
            }
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
