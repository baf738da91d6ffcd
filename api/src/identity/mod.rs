//! Sign-ins of others: Google by OpenID Connect, GitHub by OAuth 2.0 and its API.
//!
//! `flow` is what a browser carries from the click to the answer, `openid` and `github` are what the providers speak,
//! `http` how they are called. What comes out is [`Proven`]; what it means for an account the registry decides.

mod config;
mod flow;
mod github;
mod http;
mod openid;

use coditect_core::{DisplayName, Email, Error, ExternalId, ProviderName, Result};
use openidconnect::{ClientId, ClientSecret, ErrorResponse, RedirectUrl, RequestTokenError};

pub use config::{GITHUB, GOOGLE, ProviderConfig, Service};
pub(crate) use flow::{FLOW_COOKIE, Flow, Purpose};

use crate::{
    key_ring::KeyRing,
    problem::{Answer, EMAIL_UNVERIFIED, PROVIDER_REFUSED, PROVIDER_UNAVAILABLE, Problem},
};
use github::GitHub;
use http::Http;
use openid::OpenId;

/// The providers that an operator has switched on.
#[derive(Debug)]
pub(crate) struct Providers(Vec<Provider>);

/// One provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: ProviderName,
    /// What people call it.
    pub(crate) title: &'static str,
    client: ClientId,
    secret_file: std::path::PathBuf,
    redirect: RedirectUrl,
    http: Http,
    speaks: Speaks,
}

#[derive(Debug)]
enum Speaks {
    OpenId(Box<OpenId>),
    GitHub(Box<GitHub>),
}

/// What a provider says of the person, and has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    /// Its id of the person: stays, whatever becomes of the address.
    pub(crate) subject: ExternalId,
    pub(crate) email: Email,
    pub(crate) display_name: DisplayName,
}

impl Providers {
    /// # Errors
    /// `Invalid` naming the setting or the file that is not usable.
    pub(crate) fn new(configured: &[ProviderConfig], public_url: &str) -> Result<Self> {
        if configured.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let http = Http::new()?;
        let provider = |config: &ProviderConfig| {
            config.check()?;
            let (name, title, speaks) = match &config.service {
                Service::Google { issuer } => {
                    let openid = Box::new(OpenId::new(issuer)?);
                    ("google", "Google", Speaks::OpenId(openid))
                }
                Service::GitHub { url } => (
                    "github",
                    "GitHub",
                    Speaks::GitHub(Box::new(GitHub::new(url)?)),
                ),
            };
            let redirect = format!("{public_url}/api/v5/auth/{name}/callback");
            let redirect = RedirectUrl::new(redirect)
                .map_err(|error| Error::invalid("public_url", "is no address").because(error))?;
            // Read once, so that a wrong path is known now and not when the first person comes.
            secret(std::fs::read_to_string(&config.client_secret_file), config)?;
            Ok(Provider {
                name: name.parse()?,
                title,
                client: ClientId::new(config.client_id.clone()),
                secret_file: config.client_secret_file.clone(),
                redirect,
                http: http.clone(),
                speaks,
            })
        };
        configured
            .iter()
            .map(provider)
            .collect::<Result<_>>()
            .map(Self)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Provider> {
        self.0.iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Provider> {
        self.0
            .iter()
            .find(|provider| provider.name.as_str() == name)
    }
}

fn secret(read: std::io::Result<String>, config: &ProviderConfig) -> Result<ClientSecret> {
    let file = config.client_secret_file.display().to_string();
    let text = read.map_err(|error| {
        Error::invalid(
            file.clone(),
            "cannot be read: it must hold the client secret",
        )
        .because(error)
    })?;
    match text.trim() {
        "" => Err(Error::invalid(file, "holds no client secret")),
        text => Ok(ClientSecret::new(text.to_owned())),
    }
}

impl Provider {
    /// Where the person signs in.
    ///
    /// # Errors
    /// A problem of the type `provider-unavailable` if the provider does not say where that is.
    pub(crate) async fn authorize_url(&self, flow: &Flow, keys: &KeyRing) -> Answer<String> {
        match &self.speaks {
            Speaks::OpenId(openid) => openid.authorize_url(self, flow, keys).await,
            Speaks::GitHub(github) => Ok(github.authorize_url(self, flow, keys)),
        }
    }

    /// Who signed in, by the code that the provider gave the browser.
    ///
    /// # Errors
    /// Problems of the types `provider-refused`, `provider-unavailable`, `email-not-verified`.
    pub(crate) async fn proven(&self, code: String, flow: &Flow, keys: &KeyRing) -> Answer<Proven> {
        match &self.speaks {
            Speaks::OpenId(openid) => openid.proven(self, code, flow, keys).await,
            Speaks::GitHub(github) => github.proven(self, code, flow, keys).await,
        }
    }

    /// Whether an answer that names its issuer (RFC 9207), or names none, is this provider's: another provider that the
    /// person was led to must not have its code redeemed here, nor ours there.
    ///
    /// # Errors
    /// As [`Provider::authorize_url`].
    pub(crate) async fn is_from(&self, issuer: Option<&str>) -> Answer<bool> {
        match &self.speaks {
            Speaks::OpenId(openid) => openid.is_from(self, issuer).await,
            Speaks::GitHub(github) => Ok(issuer.is_none_or(|issuer| issuer == github.issuer())),
        }
    }

    /// The client's secret as the file holds it now.
    async fn secret(&self) -> Answer<ClientSecret> {
        let file = self.secret_file.display();
        let text = tokio::fs::read_to_string(&self.secret_file).await;
        let text = text.map_err(|error| {
            self.away(Error::unavailable(format!("{file} cannot be read")).because(error))
        })?;
        match text.trim() {
            "" => Err(self.away(Error::unavailable(format!("{file} holds no client secret")))),
            text => Ok(ClientSecret::new(text.to_owned())),
        }
    }

    /// The provider cannot be asked now, for a reason that is not the person's.
    fn away(&self, cause: Error) -> Problem {
        metrics::counter!("coditect_api_provider_failures_total", "provider" => self.name.to_string())
            .increment(1);
        let detail = format!(
            "{} does not answer as it should; try again in a moment, or sign in another way",
            self.title
        );
        Problem::because(&PROVIDER_UNAVAILABLE, detail, cause)
    }

    /// The provider was asked, and does not vouch for the person.
    fn refused(&self, why: &str) -> Problem {
        let detail = format!(
            "{} did not confirm the sign-in: {why}; begin again",
            self.title
        );
        Problem::new(&PROVIDER_REFUSED, detail)
    }

    fn unverified(&self) -> Problem {
        let detail = format!(
            "{} has verified no e-mail address of yours that can be used here; verify one there and begin again",
            self.title
        );
        Problem::new(&EMAIL_UNVERIFIED, detail)
    }

    /// What became of a code that was to be redeemed. Only a refusal of the code itself is the person's affair.
    fn not_redeemed<T>(&self, error: RequestTokenError<Error, T>) -> Problem
    where
        T: ErrorResponse + std::fmt::Display + Send + Sync + 'static,
    {
        match &error {
            // GitHub has a word of its own for it.
            RequestTokenError::ServerResponse(answer)
                if ["invalid_grant", "bad_verification_code"]
                    .iter()
                    .any(|code| answer.to_string().starts_with(code)) =>
            {
                self.refused("its code was used before, or is too old")
            }
            RequestTokenError::Parse(_, body) if is_refusal(body) => {
                self.refused("its code was used before, or is too old")
            }
            _ => self.away(Error::unavailable("a sign-in's code was not redeemed").because(error)),
        }
    }
}

/// GitHub refuses codes with the status 200.
fn is_refusal(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body)
        .is_ok_and(|body| body["error"] == "bad_verification_code")
}

/// What a person is called, as far as it can be shown; else what stands before the `@`.
fn called(name: Option<&str>, email: &Email) -> Result<DisplayName> {
    let short = |text: &str| text.chars().take(64).collect::<String>();
    let local = email.as_str().split('@').next().unwrap_or_default();
    name.and_then(|name| short(name).parse().ok())
        .map_or_else(|| short(local).parse(), Ok)
}
