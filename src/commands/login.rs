use clap::Args;
use coditect_core::{Kind, Result};
use hyper::Method;
use serde_json::json;

use super::api_key::signed_in;
use crate::{
    cli::Output,
    client::{Client, Connection, Credentials, secret},
    exit::Exit,
    output,
};

/// Keep an API key, with which `workspace` and `tenant` call an installation.
///
/// Asks for a key that was made on the settings page: it is scoped, shown there, and revoked there. With `--email` it makes
/// one itself, asking for the password, which is kept nowhere.
#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    connection: Connection,

    /// Sign in with this address and a password, and make a key.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,

    /// What a key that is made is called.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "coditect command line",
        requires = "email"
    )]
    name: String,
}

impl Login {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let url = self.connection.url()?;
        let key = match &self.email {
            None => secret("API key")?,
            Some(email) => {
                let session = signed_in(url.clone(), email).await?;
                let body = json!({ "name": self.name });
                let made = session
                    .client
                    .call(Method::POST, "/api/v5/me/api-keys", Some(&body))
                    .await;
                session.end().await?;
                made?["secret"].as_str().unwrap_or_default().to_owned()
            }
        };
        let client = Client::new(url.clone(), Some(key.clone()))?;
        let who = match client.call(Method::GET, "/api/v5/me", None).await {
            Ok(me) => me["email"].as_str().map(str::to_owned),
            // A key that may not say whose it is works all the same.
            Err(error) if *error.kind() == Kind::Forbidden => None,
            Err(error) => return Err(error),
        };
        let file = self.connection.file()?;
        let kept = Credentials {
            url,
            key,
            email: who,
        };
        kept.write(&file)?;
        match output {
            Output::Json => {
                output::json(&json!({ "url": kept.url, "email": kept.email, "file": file }))?
            }
            Output::Text => output::line(&format!(
                "signed in to {} as {}; the key is in {}",
                kept.url,
                kept.email.as_deref().unwrap_or("whoever made the key"),
                file.display()
            )),
        }
        Ok(Exit::Done)
    }
}
