use clap::{Args, Subcommand};
use coditect_core::{CellName, Error, RequestId, Result};
use coditect_registry::{
    Registry,
    operation::{StartRestart, StopRestart},
    record,
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{cli::Output, data::Data, exit::Exit, output, policy};

/// Restart pods that run on an older version, a few at a time, within a window.
///
/// A change of templates or images restarts nobody: it is used from the next start on. This is for those that
/// should not wait for that. The observer does the work, stops by itself when pods do not come back, and goes on
/// after it was itself restarted. A person's own stop goes first.
#[derive(Debug, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    data: Data,

    /// The cell.
    #[arg(long, global = true, value_name = "CELL", default_value = "local")]
    cell: CellName,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Begin one. A cell has one at a time.
    Start {
        /// When the window opens, as `2026-03-01T22:00:00Z`; now if absent. Pods made before that are restarted.
        #[arg(long, value_name = "TIME")]
        from: Option<Timestamp>,

        /// When the window closes; two hours after it opens if absent.
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,

        /// How many pods may be down at the same time.
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=500))]
        at_once: u32,
    },
    /// How far the newest one is.
    Status,
    /// Stop it: what is down comes back, nothing else goes down.
    Stop,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    restart: record::Restart,
    state: &'static str,
}

impl Restart {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let registry = self.data.open().await?;
        let now = Timestamp::now();
        match &self.action {
            Action::Start {
                from,
                until,
                at_once,
            } => {
                policy::has(
                    &policy::newest(&self.data)?,
                    std::slice::from_ref(&self.cell),
                )?;
                let not_before = from.unwrap_or(now);
                let id = Uuid::new_v4();
                let restart = record::Restart::asked(id, not_before, *until, *at_once, now);
                let start = StartRestart {
                    cell: self.cell.clone(),
                    restart,
                    at: now,
                };
                registry.apply(RequestId::random(), &start).await?;
                self.show(&registry, now, output).await
            }
            Action::Status => self.show(&registry, now, output).await,
            Action::Stop => {
                let stop = StopRestart {
                    cell: self.cell.clone(),
                    id: None,
                    why: "stopped by an operator".to_owned(),
                    at: now,
                };
                if !registry.apply(RequestId::random(), &stop).await? {
                    return Err(Error::not_found(format!(
                        "no restart of cell {} is under way",
                        self.cell
                    )));
                }
                self.show(&registry, now, output).await
            }
        }
    }

    async fn show(&self, registry: &Registry, now: Timestamp, output: Output) -> Result<Exit> {
        let found = registry.view().await?.restart(&self.cell).await?;
        let Some(restart) = found else {
            return Err(Error::not_found(format!(
                "cell {} never had a restart; begin one with `restart start`",
                self.cell
            )));
        };
        let state = match &restart {
            restart if restart.stopped.is_some() => "stopped",
            restart if now < restart.not_before => "waits for its window",
            restart if now < restart.not_after => "under way",
            _ => "over",
        };
        match output {
            Output::Json => output::json(&Shown { restart, state })?,
            Output::Text => output::line(&format!(
                "{state}{}: {} came back, {} did not, {} to go; from {:.0} until {:.0}, {} at once{}",
                of_rings(&restart),
                restart.done,
                restart.failed,
                restart
                    .left
                    .map_or_else(|| "all".to_owned(), |left| left.to_string()),
                restart.not_before,
                restart.not_after,
                restart.at_once,
                restart
                    .stopped
                    .map(|why| format!("; {why}"))
                    .unwrap_or_default(),
            )),
        }
        Ok(Exit::Done)
    }
}

/// Whose pods they are, if not all of the cell's.
fn of_rings(restart: &record::Restart) -> String {
    let one = |of: &record::RingRelease| format!("{} on {}", of.ring, of.release);
    let all: Vec<String> = restart.of.iter().map(one).collect();
    match all.is_empty() {
        true => String::new(),
        false => format!(", only ring {}", all.join(", ")),
    }
}
