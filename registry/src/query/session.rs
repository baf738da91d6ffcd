//! Sessions and API keys of a user.

use coditect_core::{ApiKeyId, Result, SessionId, UserId};
use jiff::Timestamp;

use crate::{
    keys,
    record::{ApiKey, ApiKeyPlace, Session, User, UserPlace},
    registry::View,
    tx::trailing_uuid,
};

impl View {
    /// Where a user is, or none.
    pub(super) async fn place(&mut self, user: UserId) -> Result<Option<UserPlace>> {
        Ok(self.tx.get(&keys::user_place(user)).await?)
    }

    /// A user's open sessions, in order of id; none if there is no such user.
    ///
    /// # Errors
    /// As the store.
    pub async fn sessions(&mut self, user: UserId) -> Result<Vec<(SessionId, Session)>> {
        let Some(place) = self.place(user).await? else {
            return Ok(Vec::new());
        };
        let found = self
            .tx
            .scan_all(&keys::sessions(place.tenant, user))
            .await?;
        found
            .into_iter()
            .map(|(key, record)| {
                Ok((
                    SessionId::from_bytes(*trailing_uuid(&key)?.as_bytes()),
                    record,
                ))
            })
            .collect()
    }

    /// One session.
    ///
    /// # Errors
    /// As the store.
    pub async fn session(&mut self, user: UserId, session: SessionId) -> Result<Option<Session>> {
        let Some(place) = self.place(user).await? else {
            return Ok(None);
        };
        Ok(self
            .tx
            .get(&keys::session(place.tenant, user, session))
            .await?)
    }

    /// A user's API keys, in order of id; none if there is no such user.
    ///
    /// # Errors
    /// As the store.
    pub async fn api_keys(&mut self, user: UserId) -> Result<Vec<(ApiKeyId, ApiKey)>> {
        let Some(place) = self.place(user).await? else {
            return Ok(Vec::new());
        };
        let found = self
            .tx
            .scan_all(&keys::api_keys(place.tenant, user))
            .await?;
        found
            .into_iter()
            .map(|(key, record)| {
                Ok((
                    ApiKeyId::from_bytes(*trailing_uuid(&key)?.as_bytes()),
                    record,
                ))
            })
            .collect()
    }

    /// The API key of this hash, with its user, if it may be used: not revoked, not expired, its user not on the
    /// way out.
    ///
    /// # Errors
    /// As the store.
    pub async fn api_key_by_hash(
        &mut self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<(ApiKeyPlace, ApiKey, User)>> {
        let Some(place) = self
            .tx
            .get::<ApiKeyPlace>(&keys::api_key_hash(hash))
            .await?
        else {
            return Ok(None);
        };
        let record: Option<ApiKey> = self
            .tx
            .get(&keys::api_key(place.tenant, place.user, place.api_key))
            .await?;
        let user: Option<User> = self.tx.get(&keys::user(place.tenant, place.user)).await?;
        Ok(record
            .zip(user)
            .filter(|(record, user)| {
                record.expires_at.is_none_or(|end| now < end)
                    && user.mark.is_none()
                    && user.account == place.account
            })
            .map(|(record, user)| (place, record, user)))
    }
}
