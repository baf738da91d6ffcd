//! A workspace by its address, for whoever answers there.

use coditect_core::{CellName, Result, Slug, WorkspaceId};

use crate::{
    keys,
    query::WorkspaceView,
    record::{IntentRow, WorkspacePlace},
    registry::View,
};

impl View {
    /// The workspace of this slug in the cell, whosever it is: for what everybody may see of it. None if there
    /// is none, or not any more: a slug outlives its workspace and is never given out again.
    ///
    /// # Errors
    /// As the store.
    pub async fn workspace_by_slug(
        &mut self,
        cell: &CellName,
        slug: &Slug,
    ) -> Result<Option<WorkspaceView>> {
        let Some(id) = self.tx.get::<WorkspaceId>(&keys::slug(slug)).await? else {
            return Ok(None);
        };
        let Some(place) = self
            .tx
            .get::<WorkspacePlace>(&keys::workspace_place(id))
            .await?
            .filter(|place| place.cell == *cell)
        else {
            return Ok(None);
        };
        let Some(row) = self
            .tx
            .get::<IntentRow>(&keys::intent(cell, place.user))
            .await?
            .filter(|row| row.intent.workspace(id).is_some())
        else {
            return Ok(None);
        };
        let committed = self.committed(cell, place.user).await?;
        let view = self.assemble(place, &row, id, committed.as_ref()).await?;
        Ok(Some(view))
    }
}
