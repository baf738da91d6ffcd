mod repository;

use std::{str::FromStr, sync::Arc, time::Duration};

use clap::Args;
use coditect_core::{CellName, Error, Result, health::Health};
use coditect_observer::reap::{self, Allowance, Reaper, Report};
use coditect_registry::Registry;
use coditect_renderer::policy::DeletionBudgets;
use jiff::Timestamp;
use tokio::task::JoinSet;

use self::repository::{Fetched, Local};
use crate::{
    access::Access, cli::Output, clusters::Clusters, data::Data, exit::Exit, output, policy, stop,
};

/// Remove the namespaces and volumes of what was deleted, once Git and Argo CD no longer have it.
///
/// One pass; what cannot go yet waits for the next, and the table says why. A namespace or volume goes only if the
/// registry has its tombstone, Git's newest commit lacks it, its shard is synced without it, and nothing of it is
/// left beside it.
#[derive(Debug, Args)]
pub(crate) struct Reap {
    #[command(flatten)]
    data: Data,

    #[command(flatten)]
    clusters: Clusters,

    #[command(flatten)]
    access: Access,

    /// Where a cell's commits are asked for: a bare repository's folder, or an address to fetch from. Without one: the
    /// installation's own repository if it is there, otherwise Argo CD's word alone.
    #[arg(long, value_name = "CELL=PATH-OR-URL")]
    repository: Vec<Place>,

    /// Change nothing; say what would go and why the rest waits.
    #[arg(long)]
    dry_run: bool,

    /// Go on with a pass every so many seconds until stopped.
    #[arg(long, value_name = "SECONDS", conflicts_with = "dry_run", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
}

/// One `CELL=PATH-OR-URL`.
#[derive(Clone, Debug)]
struct Place {
    cell: CellName,
    place: String,
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (cell, place) = text
            .split_once('=')
            .filter(|(_, place)| !place.is_empty())
            .ok_or_else(|| Error::invalid("--repository", "is not CELL=PATH-OR-URL"))?;
        Ok(Self {
            cell: cell.parse()?,
            place: place.to_owned(),
        })
    }
}

impl Reap {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let registry = self.data.open().await?;
        let inputs = policy::newest(&self.data)?;
        let cells = self
            .clusters
            .cells(inputs.policy.catalogue().cells.into_keys())?;
        if let Some(unknown) = self
            .repository
            .iter()
            .find(|place| !cells.contains(&place.cell))
        {
            let message = format!("names {}, which is no cell to work on", unknown.cell);
            return Err(Error::invalid("--repository", message));
        }
        let budgets = inputs.policy.defaults().deletion_budgets;
        let mut reapers = Vec::with_capacity(cells.len());
        for cell in cells {
            let reaper = self.reaper(&registry, &cell, budgets).await?;
            reapers.push((cell, reaper));
        }
        match self.every {
            Some(seconds) => {
                until_stopped(reapers, Duration::from_secs(seconds)).await;
                Ok(Exit::Done)
            }
            None => self.once(reapers, output).await,
        }
    }

    async fn reaper(
        &self,
        registry: &Registry,
        cell: &CellName,
        budgets: DeletionBudgets,
    ) -> Result<Reaper> {
        let client = self.clusters.client(cell).await?;
        let reaper =
            Reaper::new(registry.clone(), cell.clone(), client).allowing(allowing(budgets));
        let own = self.data.repository(cell);
        let named = self.repository.iter().find(|place| place.cell == *cell);
        Ok(match named.map(|named| &named.place) {
            Some(place) if Fetched::is_address(place) => {
                let folder = self
                    .data
                    .folder()
                    .join("reaper")
                    .join(format!("{cell}.git"));
                reaper.asking(Arc::new(Fetched::new(
                    place.clone(),
                    self.access.git(),
                    folder,
                )))
            }
            Some(path) => reaper.asking(Arc::new(Local::new(path.into()))),
            None if own.exists() => reaper.asking(Arc::new(Local::new(own))),
            None => reaper,
        })
    }

    /// One cell that does not answer holds up no other.
    async fn once(&self, reapers: Vec<(CellName, Reaper)>, output: Output) -> Result<Exit> {
        let mut reports = Vec::with_capacity(reapers.len());
        let mut failed = None;
        for (cell, mut reaper) in reapers {
            match reaper.pass(Timestamp::now(), self.dry_run).await {
                Ok(report) => {
                    reap::measure(&report);
                    reports.push(report);
                }
                Err(error) => {
                    output::complain(&format!("cell {cell}: {}", error.chain()));
                    failed = Some(error);
                }
            }
        }
        match output {
            Output::Json => output::json(&reports)?,
            Output::Text => print(&reports),
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let refused = reports.iter().any(|report| report.refused() > 0);
        Ok(if refused { Exit::Failed } else { Exit::Done })
    }
}

fn allowing(budgets: DeletionBudgets) -> impl Fn(usize) -> Allowance + Send + Sync + 'static {
    move |users| Allowance {
        routine: budgets.routine.of(users),
        own: budgets.own.of(users),
    }
}

async fn until_stopped(reapers: Vec<(CellName, Reaper)>, every: Duration) {
    let (stop, health) = (stop::on_signal(), Health::default());
    let mut running = JoinSet::new();
    for (_, reaper) in reapers {
        running.spawn(reaper.run(every, stop.clone(), health.clone()));
    }
    running.join_all().await;
}

fn print(reports: &[Report]) {
    for report in reports {
        output::line(&format!(
            "cell {}: {} users, {} on the list; asked {}; at most {} an hour, and {} that people asked for",
            report.cell,
            report.users,
            report.rows.len(),
            report.commit.as_deref().map_or_else(
                || "Argo CD only".to_owned(),
                |commit| format!("commit {}", &commit[..12.min(commit.len())])
            ),
            report.allowance.routine,
            report.allowance.own,
        ));
        for row in report.stuck() {
            output::line(&format!("! {} does not end: {}", row.object(), row.outcome));
        }
        if !report.rows.is_empty() {
            output::table(
                ["what", "of", "deleted", "outcome"],
                report.rows.iter().map(|row| {
                    [
                        row.object(),
                        row.user.to_string(),
                        row.since.to_string(),
                        row.outcome.to_string(),
                    ]
                }),
            );
        }
    }
}
