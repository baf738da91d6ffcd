use clap::Args;
use coditect_core::Result;
use serde_json::json;

use crate::{
    cli::Output,
    client::{Connection, Credentials},
    exit::Exit,
    output,
};

/// Forget the API key that `login` keeps. It stays good until it is revoked: on the settings page, or by `api-key revoke`.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    #[command(flatten)]
    connection: Connection,
}

impl Logout {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let forgotten = Credentials::forget(&self.connection.file()?)?;
        match output {
            Output::Json => output::json(&json!({ "forgotten": forgotten }))?,
            Output::Text if forgotten => {
                output::line("the key is forgotten here; it stays good until it is revoked");
            }
            Output::Text => output::line("nobody had signed in here"),
        }
        Ok(Exit::Done)
    }
}
