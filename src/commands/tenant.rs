use clap::{Args, Subcommand, ValueEnum};
use coditect_core::Result;
use hyper::Method;
use serde_json::{Value, json};

use super::api_key::in_path;
use crate::{
    cli::Output,
    client::{Client, Connection},
    exit::Exit,
    output,
};

const TENANT: &str = "/api/v5/tenant";
const MEMBERS: &str = "/api/v5/tenant/members";
const INVITATIONS: &str = "/api/v5/tenant/invitations";

/// Your tenant in an installation: members, roles, invitations, what was decided.
///
/// An API key is of one tenant: the one in which its person acted when they made it.
#[derive(Debug, Args)]
pub(crate) struct Tenant {
    #[command(flatten)]
    connection: Connection,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the tenant and your role there.
    Show,
    /// Name the tenant; without a name, take its name away.
    Rename {
        /// What its members and whom they invite see.
        name: Option<String>,
    },
    /// Print who belongs to the tenant.
    Members,
    /// Give a member another role.
    Role {
        /// The member's user, as `members` prints it.
        user: String,
        /// The role.
        role: Role,
    },
    /// Remove a member; until the grace period ends, they can be restored.
    Remove {
        /// The member's user.
        user: String,
    },
    /// Take the removal of a member back.
    Restore {
        /// The member's user.
        user: String,
    },
    /// Invite the person of an address, for seven days.
    Invite {
        /// The address.
        email: String,
        /// What they become.
        #[arg(long, value_enum, default_value_t)]
        role: Role,
    },
    /// Print the open invitations.
    Invitations,
    /// Take an invitation back.
    Uninvite {
        /// Its id, as `invitations` prints it.
        id: String,
    },
    /// Print what was decided in the tenant, the newest first.
    Audit,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Use workspaces.
    #[default]
    Member,
    /// Manage members, too.
    Admin,
    /// Pay, and hand everything over, too.
    Owner,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl Tenant {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let client = self.connection.client()?;
        match &self.action {
            Action::Show => {
                shown(output, client.call(Method::GET, TENANT, None).await?)?;
            }
            Action::Rename { name } => {
                let body = json!({ "name": name });
                shown(
                    output,
                    client.call(Method::PATCH, TENANT, Some(&body)).await?,
                )?;
            }
            Action::Members => members(output, &client.all(MEMBERS).await?)?,
            Action::Role { user, role } => {
                let path = format!("{MEMBERS}/{}", in_path(user)?);
                let body = json!({ "role": role.name() });
                changed(&client, output, (Method::PATCH, &path), Some(&body)).await?;
            }
            Action::Remove { user } => {
                let path = format!("{MEMBERS}/{}", in_path(user)?);
                changed(&client, output, (Method::DELETE, &path), None).await?;
            }
            Action::Restore { user } => {
                let path = format!("{MEMBERS}/{}/restore", in_path(user)?);
                changed(&client, output, (Method::POST, &path), None).await?;
            }
            Action::Invite { email, role } => {
                let body = json!({ "email": email, "role": role.name() });
                let made = client.call(Method::POST, INVITATIONS, Some(&body)).await?;
                match (output, made["code"].as_str()) {
                    (Output::Json, _) => output::json(&made)?,
                    (Output::Text, None) => output::line("invited; the code is in the letter"),
                    (Output::Text, Some(code)) => output::line(&format!(
                        "invited; no letters are sent here, so hand the code on yourself: {code}"
                    )),
                }
            }
            Action::Invitations => {
                let columns = [
                    ("id", "/id"),
                    ("e-mail", "/email"),
                    ("role", "/role"),
                    ("until", "/expires_at"),
                ];
                output::records(output, &client.all(INVITATIONS).await?, columns)?;
            }
            Action::Uninvite { id } => {
                let path = format!("{INVITATIONS}/{}", in_path(id)?);
                client.call(Method::DELETE, &path, None).await?;
                match output {
                    Output::Json => output::json(&json!({ "revoked": id }))?,
                    Output::Text => output::line("taken back"),
                }
            }
            Action::Audit => {
                let columns = [
                    ("at", "/at"),
                    ("what", "/action"),
                    ("by", "/actor_user"),
                    ("details", "/details"),
                ];
                output::records(output, &client.all("/api/v5/tenant/audit").await?, columns)?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Prints the tenant.
fn shown(output: Output, tenant: Value) -> Result<()> {
    let columns = [
        ("tenant", "/id"),
        ("name", "/name"),
        ("role", "/role"),
        ("plan", "/plan"),
        ("workspaces", "/limits/workspaces"),
        ("GiB", "/limits/storage_gib"),
    ];
    match output {
        Output::Json => output::json(&tenant),
        Output::Text => output::records(output, &[tenant], columns),
    }
}

fn members(output: Output, members: &[Value]) -> Result<()> {
    let columns = [
        ("user", "/user"),
        ("name", "/display_name"),
        ("e-mail", "/email"),
        ("role", "/role"),
        ("since", "/joined_at"),
        ("deleted", "/deletes_at"),
    ];
    output::records(output, members, columns)
}

async fn changed(
    client: &Client,
    output: Output,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> Result<()> {
    let member = client.call(method, path, body).await?;
    match output {
        Output::Json => output::json(&member),
        Output::Text => members(output, &[member]),
    }
}
