use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use coditect_core::{Error, Result, UserIntent};
use coditect_renderer::inputs::{Inputs, POLICY, TEMPLATES};
use serde::Serialize;

use crate::{cli::Output, exit::Exit, output, progress};

/// Render intents with a policy into a folder; needs no registry.
///
/// The files are byte for byte what a renderer would commit.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// Intents: YAML or JSON files, or folders of such.
    #[arg(required = true, value_name = "INTENT")]
    intents: Vec<PathBuf>,

    /// The folder that holds `tenants/` and `templates/`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    policy: PathBuf,

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

impl Render {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let (policy, templates) = (self.policy.join(POLICY), self.policy.join(TEMPLATES));
        let inputs = Inputs::load_from(&policy, &templates, None)
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
