//! The command line as a whole: what every subcommand shares.

use clap::{Parser, ValueEnum};

use crate::commands::Command;

/// A control plane for browser-IDE workspaces: what each person gets is plain YAML in Git, and Argo CD
/// applies it.
///
/// Exit status: 0 done; 1 failed; 2 the command line, the policy or another input is not acceptable;
/// 3 `verify` or `registry check` found differences, `registry export` saw the registry change, `restore` left
/// somebody out, `plan` found what would be refused, `render --at`
/// gave other bytes, or `cell` waits; 4 the registry or the repository does not answer.
#[derive(Debug, Parser)]
#[command(name = "coditect", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// What to print: text for people, JSON for machines.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "CODITECT_OUTPUT"
    )]
    pub(crate) output: Output,

    /// As `--output json`.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Which log lines to write to standard error, as `level` or `target=level,…`.
    #[arg(long, global = true, default_value = "warn", env = "CODITECT_LOG")]
    pub(crate) log: String,

    /// How log lines are written.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "CODITECT_LOG_FORMAT"
    )]
    pub(crate) log_format: LogFormat,
}

/// What to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Tables and sentences.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
