use clap::{Args, Subcommand};
use coditect_core::{Error, Result};
use hyper::Method;
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};

use crate::{
    cli::Output,
    client::{Client, Connection, secret, visible},
    exit::Exit,
    output,
};

const KEYS: &str = "/api/v5/me/api-keys";

/// Your API keys in an installation: list, create, revoke.
///
/// No key may touch keys, so each of these asks for the password and signs in for as long as it takes.
#[derive(Debug, Args)]
pub(crate) struct ApiKey {
    #[command(flatten)]
    connection: Connection,

    /// The address to sign in with, if not that of `coditect login`.
    #[arg(long, global = true, value_name = "ADDRESS")]
    email: Option<String>,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print your keys.
    List,
    /// Make a key, and print it: it is shown this once.
    Create {
        /// What the key is called.
        name: String,

        /// What it may do (`workspaces:read`); may be given several times. Without any, all that keys may.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,

        /// In how many days it ends, if it does.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
        days: Option<u16>,
    },
    /// Revoke a key: its next use fails.
    Revoke {
        /// Its id, as `list` prints it.
        id: String,
    },
}

impl ApiKey {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let email = match self.email.clone() {
            Some(email) => email,
            None => match self.connection.email()? {
                Some(email) => email,
                None => visible("E-mail")?,
            },
        };
        let session = signed_in(self.connection.url()?, &email).await?;
        let done = self.act(&session.client, output).await;
        session.end().await?;
        done
    }

    async fn act(&self, client: &Client, output: Output) -> Result<Exit> {
        match &self.action {
            Action::List => {
                output::records(
                    output,
                    &client.all(KEYS).await?,
                    [
                        ("id", "/id"),
                        ("name", "/name"),
                        ("key", "/prefix"),
                        ("scopes", "/scopes"),
                        ("ends", "/expires_at"),
                        ("used", "/used_at"),
                    ],
                )?;
            }
            Action::Create { name, scopes, days } => {
                let mut body = Map::from_iter([("name".to_owned(), json!(name))]);
                if !scopes.is_empty() {
                    body.insert("scopes".to_owned(), json!(scopes));
                }
                if let Some(days) = days {
                    let end = Timestamp::now().checked_add((i64::from(*days) * 24).hours());
                    let end = end.map_err(|error| {
                        Error::invalid("--days", "is too far away").because(error)
                    })?;
                    body.insert("expires_at".to_owned(), json!(end));
                }
                let made = client
                    .call(Method::POST, KEYS, Some(&Value::Object(body)))
                    .await?;
                match output {
                    Output::Json => output::json(&made)?,
                    Output::Text => output::line(made["secret"].as_str().unwrap_or_default()),
                }
            }
            Action::Revoke { id } => {
                client
                    .call(Method::DELETE, &format!("{KEYS}/{}", in_path(id)?), None)
                    .await?;
                match output {
                    Output::Json => output::json(&json!({ "revoked": id }))?,
                    Output::Text => output::line("revoked"),
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// A person's own sign-in, for as long as a command takes.
pub(super) struct Session {
    pub(super) client: Client,
}

impl Session {
    /// Ends it.
    pub(super) async fn end(self) -> Result<()> {
        let logout = "/api/v5/auth/logout";
        self.client.call(Method::POST, logout, None).await.map(drop)
    }
}

/// Signs in with a password, and with a second factor if the account has one. Both are asked for and kept nowhere.
///
/// # Errors
/// What the API says.
pub(super) async fn signed_in(url: String, email: &str) -> Result<Session> {
    let anybody = Client::new(url.clone(), None)?;
    let body = json!({ "email": email, "password": secret("Password")? });
    let answer = anybody
        .try_call(Method::POST, "/api/v5/auth/login", Some(&body))
        .await?;
    let tokens = match answer {
        Ok(tokens) => tokens,
        Err(problem) => match problem.document["challenge"].as_str() {
            None => return Err(problem.error),
            Some(challenge) => {
                let body = json!({ "challenge": challenge, "code": secret("Code")? });
                let path = "/api/v5/auth/login/second-factor";
                anybody.call(Method::POST, path, Some(&body)).await?
            }
        },
    };
    let token = tokens["access_token"].as_str().map(str::to_owned);
    Ok(Session {
        client: Client::new(url, token)?,
    })
}

/// What stands in a path as it is.
///
/// # Errors
/// `Invalid` if it would be another path.
pub(super) fn in_path(id: &str) -> Result<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if id.is_empty() || !id.bytes().all(fits) {
        return Err(Error::invalid("id", format!("is no id: {id:?}")));
    }
    Ok(id)
}
