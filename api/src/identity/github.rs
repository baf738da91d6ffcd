//! GitHub: OAuth 2.0, then its API for who it was. It speaks no OpenID Connect to applications.

use axum::http::{Request, StatusCode, header};
use coditect_core::{Error, Result};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, Scope,
    TokenResponse, TokenUrl, basic::BasicClient,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Flow, GITHUB, Proven, Provider, called};
use crate::{key_ring::KeyRing, problem::Answer};

/// The version of GitHub's API that is spoken.
const VERSION: &str = "2022-11-28";

/// GitHub, or GitHub Enterprise.
#[derive(Debug)]
pub(super) struct GitHub {
    authorize: AuthUrl,
    token: TokenUrl,
    api: String,
    issuer: String,
}

/// Who signed in, of what GitHub says of them.
#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
}

/// One of their addresses.
#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

impl GitHub {
    /// The API of GitHub Enterprise is below the address itself, that of GitHub beside it.
    pub(super) fn new(url: &str) -> Result<Self> {
        let wrong = |error: oauth2::url::ParseError| {
            Error::invalid("github_url", "is no address").because(error)
        };
        let api = match url {
            GITHUB => "https://api.github.com".to_owned(),
            url => format!("{url}/api/v3"),
        };
        Ok(Self {
            authorize: AuthUrl::new(format!("{url}/login/oauth/authorize")).map_err(wrong)?,
            token: TokenUrl::new(format!("{url}/login/oauth/access_token")).map_err(wrong)?,
            api,
            issuer: format!("{url}/login/oauth"),
        })
    }

    /// What GitHub calls itself in its metadata (`/login/oauth/.well-known/openid-configuration`).
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn authorize_url(&self, provider: &Provider, flow: &Flow, keys: &KeyRing) -> String {
        let state = flow.state(keys);
        let verifier = PkceCodeVerifier::new(flow.verifier(keys));
        let client = BasicClient::new(provider.client.clone())
            .set_auth_uri(self.authorize.clone())
            .set_redirect_uri(provider.redirect.clone());
        let (url, _) = client
            .authorize_url(|| CsrfToken::new(state))
            .add_scope(Scope::new("read:user".to_owned()))
            .add_scope(Scope::new("user:email".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        url.to_string()
    }

    pub(super) async fn proven(
        &self,
        provider: &Provider,
        code: String,
        flow: &Flow,
        keys: &KeyRing,
    ) -> Answer<Proven> {
        let client = BasicClient::new(provider.client.clone())
            .set_client_secret(provider.secret().await?)
            .set_token_uri(self.token.clone())
            .set_redirect_uri(provider.redirect.clone())
            // GitHub reads the client's secret from the body alone.
            .set_auth_type(AuthType::RequestBody);
        let token = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier(keys)))
            .request_async(&provider.http)
            .await
            .map_err(|error| provider.not_redeemed(error))?;
        let token = token.access_token().secret();
        let away = |error| provider.away(error);
        let user: User = self.get(provider, "/user", token).await.map_err(away)?;
        let addresses: Vec<Address> = self
            .get(provider, "/user/emails", token)
            .await
            .map_err(away)?;
        let email = addresses
            .into_iter()
            .find(|address| address.primary && address.verified)
            .and_then(|address| address.email.parse().ok())
            .ok_or_else(|| provider.unverified())?;
        let name = user.name.filter(|name| !name.trim().is_empty());
        Ok(Proven {
            // Not the login: that can be changed, and then be somebody else's.
            subject: user.id.to_string().parse()?,
            display_name: called(Some(&name.unwrap_or(user.login)), &email)?,
            email,
        })
    }

    async fn get<T: DeserializeOwned>(
        &self,
        provider: &Provider,
        path: &str,
        token: &str,
    ) -> Result<T> {
        let request = Request::get(format!("{}{path}", self.api))
            .header(header::ACCEPT, "application/vnd.github+json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header("x-github-api-version", VERSION)
            .body(Vec::new())
            .map_err(|error| Error::internal("a call cannot be written").because(error))?;
        let answer = provider.http.send(request).await?;
        if answer.status() != StatusCode::OK {
            let status = answer.status();
            return Err(Error::unavailable(format!(
                "GitHub answers {status} to {path}"
            )));
        }
        serde_json::from_slice(answer.body()).map_err(|error| {
            Error::unavailable(format!("GitHub's answer to {path} cannot be read")).because(error)
        })
    }
}
