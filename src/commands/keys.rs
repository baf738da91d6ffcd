use std::time::Duration;

use clap::{Args, Subcommand};
use coditect_api::{KeyEntry, KeyRing, KeyState};
use coditect_core::{Error, Result};
use jiff::Timestamp;
use serde::Serialize;

use crate::{cli::Output, data::Data, exit::Exit, output};

/// The keys that sign access tokens, and what brings people into workspaces.
///
/// Works on the data folder's `keys`, whether or not the API runs: it reads them again every two seconds. Where several
/// machines serve one installation, bring the folder to each of them.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    data: Data,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every key and what it does.
    List,
    /// Add a key that takes over after a while; the one before verifies for an hour more. Nobody notices.
    Rotate {
        /// Seconds until it signs; until then it only stands among the public keys, so that everybody knows it.
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        lead: u64,
    },
    /// Take a key out at once: for one that somebody may have copied. Tokens that it signed are refused within seconds,
    /// and workspaces' gateways cut off whoever is in by it. People's pages get new ones by themselves.
    Revoke {
        /// The key, as `list` names it.
        #[arg(value_name = "KEY")]
        key: String,
    },
}

#[derive(Serialize)]
struct Listed {
    key: String,
    state: &'static str,
    /// Since when, or until when for one that verifies only.
    at: Timestamp,
}

impl From<KeyEntry> for Listed {
    fn from(KeyEntry { id, state }: KeyEntry) -> Self {
        let (state, at) = match state {
            KeyState::Next(from) => ("next", from),
            KeyState::Signs(since) => ("signs", since),
            KeyState::Verifies(until) => ("verifies", until),
            KeyState::Revoked(at) => ("revoked", at),
        };
        Self { key: id, state, at }
    }
}

impl Listed {
    fn sentence(&self) -> String {
        let at = self.at;
        match self.state {
            // The first key of an installation was there before anybody.
            "signs" if at.as_second() == 0 => "signs since the beginning".to_owned(),
            "signs" => format!("signs since {at}"),
            "next" => format!("signs from {at}"),
            "verifies" => format!("verifies until {at}"),
            _ => format!("revoked at {at}"),
        }
    }
}

impl Keys {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let folder = self.data.keys();
        if !folder.is_dir() {
            return Err(Error::not_found(format!(
                "{} holds no keys yet: they are made when the API starts; --data names the folder",
                folder.display()
            )));
        }
        let (ring, now) = (KeyRing::open(folder)?, Timestamp::now());
        match &self.action {
            Action::List => {}
            Action::Rotate { lead } => ring.rotate(now, Duration::from_secs(*lead))?,
            Action::Revoke { key } => ring.revoke(key, now)?,
        }
        let listed = ring.list(now).into_iter().map(Listed::from);
        match output {
            Output::Json => output::json(&listed.collect::<Vec<_>>())?,
            Output::Text => output::table(
                ["key", "what it does"],
                listed.map(|one| [one.key.clone(), one.sentence()]),
            ),
        }
        Ok(Exit::Done)
    }
}
