use std::path::PathBuf;

use clap::{Args, Subcommand};
use coditect_core::Result;
use coditect_renderer::inputs::check;

use crate::{cli::Output, exit::Exit, output};

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

impl Policy {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let What::Check(arguments) = self.what;
        let checked = check(&arguments.policy);
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
