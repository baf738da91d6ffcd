//! What administrators of the platform do to a user. Each is in the audit of the user's tenant, and in that of the platform.

use async_trait::async_trait;
use coditect_core::{AccountId, Power, Standing, UserId, WorkspaceId};
use jiff::Timestamp;

use super::{staying::put_user, who, workspace::stop_all};
use crate::{
    keys,
    record::{Action, IntentRow, PowerCause, PowerState},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Holds a user, or lets it go: while it is held, Git asks for a quota of zero pods. Its files are kept, and its person
/// may still sign in, take their data with them and delete it.
pub struct SetHold {
    /// Which administrator.
    pub by: AccountId,
    /// Whom.
    pub user: UserId,
    /// Whether the user is held from now on. Workspaces of one that is let go stay off until somebody starts them.
    pub held: bool,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for SetHold {
    const NAME: &'static str = "set_hold";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (place, mut user) = who::user(tx, self.user).await?;
        if user.held.is_some() == self.held {
            return Ok(());
        }
        user.held = self.held.then_some(self.at);
        put_user(tx, place.tenant, self.user, &user).await?;
        let key = keys::intent(&place.cell, self.user);
        // What is marked is off already, and stays so; a user without an intent has nothing that could run.
        if user.mark.is_none()
            && let Some(mut row) = tx.get::<IntentRow>(&key).await?
        {
            if self.held {
                let off = PowerState {
                    power: Power::Off,
                    since: self.at,
                    cause: PowerCause::Held,
                };
                stop_all(tx, (place.tenant, self.user), &row, &off).await?;
                row.intent.standing = Standing::Suspended;
            } else {
                row.intent.standing = Standing::Active;
            }
            let workspaces = row.intent.workspaces.iter();
            let touched: Vec<WorkspaceId> = workspaces.map(|workspace| workspace.id).collect();
            tx.put_intent(&mut row, &touched, self.at)?;
        }
        let action = match self.held {
            true => Action::UserHeld { user: self.user },
            false => Action::UserLetGo { user: self.user },
        };
        tx.audit_administrator(place.tenant, self.at, self.by, action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes that an administrator looked at a user's person.
pub struct NoteLook {
    /// Which administrator.
    pub by: AccountId,
    /// At whom.
    pub user: UserId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteLook {
    const NAME: &'static str = "note_look";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (place, _) = who::user(tx, self.user).await?;
        let action = Action::UserLookedAt { user: self.user };
        tx.audit_administrator(place.tenant, self.at, self.by, action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
