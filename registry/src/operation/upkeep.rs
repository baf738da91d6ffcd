//! What the passing of time does, and what an operator does to a whole registry.

use async_trait::async_trait;
use coditect_core::{
    AccountId, Epoch, ErasureId, Error, RegistrationId, RequestId, UserId, WorkspaceId,
};
use jiff::Timestamp;

use super::{
    burial::{bury_user, bury_workspace},
    erasure::{erase, note_requested},
};
use crate::{
    keys,
    record::{
        Account, Grace, Mark, Registration, RegistrationState, User, UserPlace, Workspace,
        WorkspacePlace,
    },
    registry::Operation,
    store::Key,
    tx::{Abort, Tx, trailing_uuid},
};

/// Writes the tombstones of what was marked and whose grace period is over.
pub struct BuryDue {
    /// Entries of [`keys::grace_until`]. The janitor gives one at a time: one that cannot be buried must not hold up the
    /// others, and a user may have as much as a transaction holds.
    pub entries: Vec<Key>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for BuryDue {
    const NAME: &'static str = "bury_due";
    const IDEMPOTENT: bool = true;
    /// How many entries were there, whether or not their marks still held.
    type Output = usize;

    async fn run(&self, tx: &mut Tx) -> Result<usize, Abort> {
        let mut done = 0;
        for key in &self.entries {
            let Some(grace) = tx.get::<Grace>(key).await? else {
                continue;
            };
            tx.clear(key);
            match grace {
                Grace::Account { account } => self.bury_account(tx, account).await?,
                Grace::User { user } => self.bury_user(tx, user).await?,
                Grace::Workspace { workspace } => self.bury_workspace(tx, workspace).await?,
            }
            done += 1;
        }
        Ok(done)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl BuryDue {
    /// An account of which users, or at least the profile, are left.
    async fn bury_account(&self, tx: &mut Tx, account: AccountId) -> Result<(), Abort> {
        let marked = tx
            .get::<Account>(&keys::account(account))
            .await?
            .is_some_and(|record| record.mark.is_some());
        if marked {
            erase(tx, ErasureId::random(), account, self.at).await?;
        }
        Ok(())
    }

    async fn bury_user(&self, tx: &mut Tx, user: UserId) -> Result<(), Abort> {
        let Some(place) = tx.get::<UserPlace>(&keys::user_place(user)).await? else {
            return Ok(());
        };
        let record: User = tx
            .require(
                &keys::user(place.tenant, user),
                "there is no user of that id",
            )
            .await?;
        let Some(Mark { requested, .. }) = record.mark else {
            return Ok(());
        };
        let buried = bury_user(tx, &place, user, requested, None, self.at).await?;
        if requested {
            note_requested(tx, record.account, buried, self.at).await?;
        }
        Ok(())
    }

    async fn bury_workspace(&self, tx: &mut Tx, workspace: WorkspaceId) -> Result<(), Abort> {
        let Some(place) = tx
            .get::<WorkspacePlace>(&keys::workspace_place(workspace))
            .await?
        else {
            return Ok(());
        };
        let key = keys::workspace(
            place.tenant,
            place.user,
            workspace,
            keys::WorkspacePart::Profile,
        );
        let Some(Mark { requested, .. }) = tx
            .get::<Workspace>(&key)
            .await?
            .and_then(|record| record.mark)
        else {
            return Ok(());
        };
        bury_workspace(tx, &place, workspace, requested, self.at).await
    }
}

/// Forgets requests that nobody will send again.
pub struct ForgetRequests {
    /// Entries of [`keys::transactions_before`].
    pub entries: Vec<Key>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ForgetRequests {
    const NAME: &'static str = "forget_requests";
    const IDEMPOTENT: bool = true;
    /// How many there were.
    type Output = usize;

    async fn run(&self, tx: &mut Tx) -> Result<usize, Abort> {
        for key in &self.entries {
            let request: RequestId = keys::request_of(key)
                .ok_or_else(|| Error::internal("a request's age without its id"))?;
            tx.clear(&keys::transaction(request));
            tx.clear(key);
        }
        Ok(self.entries.len())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Forgets sign-ups that nobody will complete or ask for any more: a pending one holds an address that was never
/// proved.
pub struct ForgetRegistrations {
    /// Entries of [`keys::registrations_before`].
    pub entries: Vec<Key>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ForgetRegistrations {
    const NAME: &'static str = "forget_registrations";
    const IDEMPOTENT: bool = true;
    /// How many there were.
    type Output = usize;

    async fn run(&self, tx: &mut Tx) -> Result<usize, Abort> {
        for key in &self.entries {
            let registration = RegistrationId::from_bytes(*trailing_uuid(key)?.as_bytes());
            forget_registration(tx, registration).await?;
            // The age is also cleared if the sign-up it belongs to is gone already.
            tx.clear(key);
        }
        Ok(self.entries.len())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Removes a sign-up with everything that points at it.
pub(super) async fn forget_registration(
    tx: &mut Tx,
    registration: RegistrationId,
) -> Result<(), Abort> {
    let key = keys::registration(registration);
    let Some(record) = tx.get::<Registration>(&key).await? else {
        return Ok(());
    };
    match &record.state {
        RegistrationState::Pending { email, .. } => {
            tx.clear(&keys::address_registration(email, registration));
        }
        RegistrationState::Complete { account, .. } => {
            tx.clear(&keys::account_registration(*account, registration));
        }
        RegistrationState::Void => {}
    }
    tx.clear(&key);
    tx.clear(&keys::registration_age(record.at, registration));
    Ok(())
}

/// Begins a new life of the registry: after a restore from a backup. Every renderer then reconciles in full
/// and takes nothing of the life before for granted.
pub struct BeginEpoch {
    /// The new life.
    pub epoch: Epoch,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for BeginEpoch {
    const NAME: &'static str = "begin_epoch";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        tx.put(&keys::epoch(), &self.epoch)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
