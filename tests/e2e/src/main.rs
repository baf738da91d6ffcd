//! Runs the scenarios.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use coditect_e2e::{Options, say};

/// The product on a real control plane: Kubernetes and Argo CD as plain processes on loopback.
///
/// Runs the scenarios whose names contain one of the words given, or all. `scripts/e2e-stack` builds what they need.
#[derive(Parser)]
struct Arguments {
    /// Parts of scenarios' names.
    words: Vec<String>,

    /// Also the long ones, and the others at their full size.
    #[arg(long)]
    full: bool,

    /// Keep logs and data, also of what succeeds.
    #[arg(long)]
    keep: bool,

    /// Only print what there is.
    #[arg(long)]
    list: bool,

    /// The product's program [default: the `coditect` beside this one].
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,

    /// The source tree, with the manifests under test.
    #[arg(long, value_name = "DIR", default_value = ".")]
    tree: PathBuf,

    /// The folder of the built control plane and of the runs' data [default: ~/.cache/coditect].
    #[arg(long, value_name = "DIR", env = "CODITECT_CACHE")]
    cache: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        words: arguments.words,
        full: arguments.full,
        keep: arguments.keep,
        list: arguments.list,
        program: arguments.program,
        tree: arguments.tree,
        cache: arguments.cache.unwrap_or_else(|| {
            let home = std::env::home_dir().unwrap_or_else(std::env::temp_dir);
            home.join(".cache/coditect")
        }),
    };
    match coditect_e2e::run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            say::line(failure);
            ExitCode::from(2)
        }
    }
}
