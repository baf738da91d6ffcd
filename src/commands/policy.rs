use std::path::PathBuf;

use clap::{Args, Subcommand};
use coditect_core::Result;
use coditect_renderer::inputs::check;

use crate::{cli::Output, exit::Exit, output, sample};

/// Look after the reviewed policy.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell every mistake of a policy and its templates: for a pre-commit hook, an editor, CI.
    Check(Check),
    /// Write the sample policy and its templates: the first commit of a policy repository.
    Init(Init),
}

/// Tell every mistake of a policy and its templates: for a pre-commit hook, an editor, CI.
///
/// One line a mistake, `file:line:column: what is wrong; what to do`. Needs no registry and no repository.
///
/// Exit status 2: there are mistakes.
#[derive(Debug, Args)]
struct Check {
    /// The folder that holds `tenants/` and `templates/`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    policy: PathBuf,
}

/// Write the sample policy and its templates: the first commit of a policy repository.
///
/// What is there already stays as it is.
#[derive(Debug, Args)]
struct Init {
    /// The folder to get `tenants/` and `templates/`; made if it is missing.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Domain below which each workspace has its host.
    #[arg(long, value_name = "DOMAIN")]
    workspace_domain: Option<String>,
}

impl Policy {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        match self.what {
            What::Check(arguments) => arguments.run(output),
            What::Init(arguments) => arguments.run(output),
        }
    }
}

impl Init {
    fn run(self, output: Output) -> Result<Exit> {
        match &self.workspace_domain {
            Some(domain) => sample::plant_below(&self.folder, domain)?,
            None => sample::plant(&self.folder)?,
        }
        let folder = self.folder.display().to_string();
        match output {
            Output::Json => output::json(&serde_json::json!({ "policy": folder }))?,
            Output::Text => output::line(&format!(
                "policy in {folder}: commit it and push it where it is to be reviewed"
            )),
        }
        Ok(Exit::Done)
    }
}

impl Check {
    fn run(self, output: Output) -> Result<Exit> {
        let checked = check(&self.policy);
        match output {
            Output::Json => output::json(&checked)?,
            Output::Text => {
                for error in &checked.errors {
                    output::line(&error.to_string());
                }
            }
        }
        Ok(match checked.valid {
            true => Exit::Done,
            false => Exit::Invalid,
        })
    }
}
