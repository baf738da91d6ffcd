use std::{fs::File, io::BufReader, path::PathBuf, sync::Arc};

use clap::Args;
use coditect_core::{Error, Result};
use coditect_registry::{
    dump::{self, Imported, Step},
    store::Store,
};

use crate::{cli::Output, data::Data, exit::Exit, output, progress};

/// Fill an empty registry from such a file.
///
/// The file is checked to its end before anything is written; what is wrong with it is named by its line. Stop
/// whatever uses the registry first. An import that was interrupted goes on when the same file is imported again;
/// until it is finished nobody else opens the registry. Afterwards the registry begins a new life (epoch): every
/// renderer reconciles in full.
///
/// What an export does not hold is made anew: leases, feeds, the answers of requests. A client that sends a
/// request of before the move again may have it done again.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// What `coditect registry export` wrote.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Import {
    pub(super) async fn run(self, data: &Data, output: Output) -> Result<Exit> {
        // Before a registry is made: a wrong name must not leave one.
        let file = File::open(&self.file).map_err(|error| {
            Error::not_found(format!("{} cannot be read", self.file.display())).because(error)
        })?;
        let store: Arc<dyn Store> = if data.store().is_cluster() {
            data.store().connect().await?
        } else {
            data.own()?
        };
        let spinner = progress::spinner(output, "reads the file".to_owned());
        let told = spinner.clone();
        let imported = dump::import(&store, &mut BufReader::new(file), &move |step, records| {
            told.set_message(match step {
                Step::Checking => format!("{records} records checked"),
                Step::Writing => format!("{records} records written"),
            });
        })
        .await;
        spinner.finish_and_clear();
        let imported = imported?;
        match output {
            Output::Json => output::json(&imported)?,
            Output::Text => print(&imported),
        }
        Ok(Exit::Done)
    }
}

fn print(imported: &Imported) {
    output::table(
        ["records", "were there already", "epoch"],
        [[
            imported.content.records.to_string(),
            imported.already_there.to_string(),
            imported.epoch.to_string(),
        ]],
    );
    if imported.already_finished {
        output::line("This file had been imported to its end before: nothing was changed.");
    }
    if !imported.content.consistent {
        output::line(
            "The file was made while its registry changed: run `coditect registry check --repair` before anybody uses this one.",
        );
    }
}
