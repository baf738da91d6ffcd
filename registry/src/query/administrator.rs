//! What administrators of the platform ask: everybody's users and workspaces, by pages.

use coditect_core::{AccountId, Email, Result, Slug, UserId, WorkspaceId};

use crate::{
    keys,
    record::{User, UserPlace, WorkspacePlace},
    registry::View,
    tx::trailing_uuid,
};

impl View {
    /// At most `limit` users behind `after`, in order of id, and whether there are more.
    ///
    /// # Errors
    /// As the store.
    pub async fn users_after(
        &mut self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<(Vec<(UserId, UserPlace, User)>, bool)> {
        let mut range = keys::user_places();
        if let Some(after) = after {
            range = range.after(&keys::user_place(after));
        }
        let (found, more) = self.tx.scan::<UserPlace>(&range, limit).await?;
        let mut users = Vec::with_capacity(found.len());
        for (key, place) in found {
            let id = UserId::from_bytes(*trailing_uuid(&key)?.as_bytes());
            if let Some(user) = self.tx.get(&keys::user(place.tenant, id)).await? {
                users.push((id, place, user));
            }
        }
        Ok((users, more))
    }

    /// At most `limit` workspaces behind `after`, in order of id, and whether there are more.
    ///
    /// # Errors
    /// As the store.
    pub async fn workspaces_after(
        &mut self,
        after: Option<WorkspaceId>,
        limit: usize,
    ) -> Result<(Vec<(WorkspaceId, WorkspacePlace)>, bool)> {
        let mut range = keys::workspace_places();
        if let Some(after) = after {
            range = range.after(&keys::workspace_place(after));
        }
        let (found, more) = self.tx.scan::<WorkspacePlace>(&range, limit).await?;
        let mut workspaces = Vec::with_capacity(found.len());
        for (key, place) in found {
            workspaces.push((
                WorkspaceId::from_bytes(*trailing_uuid(&key)?.as_bytes()),
                place,
            ));
        }
        Ok((workspaces, more))
    }

    /// Where a workspace is, if there is one.
    ///
    /// # Errors
    /// As the store.
    pub async fn workspace_place(&mut self, id: WorkspaceId) -> Result<Option<WorkspacePlace>> {
        Ok(self.tx.get(&keys::workspace_place(id)).await?)
    }

    /// The workspace that has, or once had, this host name.
    ///
    /// # Errors
    /// As the store.
    pub async fn workspace_of_slug(&mut self, slug: &Slug) -> Result<Option<WorkspaceId>> {
        Ok(self.tx.get(&keys::slug(slug)).await?)
    }

    /// Whose an address is, however they sign in.
    ///
    /// # Errors
    /// As the store.
    pub async fn account_of_address(&mut self, email: &Email) -> Result<Option<AccountId>> {
        Ok(self.tx.get(&keys::email(email)).await?)
    }
}
