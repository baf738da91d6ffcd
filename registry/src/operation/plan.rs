//! A tenant changes its plan.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, Limits, PlanName, TenantId, UserId, WorkspaceId};
use jiff::Timestamp;

use crate::{
    keys,
    record::{Action, AuditEntry, IntentRow, Tenant, UserPlace},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// Sets a tenant's plan for all its users. Volumes grow with the plan and never shrink with it.
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
        let key = keys::tenant(self.tenant);
        let mut tenant: Tenant = tx.require(&key, "there is no tenant of that id").await?;
        if tenant.plan == self.plan {
            return Ok(());
        }
        tenant.plan = self.plan.clone();
        tx.put(&key, &tenant)?;
        for (key, _) in tx
            .scan_all::<AccountId>(&keys::members(self.tenant))
            .await?
        {
            let user = UserId::from_bytes(*trailing_uuid(&key).map_err(Error::from)?.as_bytes());
            let place: UserPlace = tx
                .require(&keys::user_place(user), "there is no user of that id")
                .await?;
            let mut row: IntentRow = tx
                .require(
                    &keys::intent(&place.cell, user),
                    "there is no user of that id",
                )
                .await?;
            row.intent.plan = self.plan.clone();
            for workspace in &mut row.intent.workspaces {
                workspace.storage_gib = workspace.storage_gib.max(self.limits.storage_gib);
            }
            let touched: Vec<WorkspaceId> = row
                .intent
                .workspaces
                .iter()
                .map(|workspace| workspace.id)
                .collect();
            tx.put_intent(&mut row, &touched, self.at)?;
        }
        let action = Action::PlanChanged {
            plan: self.plan.clone(),
        };
        tx.audit(
            self.tenant,
            &AuditEntry {
                at: self.at,
                actor: self.actor,
                action,
            },
        )?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
