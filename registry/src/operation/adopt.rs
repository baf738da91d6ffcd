//! A registry rebuilt from Git: what the intents there say comes back, as far as it goes. Addresses, names and
//! passwords never were in Git; whoever proves to be the account's person is given them anew.

use std::collections::BTreeMap;

use async_trait::async_trait;
use coditect_core::{
    AccountId, Error, Power, Standing, UserId, UserIntent, WorkspaceId, WorkspaceIntent,
    WorkspaceName,
};
use jiff::{SignedDuration, Timestamp};

use super::staying::put_user;
use crate::{
    keys::{self, WorkspacePart},
    record::{
        Account, Action, Grace, IntentRow, Mark, PowerCause, PowerState, Requested, Role, Tenant,
        Tombstone, User, UserPlace, Workspace, WorkspacePlace,
    },
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// The grace period of what Git shows as marked: the registry that knew its end is lost, so it begins anew.
const GRACE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Takes a user over from Git, with every workspace off. Changes nothing if the registry has the user.
pub struct AdoptUser {
    /// What Git says is wanted, its generation included.
    pub intent: UserIntent,
    /// Whose it becomes: an account without profile and credential, unless there is one of that id.
    pub account: AccountId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for AdoptUser {
    const NAME: &'static str = "adopt_user";
    const IDEMPOTENT: bool = true;
    /// True if the user is new to the registry.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let UserIntent {
            user, tenant, cell, ..
        } = &self.intent;
        if tx
            .get::<UserPlace>(&keys::user_place(*user))
            .await?
            .is_some()
        {
            return Ok(false);
        }
        self.refuse_the_dead(tx).await?;
        self.adopt_tenant(tx).await?;
        let mark = (self.intent.standing == Standing::Marked).then(|| self.mark());
        if let Some(mark) = &mark {
            tx.put(
                &keys::grace(mark.until, user.as_uuid()),
                &Grace::User { user: *user },
            )?;
        }
        let record = User {
            account: self.account,
            role: self.role(tx).await?,
            cell: cell.clone(),
            shard: self.intent.shard,
            joined_at: self.at,
            mark,
            removal: None,
            custody: None,
            held: (self.intent.standing == Standing::Suspended).then_some(self.at),
        };
        put_user(tx, *tenant, *user, &record).await?;
        tx.put(
            &keys::user_place(*user),
            &UserPlace {
                tenant: *tenant,
                cell: cell.clone(),
            },
        )?;
        tx.put(&keys::member(*tenant, *user), &self.account)?;
        tx.add(&keys::cell_load(cell), 1);
        for workspace in &self.intent.workspaces {
            self.adopt_workspace(tx, workspace).await?;
        }
        tx.put_adopted_intent(&self.row())?;
        tx.audit(*tenant, self.at, None, Action::UserAdopted { user: *user })?;
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl AdoptUser {
    /// Nobody who was deleted comes back.
    async fn refuse_the_dead(&self, tx: &mut Tx) -> Result<(), Abort> {
        let UserIntent { user, cell, .. } = &self.intent;
        if tx
            .get::<Tombstone>(&keys::user_tombstone(cell, *user))
            .await?
            .is_some()
        {
            let message = format!("user {user} was deleted and does not come back");
            return Err(Error::conflict(message).into());
        }
        for WorkspaceIntent { id, .. } in &self.intent.workspaces {
            if tx
                .get::<Tombstone>(&keys::workspace_tombstone(cell, *id))
                .await?
                .is_some()
            {
                let message = format!(
                    "workspace {id} of user {user} was deleted and does not come back; take it out of the intent"
                );
                return Err(Error::conflict(message).into());
            }
        }
        Ok(())
    }

    async fn adopt_tenant(&self, tx: &mut Tx) -> Result<(), Abort> {
        let UserIntent { user, tenant, .. } = self.intent;
        let key = keys::tenant(tenant);
        if tx.get::<Tenant>(&key).await?.is_none() {
            tx.put(
                &key,
                &Tenant {
                    name: None,
                    plan: self.intent.plan.clone(),
                    created_at: self.at,
                },
            )?;
        }
        let key = keys::membership(self.account, tenant);
        if tx
            .get::<UserId>(&key)
            .await?
            .is_some_and(|other| other != user)
        {
            return Err(Error::conflict(
                "this account has another user in the tenant; choose an account of its own",
            )
            .into());
        }
        tx.put(&key, &user)?;
        Ok(())
    }

    /// Whoever is alone in a tenant owns it. Of several, Git does not know who: an operator says so by
    /// [`super::AppointOwner`], for whoever has the tenant has everybody's work.
    async fn role(&self, tx: &mut Tx) -> Result<Role, Abort> {
        let tenant = self.intent.tenant;
        let (others, _) = tx.scan::<AccountId>(&keys::members(tenant), 2).await?;
        if let [(key, account)] = others.as_slice() {
            let id = UserId::from_bytes(*trailing_uuid(key)?.as_bytes());
            let known = tx.get::<Account>(&keys::account(*account)).await?.is_some();
            let user: Option<User> = tx.get(&keys::user(tenant, id)).await?;
            // Who was taken over alone, and is not.
            if let Some(mut user) = user
                && user.role == Role::Owner
                && !known
            {
                user.role = Role::Member;
                put_user(tx, tenant, id, &user).await?;
            }
        }
        Ok(if others.is_empty() {
            Role::Owner
        } else {
            Role::Member
        })
    }

    async fn adopt_workspace(&self, tx: &mut Tx, workspace: &WorkspaceIntent) -> Result<(), Abort> {
        let UserIntent {
            user, tenant, cell, ..
        } = &self.intent;
        let id = workspace.id;
        let slug = keys::slug(&workspace.slug);
        if tx
            .get::<WorkspaceId>(&slug)
            .await?
            .is_some_and(|other| other != id)
            || tx
                .get::<WorkspacePlace>(&keys::workspace_place(id))
                .await?
                .is_some()
        {
            let message =
                format!("workspace {id}, or its host name, is somebody else's in this registry");
            return Err(Error::conflict(message).into());
        }
        tx.put(&slug, &id)?;
        let mark = (workspace.standing == Standing::Marked).then(|| self.mark());
        if let Some(mark) = &mark {
            tx.put(
                &keys::grace(mark.until, id.as_uuid()),
                &Grace::Workspace { workspace: id },
            )?;
        }
        let part = |part| keys::workspace(*tenant, *user, id, part);
        // What the person called it is lost; the host name at least is one that they know.
        let name: WorkspaceName = workspace.slug.as_str().parse()?;
        tx.put(
            &part(WorkspacePart::Profile),
            &Workspace {
                name,
                created_at: self.at,
                mark,
                revision: 1,
            },
        )?;
        tx.put(
            &part(WorkspacePart::Power),
            &PowerState {
                power: Power::Off,
                since: self.at,
                cause: PowerCause::Restored,
            },
        )?;
        tx.put(
            &keys::workspace_place(id),
            &WorkspacePlace {
                tenant: *tenant,
                user: *user,
                cell: cell.clone(),
            },
        )?;
        tx.announce_power(cell, id)?;
        Ok(())
    }

    /// Nobody's own request is known to be behind it, so it counts against the smaller budget. Nobody's removal is
    /// known either, so that the person as well as an owner may take it back.
    fn mark(&self) -> Mark {
        Mark {
            at: self.at,
            until: self.at.saturating_add(GRACE).unwrap_or(self.at),
            requested: false,
        }
    }

    fn row(&self) -> IntentRow {
        let requested = Requested {
            generation: self.intent.generation,
            at: self.at,
        };
        let requested: BTreeMap<_, _> = self
            .intent
            .workspaces
            .iter()
            .map(|workspace| (workspace.id, requested))
            .collect();
        IntentRow {
            intent: self.intent.clone(),
            changed_at: self.at,
            requested,
            raised_from: None,
        }
    }
}
