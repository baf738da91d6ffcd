use std::{
    io::{IsTerminal, stdout},
    process::{Command, Stdio},
};

use clap::{Args, Subcommand};
use coditect_core::{Error, Result};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    cli::Output,
    client::{Client, Connection},
    exit::Exit,
    output,
};

const WORKSPACES: &str = "/api/v5/workspaces";

/// What opens an address in the person's browser; the first that is there.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

/// Your workspaces in an installation: list, create, start, stop, delete, open.
#[derive(Debug, Args)]
pub(crate) struct Workspace {
    #[command(flatten)]
    connection: Connection,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print your workspaces.
    List,
    /// Make a workspace; it starts at once.
    Create {
        /// What it is called.
        name: String,
    },
    /// Start a workspace.
    Start(Which),
    /// Stop a workspace; its files are kept.
    Stop(Which),
    /// Delete a workspace once the grace period has passed; until then it can be restored.
    Delete(Which),
    /// Open a workspace in the browser, where you are signed in, and print its address.
    Open(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// Its name, its id, or the first label of its host name.
    workspace: String,
}

impl Workspace {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let client = self.connection.client()?;
        let changed = match &self.action {
            Action::List => {
                show(output, &client.all(WORKSPACES).await?)?;
                return Ok(Exit::Done);
            }
            Action::Create { name } => {
                let body = json!({ "name": name });
                client.call(Method::POST, WORKSPACES, Some(&body)).await?
            }
            Action::Start(which) => act(&client, which, Method::POST, "/start").await?,
            Action::Stop(which) => act(&client, which, Method::POST, "/stop").await?,
            Action::Delete(which) => act(&client, which, Method::DELETE, "").await?,
            Action::Open(which) => {
                let found = find(&client, &which.workspace).await?;
                return open(&client, output, &found);
            }
        };
        match output {
            Output::Json => output::json(&changed)?,
            Output::Text => show(output, &[changed])?,
        }
        Ok(Exit::Done)
    }
}

fn show(output: Output, workspaces: &[Value]) -> Result<()> {
    output::records(
        output,
        workspaces,
        [
            ("name", "/name"),
            ("host", "/slug"),
            ("phase", "/phase"),
            ("power", "/power/wanted"),
            ("GiB", "/storage/gib"),
            ("deleted", "/deletes_at"),
            ("id", "/id"),
        ],
    )
}

fn id_of(workspace: &Value) -> &str {
    workspace["id"].as_str().unwrap_or_default()
}

/// The workspace of this id, host name or name.
async fn find(client: &Client, wanted: &str) -> Result<Value> {
    let mut all = client.all(WORKSPACES).await?;
    let is = |workspace: &Value, field: &str| workspace[field].as_str() == Some(wanted);
    let exact = |workspace: &Value| is(workspace, "id") || is(workspace, "slug");
    if let Some(at) = all.iter().position(exact) {
        return Ok(all.swap_remove(at));
    }
    all.retain(|workspace| is(workspace, "name"));
    if all.len() > 1 {
        let message = format!("several workspaces are called {wanted:?}; say which by its id");
        return Err(Error::conflict(message));
    }
    let none =
        format!("no workspace of yours is {wanted:?}; `coditect workspace list` prints them");
    all.pop().ok_or_else(|| Error::not_found(none))
}

async fn act(client: &Client, which: &Which, method: Method, verb: &str) -> Result<Value> {
    let found = find(client, &which.workspace).await?;
    let path = format!("{WORKSPACES}/{}{verb}", id_of(&found));
    client.call(method, &path, None).await
}

fn open(client: &Client, output: Output, workspace: &Value) -> Result<Exit> {
    let address = format!("{}/ide/{}", client.url(), id_of(workspace));
    match output {
        Output::Json => output::json(&json!({ "url": address }))?,
        Output::Text => output::line(&address),
    }
    if output == Output::Text && stdout().is_terminal() {
        let started = OPENERS.iter().any(|opener| {
            let mut command = Command::new(opener);
            command
                .arg(&address)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().is_ok()
        });
        if !started {
            output::complain("nothing here opens a browser; open the address yourself");
        }
    }
    Ok(Exit::Done)
}
