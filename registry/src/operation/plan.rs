//! A tenant changes its plan.

use async_trait::async_trait;
use coditect_core::{AccountId, Limits, PlanName, TenantId, UserId, WorkspaceId, WorkspaceIntent};
use jiff::Timestamp;

use crate::{
    keys,
    record::{Action, IntentRow, License, PlanChange, Tenant, UserPlace},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// How many users follow a change of plan in one transaction: with a few workspaces each, one megabyte.
const USERS_AT_ONCE: usize = 200;

/// Sets a tenant's plan for all its users. Volumes grow with the plan and never shrink with it. The licence it had
/// becomes history. Of a large tenant the first users follow at once, and the rest by [`FollowPlan`], which the janitor
/// sends if nobody else does.
pub struct SetPlan {
    /// Who decided; none for the billing system.
    pub actor: Option<AccountId>,
    /// Whose plan.
    pub tenant: TenantId,
    /// The plan.
    pub plan: PlanName,
    /// What it allows the tenant, overrides included.
    pub limits: Limits,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for SetPlan {
    const NAME: &'static str = "set_plan";
    /// True if users are left that have not followed.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        set_plan(tx, self).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// As [`SetPlan`], within another operation.
pub(super) async fn set_plan(tx: &mut Tx, set: &SetPlan) -> Result<bool, Abort> {
    let key = keys::tenant(set.tenant);
    let mut tenant: Tenant = tx.require(&key, "there is no tenant of that id").await?;
    if tenant.plan == set.plan {
        return Ok(false);
    }
    replace_license(tx, set, &tenant).await?;
    tenant.plan = set.plan.clone();
    tx.put(&key, &tenant)?;
    let action = Action::PlanChanged {
        plan: set.plan.clone(),
    };
    tx.audit(set.tenant, set.at, set.actor, action)?;
    // Replaces an earlier one that was still under way: everybody follows the newest.
    let change = PlanChange {
        plan: set.plan.clone(),
        storage_gib: set.limits.storage_gib,
        after: None,
    };
    follow(tx, set.tenant, change, set.at).await
}

/// Goes on with a change of plan that has not reached every user of its tenant.
pub struct FollowPlan {
    /// Whose plan.
    pub tenant: TenantId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for FollowPlan {
    const NAME: &'static str = "follow_plan";
    // What is left is noted in the registry, and a user who has followed is left alone.
    const IDEMPOTENT: bool = true;
    /// True if users are left that have not followed.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        match tx.get(&keys::plan_change(self.tenant)).await? {
            Some(change) => follow(tx, self.tenant, change, self.at).await,
            None => Ok(false),
        }
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Takes a change of plan to the next users of the tenant, and notes whether there are more. Whoever joins meanwhile
/// has the tenant's plan from the beginning.
async fn follow(
    tx: &mut Tx,
    tenant: TenantId,
    mut change: PlanChange,
    at: Timestamp,
) -> Result<bool, Abort> {
    let mut range = keys::members(tenant);
    if let Some(after) = change.after {
        range = range.after(&keys::member(tenant, after));
    }
    let (members, more) = tx.scan::<AccountId>(&range, USERS_AT_ONCE).await?;
    for (key, _) in &members {
        let user = UserId::from_bytes(*trailing_uuid(key)?.as_bytes());
        one_follows(tx, user, &change, at).await?;
        change.after = Some(user);
    }
    let key = keys::plan_change(tenant);
    if more {
        tx.put(&key, &change)?;
    } else {
        tx.clear(&key);
    }
    Ok(more)
}

async fn one_follows(
    tx: &mut Tx,
    user: UserId,
    change: &PlanChange,
    at: Timestamp,
) -> Result<(), Abort> {
    // A user of whom something is missing must not keep the others from following: the check finds it.
    let Some(place) = tx.get::<UserPlace>(&keys::user_place(user)).await? else {
        return Ok(());
    };
    let key = keys::intent(&place.cell, user);
    let Some(mut row) = tx.get::<IntentRow>(&key).await? else {
        return Ok(());
    };
    let grows = |workspace: &WorkspaceIntent| workspace.storage_gib < change.storage_gib;
    if row.intent.plan == change.plan && !row.intent.workspaces.iter().any(grows) {
        return Ok(());
    }
    row.intent.plan = change.plan.clone();
    for workspace in &mut row.intent.workspaces {
        workspace.storage_gib = workspace.storage_gib.max(change.storage_gib);
    }
    let workspaces = row.intent.workspaces.iter();
    let touched: Vec<WorkspaceId> = workspaces.map(|workspace| workspace.id).collect();
    tx.put_intent(&mut row, &touched, at)?;
    Ok(())
}

/// Ends the licence that the tenant has and begins another. A tenant of before there were licences had one on its
/// plan since it was made; what that allowed is not known any more, so it does not become history.
async fn replace_license(tx: &mut Tx, set: &SetPlan, tenant: &Tenant) -> Result<(), Abort> {
    let key = keys::license(set.tenant);
    let number = match tx.get::<License>(&key).await? {
        Some(ended) if ended.plan == tenant.plan => {
            tx.put(
                &keys::license_history(set.tenant, ended.number),
                &License {
                    until: Some(set.at),
                    ..ended.clone()
                },
            )?;
            ended.number + 1
        }
        Some(other) => other.number + 1,
        None => 1,
    };
    tx.put(
        &key,
        &License {
            number,
            plan: set.plan.clone(),
            limits: set.limits,
            since: set.at,
            until: None,
            decided_by: set.actor,
        },
    )?;
    Ok(())
}
