//! What the tabs of a workspace share: one session of its user, kept by the workspace's gateway.

use async_trait::async_trait;
use coditect_core::{CellName, Error, SessionId, UserId, WorkspaceId};
use jiff::Timestamp;

use super::{
    gateway::place_of,
    session::{check, make_room, put_seen},
};
use crate::{
    keys,
    record::Session,
    registry::Operation,
    tx::{Abort, Tx},
};

/// The session that the tabs of a workspace share.
#[must_use]
pub fn shared_session(workspace: WorkspaceId) -> SessionId {
    SessionId::from_bytes(*workspace.as_bytes())
}

/// Keeps what the tabs of a workspace share.
pub struct KeepState {
    /// Which cell; a workspace of another is unknown.
    pub cell: CellName,
    /// Whose workspace.
    pub user: UserId,
    /// Which.
    pub workspace: WorkspaceId,
    /// Must be above what is kept, unless it says the same.
    pub revision: u64,
    /// What is shared, at most [`Session::LARGEST_SHARED`] bytes of JSON.
    pub state: serde_json::Value,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for KeepState {
    const NAME: &'static str = "keep_state";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        check(&self.state, Session::LARGEST_SHARED)?;
        let place = place_of(tx, &self.cell, self.user, self.workspace).await?;
        let id = shared_session(self.workspace);
        let key = keys::session(place.tenant, place.user, id);
        let mut session = match tx.get::<Session>(&key).await? {
            Some(kept) if kept.revision == self.revision && kept.state == self.state => {
                return Ok(());
            }
            Some(kept) if kept.revision >= self.revision => {
                let message = "what is shared was changed meanwhile; read it again";
                return Err(Error::conflict(message).into());
            }
            Some(kept) => kept,
            None => {
                make_room(tx, place.tenant, place.user).await?;
                Session {
                    workspace: self.workspace,
                    opened_at: self.at,
                    seen_at: self.at,
                    state: serde_json::Value::Null,
                    revision: 0,
                }
            }
        };
        session.state = self.state.clone();
        session.revision = self.revision;
        put_seen(tx, place.tenant, place.user, id, &mut session, self.at)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
