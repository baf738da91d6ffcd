//! Erasing a person: everything that is known of them in one transaction, with a receipt and an entry in the ledger
//! that a restore replays. What stays: ids in audit and tombstones, slugs that nobody may have again, invoices.

use async_trait::async_trait;
use coditect_core::{AccountId, ErasureId, UserId};
use jiff::Timestamp;

use super::{
    account_deletion::memberships,
    burial::{bury_user, write_user_tombstone, write_workspace_tombstone},
    forget::forget_person,
    staying::refuse_ownerless,
};
use crate::{
    keys,
    record::{
        Account, Action, ErasedUser, ErasedUsers, Erasure, IdentityHash, Invoice, Kept, Tombstone,
        UserPlace,
    },
    registry::Operation,
    tx::{Abort, Tx},
};

/// Bytes of JSON that one value holds of the users of an erasure, so that with the rest of the record it stays below
/// the store's limit ([`crate::store::limits::VALUE_BYTES`]).
const USERS_BYTES: usize = 60_000;

/// Deletes an account at once and for good, with everything that is known of the person. What the person may be given to
/// show for it is [`crate::View::erasure`].
pub struct DeleteAccount {
    /// Which account. Refused while it is the last owner of a tenant that others belong to.
    pub account: AccountId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for DeleteAccount {
    const NAME: &'static str = "delete_account";
    type Output = ErasureId;

    async fn run(&self, tx: &mut Tx) -> Result<ErasureId, Abort> {
        tx.require::<Account>(
            &keys::account(self.account),
            "there is no account of that id",
        )
        .await?;
        for (tenant, user) in memberships(tx, self.account).await? {
            refuse_ownerless(tx, tenant, user).await?;
        }
        let erasure = ErasureId::random();
        erase(tx, erasure, self.account, self.at).await?;
        Ok(erasure)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Deletes one user for good on somebody else's decision (a leaver whose grace period is over). Counts
/// against the cell's budget of unrequested deletions.
pub struct DeleteUser {
    /// Which user.
    pub user: UserId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for DeleteUser {
    const NAME: &'static str = "delete_user";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place: UserPlace = tx
            .require(&keys::user_place(self.user), "there is no user of that id")
            .await?;
        bury_user(tx, &place, self.user, false, None, self.at).await?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Erases again what a restored registry has forgotten was erased.
pub struct ReplayErasure {
    /// The erasure's number.
    pub erasure: ErasureId,
    /// The entry of the ledger, as [`crate::View::erasures_after`] gives it.
    pub record: Erasure,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ReplayErasure {
    const NAME: &'static str = "replay_erasure";
    // What is erased is not there to be erased again.
    const IDEMPOTENT: bool = true;
    /// True if the registry knew anything of the person.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let mut knew = false;
        for erased in &self.record.users {
            if let Some(place) = tx.get::<UserPlace>(&keys::user_place(erased.user)).await? {
                bury_user(tx, &place, erased.user, true, None, self.at).await?;
                knew = true;
            }
            self.write_tombstones(tx, erased).await?;
        }
        if self.record.complete {
            for (_, user) in memberships(tx, self.record.account).await? {
                let place: UserPlace = tx
                    .require(&keys::user_place(user), "there is no user of that id")
                    .await?;
                bury_user(tx, &place, user, true, None, self.at).await?;
                knew = true;
            }
            knew |= tx
                .get::<Account>(&keys::account(self.record.account))
                .await?
                .is_some();
            forget_person(tx, self.record.account, self.at).await?;
        }
        write_ledger(tx, self.erasure, &self.record)?;
        Ok(knew)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl ReplayErasure {
    /// Writes the tombstones that are missing, so that nobody comes back from Git either.
    async fn write_tombstones(&self, tx: &mut Tx, erased: &ErasedUser) -> Result<(), Abort> {
        let cell = &erased.cell;
        for workspace in &erased.workspaces {
            let key = keys::workspace_tombstone(cell, *workspace);
            if tx.get::<Tombstone>(&key).await?.is_none() {
                write_workspace_tombstone(tx, cell, erased.user, *workspace, true, self.at)?;
            }
        }
        let key = keys::user_tombstone(cell, erased.user);
        if tx.get::<Tombstone>(&key).await?.is_none() {
            write_user_tombstone(tx, cell, erased.user, true, self.at)?;
        }
        Ok(())
    }
}

/// Erases an account with all its users, whoever decided it.
pub(super) async fn erase(
    tx: &mut Tx,
    erasure: ErasureId,
    account: AccountId,
    at: Timestamp,
) -> Result<(), Abort> {
    let mut users = Vec::new();
    for (_, user) in memberships(tx, account).await? {
        let place: UserPlace = tx
            .require(&keys::user_place(user), "there is no user of that id")
            .await?;
        users.extend(bury_user(tx, &place, user, true, Some(account), at).await?);
    }
    let identities = forget_person(tx, account, at).await?;
    note(tx, erasure, account, true, users, identities, at).await
}

/// Notes in the ledger that a user was erased on the person's request; with the last of them the person is forgotten
/// too.
pub(super) async fn note_requested(
    tx: &mut Tx,
    account: AccountId,
    users: Vec<ErasedUser>,
    at: Timestamp,
) -> Result<(), Abort> {
    let complete = memberships(tx, account).await?.is_empty();
    let identities = if complete {
        forget_person(tx, account, at).await?
    } else {
        Vec::new()
    };
    note(
        tx,
        ErasureId::random(),
        account,
        complete,
        users,
        identities,
        at,
    )
    .await
}

async fn note(
    tx: &mut Tx,
    erasure: ErasureId,
    account: AccountId,
    complete: bool,
    users: Vec<ErasedUser>,
    identities: Vec<IdentityHash>,
    at: Timestamp,
) -> Result<(), Abort> {
    let kept = kept(tx, &users, &identities).await?;
    for user in &users {
        tx.audit(user.tenant, at, None, Action::AccountErased { erasure })?;
    }
    let record = Erasure {
        at,
        account,
        complete,
        users,
        further: 0,
        identities,
        kept,
    };
    write_ledger(tx, erasure, &record)
}

/// Writes a whole entry of the ledger, its users in as many records as they need.
fn write_ledger(tx: &mut Tx, erasure: ErasureId, record: &Erasure) -> Result<(), Abort> {
    let mut parts = in_parts(&record.users).into_iter();
    let first = parts.next().unwrap_or_default();
    let mut further = 0;
    for (number, users) in (1..).zip(parts) {
        tx.put(
            &keys::erasure_users(erasure, number),
            &ErasedUsers { users },
        )?;
        further = number;
    }
    let header = Erasure {
        at: record.at,
        account: record.account,
        complete: record.complete,
        users: first,
        further,
        identities: record.identities.clone(),
        kept: record.kept.clone(),
    };
    tx.put(&keys::erasure(erasure), &header)?;
    for identity in &record.identities {
        tx.put(&keys::erased(identity), &erasure)?;
    }
    Ok(())
}

/// The users in order, in parts of about [`USERS_BYTES`].
fn in_parts(users: &[ErasedUser]) -> Vec<Vec<ErasedUser>> {
    /// An id as JSON, with its quotes and its comma.
    const ID: usize = 39;
    let mut parts: Vec<Vec<ErasedUser>> = Vec::new();
    let mut bytes = USERS_BYTES;
    for user in users {
        let cost = 4 * ID + user.cell.as_str().len() + ID * user.workspaces.len();
        if bytes + cost > USERS_BYTES {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += cost;
        if let Some(part) = parts.last_mut() {
            part.push(user.clone());
        }
    }
    parts
}

/// What outlives the person, for the receipt.
async fn kept(
    tx: &mut Tx,
    users: &[ErasedUser],
    identities: &[IdentityHash],
) -> Result<Vec<Kept>, Abort> {
    let workspaces: u64 = users.iter().map(|user| user.workspaces.len() as u64).sum();
    let mut kept = vec![
        Kept {
            what: "audit/{t}/{version}".into(),
            why: "what was decided, by ids that name nobody any more".into(),
            count: None,
            until: None,
        },
        Kept {
            what: "tombstone/{cell}/{id}".into(),
            why: "so that nobody who was deleted comes back".into(),
            count: Some(users.len() as u64 + workspaces),
            until: None,
        },
        Kept {
            what: "slug/{slug}".into(),
            why: "a host name is never given out again".into(),
            count: Some(workspaces),
            until: None,
        },
    ];
    if !identities.is_empty() {
        kept.push(Kept {
            what: "erased/{hash}".into(),
            why: "so that the address is known again as erased; unreadable without a key kept elsewhere"
                .into(),
            count: Some(identities.len() as u64),
            until: None,
        });
    }
    let (mut invoices, mut ended) = (Vec::new(), false);
    for user in users {
        // Those of a tenant that goes on are the tenant's.
        let goes_on = tx
            .get::<crate::record::Tenant>(&keys::tenant(user.tenant))
            .await?
            .is_some();
        if !goes_on {
            ended = true;
            invoices.extend(
                tx.scan_all::<Invoice>(&keys::invoices(user.tenant))
                    .await?
                    .into_iter()
                    .map(|(_, invoice)| invoice.keep_until),
            );
        }
    }
    if ended {
        kept.push(Kept {
            what: "invoice_customer/{customer}".into(),
            why: "if the tenant paid: its last invoice may be still to come, and law requires that too"
                .into(),
            count: None,
            until: None,
        });
    }
    if !invoices.is_empty() {
        kept.push(Kept {
            what: "invoice/{t}/{invoice}".into(),
            why: "law requires invoices to be kept".into(),
            count: Some(invoices.len() as u64),
            until: invoices.into_iter().max(),
        });
    }
    Ok(kept)
}
