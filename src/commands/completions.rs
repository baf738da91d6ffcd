use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::{cli::Cli, exit::Exit};

/// Print a completion script for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Exit {
        generate(
            self.shell,
            &mut Cli::command(),
            "coditect",
            &mut std::io::stdout(),
        );
        Exit::Done
    }
}
