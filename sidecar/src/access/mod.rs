//! Who may enter: the token in the cookie, the page that asks, and what the API says of both.

pub(crate) mod cookie;
pub(crate) mod keys;
pub(crate) mod logins;
pub(crate) mod origin;
pub(crate) mod token;
mod verified;

use std::sync::{Arc, PoisonError, RwLock};

use coditect_core::{
    Error, WorkspaceId,
    sidecar::{EntryClaims, entry_audience},
};
use hyper::{HeaderMap, Method, header::HeaderValue};
use jiff::Timestamp;

pub(crate) use self::verified::Verified;
use self::{
    keys::Keys,
    logins::{Logins, Presence, Shut, Who},
    origin::From,
    token::Unverified,
    verified::Memory,
};
use crate::{platform::Platform, site::Site};

/// What the API says of itself when it gives a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Who issues tokens.
    pub(crate) issuer: String,
    /// Origin of the web app.
    pub(crate) web_app: String,
    /// The IDE's policy: only the web app may show it in a frame.
    pub(crate) ide_policy: HeaderValue,
    /// That of its webviews: the IDE may show them, within the web app.
    pub(crate) webview_policy: HeaderValue,
}

impl Rules {
    /// The rules of the workspace at `site`, by what the API says.
    ///
    /// # Errors
    /// `Unavailable` if the API names no web app: what stands in headers and pages is an origin, whoever said it.
    pub(crate) fn new(issuer: String, web_app: &str, site: &Site) -> Result<Self, Error> {
        let unnamed = || Error::unavailable("the API names no web app");
        let web_app = Site::new(web_app).map_err(|error| unnamed().because(error))?;
        let (web_app, own) = (web_app.origin(), site.origin());
        let policy = |ancestors: &str| {
            HeaderValue::from_str(&format!("frame-ancestors {ancestors}"))
                .map_err(|error| unnamed().because(error))
        };
        Ok(Self {
            ide_policy: policy(web_app)?,
            webview_policy: policy(&format!("'self' {own} {web_app}"))?,
            web_app: web_app.to_owned(),
            issuer,
        })
    }
}

/// Why a request is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No token that is good here.
    NotIn,
    /// Good, but the page that asks is not ours.
    Elsewhere,
    /// The API has not been heard of: nobody knows.
    Unknown,
}

/// Somebody who was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Holds until the exchange is over.
    pub(crate) presence: Presence,
    /// What the token says.
    pub(crate) claims: Arc<EntryClaims>,
}

/// Decides who may enter.
#[derive(Debug)]
pub(crate) struct Door {
    audience: String,
    rules: RwLock<Option<Arc<Rules>>>,
    verified: Memory,
    pub(crate) keys: Keys,
    pub(crate) logins: Logins,
}

impl Door {
    pub(crate) fn new(workspace: WorkspaceId) -> Self {
        Self {
            audience: entry_audience(workspace),
            rules: RwLock::default(),
            verified: Memory::default(),
            keys: Keys::default(),
            logins: Logins::default(),
        }
    }

    /// What the API said of itself, if it has.
    pub(crate) fn rules(&self) -> Option<Arc<Rules>> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.clone()
    }

    /// Takes what the API says of itself.
    pub(crate) fn set_rules(&self, said: Rules) {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        if rules.as_deref() != Some(&said) {
            *rules = Some(Arc::new(said));
        }
    }

    /// Lets a request in, or says why not. `lasting` is a socket.
    pub(crate) async fn admit(
        &self,
        method: &Method,
        headers: &HeaderMap,
        lasting: bool,
        site: &Site,
        platform: &Platform,
    ) -> Result<Admitted, Refused> {
        let mut refused = Refused::NotIn;
        for token in cookie::tokens(headers) {
            let Some(Verified { claims, key }) = self.check(token, platform).await else {
                continue;
            };
            // With a good token in the cookie, but only then, it matters whose page asks.
            if From::of(method, headers, site.origin()) == From::Elsewhere {
                return Err(Refused::Elsewhere);
            }
            let who = Who {
                login: claims.sid,
                key,
            };
            match self.logins.admit(who, lasting) {
                Ok(presence) => return Ok(Admitted { presence, claims }),
                Err(Shut::Out) => {}
                Err(Shut::Unknown) => refused = Refused::Unknown,
            }
        }
        Err(refused)
    }

    /// What a token says, and which key signed it, if it is good here and now.
    ///
    /// What is seldom needed stands in a box, here and wherever a request passes: what every request passes through is
    /// moved as a whole, and should be small.
    pub(crate) async fn check(&self, token: &str, platform: &Platform) -> Option<Verified> {
        let (rules, now) = (self.rules()?, Timestamp::now());
        if let Some(verified) = self.verified.recall(token) {
            let claims = &verified.claims;
            let is_good = claims.exp > now.as_second()
                && claims.iss == rules.issuer
                && self.keys.find(&verified.key).is_some();
            return is_good.then_some(verified);
        }
        Box::pin(self.verify(token, &rules, now, platform)).await
    }

    async fn verify(
        &self,
        token: &str,
        rules: &Rules,
        now: Timestamp,
        platform: &Platform,
    ) -> Option<Verified> {
        let unverified = Unverified::parse(token).ok()?;
        let key = self
            .keys
            .find_or_fetch(&unverified.key, platform.keys())
            .await?;
        match unverified.verify(&key, &rules.issuer, &self.audience, now) {
            Ok(claims) => {
                let verified = Verified {
                    claims: claims.into(),
                    key: unverified.key.into(),
                };
                self.verified.remember(token, verified.clone());
                Some(verified)
            }
            Err(refusal) => {
                tracing::debug!(?refusal, "a token is refused");
                None
            }
        }
    }
}
