//! The gateway as a program: its runtime, its log, its end.

use std::{io::Write, process::ExitCode};

use coditect_core::{Error, Kind, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{Config, Sidecar};

/// Runs the gateway until it is told to stop (SIGTERM, SIGINT). Exit status: 0 stopped; 1 failed; 2 the configuration
/// cannot work.
#[must_use]
pub fn run(config: &Config) -> ExitCode {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal("no runtime").because(error));
    match runtime.and_then(|runtime| runtime.block_on(until_stopped(config))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = error.chain(), "the gateway ends");
            match error.kind() {
                Kind::Invalid { .. } => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

async fn until_stopped(config: &Config) -> Result<()> {
    let deaf = |error| Error::internal("signals cannot be heard").because(error);
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    let sidecar = Sidecar::start(config).await?;
    tracing::info!(address = %sidecar.address(), inside = %sidecar.inside(), workspace = %config.workspace, "listening");
    if config.announce {
        let line = format!("{} {}\n", sidecar.address(), sidecar.inside());
        // Nobody may be listening any more.
        let _ = std::io::stdout().write_all(line.as_bytes());
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    sidecar.finish().await;
    Ok(())
}
