//! The API as the gateway knows it.

mod client;
mod credential;
mod follow;

use std::time::Duration;

use coditect_core::{
    Error, Kind, Result,
    sidecar::{
        self, Access, ContentOf, Contents, Credential, Entry, FileBatch, Heartbeat, Redeem,
        Restored, SharedState, Wanted,
    },
};
use hyper::{
    Method, Response,
    body::{Bytes, Incoming},
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

pub(crate) use self::follow::follow;
use self::{
    client::{Api, Call},
    credential::Credentials,
};
use crate::config::Config;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long people wait for one: they look at a page meanwhile.
const SOON: Duration = Duration::from_secs(5);
/// How long the API lets a question wait for news.
const NEWS: Duration = Duration::from_secs(20);
/// How long a model may think before it says anything.
const THOUGHT: Duration = Duration::from_secs(120);

/// Calls the API in the workspace's name.
#[derive(Debug)]
pub(crate) struct Platform {
    api: Api,
    credentials: Credentials,
}

impl Platform {
    /// # Errors
    /// `Invalid` if the API's address or its authorities are not usable.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            api: Api::new(&config.api, config.api_ca.as_deref())?,
            credentials: Credentials::new(config.token_file.clone()),
        })
    }

    /// A credential that is good now.
    ///
    /// # Errors
    /// As the API; `Unavailable` if the projected token cannot be read.
    pub(crate) async fn credential(&self) -> Result<Credential> {
        self.credentials.get(&self.api).await
    }

    /// What a code is worth.
    ///
    /// # Errors
    /// `NotFound` if it is worth nothing; as the API otherwise.
    pub(crate) async fn redeem(&self, code: String) -> Result<Entry> {
        let body = write(&Redeem { code })?;
        let entry = self.ask(Method::POST, sidecar::REDEEM_PATH, Some(body), SOON);
        read(&entry.await?)
    }

    /// Who may be in: at once if it is not what `after` names, else when it changes or after a while.
    ///
    /// # Errors
    /// As the API.
    pub(crate) async fn access(&self, after: Option<&str>) -> Result<Access> {
        let path = match after {
            None => sidecar::ACCESS_PATH.to_owned(),
            // The version is opaque: whatever is not a plain character in it must not change the question.
            Some(version) => format!(
                "{}?after={}&wait={}",
                sidecar::ACCESS_PATH,
                escape(version),
                NEWS.as_secs()
            ),
        };
        read(&self.ask(Method::GET, &path, None, NEWS + PATIENCE).await?)
    }

    /// The API's public keys, as it publishes them.
    ///
    /// # Errors
    /// As the API.
    pub(crate) async fn keys(&self) -> Result<Vec<u8>> {
        let call = Call {
            method: Method::GET,
            path: sidecar::KEYS_PATH.to_owned(),
            bearer: None,
            body: None,
            limit: SOON,
        };
        Ok(self.api.call(call).await?.into())
    }

    /// Says how the workspace is.
    ///
    /// # Errors
    /// As the API.
    pub(crate) async fn beat(&self, heartbeat: &Heartbeat) -> Result<()> {
        let body = write(heartbeat)?;
        let said = self.ask(Method::PUT, sidecar::HEARTBEAT_PATH, Some(body), PATIENCE);
        said.await.map(drop)
    }

    /// Hands over what happened to files.
    ///
    /// # Errors
    /// As the API.
    pub(crate) async fn files(&self, batch: &FileBatch) -> Result<()> {
        let body = write(batch)?;
        let taken = self.ask(Method::POST, sidecar::FILES_PATH, Some(body), PATIENCE);
        taken.await.map(drop)
    }

    /// Which of these contents the API would like to have.
    ///
    /// # Errors
    /// As the API. One that does not know the question wants all of them.
    pub(crate) async fn wanted(&self, contents: Vec<ContentOf>) -> Result<Vec<bool>> {
        let all = vec![true; contents.len()];
        let body = write(&Contents { contents })?;
        let answer = self.ask(Method::POST, sidecar::WANTED_PATH, Some(body), PATIENCE);
        match answer.await {
            Err(error) if *error.kind() == Kind::NotFound => Ok(all),
            answer => Ok(read::<Wanted>(&answer?)?.wanted),
        }
    }

    /// A content that is to be brought back.
    ///
    /// # Errors
    /// As the API; `NotFound` if it is not kept any more, or nobody waits for it.
    pub(crate) async fn restored_content(&self, id: Uuid) -> Result<Bytes> {
        let path = format!("{}/{id}", sidecar::RESTORES_PATH);
        self.ask(Method::GET, &path, None, PATIENCE).await
    }

    /// Says what became of it.
    ///
    /// # Errors
    /// As the API.
    pub(crate) async fn restored(&self, id: Uuid, outcome: &Restored) -> Result<()> {
        let path = format!("{}/{id}", sidecar::RESTORES_PATH);
        let body = write(outcome)?;
        let noted = self.ask(Method::POST, &path, Some(body), PATIENCE);
        noted.await.map(drop)
    }

    /// What the tabs shared last; nothing if they never have.
    ///
    /// # Errors
    /// As the API.
    pub(crate) async fn state(&self) -> Result<SharedState> {
        let answer = self.ask(Method::GET, sidecar::STATE_PATH, None, PATIENCE);
        match answer.await {
            Err(error) if *error.kind() == Kind::NotFound => Ok(SharedState::default()),
            answer => read(&answer?),
        }
    }

    /// Keeps what the tabs share.
    ///
    /// # Errors
    /// `Conflict` if its revision is not above what is kept; as the API otherwise.
    pub(crate) async fn put_state(&self, state: &SharedState) -> Result<()> {
        let body = write(state)?;
        let kept = self.ask(Method::PUT, sidecar::STATE_PATH, Some(body), PATIENCE);
        kept.await.map(drop)
    }

    /// Asks a language model; the answer comes piece by piece.
    ///
    /// # Errors
    /// As the API; `NotFound` if it has no models.
    pub(crate) async fn complete(&self, request: Bytes) -> Result<Response<Incoming>> {
        let bearer = self.credential().await?.credential;
        let call = Call {
            method: Method::POST,
            path: sidecar::LLM_PATH.to_owned(),
            bearer: Some(bearer),
            body: Some(request),
            limit: THOUGHT,
        };
        self.api.open(call).await
    }

    /// Calls with the credential; once more with a new one if the API does not know it any more.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        limit: Duration,
    ) -> Result<Bytes> {
        let mut again = true;
        loop {
            let bearer = self.credential().await?.credential;
            let call = Call {
                method: method.clone(),
                path: path.to_owned(),
                bearer: Some(bearer.clone()),
                body: body.clone(),
                limit,
            };
            match self.api.call(call).await {
                Err(error) if *error.kind() == Kind::Unauthenticated && again => {
                    self.credentials.forget(&bearer).await;
                    again = false;
                }
                answer => return answer,
            }
        }
    }
}

fn write(value: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| Error::internal("a body cannot be written").because(error))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body)
        .map_err(|error| Error::unavailable("the API's answer is not understood").because(error))
}

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_cannot_change_the_question() {
        assert_eq!(escape("1-a.b_~"), "1-a.b_~");
        assert_eq!(escape("a&wait=0 #ü"), "a%26wait%3D0%20%23%C3%BC");
    }
}
