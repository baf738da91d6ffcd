//! Sign-up: from a request to an account with its first workspace.

use async_trait::async_trait;
use coditect_core::{
    AccountId, CellSummary, DisplayName, Email, Error, Limits, PlanName, RegistrationId, TenantId,
    TermsVersion, UserId, WorkspaceId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    provision::{Person, provision},
    upkeep::forget_registration,
};
use crate::{
    keys,
    record::{AcceptedTerms, Registration, RegistrationState},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Most sign-ups of one address that may wait for their proof. Anybody may name any address, and whoever has it must
/// stay small enough to be erased in one transaction; the oldest makes room.
const MOST_OF_ADDRESS: usize = 100;

/// Whether a person must prove that an address is theirs before anything is provisioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// No proof: for development and tests alone.
    None,
    /// By a link in an e-mail.
    Email,
}

/// Where a new user goes and what it may use; from the reviewed policy.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The plan of a new tenant.
    pub plan: PlanName,
    /// What that plan allows.
    pub limits: Limits,
    /// The cells that may take the user; the emptiest with room is chosen.
    pub cells: Vec<CellSummary>,
}

/// Records a sign-up; provisions at once if no proof is needed. The answer is the same whether or not the
/// address is taken: nothing.
pub struct Register {
    /// The opaque id the person was given.
    pub registration: RegistrationId,
    /// The address.
    pub email: Email,
    /// The name.
    pub display_name: DisplayName,
    /// The password's Argon2id hash.
    pub password_hash: String,
    /// The version of the terms that the person agreed to.
    pub terms: Option<TermsVersion>,
    /// Whether a proof is needed.
    pub verification: Verification,
    /// Where the user goes.
    pub placement: Placement,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for Register {
    const NAME: &'static str = "register";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let taken = tx
            .get::<AccountId>(&keys::email(&self.email))
            .await?
            .is_some();
        let state = match (taken, self.verification) {
            (true, _) => RegistrationState::Void,
            (false, Verification::Email) => RegistrationState::Pending {
                email: self.email.clone(),
                display_name: self.display_name.clone(),
                password_hash: self.password_hash.clone(),
                terms: self.accepted(),
            },
            (false, Verification::None) => {
                let person = Person {
                    email: &self.email,
                    display_name: &self.display_name,
                    password_hash: Some(&self.password_hash),
                    terms: self.accepted(),
                    verified: false,
                };
                let made = provision(tx, &person, &self.placement, self.at).await?;
                tx.put(
                    &keys::account_registration(made.account, self.registration),
                    &self.registration,
                )?;
                made.into_state()
            }
        };
        // For an address with an account too, which has none waiting: its answer must not come sooner.
        self.make_room(tx).await?;
        if matches!(state, RegistrationState::Pending { .. }) {
            let mention = keys::address_registration(&self.email, self.registration);
            tx.put(&mention, &self.registration)?;
        }
        tx.put(
            &keys::registration(self.registration),
            &Registration { at: self.at, state },
        )?;
        let age = keys::registration_age(self.at, self.registration);
        tx.put(&age, &self.registration)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Register {
    fn accepted(&self) -> Option<AcceptedTerms> {
        let version = self.terms.clone()?;
        Some(AcceptedTerms {
            version,
            at: self.at,
        })
    }

    async fn make_room(&self, tx: &mut Tx) -> Result<(), Abort> {
        let range = keys::address_registrations(&self.email);
        let mut waiting = Vec::new();
        for (key, registration) in tx.scan_all::<RegistrationId>(&range).await? {
            let record = tx
                .get::<Registration>(&keys::registration(registration))
                .await?;
            waiting.push((record.map(|record| record.at), key, registration));
        }
        waiting.sort_by_key(|(at, _, _)| *at);
        let surplus = (waiting.len() + 1).saturating_sub(MOST_OF_ADDRESS);
        for (_, key, registration) in waiting.into_iter().take(surplus) {
            forget_registration(tx, registration).await?;
            tx.clear(&key);
        }
        Ok(())
    }
}

/// Provisions a sign-up whose address was proved.
pub struct CompleteRegistration {
    /// Which sign-up.
    pub registration: RegistrationId,
    /// Where the user goes.
    pub placement: Placement,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for CompleteRegistration {
    const NAME: &'static str = "complete_registration";
    type Output = Provisioned;

    async fn run(&self, tx: &mut Tx) -> Result<Provisioned, Abort> {
        let key = keys::registration(self.registration);
        let record: Registration = tx.require(&key, "there is no sign-up of that id").await?;
        match record.state {
            RegistrationState::Complete {
                account,
                tenant,
                user,
                workspace,
                ..
            } => Ok(Provisioned {
                account,
                tenant,
                user,
                workspace,
            }),
            RegistrationState::Void => {
                Err(Error::not_found("there is no sign-up of that id").into())
            }
            RegistrationState::Pending {
                email,
                display_name,
                password_hash,
                terms,
            } => {
                if tx.get::<AccountId>(&keys::email(&email)).await?.is_some() {
                    return Err(Error::conflict(
                        "this address has an account by now; sign in instead",
                    )
                    .into());
                }
                let person = Person {
                    email: &email,
                    display_name: &display_name,
                    password_hash: Some(&password_hash),
                    terms,
                    verified: true,
                };
                let made = provision(tx, &person, &self.placement, self.at).await?;
                tx.clear(&keys::address_registration(&email, self.registration));
                tx.put(
                    &keys::account_registration(made.account, self.registration),
                    &self.registration,
                )?;
                tx.put(
                    &key,
                    &Registration {
                        at: record.at,
                        state: made.into_state(),
                    },
                )?;
                Ok(made)
            }
        }
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Hands out a completed sign-up's one sign-in: whoever holds the opaque id of a fresh sign-up is the person
/// who made it.
pub struct ClaimSignIn {
    /// Which sign-up.
    pub registration: RegistrationId,
    /// Now.
    pub at: Timestamp,
}

/// Minutes after a sign-up in which its sign-in may be claimed.
const CLAIM_MINUTES: i64 = 10;

#[async_trait]
impl Operation for ClaimSignIn {
    const NAME: &'static str = "claim_sign_in";
    type Output = AccountId;

    async fn run(&self, tx: &mut Tx) -> Result<AccountId, Abort> {
        let key = keys::registration(self.registration);
        let mut record: Registration = tx.require(&key, "there is no sign-up of that id").await?;
        let fresh = self.at.duration_since(record.at).as_mins() < CLAIM_MINUTES;
        match &mut record.state {
            RegistrationState::Complete {
                account, signed_in, ..
            } if !*signed_in && fresh => {
                let account = *account;
                *signed_in = true;
                tx.put(&key, &record)?;
                Ok(account)
            }
            _ => Err(Error::conflict(
                "this sign-up does not sign in any more; sign in with the password",
            )
            .into()),
        }
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// What a sign-up made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioned {
    /// The account.
    pub account: AccountId,
    /// Its own tenant.
    pub tenant: TenantId,
    /// Its membership there.
    pub user: UserId,
    /// Its first workspace.
    pub workspace: WorkspaceId,
}

impl Provisioned {
    fn into_state(self) -> RegistrationState {
        let Self {
            account,
            tenant,
            user,
            workspace,
        } = self;
        RegistrationState::Complete {
            account,
            tenant,
            user,
            workspace,
            signed_in: false,
        }
    }
}
