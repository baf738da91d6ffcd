use clap::Args;
use coditect_core::Result;
use coditect_registry::check::{self, Finding, Report};
use jiff::Timestamp;

use crate::{cli::Output, data::Data, exit::Exit, output, progress};

/// Look whether everything that belongs together is there, and repair on request.
///
/// Looks at every entry with its counterparts: indexes and what they lead to, users and their places, marks and what
/// is due, the number of users of each cell. Safe while the installation runs. Whether the registry agrees with Git is
/// `coditect verify`'s to say.
///
/// Exit status 3: something does not agree, and was not repaired.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Write what is missing and remove what leads nowhere, each in a transaction that looks again first, and note it in
    /// the audit. What only a person can decide is left alone and named.
    #[arg(long)]
    repair: bool,
}

/// How many findings a table shows.
const SHOWN: usize = 50;
/// A repair may make another possible: an index of a place that was missing itself.
const ROUNDS: usize = 5;

impl Check {
    pub(super) async fn run(self, data: &Data, output: Output) -> Result<Exit> {
        let registry = data.open().await?;
        let spinner = progress::spinner(output, "looks".to_owned());
        let told = spinner.clone();
        let looked = self
            .rounds(&registry, &move |entries| {
                told.set_message(format!("{entries} entries"));
            })
            .await;
        spinner.finish_and_clear();
        let (report, left) = looked?;
        match output {
            Output::Json => output::json(&report)?,
            Output::Text => print(&report, self.repair),
        }
        Ok(if left == 0 { Exit::Done } else { Exit::Differs })
    }

    /// Looks, and with --repair again while the look before repaired something. Gives what was repaired with what the
    /// last look found, and how much of that is left.
    async fn rounds(
        &self,
        registry: &coditect_registry::Registry,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(Report, u64)> {
        let mut repaired: Vec<Finding> = Vec::new();
        let mut round = 1;
        loop {
            let at = self.repair.then(Timestamp::now);
            let mut report = check::check(registry.store(), at, progress).await?;
            let left = report.found - report.repaired;
            if report.repaired == 0 || round == ROUNDS {
                report.found += repaired.len() as u64;
                report.repaired += repaired.len() as u64;
                repaired.append(&mut report.findings);
                report.findings = repaired;
                return Ok((report, left));
            }
            repaired.extend(
                report
                    .findings
                    .into_iter()
                    .filter(|finding| finding.repaired),
            );
            round += 1;
        }
    }
}

fn print(report: &Report, repair: bool) {
    if !report.findings.is_empty() {
        output::table(
            ["problem", "entry", "counterpart", "why", "remedy"],
            report.findings.iter().take(SHOWN).map(|finding| {
                [
                    finding.problem.name().to_owned(),
                    finding.key.clone(),
                    finding.other.clone(),
                    finding.why.clone(),
                    if finding.repaired {
                        format!("done: {}", finding.remedy)
                    } else {
                        finding.remedy.clone()
                    },
                ]
            }),
        );
    }
    if report.findings.len() > SHOWN {
        output::line(&format!(
            "and {} more; --output json has all",
            report.findings.len() - SHOWN
        ));
    }
    output::line(&format!(
        "{} entries, {} findings, {} repaired",
        report.entries, report.found, report.repaired
    ));
    for cell in &report.not_counted {
        output::line(&format!(
            "! cell {cell} has too many users to be counted at one moment; whether their number is right is not known"
        ));
    }
    if !repair && report.findings.iter().any(|finding| finding.repairable) {
        output::line("--repair does what stands under remedy, but for what a person must decide.");
    }
}
