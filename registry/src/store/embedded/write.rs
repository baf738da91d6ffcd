//! What a group of commits does to the file.

use coditect_core::Version;
use redb::{Database, Durability, ReadableTable, StorageError, Table, WriteTransaction};

use super::{
    super::{
        conflicts::Written,
        optimistic::{Mutation, add, stamped},
    },
    durable::Group,
    format::{ABOUT, DATA, ROUND, VERSION},
};

/// The keys that a transaction writes at `version`.
pub(super) fn written(mutations: &[Mutation], version: Version) -> Written {
    let mut written = Written::default();
    let mut place = 0;
    for mutation in mutations {
        match mutation {
            Mutation::Set(key, _) | Mutation::Clear(key) | Mutation::Add(key, _) => {
                written.keys.push(key.clone())
            }
            Mutation::ClearRange(range) => written.ranges.push(range.clone()),
            Mutation::Append(prefix, _) => {
                written.keys.push(stamped(prefix, version, place));
                place = place.wrapping_add(1);
            }
        }
    }
    written
}

/// What stands in the database in place of a round's number while no log belongs to it.
pub(super) const NO_ROUND: u64 = 0;

/// Writes the transactions in their order into the database's memory, where all that follow see them.
pub(super) fn into_memory(database: &Database, group: &Group<'_>) -> Result<(), redb::Error> {
    let mut write = database.begin_write()?;
    write.set_durability(Durability::None)?;
    apply_all(&write, group)?;
    Ok(write.commit()?)
}

/// Writes the transactions in their order and everything that is in memory to the file, behind which a queue brings
/// it onto the disk, and that the log's records of `round` go on from `newest`.
pub(super) fn onto_disk(
    database: &Database,
    group: &Group<'_>,
    newest: Version,
    round: u64,
) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    apply_all(&write, group)?;
    {
        let mut about = write.open_table(ABOUT)?;
        about.insert(VERSION, newest.0)?;
        about.insert(ROUND, round)?;
    }
    Ok(write.commit()?)
}

fn apply_all(write: &WriteTransaction, group: &Group<'_>) -> Result<(), redb::Error> {
    let mut data = write.open_table(DATA)?;
    for (version, mutations) in group {
        apply(&mut data, mutations, *version)?;
    }
    Ok(())
}

fn apply(
    data: &mut Table<'_, &[u8], &[u8]>,
    mutations: &[Mutation],
    version: Version,
) -> Result<(), StorageError> {
    let mut place = 0;
    for mutation in mutations {
        match mutation {
            Mutation::Set(key, value) => {
                data.insert(key.as_slice(), value.as_slice())?;
            }
            Mutation::Clear(key) => {
                data.remove(key.as_slice())?;
            }
            Mutation::ClearRange(range) if range.begin < range.end => {
                data.retain_in::<&[u8], _>(
                    range.begin.as_slice()..range.end.as_slice(),
                    |_, _| false,
                )?;
            }
            Mutation::ClearRange(_) => {}
            Mutation::Add(key, delta) => {
                let sum = add(
                    data.get(key.as_slice())?
                        .as_ref()
                        .map(redb::AccessGuard::value),
                    *delta,
                );
                data.insert(key.as_slice(), sum.as_slice())?;
            }
            Mutation::Append(prefix, value) => {
                data.insert(stamped(prefix, version, place).as_slice(), value.as_slice())?;
                place = place.wrapping_add(1);
            }
        }
    }
    Ok(())
}
