mod cluster;
mod metrics;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use coditect_core::{CellName, Result};
use coditect_observer::compare;
use coditect_registry::Registry;
use coditect_renderer::{
    git::CellRepository,
    inputs::Inputs,
    verify::{Difference, Report, verify},
};

use serde::Serialize;

use self::cluster::GitAndRegistry;
use crate::{
    cli::Output,
    clusters::{Cluster, Clusters},
    data::Data,
    exit::Exit,
    output, policy, progress,
};

/// Prove that registry and Git agree, user by user, by the bytes that rendering gives; with `--cluster` also
/// that the cluster is what both say.
///
/// A renderer may be at work meanwhile: differences are looked at again for a while before they count.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    data: Data,

    /// Which cells; all of the policy's if none is named.
    #[arg(long = "cell", value_name = "CELL")]
    cells: Vec<CellName>,

    /// Compare with this repository (of one cell) instead of the installation's own, such as a clone.
    #[arg(long, value_name = "DIR", requires = "cells")]
    repository: Option<PathBuf>,

    /// How many seconds a difference may take to settle.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    settle: u64,

    /// Compare the cluster too, object by object: that of the policy's only cell, or of each cell named. Needs the
    /// right to list the kinds that are rendered.
    #[arg(long, value_name = "CELL=KUBECONFIG", num_args = 0..=1)]
    cluster: Option<Vec<Cluster>>,

    /// How many seconds a live object that differs is looked at again: it may be in the middle of a change.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        requires = "cluster"
    )]
    patience: u64,

    /// Write what was found as Prometheus metrics too, as a collector of text files reads them.
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
}

/// What was found of one cell.
#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    report: Report,
    /// The cluster against both; none if it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<compare::Report>,
}

impl Verified {
    fn agrees(&self) -> bool {
        self.report.agrees() && self.cluster.as_ref().is_none_or(compare::Report::agrees)
    }

    fn differences(&self) -> usize {
        let live = |cluster: &compare::Report| cluster.differences.values().map(Vec::len).sum();
        self.report.differences.len() + self.cluster.as_ref().map_or(0, live)
    }
}

/// How long between two looks.
const BETWEEN: Duration = Duration::from_millis(250);
/// How many differences a table shows.
const SHOWN: usize = 50;

impl Verify {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let registry = self.data.open().await?;
        let inputs = Arc::new(policy::newest(&self.data)?);
        policy::has(&inputs, &self.cells)?;
        let cells: Vec<CellName> = if self.cells.is_empty() {
            inputs.policy.catalogue().cells.keys().cloned().collect()
        } else {
            self.cells.clone()
        };
        let clusters = self.cluster.clone().map(|cluster| Clusters { cluster });
        let (clusters, cells) = match clusters {
            None => (None, cells),
            Some(clusters) => {
                // Of the cells named, those with a cluster; without a cluster named, the only one.
                let cells = clusters.cells(cells)?;
                (Some(clusters), cells)
            }
        };
        let mut reports = Vec::new();
        for cell in &cells {
            let report = self.settled(&registry, cell, &inputs, output).await?;
            let cluster = match &clusters {
                Some(clusters) => Some(
                    self.live(&registry, cell, &inputs, clusters, output)
                        .await?,
                ),
                None => None,
            };
            reports.push(Verified { report, cluster });
        }
        if let Some(file) = &self.metrics_file {
            metrics::write(file, &reports)?;
        }
        let agree = reports.iter().all(Verified::agrees);
        match output {
            Output::Json => output::json(&reports)?,
            Output::Text => print(&reports),
        }
        Ok(if agree { Exit::Done } else { Exit::Differs })
    }

    /// Compares the cluster with Git and the registry's power.
    async fn live(
        &self,
        registry: &Registry,
        cell: &CellName,
        inputs: &Inputs,
        clusters: &Clusters,
        output: Output,
    ) -> Result<compare::Report> {
        let client = clusters.client(cell).await?;
        let repository = CellRepository::open(self.path(cell))?;
        let summary = inputs.policy.catalogue().cells.get(cell).cloned();
        let held = summary.is_some_and(|summary| summary.held);
        let desired = GitAndRegistry::new(registry.clone(), cell.clone(), held, repository);
        let bar = progress::bar(output, 0, "users in the cluster");
        let patience = Duration::from_secs(self.patience);
        let report = compare::compare(&client, &desired, patience, |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        })
        .await;
        bar.finish_and_clear();
        report
    }

    fn path(&self, cell: &CellName) -> PathBuf {
        self.repository
            .clone()
            .unwrap_or_else(|| self.data.repository(cell))
    }

    /// Compares until there is no difference or time is up.
    async fn settled(
        &self,
        registry: &Registry,
        cell: &CellName,
        inputs: &Arc<Inputs>,
        output: Output,
    ) -> Result<Report> {
        let path = self.path(cell);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(self.settle);
        loop {
            let bar = progress::bar(output, 0, "users");
            let repository = CellRepository::open(path.clone())?;
            let counted = bar.clone();
            let report = verify(
                registry,
                cell,
                repository,
                Arc::clone(inputs),
                move |done, all| {
                    counted.set_length(all);
                    counted.set_position(done);
                },
            )
            .await?;
            bar.finish_and_clear();
            if report.agrees() || tokio::time::Instant::now() >= deadline {
                return Ok(report);
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
}

fn print(reports: &[Verified]) {
    output::table(
        ["cell", "commit", "users", "differences", "verdict"],
        reports.iter().map(|verified| {
            let Report {
                cell,
                commit,
                users,
                ..
            } = &verified.report;
            [
                cell.to_string(),
                commit
                    .as_deref()
                    .map_or("none", |commit| &commit[..12.min(commit.len())])
                    .to_owned(),
                users.to_string(),
                verified.differences().to_string(),
                verdict(verified).to_owned(),
            ]
        }),
    );
    for Verified { report, cluster } in reports {
        for trouble in &report.troubles {
            output::line(&format!("! {trouble}"));
        }
        for note in &report.notes {
            output::line(&format!("- {note}"));
        }
        for (user, quarantined) in &report.quarantined {
            output::line(&format!(
                "- {user} is quarantined since {}: {}",
                quarantined.at, quarantined.reason.detail
            ));
        }
        for (user, awaiting) in &report.awaiting {
            let reasons: Vec<_> = awaiting.reasons.iter().map(ToString::to_string).collect();
            output::line(&format!(
                "- {user} waits for approval of generation {} since {} (change {}): {}",
                awaiting.generation,
                awaiting.since,
                awaiting.change,
                reasons.join("; ")
            ));
        }
        for (user, objects) in cluster.iter().flat_map(|cluster| &cluster.waiting) {
            output::line(&format!(
                "- {user}: {} waits for the reaper",
                objects.join(", ")
            ));
        }
    }
    let rows: Vec<[String; 2]> = reports.iter().flat_map(rows).collect();
    if !rows.is_empty() {
        output::table(["user", "difference"], rows.iter().take(SHOWN).cloned());
    }
    if rows.len() > SHOWN {
        output::line(&format!(
            "and {} more; --output json has all",
            rows.len() - SHOWN
        ));
    }
}

fn verdict(verified: &Verified) -> &'static str {
    match (&verified.cluster, verified.agrees()) {
        (None, true) => "registry = Git",
        (Some(_), true) => "registry = Git = cluster",
        (_, false) => "differs",
    }
}

/// Every difference, a line each.
fn rows(verified: &Verified) -> Vec<[String; 2]> {
    let git = verified.report.differences.iter();
    let git = git.map(|(user, difference)| [user.to_string(), words(difference)]);
    let live = verified
        .cluster
        .iter()
        .flat_map(|cluster| &cluster.differences);
    let live = live.flat_map(|(user, differences)| {
        differences
            .iter()
            .map(|difference| [user.to_string(), difference.to_string()])
    });
    git.chain(live).collect()
}

fn words(difference: &Difference) -> String {
    match difference {
        Difference::Missing => "not in Git".into(),
        Difference::Generation { wanted, found } => {
            format!("Git holds generation {found}, the registry wants {wanted}")
        }
        Difference::Content => "the file is not what rendering gives".into(),
        Difference::Shard => "lies in another shard".into(),
        Difference::Waiting => "deleted in the registry; waits for the deletion budget".into(),
        Difference::Orphan => "in Git, and the registry knows nothing of it".into(),
        Difference::Unrenderable { why } => format!("cannot be rendered: {why}"),
    }
}
