//! Tenants: where the person belongs, who else does, who is invited, and what was decided.

mod audit;
mod invitations;
mod left_behind;
mod members;
mod membership;
mod mine;

pub(super) use audit::*;
pub(super) use invitations::*;
pub(super) use left_behind::*;
pub(super) use members::*;
pub(super) use membership::*;
pub(super) use mine::*;

use coditect_core::{Error, Kind, Result, TenantId};
use coditect_registry::{View, record::Role, record::User};

use super::plans::RoleName;
use crate::caller::SignedIn;

/// The caller's present tenant, for a member who may at least so much there.
async fn acting(view: &mut View, caller: &SignedIn, role: Role) -> Result<(TenantId, User)> {
    let (tenant, id) = caller.membership()?;
    let gone = || Error::not_found("this account belongs to no tenant any more");
    let (_, user) = view.user(id).await?.ok_or_else(gone)?;
    if user.mark.is_some() || user.account != caller.account {
        let message = "this membership is on its way out; whoever ended it can restore it";
        return Err(Error::new(Kind::Forbidden, message));
    }
    if user.role < role {
        let message = "only an owner or an admin may see this; ask one";
        return Err(Error::new(Kind::Forbidden, message));
    }
    Ok((tenant, user))
}

/// An owner is for good: only another owner takes the role back. So whoever finds a key must not become one by it.
fn no_key_makes_an_owner(caller: &SignedIn, role: RoleName) -> Result<()> {
    match role {
        RoleName::Owner => caller.login().map(drop),
        RoleName::Admin | RoleName::Member => Ok(()),
    }
}
