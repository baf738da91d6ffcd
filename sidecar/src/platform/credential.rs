//! The credential with which the gateway calls the API.

use std::{path::PathBuf, time::Duration};

use coditect_core::{
    Error, Result,
    sidecar::{CREDENTIAL_PATH, Credential},
};
use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Mutex, time::Instant};

use super::{
    client::{Api, Call},
    read,
};

/// A credential is replaced this long before it ends, so that no call is made with one that ends on its way.
const EARLY: SignedDuration = SignedDuration::from_secs(60);
/// After a failure the API is not asked again for this long: many who want to call must not become many who ask.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the API may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Gives a credential, exchanged for the projected token whenever the last one is about to end.
#[derive(Debug)]
pub(super) struct Credentials {
    /// Read anew for every exchange: the cluster replaces the token before it expires.
    token_file: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    credential: Option<Credential>,
    failed: Option<(Instant, String)>,
}

impl Credentials {
    pub(super) fn new(token_file: PathBuf) -> Self {
        Self {
            token_file,
            state: Mutex::default(),
        }
    }

    /// One that is good for a while yet.
    pub(super) async fn get(&self, api: &Api) -> Result<Credential> {
        let mut state = self.state.lock().await;
        let now = Timestamp::now();
        if let Some(credential) = &state.credential
            && now.duration_until(credential.expires_at) > EARLY
        {
            return Ok(credential.clone());
        }
        if let Some((at, why)) = &state.failed
            && at.elapsed() < PAUSE
        {
            return Err(Error::unavailable(why.clone()));
        }
        match self.exchange(api).await {
            Ok(credential) => {
                state.failed = None;
                state.credential = Some(credential.clone());
                Ok(credential)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.chain()));
                // An exchange that fails early leaves what is still good.
                match &state.credential {
                    Some(credential) if credential.expires_at > now => Ok(credential.clone()),
                    _ => Err(error),
                }
            }
        }
    }

    /// The API no longer takes this one.
    pub(super) async fn forget(&self, bearer: &str) {
        let mut state = self.state.lock().await;
        if state
            .credential
            .as_ref()
            .is_some_and(|credential| credential.credential == bearer)
        {
            state.credential = None;
        }
    }

    async fn exchange(&self, api: &Api) -> Result<Credential> {
        let token = tokio::fs::read_to_string(&self.token_file)
            .await
            .map_err(|error| {
                let file = self.token_file.display();
                Error::unavailable(format!("the projected token {file} cannot be read"))
                    .because(error)
            })?;
        let call = Call {
            method: Method::POST,
            path: CREDENTIAL_PATH.to_owned(),
            bearer: Some(token.trim().to_owned()),
            body: None,
            limit: PATIENCE,
        };
        read(&api.call(call).await?)
    }
}
