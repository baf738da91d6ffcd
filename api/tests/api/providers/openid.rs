//! An OpenID provider on the loopback: it checks what a strict one checks, and misbehaves when told to.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

pub(crate) const CLIENT: &str = "coditect-here";
pub(crate) const SECRET: &str = "shared+with/the provider";

/// What the provider does at the next sign-ins.
pub(crate) struct Script {
    /// Claims of the person's token, over those that are right.
    pub(crate) claims: BTreeMap<&'static str, Value>,
    /// Whether it answers that it cannot answer, and where.
    pub(crate) down: &'static [&'static str],
    /// What it says of who answers; none: nothing.
    pub(crate) names_itself: Option<String>,
    /// Whether its metadata say that it names itself always.
    pub(crate) always_names_itself: bool,
    /// Signs with its client's secret, which is no proof of who made a token.
    pub(crate) signs_by_secret: bool,
    /// Signs with a key that it does not publish.
    pub(crate) hides_key: bool,
    /// The key that signs.
    key: SigningKey,
    /// Codes that were given, with what was asked for.
    codes: HashMap<String, HashMap<String, String>>,
    /// How often each address was asked.
    pub(crate) asked: BTreeMap<&'static str, usize>,
}

#[derive(Clone)]
pub(crate) struct OpenId {
    pub(crate) issuer: String,
    script: Arc<Mutex<Script>>,
}

impl OpenId {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let script = Script {
            claims: BTreeMap::new(),
            down: &[],
            names_itself: None,
            always_names_itself: false,
            signs_by_secret: false,
            hides_key: false,
            key: SigningKey::from_bytes(&rand::random()),
            codes: HashMap::new(),
            asked: BTreeMap::new(),
        };
        let provider = Self {
            issuer,
            script: Arc::new(Mutex::new(script)),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// Changes what it does from now on.
    pub(crate) fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.script.lock().unwrap())
    }

    /// Whose sign-in the next one is.
    pub(crate) fn person(&self, subject: &str, email: &str) {
        self.script(|script| {
            script.claims.insert("sub", json!(subject));
            script.claims.insert("email", json!(email));
        });
    }

    /// From now on another key signs, and stands among those published.
    pub(crate) fn rotate(&self) {
        self.script(|script| script.key = SigningKey::from_bytes(&rand::random()));
    }

    fn comes(&self, at: &'static str) -> Result<(), StatusCode> {
        self.script(|script| {
            *script.asked.entry(at).or_default() += 1;
            match script.down.contains(&at) {
                true => Err(StatusCode::BAD_GATEWAY),
                false => Ok(()),
            }
        })
    }

    pub(crate) fn asked(&self, at: &'static str) -> usize {
        self.script(|script| script.asked.get(at).copied().unwrap_or_default())
    }
}

async fn metadata(State(here): State<OpenId>) -> Result<Json<Value>, StatusCode> {
    here.comes("metadata")?;
    let issuer = &here.issuer;
    Ok(Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "RS256", "HS256"],
        "authorization_response_iss_parameter_supported": here.script(|script| script.always_names_itself),
    })))
}

async fn jwks(State(here): State<OpenId>) -> Result<Json<Value>, StatusCode> {
    here.comes("jwks")?;
    let key = here.script(|script| script.key.clone());
    let x = BASE64_URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": name(&key), "x": x });
    Ok(Json(json!({ "keys": [key] })))
}

fn name(key: &SigningKey) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&key.verifying_key().as_bytes()[..9])
}

/// The person signs in at once.
async fn authorize(
    State(here): State<OpenId>,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let right = asked.get("client_id").is_some_and(|id| id == CLIENT)
        && asked
            .get("response_type")
            .is_some_and(|kind| kind == "code")
        && asked
            .get("code_challenge_method")
            .is_some_and(|how| how == "S256")
        && asked
            .get("scope")
            .is_some_and(|scope| scope.split(' ').any(|one| one == "openid"))
        && ["state", "nonce", "code_challenge"]
            .iter()
            .all(|name| asked.get(*name).is_some_and(|value| value.len() >= 43));
    if !right {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    let code = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    let mut back = format!(
        "{}?code={code}&state={}",
        asked["redirect_uri"], asked["state"]
    );
    here.script(|script| {
        if let Some(issuer) = &script.names_itself {
            back += &format!("&iss={}", issuer.replace(':', "%3A").replace('/', "%2F"));
        }
        script.codes.insert(code, asked);
    });
    Redirect::to(&back).into_response()
}

async fn token(
    State(here): State<OpenId>,
    headers: HeaderMap,
    Form(sent): Form<HashMap<String, String>>,
) -> Response {
    if let Err(status) = here.comes("token") {
        return status.into_response();
    }
    let refuse =
        |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    // RFC 6749, section 2.3.1: both are form-encoded before they are put together.
    let expected = format!(
        "Basic {}",
        BASE64_STANDARD.encode("coditect-here:shared%2Bwith%2Fthe+provider")
    );
    if headers
        .get(header::AUTHORIZATION)
        .is_none_or(|given| given != expected.as_str())
    {
        return refuse("invalid_client");
    }
    let code = sent.get("code").cloned().unwrap_or_default();
    // Taken out: a code is good once.
    let Some(asked) = here.script(|script| script.codes.remove(&code)) else {
        return refuse("invalid_grant");
    };
    let verifier = sent.get("code_verifier").cloned().unwrap_or_default();
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    if challenge != asked["code_challenge"] || sent.get("redirect_uri") != asked.get("redirect_uri")
    {
        return refuse("invalid_grant");
    }
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({
        "iss": here.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 60, "nonce": asked["nonce"],
        "email": "ada@example.com", "email_verified": true, "name": "Ada of the provider",
    });
    let signed = here.script(|script| {
        for (name, value) in &script.claims {
            claims[*name] = value.clone();
        }
        if script.signs_by_secret {
            let key = EncodingKey::from_secret(SECRET.as_bytes());
            return jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key);
        }
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(name(&script.key));
        let key = match script.hides_key {
            true => SigningKey::from_bytes(&rand::random()),
            false => script.key.clone(),
        };
        let key = EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes());
        jsonwebtoken::encode(&header, &claims, &key)
    });
    Json(json!({ "access_token": "never-shown", "token_type": "Bearer", "expires_in": 60, "id_token": signed.unwrap() }))
        .into_response()
}
