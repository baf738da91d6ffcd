//! A tenant changes its plan.

use async_trait::async_trait;
use coditect_core::{AccountId, Limits, PlanName, TenantId, UserId, WorkspaceId};
use jiff::Timestamp;

use crate::{
    keys,
    record::{Action, IntentRow, License, Tenant, UserPlace},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// Sets a tenant's plan for all its users. Volumes grow with the plan and never shrink with it. The licence it had
/// becomes history.
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
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        set_plan(tx, self).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// As [`SetPlan`], within another operation.
pub(super) async fn set_plan(tx: &mut Tx, set: &SetPlan) -> Result<(), Abort> {
    let key = keys::tenant(set.tenant);
    let mut tenant: Tenant = tx.require(&key, "there is no tenant of that id").await?;
    if tenant.plan == set.plan {
        return Ok(());
    }
    replace_license(tx, set, &tenant).await?;
    tenant.plan = set.plan.clone();
    tx.put(&key, &tenant)?;
    for (key, _) in tx.scan_all::<AccountId>(&keys::members(set.tenant)).await? {
        let user = UserId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        let place: UserPlace = tx
            .require(&keys::user_place(user), "there is no user of that id")
            .await?;
        let mut row: IntentRow = tx
            .require(
                &keys::intent(&place.cell, user),
                "there is no user of that id",
            )
            .await?;
        row.intent.plan = set.plan.clone();
        for workspace in &mut row.intent.workspaces {
            workspace.storage_gib = workspace.storage_gib.max(set.limits.storage_gib);
        }
        let touched: Vec<WorkspaceId> = row
            .intent
            .workspaces
            .iter()
            .map(|workspace| workspace.id)
            .collect();
        tx.put_intent(&mut row, &touched, set.at)?;
    }
    let action = Action::PlanChanged {
        plan: set.plan.clone(),
    };
    tx.audit(set.tenant, set.at, set.actor, action)?;
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
