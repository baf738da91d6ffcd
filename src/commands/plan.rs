mod bases;

use std::{
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use clap::{Args, builder::FalseyValueParser};
use coditect_core::{CellName, Error, ReleaseName, Result};
use coditect_renderer::{
    git::{Checkout, Oid, PolicyRepository},
    inputs::Inputs,
    plan::{self, CellReport, Colours, markdown, text},
};

use self::bases::Bases;
use crate::{cli::Output, exit::Exit, output, progress};

/// Say what a change of policy or templates does to the whole fleet, before it is merged.
///
/// Reads checkouts alone: the policy repository as it is proposed and as it stands, and the cells' repositories, which
/// record what every user has. Needs no registry and no cluster, and changes nothing.
///
/// Exit status 2: the proposed policy has mistakes. 3: the cluster would refuse something, or somebody could not be
/// rendered any more.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The folder that holds the proposed `tenants/` and `templates/`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    policy: PathBuf,

    /// Take what this commit of the policy repository holds for proposed, instead of the folder as it is.
    #[arg(long, value_name = "REVISION")]
    commit: Option<String>,

    /// Compare with this folder, or this commit of the policy repository. Otherwise each cell is compared with the
    /// commit that its repository says it was rendered with, or, where the policy repository has not got that, with the
    /// commit where the proposal left the main branch.
    #[arg(long, value_name = "DIR|REVISION")]
    base: Option<String>,

    /// Propose this template release for everybody, whatever the rings say.
    #[arg(long, value_name = "RELEASE")]
    release: Option<ReleaseName>,

    /// Compare as if everybody had this template release.
    #[arg(long, value_name = "RELEASE")]
    base_release: Option<ReleaseName>,

    /// A cell's repository, bare or a clone; may be given several times.
    #[arg(long = "cell", value_name = "CELL=DIR")]
    cells: Vec<Named>,

    /// A folder of cells' repositories, each named `<cell>.git` or `<cell>`; read if no `--cell` is given.
    #[arg(long, value_name = "DIR", default_value = ".coditect/cells")]
    cells_folder: PathBuf,

    /// Write the plan as Markdown to this file too, short enough for a comment on a pull request.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Leave colours out, as where no terminal is.
    #[arg(long, env = "NO_COLOR", value_parser = FalseyValueParser::new())]
    no_colour: bool,

    /// On how many threads to read.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
}

/// A cell and where its repository is.
#[derive(Clone, Debug)]
struct Named {
    cell: CellName,
    path: PathBuf,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (cell, path) = text.split_once('=').ok_or("is not of the form CELL=DIR")?;
        Ok(Self {
            cell: cell.parse().map_err(|error: Error| error.to_string())?,
            path: path.into(),
        })
    }
}

impl Plan {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let named = self.repositories()?;
        let repository = PolicyRepository::open_existing(&self.policy);
        let (proposed, what) = self.proposed(repository.as_ref())?;
        for cell in proposed.policy.cells().keys() {
            if !named.iter().any(|named| named.cell == *cell) {
                output::complain(&format!(
                    "cell {cell} of the policy is left out: no repository of it was named (--cell {cell}=DIR)"
                ));
            }
        }
        let mut bases = Bases {
            of: &self,
            repository: repository.as_ref(),
            plan: plan::Plan::new(Arc::new(proposed)),
            known: Vec::new(),
        };
        let (mut cells, mut reports, mut users) = (Vec::new(), Vec::new(), 0);
        for Named { cell, path } in named {
            let checkout = Checkout::open(&path)?;
            let (base, commit, base_words) = bases.of(&checkout)?;
            let counted = checkout.state.as_ref().map_or(0, |state| {
                state.users.values().copied().map(u64::from).sum()
            });
            users += counted;
            reports.push(CellReport {
                cell: cell.clone(),
                commit: checkout.commit.map(|commit| commit.to_string()),
                base: base_words,
                base_commit: commit.map(|commit| commit.to_string()),
                users: 0,
                drifted: 0,
                drifted_examples: Vec::new(),
                unreadable: 0,
                unreadable_examples: Vec::new(),
            });
            cells.push(plan::Cell {
                name: cell,
                repository: path,
                base,
            });
        }
        let bar = progress::bar(output, users, "users");
        let threads = usize::from(self.threads);
        let tally = plan::read(&bases.plan, &cells, threads, &|users| bar.inc(users));
        bar.finish_and_clear();
        let report = bases.plan.report(&what, &tally?, &reports)?;
        if let Some(file) = &self.markdown {
            fs::write(file, markdown(&report)).map_err(|error| {
                let message = format!("{} cannot be written", file.display());
                Error::unavailable(message).because(error)
            })?;
        }
        match output {
            Output::Json => output::json(&report)?,
            Output::Text => {
                let colours = match std::io::stdout().is_terminal() && !self.no_colour {
                    true => Colours::On,
                    false => Colours::Off,
                };
                output::line(text(&report, colours).trim_end());
            }
        }
        Ok(match report.refused {
            true => Exit::Differs,
            false => Exit::Done,
        })
    }

    /// The cells' repositories, in the order of the cells' names.
    fn repositories(&self) -> Result<Vec<Named>> {
        let mut named = self.cells.clone();
        if named.is_empty() {
            let unreadable = |error| {
                let folder = self.cells_folder.display();
                let message = format!(
                    "the cells' repositories in {folder} cannot be read; name each by --cell CELL=DIR, or their folder by --cells-folder"
                );
                Error::not_found(message).because(error)
            };
            for entry in fs::read_dir(&self.cells_folder).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let cell = name.strip_suffix(".git").unwrap_or(&name).parse();
                if let (Ok(cell), true) = (cell, path.is_dir()) {
                    named.push(Named { cell, path });
                }
            }
        }
        named.sort_by(|a, b| a.cell.cmp(&b.cell));
        let twice = named.windows(2).find(|pair| pair[0].cell == pair[1].cell);
        match twice {
            Some(pair) => {
                let message = format!("names {} twice", pair[0].cell);
                Err(Error::invalid("--cell", message))
            }
            None => Ok(named),
        }
    }

    fn proposed(&self, repository: Option<&PolicyRepository>) -> Result<(Inputs, String)> {
        let (inputs, mut what) = match &self.commit {
            None => (
                Inputs::load(&self.policy),
                format!("the folder {}", self.policy.display()),
            ),
            Some(revision) => {
                let (repository, commit) = at(&self.policy, repository, revision, "--commit")?;
                (
                    Inputs::at(repository, commit),
                    format!("commit {}", short(commit)),
                )
            }
        };
        let mut inputs = inputs.map_err(|why| mistakes("the proposed policy", &why))?;
        if let Some(release) = &self.release {
            inputs = inputs
                .with_release(release)
                .map_err(|why| Error::invalid("--release", why))?;
            what += &format!(" with release {release} for everybody");
        }
        Ok((inputs, what))
    }
}

fn at<'a>(
    folder: &Path,
    repository: Option<&'a PolicyRepository>,
    revision: &str,
    option: &str,
) -> Result<(&'a PolicyRepository, Oid)> {
    let nothing = |what: &str| Error::invalid(option, format!("names {revision}, {what}"));
    let repository = repository
        .ok_or_else(|| nothing(&format!("but {} is no Git repository", folder.display())))?;
    let commit = repository.resolve(revision)?;
    let commit = commit.ok_or_else(|| {
        nothing(&format!(
            "which is neither a folder nor a commit of {}; fetch it first",
            folder.display()
        ))
    })?;
    Ok((repository, commit))
}

fn mistakes(what: &str, why: &str) -> Error {
    Error::invalid(what, format!("is not valid:\n{why}"))
}

fn short(commit: Oid) -> String {
    commit.to_string()[..12].to_owned()
}
