//! In which of their tenants a person acts.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, Kind, LoginId, TenantId, UserId};
use jiff::Timestamp;

use super::{login::is_live, who};
use crate::{
    keys,
    record::{Login, User},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Lets a sign-in act in another of the person's tenants from now on; one at a time.
pub struct ActIn {
    /// Whose sign-in.
    pub account: AccountId,
    /// Which.
    pub login: LoginId,
    /// In which tenant: one of which the person is a member whose membership has not ended.
    pub tenant: TenantId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ActIn {
    const NAME: &'static str = "act_in";
    /// The person's user there.
    type Output = UserId;

    async fn run(&self, tx: &mut Tx) -> Result<UserId, Abort> {
        who::account(tx, self.account).await?;
        let no_such_tenant = || Error::not_found("there is no tenant of that id");
        let user: UserId = tx
            .get(&keys::membership(self.account, self.tenant))
            .await?
            .ok_or_else(no_such_tenant)?;
        let record: User = tx
            .get(&keys::user(self.tenant, user))
            .await?
            .ok_or_else(no_such_tenant)?;
        if record.removal.is_some() {
            let message =
                "this membership has ended; ask an owner or an admin of the tenant to restore it";
            return Err(Error::conflict(message).into());
        }
        let key = keys::login(self.account, self.login);
        let login = tx.get::<Login>(&key).await?;
        let ended = || Error::new(Kind::Unauthenticated, "this login has ended; sign in again");
        let mut login = login
            .filter(|login| is_live(login, self.at))
            .ok_or_else(ended)?;
        login.tenant = Some(self.tenant);
        tx.put(&key, &login)?;
        Ok(user)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
