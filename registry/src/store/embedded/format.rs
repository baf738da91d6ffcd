//! What lies in the file: its tables, the number of their layout, and the way up from an older one.
//!
//! The library below has a number of its own for how pages lie in the file, and reads one of them; a file of
//! another is refused by name ([`super::file`]). A program with a library that writes another brings the step
//! in [`super::rewrite`], which copies everything into a new file.

use std::path::Path;

use coditect_core::Version;
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};

use super::{super::StoreError, write::NO_ROUND};

/// Every key and value of the registry.
pub(super) const DATA: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("data");
/// What the store knows of itself.
pub(super) const ABOUT: TableDefinition<'static, &str, u64> = TableDefinition::new("about");
/// In [`ABOUT`]: the newest version.
pub(super) const VERSION: &str = "version";
/// In [`ABOUT`]: of which round the log beside continues the newest version; 0 if none does (since format 3).
pub(super) const ROUND: &str = "log";
/// In [`ABOUT`]: which store this is, drawn at random when it was made (since format 2).
const ID: &str = "id";
/// In [`ABOUT`]: how the tables are laid out.
const FORMAT: &str = "format";

type About<'a> = Table<'a, &'static str, u64>;
/// One step: from the format of its place, counted from 1, to the next.
type Step = for<'a> fn(&mut About<'a>) -> Result<(), redb::StorageError>;

/// The way from the first format to the one that this program writes and reads.
const STEPS: [Step; 2] = [name, no_log];
/// The format this program writes and reads.
pub(super) const OURS: u64 = 1 + STEPS.len() as u64;

/// From 1 to 2: a store has an id, so that what lies beside its file is known to be of it.
fn name(about: &mut About<'_>) -> Result<(), redb::StorageError> {
    about.insert(ID, rand::random::<u64>())?;
    Ok(())
}

/// From 2 to 3: a log lies before the database, and there is none yet.
fn no_log(about: &mut About<'_>) -> Result<(), redb::StorageError> {
    about.insert(ROUND, NO_ROUND)?;
    Ok(())
}

/// What an open store says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: u64,
    pub(super) version: Version,
    /// Of the log that belongs to it.
    pub(super) round: u64,
}

/// Makes the tables of an empty store. One that was made half keeps what it has.
pub(super) fn found(database: &Database) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    write.open_table(DATA)?;
    {
        let mut about = write.open_table(ABOUT)?;
        if about.get(FORMAT)?.is_none() {
            about.insert(FORMAT, OURS)?;
            about.insert(VERSION, 0)?;
            name(&mut about)?;
            no_log(&mut about)?;
        }
    }
    Ok(write.commit()?)
}

/// Reads what the store says of itself, after bringing it up to our format if it is older: in one transaction,
/// so that a crash leaves the old format or ours.
///
/// # Errors
/// `NotOpened` if a newer program wrote it; `Corrupt` if it does not say; `Unavailable` if the disk refuses.
pub(super) fn identify(database: &Database, path: &Path) -> Result<Identity, StoreError> {
    let shown = path.display();
    let number = |name| match read(database, name) {
        Ok(Some(number)) => Ok(number),
        Ok(None) => Err(StoreError::Corrupt(format!(
            "{shown} does not say its {name}; restore it from a backup"
        ))),
        Err(error) => Err(StoreError::Corrupt(format!(
            "{shown}: {error}; restore it from a backup"
        ))),
    };
    let format = number(FORMAT)?;
    if format > OURS {
        return Err(StoreError::NotOpened(format!(
            "{shown} has format {format}, and this program knows formats up to {OURS}: a newer coditect wrote it; run that one"
        )));
    }
    if format == 0 {
        return Err(StoreError::Corrupt(format!(
            "{shown} has format 0, which there never was; restore it from a backup"
        )));
    }
    if format < OURS {
        upgrade(database, format)
            .map_err(|error| StoreError::Unavailable(format!(
                "{shown} could not be brought from format {format} to {OURS}, and is as it was: {error}"
            )))?;
        tracing::info!(path = %shown, from = format, to = OURS, "the registry's file has been upgraded");
    }
    Ok(Identity {
        id: number(ID)?,
        version: Version(number(VERSION)?),
        round: number(ROUND)?,
    })
}

fn read(database: &Database, name: &str) -> Result<Option<u64>, redb::Error> {
    let about = database.begin_read()?.open_table(ABOUT)?;
    Ok(ReadableTable::get(&about, name)?.map(|number| number.value()))
}

fn upgrade(database: &Database, from: u64) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut about = write.open_table(ABOUT)?;
        for (format, step) in (1..).zip(STEPS).skip_while(|(format, _)| *format < from) {
            step(&mut about)?;
            about.insert(FORMAT, format + 1)?;
        }
    }
    Ok(write.commit()?)
}
