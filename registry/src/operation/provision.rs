//! What a new person or member gets: tenant, user, workspace, all in the transaction of whoever asks.

use std::collections::BTreeMap;

use coditect_core::{
    AccountId, CellSummary, DisplayName, Email, Error, PlanName, Power, Result, Shard, Slug,
    Standing, TenantId, UserId, UserIntent, WorkspaceId, WorkspaceIntent, WorkspaceName,
};
use jiff::Timestamp;

use super::{
    sign_up::{Placement, Provisioned},
    staying::put_user,
};
use crate::{
    keys::{self, WorkspacePart},
    record::{
        AcceptedTerms, Account, Action, Credential, IntentRow, License, PowerCause, PowerState,
        Role, Tenant, User, UserPlace, Workspace, WorkspacePlace,
    },
    tx::{Abort, Tx},
};

/// A new person.
pub(super) struct Person<'a> {
    pub(super) email: &'a Email,
    pub(super) display_name: &'a DisplayName,
    /// None if they sign in by a provider.
    pub(super) password_hash: Option<&'a str>,
    pub(super) terms: Option<AcceptedTerms>,
    /// Whether the address was proved to be theirs.
    pub(super) verified: bool,
}

/// Account, tenant, user, default workspace, audit entry and change key: all or nothing.
pub(super) async fn provision(
    tx: &mut Tx,
    person: &Person<'_>,
    placement: &Placement,
    at: Timestamp,
) -> Result<Provisioned, Abort> {
    let (account, tenant) = (AccountId::random(), TenantId::random());
    tx.put(&keys::email(person.email), &account)?;
    tx.put(
        &keys::account(account),
        &Account {
            email: person.email.clone(),
            display_name: person.display_name.clone(),
            created_at: at,
            revision: 1,
            mark: None,
            terms: person.terms.clone(),
            email_verified_at: person.verified.then_some(at),
        },
    )?;
    if let Some(password_hash) = person.password_hash {
        tx.put(
            &keys::credential(account),
            &Credential {
                password_hash: password_hash.to_owned(),
                changed_at: at,
            },
        )?;
    }
    tx.put(
        &keys::tenant(tenant),
        &Tenant {
            name: None,
            plan: placement.plan.clone(),
            created_at: at,
        },
    )?;
    tx.put(
        &keys::license(tenant),
        &License {
            number: 1,
            plan: placement.plan.clone(),
            limits: placement.limits,
            since: at,
            until: None,
            decided_by: None,
        },
    )?;
    let member = NewMember {
        account,
        tenant,
        role: Role::Owner,
        plan: placement.plan.clone(),
        at,
    };
    let (user, workspace) = add_member(tx, member, placement).await?;
    tx.audit(
        tenant,
        at,
        Some(account),
        Action::SignedUp { user, workspace },
    )?;
    Ok(Provisioned {
        account,
        tenant,
        user,
        workspace,
    })
}

/// A new user of a tenant.
pub(super) struct NewMember {
    pub(super) account: AccountId,
    pub(super) tenant: TenantId,
    pub(super) role: Role,
    /// The tenant's plan.
    pub(super) plan: PlanName,
    pub(super) at: Timestamp,
}

/// A user in the emptiest cell, with a workspace that starts at once.
pub(super) async fn add_member(
    tx: &mut Tx,
    new: NewMember,
    placement: &Placement,
) -> Result<(UserId, WorkspaceId), Abort> {
    let NewMember {
        account,
        tenant,
        role,
        plan,
        at,
    } = new;
    let user = UserId::random();
    let cell = choose_cell(tx, &placement.cells).await?;
    let shard = Shard::of(user);
    let record = User {
        account,
        role,
        cell: cell.name.clone(),
        shard,
        joined_at: at,
        mark: None,
        removal: None,
        custody: None,
        held: None,
    };
    put_user(tx, tenant, user, &record).await?;
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
            plan,
            ring: None,
            standing: Standing::Active,
            workspaces: Vec::new(),
        },
        changed_at: at,
        requested: BTreeMap::new(),
        raised_from: None,
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
    Ok((user, workspace))
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
