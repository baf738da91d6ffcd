//! GitHub Enterprise on the loopback, as far as it is asked: its sign-in page, its tokens, and two answers of its API.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::openid::{CLIENT, SECRET};

const TOKEN: &str = "gho_never-shown";

/// What it says.
pub(crate) struct Script {
    pub(crate) user: Value,
    pub(crate) emails: Value,
    /// Whether its API answers that it cannot answer.
    pub(crate) down: bool,
    codes: HashMap<String, HashMap<String, String>>,
}

#[derive(Clone)]
pub(crate) struct GitHub {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
}

impl GitHub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let script = Script {
            user: json!({ "id": 583_231, "login": "octocat", "name": null }),
            emails: json!([
                { "email": "other@example.com", "primary": false, "verified": true, "visibility": null },
                { "email": "ada@example.com", "primary": true, "verified": true, "visibility": "private" },
            ]),
            down: false,
            codes: HashMap::new(),
        };
        let here = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            script: Arc::new(Mutex::new(script)),
        };
        let router = Router::new()
            .route("/login/oauth/authorize", get(authorize))
            .route("/login/oauth/access_token", post(token))
            .route("/api/v3/user", get(user))
            .route("/api/v3/user/emails", get(emails))
            .with_state(here.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        here
    }

    pub(crate) fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.script.lock().unwrap())
    }
}

async fn authorize(
    State(here): State<GitHub>,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let right = asked.get("client_id").is_some_and(|id| id == CLIENT)
        && asked
            .get("scope")
            .is_some_and(|scope| scope == "read:user user:email");
    if !right {
        return (StatusCode::NOT_FOUND, format!("{asked:?}")).into_response();
    }
    let code = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 10]>());
    let back = format!(
        "{}?code={code}&state={}",
        asked["redirect_uri"], asked["state"]
    );
    here.script(|script| script.codes.insert(code, asked));
    Redirect::to(&back).into_response()
}

/// GitHub refuses with the status 200.
async fn token(
    State(here): State<GitHub>,
    headers: HeaderMap,
    Form(sent): Form<HashMap<String, String>>,
) -> Json<Value> {
    let refused = |error: &str| Json(json!({ "error": error, "error_description": "…" }));
    let sent = |name: &str| sent.get(name).cloned().unwrap_or_default();
    if headers
        .get(header::ACCEPT)
        .is_none_or(|accept| accept != "application/json")
    {
        return refused("answers_forms_otherwise");
    }
    if sent("client_id") != CLIENT || sent("client_secret") != SECRET {
        return refused("incorrect_client_credentials");
    }
    let Some(asked) = here.script(|script| script.codes.remove(&sent("code"))) else {
        return refused("bad_verification_code");
    };
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(sent("code_verifier")));
    if challenge != asked["code_challenge"] || sent("redirect_uri") != asked["redirect_uri"] {
        return refused("bad_verification_code");
    }
    Json(json!({ "access_token": TOKEN, "scope": "read:user,user:email", "token_type": "bearer" }))
}

fn admitted(here: &GitHub, headers: &HeaderMap) -> Result<(), StatusCode> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if here.script(|script| script.down) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    // GitHub refuses programs that do not say who they are.
    match given == Some(&format!("Bearer {TOKEN}")) && headers.contains_key(header::USER_AGENT) {
        true => Ok(()),
        false => Err(StatusCode::FORBIDDEN),
    }
}

async fn user(State(here): State<GitHub>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    admitted(&here, &headers)?;
    Ok(Json(here.script(|script| script.user.clone())))
}

async fn emails(State(here): State<GitHub>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    admitted(&here, &headers)?;
    Ok(Json(here.script(|script| script.emails.clone())))
}
