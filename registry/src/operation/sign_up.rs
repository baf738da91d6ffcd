//! Sign-up: from a request to an account with its first workspace.

use async_trait::async_trait;
use coditect_core::{
    AccountId, CellSummary, DisplayName, Email, Error, Limits, PlanName, Power, RegistrationId,
    Result, Shard, Slug, Standing, TenantId, UserId, UserIntent, WorkspaceId, WorkspaceIntent,
    WorkspaceName,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    keys::{self, WorkspacePart},
    record::{
        Account, Action, AuditEntry, Credential, IntentRow, PowerCause, PowerState, Registration,
        RegistrationState, Role, Tenant, User, UserPlace, Workspace, WorkspacePlace,
    },
    registry::Operation,
    tx::{Abort, Tx},
};

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
            },
            (false, Verification::None) => {
                let person = Person {
                    email: &self.email,
                    display_name: &self.display_name,
                    password_hash: &self.password_hash,
                };
                provision(tx, &person, &self.placement, self.at)
                    .await?
                    .into_state()
            }
        };
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
                    password_hash: &password_hash,
                };
                let made = provision(tx, &person, &self.placement, self.at).await?;
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

struct Person<'a> {
    email: &'a Email,
    display_name: &'a DisplayName,
    password_hash: &'a str,
}

/// Account, tenant, user, default workspace, audit entry and change key: all or nothing.
async fn provision(
    tx: &mut Tx,
    person: &Person<'_>,
    placement: &Placement,
    at: Timestamp,
) -> Result<Provisioned, Abort> {
    let (account, tenant, user) = (AccountId::random(), TenantId::random(), UserId::random());
    let cell = choose_cell(tx, &placement.cells).await?;
    let shard = Shard::of(user);

    tx.put(&keys::email(person.email), &account)?;
    tx.put(
        &keys::account(account),
        &Account {
            email: person.email.clone(),
            display_name: person.display_name.clone(),
            created_at: at,
            revision: 1,
        },
    )?;
    tx.put(
        &keys::credential(account),
        &Credential {
            password_hash: person.password_hash.to_owned(),
            changed_at: at,
        },
    )?;
    tx.put(
        &keys::tenant(tenant),
        &Tenant {
            plan: placement.plan.clone(),
            created_at: at,
        },
    )?;
    tx.put(
        &keys::user(tenant, user),
        &User {
            account,
            role: Role::Owner,
            cell: cell.name.clone(),
            shard,
            joined_at: at,
            mark: None,
        },
    )?;
    tx.put(
        &keys::user_place(user),
        &UserPlace {
            tenant,
            cell: cell.name.clone(),
        },
    )?;
    tx.put(&keys::membership(account, tenant), &user)?;
    tx.put(&keys::member(tenant, user), &account)?;
    tx.add(&keys::cell_load(&cell.name), 1);

    let mut row = IntentRow {
        intent: UserIntent {
            user,
            tenant,
            cell: cell.name.clone(),
            shard,
            generation: 0,
            plan: placement.plan.clone(),
            ring: None,
            standing: Standing::Active,
            workspaces: Vec::new(),
        },
        changed_at: at,
        requested: std::collections::BTreeMap::new(),
    };
    let name: WorkspaceName = "default".parse()?;
    let new = NewWorkspace {
        name,
        storage_gib: placement.limits.storage_gib,
        storage_class: cell.storage_class.clone(),
        cause: PowerCause::SignUp,
        at,
    };
    let workspace = add_workspace(tx, &mut row, new).await?;
    tx.put_intent(&mut row, &[workspace], at)?;
    tx.audit(
        tenant,
        &AuditEntry {
            at,
            actor: Some(account),
            action: Action::SignedUp { user, workspace },
        },
    )?;
    Ok(Provisioned {
        account,
        tenant,
        user,
        workspace,
    })
}

/// The emptiest open cell with room. Loads are read without conflict, so that sign-ups do not queue behind
/// one another; a cell may thus end a few users above its capacity, which is a target, not a wall.
async fn choose_cell(tx: &mut Tx, cells: &[CellSummary]) -> Result<CellSummary, Abort> {
    let mut best: Option<(f64, &CellSummary)> = None;
    for cell in cells.iter().filter(|cell| !cell.closed) {
        let load = tx.number(&keys::cell_load(&cell.name)).await?;
        if load >= i64::from(cell.capacity) {
            continue;
        }
        #[allow(clippy::cast_precision_loss, reason = "a share, compared with others")]
        let share = load as f64 / f64::from(cell.capacity);
        if best.is_none_or(|(least, _)| share < least) {
            best = Some((share, cell));
        }
    }
    best.map(|(_, cell)| cell.clone()).ok_or_else(|| {
        Error::unavailable("there is no room for new people right now; an operator has been told")
            .into()
    })
}

pub(super) struct NewWorkspace {
    pub(super) name: WorkspaceName,
    pub(super) storage_gib: u32,
    pub(super) storage_class: coditect_core::StorageClassName,
    /// Why it starts at once.
    pub(super) cause: PowerCause,
    pub(super) at: Timestamp,
}

/// A workspace with a slug nobody ever had, powered on, added to the user's intent (not yet written).
pub(super) async fn add_workspace(
    tx: &mut Tx,
    row: &mut IntentRow,
    new: NewWorkspace,
) -> Result<WorkspaceId, Abort> {
    let (cell, tenant, user) = (row.intent.cell.clone(), row.intent.tenant, row.intent.user);
    let id = WorkspaceId::random();
    let slug = loop {
        let slug = Slug::random();
        if tx.get::<WorkspaceId>(&keys::slug(&slug)).await?.is_none() {
            break slug;
        }
    };
    tx.put(&keys::slug(&slug), &id)?;
    tx.put(
        &keys::workspace(tenant, user, id, WorkspacePart::Profile),
        &Workspace {
            name: new.name,
            created_at: new.at,
            mark: None,
            revision: 1,
        },
    )?;
    tx.put(
        &keys::workspace(tenant, user, id, WorkspacePart::Power),
        &PowerState {
            power: Power::On,
            since: new.at,
            cause: new.cause,
        },
    )?;
    tx.put(
        &keys::workspace_place(id),
        &WorkspacePlace {
            tenant,
            user,
            cell: cell.clone(),
        },
    )?;
    tx.announce_power(&cell, id)?;
    row.intent.put_workspace(WorkspaceIntent {
        id,
        slug,
        storage_gib: new.storage_gib,
        storage_class: new.storage_class,
        standing: Standing::Active,
    });
    Ok(id)
}
