use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use coditect_core::{CellName, Error, Result, UserIntent};
use coditect_renderer::{
    again::{Again, Outcome},
    git::{CellRepository, Oid, PolicyRepository},
    inputs::Inputs,
};
use serde::Serialize;

use crate::{cli::Output, exit::Exit, output, progress};

/// Render intents with a policy into a folder, or a commit of a cell's repository again; needs no registry.
///
/// The files are byte for byte what a renderer would commit. Of a commit, each file is rendered from the intent that it
/// records with the policy, templates and engine that the commit names, and written if it is the same.
///
/// Exit status 3: some of the commit's files were not the same; the table says which and why.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// Intents: YAML or JSON files, or folders of such.
    #[arg(required_unless_present = "at", value_name = "INTENT")]
    intents: Vec<PathBuf>,

    /// The folder that holds `tenants/` and `templates/`; with `--at`, the policy repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    policy: PathBuf,

    /// Render this commit of a cell's repository, by its full id, instead of intents.
    #[arg(long, value_name = "COMMIT", value_parser = commit, requires = "repository", conflicts_with = "intents")]
    at: Option<Oid>,

    /// The cell's repository, bare.
    #[arg(long, value_name = "DIR", requires = "at")]
    repository: Option<PathBuf>,

    /// The cell.
    #[arg(long, value_name = "CELL", default_value = "local", requires = "at")]
    cell: CellName,

    /// Where to write `shards/<shard>/<user>.yaml`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Written {
    path: String,
    release: String,
    input_hash: String,
    bytes: usize,
}

/// A file of a commit that is not what its intent renders.
#[derive(Serialize)]
struct Differing {
    path: String,
    #[serde(flatten)]
    outcome: Outcome,
}

/// A commit that was rendered again.
#[derive(Serialize)]
struct Rendered {
    commit: String,
    policy: Option<String>,
    /// How many files are the same, and were written.
    exact: u64,
    /// Those that are not.
    differing: Vec<Differing>,
}

fn commit(text: &str) -> Result<Oid, String> {
    Oid::from_str(text)
        .ok()
        .filter(|oid| oid.to_string() == text)
        .ok_or_else(|| "is not the full id of a commit".to_owned())
}

impl Render {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        if let (Some(at), Some(repository)) = (self.at, &self.repository) {
            return self.again(at, repository, output);
        }
        let inputs = Inputs::load(&self.policy)
            .map_err(|why| Error::invalid("policy", format!("is not valid:\n{why}")))?;
        let files = self.files()?;
        let bar = progress::bar(output, files.len() as u64, "intents");
        let mut written = Vec::with_capacity(files.len());
        for file in files {
            let intent = read(&file)?;
            let rendered = inputs.renderer.render(&intent)?;
            let target = self.out.join(&rendered.path);
            write(&target, &rendered.bytes)?;
            written.push(Written {
                path: rendered.path,
                release: rendered.release.to_string(),
                input_hash: rendered.input_hash,
                bytes: rendered.bytes.len(),
            });
            bar.inc(1);
        }
        bar.finish_and_clear();
        match output {
            Output::Json => output::json(&written)?,
            Output::Text => output::table(
                ["file", "release", "bytes"],
                written
                    .into_iter()
                    .map(|file| [file.path, file.release, file.bytes.to_string()]),
            ),
        }
        Ok(Exit::Done)
    }

    fn again(&self, at: Oid, repository: &Path, output: Output) -> Result<Exit> {
        let policy = PolicyRepository::open_existing(&self.policy).ok_or_else(|| {
            let message = format!(
                "{} is no Git repository; name the policy's",
                self.policy.display()
            );
            Error::invalid("--policy", message)
        })?;
        let repository = CellRepository::open(repository)?;
        let mut again = Again::open(repository, policy, self.cell.clone(), at)?;
        let bar = progress::bar(output, again.users(), "users");
        let mut rendered = Rendered {
            commit: at.to_string(),
            policy: again.policy().map(|policy| policy.to_string()),
            exact: 0,
            differing: Vec::new(),
        };
        again.render(|file| {
            bar.inc(1);
            match file.bytes {
                Some(bytes) => {
                    rendered.exact += 1;
                    write(&self.out.join(&file.path), &bytes)
                }
                None => {
                    let (path, outcome) = (file.path, file.outcome);
                    rendered.differing.push(Differing { path, outcome });
                    Ok(())
                }
            }
        })?;
        bar.finish_and_clear();
        let exit = match rendered.differing.is_empty() {
            true => Exit::Done,
            false => Exit::Differs,
        };
        match output {
            Output::Json => output::json(&rendered)?,
            Output::Text => {
                output::line(&format!(
                    "{} files are what their intents render",
                    rendered.exact
                ));
                if exit == Exit::Differs {
                    let rows = rendered.differing.into_iter().map(|file| {
                        let why = match file.outcome {
                            Outcome::Differs { why } => why,
                            _ => "it stands in the place of a file that the cluster refused"
                                .to_owned(),
                        };
                        [file.path, why]
                    });
                    output::table(["file", "why it was not written"], rows);
                }
            }
        }
        Ok(exit)
    }

    /// The intents' files, folders opened, in order of name.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for path in &self.intents {
            if path.is_dir() {
                let entries = fs::read_dir(path).map_err(|error| unreadable(path, error))?;
                for entry in entries {
                    let entry = entry.map_err(|error| unreadable(path, error))?.path();
                    if entry.extension().is_some_and(|extension| {
                        ["yaml", "yml", "json"]
                            .iter()
                            .any(|known| extension == *known)
                    }) {
                        files.push(entry);
                    }
                }
            } else {
                files.push(path.clone());
            }
        }
        files.sort();
        Ok(files)
    }
}

fn read(file: &Path) -> Result<UserIntent> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(file, error))?;
    coditect_renderer::render::parse_intent(&text).map_err(|why| {
        Error::invalid(
            file.display().to_string(),
            format!("is not an intent: {why}"),
        )
    })
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(file, bytes))
        .map_err(|error| {
            Error::unavailable(format!("{} cannot be written", file.display())).because(error)
        })
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::not_found(format!("{} cannot be read", path.display())).because(error)
}
