//! OpenID Connect (Core 1.0) with a provider whose metadata and keys are discovered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::{Error, Result};
use openidconnect::{
    AdditionalProviderMetadata, AuthorizationCode, ClaimsVerificationError, CsrfToken,
    EndUserEmail, EndUserName, IssuerUrl, LocalizedClaim, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, Scope, SignatureVerificationError,
    SubjectIdentifier, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
        CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType, CoreUserInfoClaims,
    },
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Flow, Proven, Provider, called, config::is_safe, http::Http};
use crate::{key_ring::KeyRing, problem::Answer};

/// How long metadata and keys are used before they are asked for again. Providers publish a key long before it signs.
const KEPT: Duration = Duration::from_secs(3_600);
/// How long between two looks for a key that is not known: nobody makes us ask at their pace.
const BETWEEN: Duration = Duration::from_secs(30);
/// How long after a failure nobody else waits for the same.
const AFTER_FAILURE: Duration = Duration::from_secs(3);
/// Signatures that only the provider can have made. Not those by the secret that we share with it, and not `none`.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 6] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What RFC 9207 adds to a provider's metadata.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct NamesItself {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for NamesItself {}

type Metadata = ProviderMetadata<
    NamesItself,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// An OpenID provider.
#[derive(Debug)]
pub(super) struct OpenId {
    issuer: IssuerUrl,
    known: Mutex<Known>,
}

/// What was last heard of it.
#[derive(Debug, Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Instant)>,
    failed: Option<(String, Instant)>,
    /// When it was last asked for a key that was not known.
    looked: Option<Instant>,
}

impl OpenId {
    pub(super) fn new(issuer: &str) -> Result<Self> {
        let issuer = IssuerUrl::new(issuer.to_owned())
            .map_err(|error| Error::invalid("google_issuer", "is no address").because(error))?;
        Ok(Self {
            issuer,
            known: Mutex::default(),
        })
    }

    pub(super) async fn authorize_url(
        &self,
        provider: &Provider,
        flow: &Flow,
        keys: &KeyRing,
    ) -> Answer<String> {
        let metadata = self.metadata(&provider.http).await;
        let metadata = metadata.map_err(|error| provider.away(error))?;
        let client =
            CoreClient::from_provider_metadata((*metadata).clone(), provider.client.clone(), None)
                .set_redirect_uri(provider.redirect.clone());
        let (state, nonce) = (flow.state(keys), flow.nonce(keys));
        let verifier = PkceCodeVerifier::new(flow.verifier(keys));
        let (url, ..) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url.to_string())
    }

    pub(super) async fn is_from(&self, provider: &Provider, issuer: Option<&str>) -> Answer<bool> {
        match issuer {
            Some(issuer) => Ok(issuer == self.issuer.as_str()),
            None => {
                let metadata = self.metadata(&provider.http).await;
                let metadata = metadata.map_err(|error| provider.away(error))?;
                let names_itself = metadata.additional_metadata();
                Ok(!names_itself.authorization_response_iss_parameter_supported)
            }
        }
    }

    pub(super) async fn proven(
        &self,
        provider: &Provider,
        code: String,
        flow: &Flow,
        keys: &KeyRing,
    ) -> Answer<Proven> {
        let secret = provider.secret().await?;
        let away = |error| provider.away(error);
        let metadata = self.metadata(&provider.http).await.map_err(away)?;
        let client = |metadata: &Metadata| {
            let secret = Some(secret.clone());
            CoreClient::from_provider_metadata(metadata.clone(), provider.client.clone(), secret)
                .set_redirect_uri(provider.redirect.clone())
        };
        let redeems = client(&metadata);
        let tokens = redeems
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| {
                let what = "the provider's metadata name no token endpoint";
                provider.away(Error::unavailable(what).because(error))
            })?
            .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier(keys)))
            .request_async(&provider.http)
            .await
            .map_err(|error| provider.not_redeemed(error))?;
        let token = tokens
            .id_token()
            .ok_or_else(|| provider.away(Error::unavailable("the provider gave no ID token")))?;

        let nonce = Nonce::new(flow.nonce(keys));
        let verified = |metadata: &Metadata| {
            let client = client(metadata);
            let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
            token.claims(&verifier, &nonce).cloned()
        };
        let claims = match verified(&metadata) {
            // Signed by a key that came after we last asked.
            Err(error) if is_of_unknown_key(&error) => {
                let newer = self.look_again(&provider.http).await.map_err(away)?;
                verified(&newer)
            }
            verified => verified,
        };
        let claims = claims.map_err(|error| {
            tracing::warn!(provider = %provider.name, error = %shown(&error), "an ID token is refused");
            provider.refused("its token is not valid here")
        })?;
        let subject = claims.subject();
        if claims.email().is_some() {
            let verified = claims.email_verified();
            return person(provider, subject, claims.email(), verified, claims.name());
        }
        // Only few put the address into the token: OpenID Connect Core 1.0, section 5.4 has it told at an address of its
        // own, to whoever shows the access token.
        let told = redeems
            .user_info(
                tokens.access_token().clone(),
                Some(claims.subject().clone()),
            )
            .map_err(|_| provider.unverified())?;
        let told: CoreUserInfoClaims =
            told.request_async(&provider.http).await.map_err(|error| {
                provider.away(Error::unavailable("who signed in is not told").because(error))
            })?;
        let verified = told.email_verified();
        person(provider, subject, told.email(), verified, told.name())
    }

    /// The provider's metadata with its keys.
    async fn metadata(&self, http: &Http) -> Result<Arc<Metadata>> {
        let mut known = self.known.lock().await;
        if let Some((metadata, at)) = &known.metadata
            && at.elapsed() < KEPT
        {
            return Ok(Arc::clone(metadata));
        }
        self.refreshed(http, &mut known).await
    }

    /// The same, asked for anew because a key is missing; not more often than makes sense.
    async fn look_again(&self, http: &Http) -> Result<Arc<Metadata>> {
        let mut known = self.known.lock().await;
        if let Some((metadata, _)) = &known.metadata
            && known.looked.is_some_and(|at| at.elapsed() < BETWEEN)
        {
            return Ok(Arc::clone(metadata));
        }
        known.looked = Some(Instant::now());
        self.refreshed(http, &mut known).await
    }

    async fn refreshed(&self, http: &Http, known: &mut Known) -> Result<Arc<Metadata>> {
        let recent = known.failed.as_ref();
        let failed = match recent.filter(|(_, at)| at.elapsed() < AFTER_FAILURE) {
            Some((what, _)) => Error::unavailable(what.clone()),
            None => match self.discover(http).await {
                Ok(metadata) => {
                    let metadata = Arc::new(metadata);
                    known.metadata = Some((Arc::clone(&metadata), Instant::now()));
                    known.failed = None;
                    return Ok(metadata);
                }
                Err(error) => {
                    known.failed = Some((error.chain(), Instant::now()));
                    error
                }
            },
        };
        // What was known an hour ago is most likely right; a key that is gone only refuses.
        match &known.metadata {
            Some((metadata, _)) => Ok(Arc::clone(metadata)),
            None => Err(failed),
        }
    }

    async fn discover(&self, http: &Http) -> Result<Metadata> {
        let metadata = Metadata::discover_async(self.issuer.clone(), http).await;
        let metadata = metadata.map_err(|error| {
            let issuer = self.issuer.as_str();
            let what = format!("what {issuer} says of itself cannot be read");
            Error::unavailable(what).because(error)
        })?;
        let addresses = [
            Some(metadata.authorization_endpoint().as_str()),
            metadata.token_endpoint().map(|url| url.as_str()),
            metadata.userinfo_endpoint().map(|url| url.as_str()),
            Some(metadata.jwks_uri().as_str()),
        ];
        if !addresses.into_iter().flatten().all(is_safe) {
            let what = "the provider's metadata name an address that is not encrypted";
            return Err(Error::unavailable(what));
        }
        Ok(metadata)
    }
}

fn is_of_unknown_key(error: &ClaimsVerificationError) -> bool {
    matches!(
        error,
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)
    )
}

/// What may stand in a log: which rule was broken, and nothing that the token says.
fn shown(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "it has expired",
        ClaimsVerificationError::InvalidAudience(_) => "it is for somebody else",
        ClaimsVerificationError::InvalidIssuer(_) => "it is of another issuer",
        ClaimsVerificationError::InvalidNonce(_) => "its nonce is not the one asked for",
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey,
        ) => "its key is not known",
        ClaimsVerificationError::SignatureVerification(_) => "its signature is not the provider's",
        _ => "it breaks another rule",
    }
}

fn person(
    provider: &Provider,
    subject: &SubjectIdentifier,
    email: Option<&EndUserEmail>,
    verified: Option<bool>,
    name: Option<&LocalizedClaim<EndUserName>>,
) -> Answer<Proven> {
    let email = email
        .filter(|_| verified == Some(true))
        .and_then(|email| email.as_str().parse().ok())
        .ok_or_else(|| provider.unverified())?;
    let name = name.and_then(|name| name.get(None));
    Ok(Proven {
        subject: subject.as_str().parse()?,
        display_name: called(name.map(|name| name.as_str()), &email)?,
        email,
    })
}
