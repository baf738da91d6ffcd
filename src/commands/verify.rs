use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use coditect_core::{CellName, Error, Result};
use coditect_registry::Registry;
use coditect_renderer::{
    git::{CellRepository, PolicyRepository},
    inputs::Inputs,
    verify::{Difference, Report, verify},
};

use crate::{cli::Output, data::Data, exit::Exit, output, progress};

/// Prove that registry and Git agree, user by user, by the bytes that rendering gives.
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
}

/// How long between two looks.
const BETWEEN: Duration = Duration::from_millis(250);
/// How many differences a table shows.
const SHOWN: usize = 50;

impl Verify {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let registry = self.data.open().await?;
        let inputs = self.inputs()?;
        let cells = if self.cells.is_empty() {
            inputs.policy.catalogue().cells.keys().cloned().collect()
        } else {
            self.cells.clone()
        };
        let mut reports = Vec::new();
        for cell in &cells {
            reports.push(self.settled(&registry, cell, &inputs, output).await?);
        }
        let agree = reports.iter().all(Report::agrees);
        match output {
            Output::Json => output::json(&reports)?,
            Output::Text => print(&reports),
        }
        Ok(if agree { Exit::Done } else { Exit::Differs })
    }

    fn inputs(&self) -> Result<Arc<Inputs>> {
        let repository = PolicyRepository::open_or_init(self.data.policy())?;
        let commit = repository
            .head()?
            .ok_or_else(|| Error::not_found("the policy repository has no commit yet"))?;
        let inputs = Inputs::at(&repository, commit)
            .map_err(|why| Error::invalid("policy", format!("is not valid:\n{why}")))?;
        Ok(Arc::new(inputs))
    }

    /// Compares until there is no difference or time is up.
    async fn settled(
        &self,
        registry: &Registry,
        cell: &CellName,
        inputs: &Arc<Inputs>,
        output: Output,
    ) -> Result<Report> {
        let path = self
            .repository
            .clone()
            .unwrap_or_else(|| self.data.repository(cell));
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

fn print(reports: &[Report]) {
    output::table(
        ["cell", "commit", "users", "differences", "verdict"],
        reports.iter().map(|report| {
            [
                report.cell.to_string(),
                report
                    .commit
                    .as_deref()
                    .map_or("none", |commit| &commit[..12.min(commit.len())])
                    .to_owned(),
                report.users.to_string(),
                report.differences.len().to_string(),
                if report.agrees() {
                    "registry = Git".to_owned()
                } else {
                    "differs".to_owned()
                },
            ]
        }),
    );
    for trouble in reports.iter().flat_map(|report| &report.troubles) {
        output::line(&format!("! {trouble}"));
    }
    let differences: Vec<_> = reports
        .iter()
        .flat_map(|report| &report.differences)
        .collect();
    if !differences.is_empty() {
        output::table(
            ["user", "difference"],
            differences
                .iter()
                .take(SHOWN)
                .map(|(user, difference)| [user.to_string(), words(difference)]),
        );
    }
    if differences.len() > SHOWN {
        output::line(&format!(
            "and {} more; --output json has all",
            differences.len() - SHOWN
        ));
    }
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
