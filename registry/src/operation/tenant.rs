//! What a tenant is called.

use async_trait::async_trait;
use coditect_core::{AccountId, TenantId, TenantName};
use jiff::Timestamp;

use super::who;
use crate::{
    keys,
    record::{Action, Role, Tenant},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Names a tenant, or takes its name away.
pub struct NameTenant {
    /// Who decides: an owner or an admin.
    pub by: AccountId,
    /// Which tenant.
    pub tenant: TenantId,
    /// The name; none: it is known by its id.
    pub name: Option<TenantName>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NameTenant {
    const NAME: &'static str = "name_tenant";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        who::member(tx, self.tenant, self.by, Role::Admin).await?;
        let key = keys::tenant(self.tenant);
        let mut tenant: Tenant = tx.require(&key, "there is no tenant of that id").await?;
        if tenant.name == self.name {
            return Ok(());
        }
        tenant.name.clone_from(&self.name);
        tx.put(&key, &tenant)?;
        tx.audit(self.tenant, self.at, Some(self.by), Action::TenantRenamed)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
