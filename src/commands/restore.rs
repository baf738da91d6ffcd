use std::path::PathBuf;

use clap::{Args, Subcommand};
use coditect_core::{CellName, Error, Result};
use coditect_renderer::{
    git::{CellRepository, Oid, PolicyRepository},
    restore::{Report, restore_registry},
};

use crate::{cli::Output, data::Data, exit::Exit, output, progress};

/// Read back from Git what was lost.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Give a registry that was lost, or has lost users, the intents that a cell's repository holds.
    Registry(RestoreRegistry),
}

/// Give a registry that was lost, or has lost users, the intents that a cell's repository holds.
///
/// An intent counts only if rendering it with the policy that its commit names gives the file, byte for byte.
/// Every workspace comes back switched off; who was deleted stays deleted; what the registry has is left as it
/// is. Stop the cell's renderer first if you can; it reconciles in full afterwards.
///
/// Git holds no addresses, names and passwords: everybody comes back with an account of their own without any of
/// these, which an operator must link to the person. Where there is a backup of the registry, restore that first
/// and let this command add what it lacks.
///
/// Exit status 3: somebody was left out; the table says who and why.
#[derive(Debug, Args)]
struct RestoreRegistry {
    #[command(flatten)]
    data: Data,

    /// The cell to read.
    #[arg(long, value_name = "CELL")]
    cell: CellName,

    /// Read this commit, by its full id, instead of the newest one.
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    commit: Option<Oid>,

    /// Read this repository instead of the installation's own, such as a clone or a mirror.
    #[arg(long, value_name = "DIR")]
    repository: Option<PathBuf>,

    /// Prove the intents with this policy repository instead of the installation's own.
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
}

/// How many of those left out a table shows.
const SHOWN: usize = 50;

fn commit(text: &str) -> Result<Oid, String> {
    Oid::from_str(text)
        .ok()
        .filter(|oid| oid.to_string() == text)
        .ok_or_else(|| "not a commit's full id of 40 hexadecimal digits".to_owned())
}

impl Restore {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        match self.what {
            What::Registry(registry) => registry.run(output).await,
        }
    }
}

impl RestoreRegistry {
    async fn run(self, output: Output) -> Result<Exit> {
        let repository = self.repository.clone();
        let repository = repository.unwrap_or_else(|| self.data.repository(&self.cell));
        let policy = self.policy.clone().unwrap_or_else(|| self.data.policy());
        // Before a registry is made: a wrong folder must not leave one.
        if !repository.exists() {
            return Err(Error::not_found(format!(
                "there is no repository {}; name the cell with --cell, its installation with --data, or a clone with --repository",
                repository.display()
            )));
        }
        let repository = CellRepository::open(repository)?;
        if !policy.join(".git").exists() {
            return Err(Error::not_found(format!(
                "{} is no policy repository; name the one that people write with --policy",
                policy.display()
            )));
        }
        let policy = PolicyRepository::open_or_init(policy)?;
        let registry = self.data.open_or_create().await?;
        let bar = progress::bar(output, 0, "users");
        let counted = bar.clone();
        let (cell, commit) = (&self.cell, self.commit);
        let report = restore_registry(
            &registry,
            cell,
            repository,
            policy,
            commit,
            move |done, all| {
                counted.set_length(all);
                counted.set_position(done);
            },
        )
        .await?;
        bar.finish_and_clear();
        match output {
            Output::Json => output::json(&report)?,
            Output::Text => print(&report),
        }
        Ok(if report.refused.is_empty() {
            Exit::Done
        } else {
            Exit::Differs
        })
    }
}

fn print(report: &Report) {
    output::table(
        [
            "cell",
            "commit",
            "adopted",
            "already there",
            "stay deleted",
            "left out",
        ],
        [[
            report.cell.to_string(),
            report.commit[..12.min(report.commit.len())].to_owned(),
            report.adopted.to_string(),
            report.already_there.to_string(),
            report.deleted.len().to_string(),
            report.refused.len().to_string(),
        ]],
    );
    for note in &report.notes {
        output::line(&format!("! {note}"));
    }
    if !report.refused.is_empty() {
        output::table(
            ["user", "left out because"],
            report
                .refused
                .iter()
                .take(SHOWN)
                .map(|(user, why)| [user.to_string(), why.clone()]),
        );
    }
    if report.refused.len() > SHOWN {
        output::line(&format!(
            "and {} more; --output json has all",
            report.refused.len() - SHOWN
        ));
    }
    if report.adopted > 0 {
        output::line("Every adopted workspace is switched off.");
        output::line(
            "Git knows no addresses, names or passwords: adopted users belong to accounts without credential until an operator links them or a backup is restored.",
        );
        output::line(
            "Nor who owned a tenant of several users: `coditect registry appoint-owner` says it.",
        );
    }
}
