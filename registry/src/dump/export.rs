//! From a registry to lines.

use std::{
    io::{self, Write},
    sync::Arc,
};

use coditect_core::{Error, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::line::{self, End, Header, Trailer};
use crate::{
    keys::{self, Export, KeyKind, ParsedKey},
    keyspace,
    reader::Reader,
    store::{KeyRange, Store, StoreError},
};

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// How many records.
    pub records: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The checksum of all lines but the last, in hexadecimal.
    pub sha256: String,
    /// True if all records are of one moment. False if the registry changed meanwhile, so that what belongs
    /// together may be half old and half new.
    pub consistent: bool,
}

/// Writes everything in `store` that is worth keeping, and calls `progress` with the number of records now and
/// then.
///
/// No transaction may be as old as a large registry takes to read, so there are several. The copy is
/// consistent if all of them read the same version, or if a second look at everything finds the same bytes
/// again: then the copy is what the registry held at the moment between the two looks.
///
/// # Errors
/// As the store; `Unavailable` if `out` does not take it; `Internal` if the registry holds a key of no known
/// kind.
pub async fn export(
    store: &Arc<dyn Store>,
    out: &mut (dyn Write + Send),
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Exported> {
    let (mut sink, one_version) = records(store, out, progress).await?;
    let sha256 = sink.digest();
    let consistent = one_version || {
        let mut nowhere = io::sink();
        let (again, _) = records(store, &mut nowhere, &|_| {}).await?;
        again.digest() == sha256
    };
    let end = End {
        records: sink.records,
        consistent,
        sha256: sha256.clone(),
    };
    sink.json(&Trailer { end })?;
    sink.out.flush().map_err(not_written)?;
    Ok(Exported {
        records: sink.records,
        bytes: sink.bytes,
        sha256,
        consistent,
    })
}

/// Header and records. Says, too, whether all are of one version.
async fn records<'out>(
    store: &Arc<dyn Store>,
    out: &'out mut (dyn Write + Send),
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(Sink<'out>, bool)> {
    let mut sink = Sink {
        out,
        hash: Sha256::new(),
        records: 0,
        bytes: 0,
    };
    sink.json(&Header::new())?;
    let mut reader = Reader::new(Arc::clone(store));
    let mut line = Vec::new();
    for wanted in [Export::Yes, Export::AsSequence] {
        for range in ranges(wanted) {
            let mut rest = range;
            loop {
                let page = reader.page(&rest).await?;
                for (key, value) in &page.entries {
                    let parsed = known(key)?;
                    if parsed.kind.export == wanted {
                        line::write(&mut line, &parsed, value)?;
                        sink.line(&line)?;
                        sink.records += 1;
                    }
                }
                progress(sink.records);
                match page.entries.last() {
                    Some((last, _)) if page.more => rest = rest.after(last),
                    _ => break,
                }
            }
        }
    }
    let one_version = reader.saw_one_version();
    Ok((sink, one_version))
}

/// Where such records are; and, for the first of all passes, everything between, so that a key of no known kind
/// is not passed over in silence.
fn ranges(wanted: Export) -> Vec<KeyRange> {
    let of = |what: &dyn Fn(&KeyKind) -> bool| keyspace::first_words(what);
    if wanted == Export::AsSequence {
        return of(&|kind| kind.export == wanted)
            .into_iter()
            .map(keyspace::below)
            .collect();
    }
    let kept = of(&|kind| kind.export == wanted);
    let mut ranges = vec![crate::reader::everything()];
    for word in of(&|kind| kind.export != wanted) {
        if kept.contains(&word) {
            continue;
        }
        if let Some(last) = ranges.last_mut() {
            let hole = keyspace::below(word);
            let behind = KeyRange {
                begin: hole.end,
                end: last.end.clone(),
            };
            last.end = hole.begin;
            ranges.push(behind);
        }
    }
    ranges
}

fn known(key: &[u8]) -> Result<ParsedKey, StoreError> {
    keys::parse(key).map_err(|why| {
        StoreError::Corrupt(format!(
            "the key {} {why}; if a newer coditect wrote it, export with that one",
            keyspace::readable(key)
        ))
    })
}

fn not_written(error: io::Error) -> Error {
    Error::unavailable("the export cannot be written; is there room?").because(error)
}

struct Sink<'out> {
    out: &'out mut (dyn Write + Send),
    hash: Sha256,
    records: u64,
    bytes: u64,
}

impl Sink<'_> {
    fn json<T: Serialize>(&mut self, value: &T) -> Result<()> {
        let line = serde_json::to_vec(value)
            .map_err(|error| Error::internal("a line cannot be written").because(error))?;
        self.line(&line)
    }

    fn line(&mut self, line: &[u8]) -> Result<()> {
        for part in [line, b"\n"] {
            self.hash.update(part);
            self.out.write_all(part).map_err(not_written)?;
            self.bytes += part.len() as u64;
        }
        Ok(())
    }

    fn digest(&self) -> String {
        super::lines::hexadecimal(self.hash.clone())
    }
}
