//! Sessions: what a user has open in a workspace, shared by browser tabs.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, SessionId, TenantId, UserId, WorkspaceId};
use jiff::{SignedDuration, Timestamp};

use super::{who, workspace::owned_to_change};
use crate::{
    keys,
    record::{Expiring, Session},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// Most sessions of one user. With the largest state each, reading them all stays below two megabytes.
const MOST: usize = 20;
/// Signs of life closer together than this are one.
const SEEN_AGAIN: SignedDuration = SignedDuration::from_mins(1);

fn no_such_session() -> Abort {
    Error::not_found("there is no session of that id").into()
}

pub(super) fn check(state: &serde_json::Value, most: usize) -> Result<(), Abort> {
    if state.to_string().len() > most {
        let message = format!("is larger than {most} bytes of JSON");
        return Err(Error::invalid("state", message).into());
    }
    Ok(())
}

/// Opens a session. Of 20 sessions the one that nobody was in for longest is ended for it.
pub struct OpenSession {
    /// Who asks; must be the workspace's.
    pub account: AccountId,
    /// The new session, drawn by the caller.
    pub session: SessionId,
    /// In which workspace.
    pub workspace: WorkspaceId,
    /// What is open, at most [`Session::LARGEST_STATE`] bytes of JSON.
    pub state: serde_json::Value,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for OpenSession {
    const NAME: &'static str = "open_session";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        check(&self.state, Session::LARGEST_STATE)?;
        let place = owned_to_change(tx, self.account, self.workspace).await?;
        let key = keys::session(place.tenant, place.user, self.session);
        if tx.get::<Session>(&key).await?.is_some() {
            return Err(Error::conflict("a session of that id is open").into());
        }
        make_room(tx, place.tenant, place.user).await?;
        let session = Session {
            workspace: self.workspace,
            opened_at: self.at,
            seen_at: self.at,
            state: self.state.clone(),
            revision: 1,
        };
        tx.expire(
            &expiring(place.tenant, place.user, self.session),
            session.expires_at(),
        )?;
        tx.put(&key, &session)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

pub(super) async fn make_room(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<(), Abort> {
    let mut open = tx
        .scan_all::<Session>(&keys::sessions(tenant, user))
        .await?;
    open.sort_by_key(|(_, session)| session.seen_at);
    let surplus = (open.len() + 1).saturating_sub(MOST);
    for (key, session) in open.into_iter().take(surplus) {
        let id = SessionId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        tx.clear(&key);
        tx.keep(&expiring(tenant, user, id), session.expires_at());
    }
    Ok(())
}

pub(super) fn expiring(tenant: TenantId, user: UserId, session: SessionId) -> Expiring {
    Expiring::Session {
        tenant,
        user,
        session,
    }
}

/// Writes a session that somebody is in: it is forgotten later than before.
pub(super) fn put_seen(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    id: SessionId,
    session: &mut Session,
    at: Timestamp,
) -> Result<(), Abort> {
    let expiring = expiring(tenant, user, id);
    tx.keep(&expiring, session.expires_at());
    session.seen_at = session.seen_at.max(at);
    tx.expire(&expiring, session.expires_at())?;
    tx.put(&keys::session(tenant, user, id), session)?;
    Ok(())
}

/// Says that a tab is there.
pub struct TouchSession {
    /// Who asks.
    pub account: AccountId,
    /// Whose session.
    pub user: UserId,
    /// Which.
    pub session: SessionId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for TouchSession {
    const NAME: &'static str = "touch_session";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (place, _) = who::own_user(tx, self.account, self.user).await?;
        let key = keys::session(place.tenant, self.user, self.session);
        let mut session: Session = tx.get(&key).await?.ok_or_else(no_such_session)?;
        if self.at.duration_since(session.seen_at) >= SEEN_AGAIN {
            put_seen(
                tx,
                place.tenant,
                self.user,
                self.session,
                &mut session,
                self.at,
            )?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Replaces what is open.
pub struct UpdateSession {
    /// Who asks.
    pub account: AccountId,
    /// Whose session.
    pub user: UserId,
    /// Which.
    pub session: SessionId,
    /// The revision the caller saw, if it insists.
    pub expected: Option<u64>,
    /// What is open now, at most [`Session::LARGEST_STATE`] bytes of JSON.
    pub state: serde_json::Value,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for UpdateSession {
    const NAME: &'static str = "update_session";
    /// The new revision.
    type Output = u64;

    async fn run(&self, tx: &mut Tx) -> Result<u64, Abort> {
        check(&self.state, Session::LARGEST_STATE)?;
        let (place, _) = who::own_user(tx, self.account, self.user).await?;
        let key = keys::session(place.tenant, self.user, self.session);
        let mut session: Session = tx.get(&key).await?.ok_or_else(no_such_session)?;
        if self
            .expected
            .is_some_and(|expected| expected != session.revision)
        {
            return Err(Error::conflict("the session was changed meanwhile; read it again").into());
        }
        session.state = self.state.clone();
        session.revision += 1;
        put_seen(
            tx,
            place.tenant,
            self.user,
            self.session,
            &mut session,
            self.at,
        )?;
        Ok(session.revision)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Ends a session.
pub struct EndSession {
    /// Who asks.
    pub account: AccountId,
    /// Whose session.
    pub user: UserId,
    /// Which.
    pub session: SessionId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for EndSession {
    const NAME: &'static str = "end_session";
    // Done again, it finds nothing to end.
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (place, _) = who::own_user(tx, self.account, self.user).await?;
        end(tx, place.tenant, self.user, self.session).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

async fn end(tx: &mut Tx, tenant: TenantId, user: UserId, session: SessionId) -> Result<(), Abort> {
    let key = keys::session(tenant, user, session);
    if let Some(record) = tx.get::<Session>(&key).await? {
        tx.clear(&key);
        tx.keep(&expiring(tenant, user, session), record.expires_at());
    }
    Ok(())
}

/// Ends the user's sessions, or those in one workspace.
pub(super) async fn end_sessions(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    workspace: Option<WorkspaceId>,
) -> Result<(), Abort> {
    let range = keys::sessions(tenant, user);
    for (key, session) in tx.scan_all::<Session>(&range).await? {
        if workspace.is_none_or(|workspace| workspace == session.workspace) {
            let id = SessionId::from_bytes(*trailing_uuid(&key)?.as_bytes());
            tx.clear(&key);
            tx.keep(&expiring(tenant, user, id), session.expires_at());
        }
    }
    Ok(())
}
