//! People who use the API.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::{During, Failure, Result, ensure};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// The API of an installation.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    url: String,
}

/// Somebody who has signed up, and is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Where.
    pub api: Api,
    /// With which address.
    pub email: String,
    /// The access token. It lasts minutes; requests as this person are sent with a new one then.
    pub token: String,
    renewed: Arc<Mutex<Option<String>>>,
    /// Their id as a user.
    pub user: String,
    /// The tenant they belong to.
    pub tenant: String,
    /// Their first workspace.
    pub workspace: String,
}

impl Api {
    pub(super) fn at(url: String) -> Self {
        Self {
            client: Client::new(),
            url,
        }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request; gives the status and the JSON of the answer, null if it has none.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value)> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// Sends a request for a workspace's host, as a proxy does that has no pod to send it to; gives the status and
    /// what the answer says of the workspace.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn knock(
        &self,
        method: Method,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<(StatusCode, String)> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.url))
            .header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        let said = answer.headers().get("coditect-wake");
        let said = said.and_then(|said| said.to_str().ok());
        Ok((answer.status(), said.unwrap_or_default().to_owned()))
    }

    /// Signs somebody up and in.
    ///
    /// # Errors
    /// If the API refuses it, or does not answer.
    pub async fn sign_up(&self, email: &str) -> Result<Person> {
        let body = json!({"email": email, "password": PASSWORD, "display_name": email});
        let registered = self.post("/api/v5/auth/register", &body).await?;
        let id = text(&registered, "/id")?;
        let path = format!("/api/v5/auth/registrations/{id}/session");
        let session = self.post(&path, &Value::Null).await?;
        self.person(email, text(&session, "/access_token")?).await
    }

    /// Signs somebody in who has signed up before.
    ///
    /// # Errors
    /// As [`Self::sign_up`].
    pub async fn sign_in(&self, email: &str) -> Result<Person> {
        let token = self.log_in(email).await?;
        self.person(email, token).await
    }

    /// A new access token.
    async fn log_in(&self, email: &str) -> Result<String> {
        let body = json!({"email": email, "password": PASSWORD});
        let session = self.post("/api/v5/auth/login", &body).await?;
        text(&session, "/access_token")
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let body = (!body.is_null()).then_some(body);
        let (status, answer) = self.send(Method::POST, path, None, body).await?;
        ensure!(status.is_success(), "POST {path}: {status} {answer}");
        Ok(answer)
    }

    async fn person(&self, email: &str, token: String) -> Result<Person> {
        let mut person = Person {
            api: self.clone(),
            email: email.to_owned(),
            token,
            renewed: Arc::default(),
            user: String::new(),
            tenant: String::new(),
            workspace: String::new(),
        };
        let me = person.get("/api/v5/me").await?;
        person.user = text(&me, "/user_id")?;
        person.tenant = text(&me, "/tenant/id")?;
        let workspaces = person.get("/api/v5/workspaces").await?;
        person.workspace = text(&workspaces, "/items/0/id")?;
        Ok(person)
    }
}

impl Person {
    /// Sends a request as this person.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value)> {
        let renewed = || self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let token = renewed().clone().unwrap_or_else(|| self.token.clone());
        let answered = self
            .api
            .send(method.clone(), path, Some(&token), body)
            .await?;
        let expired = answered.0 == StatusCode::UNAUTHORIZED
            && answered.1["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("expired"));
        if !expired {
            return Ok(answered);
        }
        // Somebody who is gone meanwhile cannot sign in, and was told so.
        let Ok(token) = self.api.log_in(&self.email).await else {
            return Ok(answered);
        };
        *renewed() = Some(token.clone());
        self.api.send(method, path, Some(&token), body).await
    }

    /// Sends a request that must succeed, and gives the answer's JSON.
    ///
    /// # Errors
    /// If there is no answer, or a refusal.
    pub async fn must(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, answer) = self.send(method.clone(), path, body).await?;
        ensure!(status.is_success(), "{method} {path}: {status} {answer}");
        Ok(answer)
    }

    /// Reads something that must be there.
    ///
    /// # Errors
    /// As [`Self::must`].
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.must(Method::GET, path, None).await
    }

    /// The first workspace, as the API shows it.
    ///
    /// # Errors
    /// As [`Self::must`].
    pub async fn shown(&self) -> Result<Value> {
        self.get(&format!("/api/v5/workspaces/{}", self.workspace))
            .await
    }

    /// What is asked of the first workspace: `start`, `stop`, `keep`.
    ///
    /// # Errors
    /// As [`Self::must`].
    pub async fn ask(&self, action: &str) -> Result<Value> {
        let path = format!("/api/v5/workspaces/{}/{action}", self.workspace);
        self.must(Method::POST, &path, None).await
    }

    /// The namespace of this person's objects.
    #[must_use]
    pub fn namespace(&self) -> String {
        format!("user-{}", self.user)
    }

    /// The name of the first workspace's objects.
    #[must_use]
    pub fn objects(&self) -> String {
        format!("workspace-{}", self.workspace)
    }
}

/// A text of an answer, by its JSON pointer.
fn text(answer: &Value, pointer: &str) -> Result<String> {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    let none = || Failure::new(format!("{answer} has no text at {pointer}"));
    text.map(str::to_owned)
        .ok_or_else(none)
        .during("an answer of the API")
}
