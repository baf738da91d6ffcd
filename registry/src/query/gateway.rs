//! What the API asks when a workspace's gateway calls.

use coditect_core::{AccountId, Power, Result, WorkspaceId};

use crate::{
    keys::{self, WorkspacePart},
    operation::shared_session,
    record::{Gateway, PowerState, Session, User, WorkspacePlace},
    registry::View,
};

/// Who stands behind a workspace.
#[derive(Clone, Debug)]
pub struct Behind {
    /// Where it is.
    pub place: WorkspacePlace,
    /// Who may be in.
    pub account: AccountId,
    /// Whether its pod should run.
    pub power: Power,
}

impl View {
    /// Who stands behind a workspace; none if there is no such workspace.
    ///
    /// # Errors
    /// As the store.
    pub async fn behind(&mut self, workspace: WorkspaceId) -> Result<Option<Behind>> {
        let Some(place) = self.place_of(workspace).await? else {
            return Ok(None);
        };
        let user: Option<User> = self.tx.get(&keys::user(place.tenant, place.user)).await?;
        let key = keys::workspace(place.tenant, place.user, workspace, WorkspacePart::Power);
        let power: Option<PowerState> = self.tx.get(&key).await?;
        Ok(user.zip(power).map(|(user, power)| Behind {
            place,
            account: user.account,
            power: power.power,
        }))
    }

    /// What is known of a workspace's gateway; nothing if none ever spoke and nobody was ever in.
    ///
    /// # Errors
    /// As the store.
    pub async fn gateway(
        &mut self,
        place: &WorkspacePlace,
        workspace: WorkspaceId,
    ) -> Result<Gateway> {
        let key = keys::workspace(place.tenant, place.user, workspace, WorkspacePart::Gateway);
        Ok(self.tx.get(&key).await?.unwrap_or_default())
    }

    /// What the tabs of a workspace share; none if they never have, or long ago.
    ///
    /// # Errors
    /// As the store.
    pub async fn shared_state(
        &mut self,
        place: &WorkspacePlace,
        workspace: WorkspaceId,
    ) -> Result<Option<Session>> {
        let key = keys::session(place.tenant, place.user, shared_session(workspace));
        Ok(self.tx.get(&key).await?)
    }
}
