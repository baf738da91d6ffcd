//! `coditect-sidecar`: the gateway as a program.

use std::process::ExitCode;

use clap::Parser;
use coditect_sidecar::Config;

fn main() -> ExitCode {
    coditect_sidecar::run(&Config::parse())
}
