//! An installation as the commands of its people call it: by the same HTTP API as everything else.

mod credentials;
mod http;
mod prompt;

use std::path::PathBuf;

use clap::Args;
use coditect_core::{Error, Result};

pub(crate) use credentials::Credentials;
pub(crate) use http::Client;
pub(crate) use prompt::{secret, visible};

use crate::address;

/// Which installation, and who asks.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    /// Where the installation is (`https://app.example.com`), if not where `coditect login` said.
    #[arg(long, global = true, value_name = "URL", env = "CODITECT_URL")]
    url: Option<String>,

    /// An API key in the place of the one that `coditect login` keeps. Give it by the environment: everybody on this
    /// machine sees command lines.
    #[arg(
        long,
        global = true,
        value_name = "KEY",
        env = "CODITECT_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,

    /// Where `coditect login` keeps the key, if not in `coditect/credentials.json` of the user's configuration folder.
    #[arg(long, global = true, value_name = "FILE", env = "CODITECT_CREDENTIALS")]
    credentials: Option<PathBuf>,

    #[arg(long, hide = true, global = true, env = "XDG_CONFIG_HOME")]
    config_home: Option<PathBuf>,

    #[arg(long, hide = true, global = true, env = "HOME")]
    home: Option<PathBuf>,
}

impl Connection {
    /// Where the key is kept (XDG Base Directory Specification).
    ///
    /// # Errors
    /// `Invalid` if nothing says where the user's folders are.
    pub(crate) fn file(&self) -> Result<PathBuf> {
        if let Some(file) = &self.credentials {
            return Ok(file.clone());
        }
        let config = self.config_home.clone().filter(|path| path.is_absolute());
        let home = self.home.as_ref().map(|home| home.join(".config"));
        let folder = config.or(home).ok_or_else(|| {
            let message = "is needed: neither XDG_CONFIG_HOME nor HOME says where your folders are";
            Error::invalid("--credentials", message)
        })?;
        Ok(folder.join("coditect/credentials.json"))
    }

    /// Where the installation is.
    ///
    /// # Errors
    /// `Invalid` if nothing says so, or passwords and keys would go there unencrypted.
    pub(crate) fn url(&self) -> Result<String> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => Credentials::read(&self.file()?)?
                .map(|kept| kept.url)
                .ok_or_else(|| Error::invalid("--url", "is needed: nobody has signed in here"))?,
        };
        let url = url.trim_end_matches('/').to_owned();
        address::check(&url, false)?;
        Ok(url)
    }

    /// A client that calls with the kept or given key.
    ///
    /// # Errors
    /// `Invalid` if there is none, or it is another installation's.
    pub(crate) fn client(&self) -> Result<Client> {
        let url = self.url()?;
        if let Some(key) = &self.api_key {
            return Client::new(url, Some(key.clone()));
        }
        let kept = Credentials::read(&self.file()?)?.filter(|kept| kept.url == url);
        let kept = kept.ok_or_else(|| {
            let message = format!("nobody has signed in to {url} here; `coditect login` does");
            Error::invalid("--api-key", message)
        })?;
        Client::new(url, Some(kept.key))
    }

    /// The address of whoever signed in, if the key was made by `login --email`.
    pub(crate) fn email(&self) -> Result<Option<String>> {
        Ok(Credentials::read(&self.file()?)?.and_then(|kept| kept.email))
    }
}
