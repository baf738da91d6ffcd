//! The `coditect` command.

mod access;
mod address;
mod cells;
mod cli;
mod client;
mod clusters;
mod commands;
mod data;
mod exit;
mod local_runtime;
mod mail;
mod observability;
mod output;
mod policy;
mod policy_host;
mod progress;
mod providers;
mod reading;
mod sample;
mod serving;
mod stop;
mod store;
mod tls;
mod upkeep;
mod waiting;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    observability::log(&cli.log, cli.log_format);
    match commands::run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => exit::failed(&error).into(),
    }
}
