//! What a group of commits does to the file.

use coditect_core::Version;
use redb::{Database, ReadableTable, StorageError, Table};

use super::{
    super::{
        conflicts::Written,
        optimistic::{Mutation, add, stamped},
    },
    format::{ABOUT, DATA, VERSION},
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

/// Writes the transactions in their order, and returns when they and `newest` are on disk.
pub(super) fn durably(
    database: &Database,
    group: &[(Version, &[Mutation])],
    newest: Version,
) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut data = write.open_table(DATA)?;
        for (version, mutations) in group {
            apply(&mut data, mutations, *version)?;
        }
        write.open_table(ABOUT)?.insert(VERSION, newest.0)?;
    }
    Ok(write.commit()?)
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
