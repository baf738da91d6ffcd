use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::Args;
use coditect_core::{Error, Result};
use coditect_registry::dump;

use crate::{cli::Output, data::Data, exit::Exit, output, progress};

/// Write everything worth keeping into a file of JSON lines: a backup, or the way to another store.
///
/// The same content gives the same bytes, whatever store it is in. The file holds addresses and password hashes:
/// only its owner may read it. It is there under its name when it is whole.
///
/// A registry that nobody writes to meanwhile gives one moment of it, and so does one that is read quickly enough or
/// in which nothing of what is exported changed. Where something did, the copy may hold half of a change: it is
/// thrown away unless --while-running allows it.
///
/// Exit status 3: the registry changed, and nothing was kept.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Where to. Must not exist.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Keep the copy even if the registry changed while it was made. Whoever imports it should run `coditect registry
    /// check --repair` afterwards.
    #[arg(long)]
    while_running: bool,
}

impl Export {
    pub(super) async fn run(self, data: &Data, output: Output) -> Result<Exit> {
        if self.file.exists() {
            return Err(Error::conflict(format!(
                "{} exists; choose another name or remove it",
                self.file.display()
            )));
        }
        let registry = data.open().await?;
        let partial = with_suffix(&self.file, ".partial");
        let spinner = progress::spinner(output, "reads the registry".to_owned());
        let told = spinner.clone();
        let written = async {
            let mut out = BufWriter::new(create(&partial)?);
            let exported = dump::export(registry.store(), &mut out, &move |records| {
                told.set_message(format!("{records} records"));
            })
            .await?;
            let file = out
                .into_inner()
                .map_err(|error| not_written(&partial, error.into_error()))?;
            file.sync_all()
                .map_err(|error| not_written(&partial, error))?;
            Ok(exported)
        }
        .await;
        spinner.finish_and_clear();
        let exported = written.inspect_err(|_: &Error| {
            // What is left of it says by its name that it is no export.
            let _ = fs::remove_file(&partial);
        })?;
        let keep = exported.consistent || self.while_running;
        if keep {
            fs::rename(&partial, &self.file).map_err(|error| not_written(&self.file, error))?;
            sync_folder(&self.file)?;
        } else {
            fs::remove_file(&partial).map_err(|error| not_written(&partial, error))?;
        }
        match output {
            Output::Json => output::json(&exported)?,
            Output::Text => {
                output::table(
                    [
                        "records",
                        "bytes",
                        "one moment",
                        "sha256 of all but the last line",
                    ],
                    [[
                        exported.records.to_string(),
                        exported.bytes.to_string(),
                        if exported.consistent { "yes" } else { "no" }.to_owned(),
                        exported.sha256.clone(),
                    ]],
                );
                if !keep {
                    output::line(
                        "The registry changed while it was read, so nothing was kept. Stop what writes to it, or keep a copy that may hold halves of changes with --while-running.",
                    );
                }
            }
        }
        Ok(if keep { Exit::Done } else { Exit::Differs })
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A file for its owner alone; one left by an export that was killed is begun anew.
fn create(path: &Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| not_written(path, error))
}

fn sync_folder(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| not_written(path, error))
}

fn not_written(path: &Path, error: io::Error) -> Error {
    Error::unavailable(format!(
        "{} cannot be written; is the folder there, and room in it?",
        path.display()
    ))
    .because(error)
}
