use std::{
    io::{self, IsTerminal},
    sync::Arc,
};

use clap::{Args, Subcommand, builder::FalseyValueParser};
use coditect_core::{CellName, ChangeId, Error, Result};
use coditect_registry::{
    Registry,
    record::{ApprovalRequest, ApprovalState},
};
use coditect_renderer::{
    plan::{Colours, Report, text},
    proposals::Question,
};

use crate::{cli::Output, data::Data, exit::Exit, output, policy};

/// Changes that wait for people's approval, as `approvals.yaml` of the policy asks.
///
/// An approval is a file `approvals/<change>.yaml` in the policy. What was published before stands meanwhile, and nobody
/// else waits. Changes that were decided are shown for 30 days.
#[derive(Debug, Args)]
pub(crate) struct Approvals {
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
    /// Print what waits, since when, and how far it is.
    List {
        /// What was decided, too.
        #[arg(long)]
        all: bool,
    },
    /// Print one change: whose intents it is about, and which rules ask.
    Show {
        /// The change.
        #[arg(value_name = "CHANGE")]
        change: ChangeId,

        /// Print what an approval would change in manifests, too, by the policy's newest commit. As JSON it is that alone,
        /// in the form of `coditect plan`.
        #[arg(long)]
        diff: bool,

        /// Leave colours out, as where no terminal is.
        #[arg(long, env = "NO_COLOR", value_parser = FalseyValueParser::new())]
        no_colour: bool,
    },
}

impl Approvals {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let registry = self.data.open().await?;
        match self.action {
            Action::List { all } => self.list(&registry, all, output).await,
            Action::Show {
                change,
                diff,
                no_colour,
            } => {
                let colours = match !no_colour && io::stdout().is_terminal() {
                    true => Colours::On,
                    false => Colours::Off,
                };
                let diff = diff.then_some(colours);
                self.show(&registry, change, diff, output).await
            }
        }
    }

    async fn list(&self, registry: &Registry, all: bool, output: Output) -> Result<Exit> {
        let mut found = registry.view().await?.approvals(&self.cell).await?;
        found.retain(|request| all || !request.state.is_final());
        found.sort_by_key(|request| (request.opened_at, request.change));
        match output {
            Output::Json => output::json(&found)?,
            Output::Text => output::table(
                [
                    "change", "state", "since", "tenant", "users", "because", "where",
                ],
                found.iter().map(|request| {
                    [
                        request.change.to_string(),
                        request.state.word().to_owned(),
                        request.opened_at.to_string(),
                        request.tenant.to_string(),
                        request.users.len().to_string(),
                        because(request),
                        place(&request.state).unwrap_or_default().to_owned(),
                    ]
                }),
            ),
        }
        Ok(Exit::Done)
    }

    async fn show(
        &self,
        registry: &Registry,
        change: ChangeId,
        diff: Option<Colours>,
        output: Output,
    ) -> Result<Exit> {
        let found = registry.view().await?.approval(&self.cell, change).await?;
        let Some(request) = found else {
            return Err(Error::not_found(format!(
                "cell {} has no change {change}; `approvals list --all` names those it has",
                self.cell
            )));
        };
        let difference = match diff {
            Some(colours) => Some((self.difference(registry, &request).await?, colours)),
            None => None,
        };
        if output == Output::Json {
            match difference {
                Some((difference, _)) => output::json(&difference)?,
                None => output::json(&request)?,
            }
            return Ok(Exit::Done);
        }
        output::line(&format!("change {change} of tenant {}", request.tenant));
        output::line(&format!("opened {}", request.opened_at));
        output::line(&format!(
            "{}{} since {}",
            request.state.word(),
            whereabouts(&request.state),
            request.changed_at
        ));
        output::table(
            ["user", "generation", "intent hash", "because"],
            request.users.iter().map(|asked| {
                let reasons: Vec<_> = asked.reasons.iter().map(ToString::to_string).collect();
                [
                    asked.user.to_string(),
                    asked.generation.to_string(),
                    asked.intent_hash.clone(),
                    reasons.join("; "),
                ]
            }),
        );
        if let Some((difference, colours)) = difference {
            output::line("");
            output::line(text(&difference, colours).trim_end());
        }
        Ok(Exit::Done)
    }

    /// What an approval would change.
    async fn difference(&self, registry: &Registry, request: &ApprovalRequest) -> Result<Report> {
        let inputs = Arc::new(policy::newest(&self.data)?);
        let question = Question::read(registry, request, &inputs).await?;
        question.report(request, &inputs)
    }
}

/// The reasons of all users, each once.
fn because(request: &ApprovalRequest) -> String {
    let reasons = request.users.iter().flat_map(|asked| &asked.reasons);
    let mut words: Vec<_> = reasons.map(ToString::to_string).collect();
    words.sort();
    words.dedup();
    match words.len() {
        0..=3 => words.join("; "),
        all => format!("{}; and {} more", words[..3].join("; "), all - 3),
    }
}

fn whereabouts(state: &ApprovalState) -> String {
    match state {
        ApprovalState::Proposed { url, .. } => {
            let word = if url.is_some() { "at" } else { "on branch" };
            format!(" {word} {}", place(state).unwrap_or_default())
        }
        ApprovalState::Approved { commit } => {
            format!(" by commit {}", &commit[..12.min(commit.len())])
        }
        ApprovalState::Waiting | ApprovalState::Rejected { .. } | ApprovalState::Overtaken => {
            String::new()
        }
    }
}

/// Where people look at it: the page, or the branch.
fn place(state: &ApprovalState) -> Option<&str> {
    match state {
        ApprovalState::Proposed { branch, url } => Some(url.as_deref().unwrap_or(branch)),
        ApprovalState::Waiting
        | ApprovalState::Approved { .. }
        | ApprovalState::Rejected { .. }
        | ApprovalState::Overtaken => None,
    }
}
