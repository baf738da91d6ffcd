//! Reading an export line by line, trusting none of them.

use std::{
    fmt::Write as _,
    io::{BufRead, Read as _},
};

use coditect_core::{Error, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::line::{self, End, Header, Record, Trailer};
use crate::{keys::Export, store::Key};

/// Longest line: a value of [`crate::store::limits::VALUE_BYTES`] and a key, each byte escaped.
const LONGEST: u64 = 1 << 20;

/// What an export holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Content {
    /// How many records.
    pub records: u64,
    /// False if it was made while the registry changed.
    pub consistent: bool,
    /// The checksum of all lines but the last, in hexadecimal: which export this is.
    pub sha256: String,
}

/// Reads an export to its end and says what it holds.
///
/// # Errors
/// `Invalid` with the number of the first line that is damaged, foreign or missing; `Unavailable` if it cannot
/// be read.
pub fn verify(
    file: &mut (dyn BufRead + Send),
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Content> {
    let mut lines = Lines::new(file)?;
    while lines.next()?.is_some() {
        if lines.records % 1_000 == 0 {
            progress(lines.records);
        }
    }
    lines.content()
}

/// The records of an export, each checked, in their order.
pub(super) struct Lines<'file> {
    file: &'file mut (dyn BufRead + Send),
    /// The number of the line read last, from 1.
    number: u64,
    line: Vec<u8>,
    hash: Sha256,
    records: u64,
    last: Option<(bool, Key)>,
    end: Option<End>,
}

impl<'file> Lines<'file> {
    pub(super) fn new(file: &'file mut (dyn BufRead + Send)) -> Result<Self> {
        let mut lines = Self {
            file,
            number: 0,
            line: Vec::new(),
            hash: Sha256::new(),
            records: 0,
            last: None,
            end: None,
        };
        lines.read()?;
        Header::parse(&lines.line)?;
        lines.count_in();
        Ok(lines)
    }

    /// The next record; none behind the last, when the whole file has proved to be whole.
    pub(super) fn next(&mut self) -> Result<Option<Record>> {
        if self.end.is_some() {
            return Ok(None);
        }
        if !self.read()? {
            let before = format!(
                "ends with line {}, which is not its last: it was cut; take a whole copy, or export again",
                self.number - 1
            );
            return Err(Error::invalid("the file", before));
        }
        if self.line.starts_with(b"{\"end\":") {
            self.trailer()?;
            return Ok(None);
        }
        let record = line::parse(&self.line).map_err(|why| self.wrong(&why))?;
        let place = (record.in_sequence(), record.key.clone());
        let in_order = match &self.last {
            None => true,
            // A sequence's records share the key that they are appended to.
            Some(last) if record.kind.export == Export::AsSequence => *last <= place,
            Some(last) => *last < place,
        };
        if !in_order {
            return Err(self.wrong("stands twice or out of order"));
        }
        self.last = Some(place);
        self.count_in();
        self.records += 1;
        Ok(Some(record))
    }

    /// What the whole file holds, once it was read to its end.
    pub(super) fn content(&self) -> Result<Content> {
        let end = self
            .end
            .clone()
            .ok_or_else(|| Error::internal("an export that was not read to its end"))?;
        Ok(Content {
            records: end.records,
            consistent: end.consistent,
            sha256: end.sha256,
        })
    }

    fn trailer(&mut self) -> Result<()> {
        let Trailer { end } = serde_json::from_slice(&self.line)
            .map_err(|error| self.wrong(&format!("is not an export's last line: {error}")))?;
        if end.records != self.records {
            return Err(self.wrong(&format!(
                "says {} records and there are {}: lines are missing or were added",
                end.records, self.records
            )));
        }
        if end.sha256 != hexadecimal(self.hash.clone()) {
            return Err(self.wrong(
                "gives another checksum than that of the lines before it: some were changed",
            ));
        }
        self.end = Some(end);
        if self.read()? {
            return Err(self.wrong("stands behind the export's last line"));
        }
        Ok(())
    }

    /// Reads a line, without its end; false at the end of the file.
    fn read(&mut self) -> Result<bool> {
        self.line.clear();
        self.number += 1;
        let mut bounded = (&mut *self.file).take(LONGEST);
        bounded
            .read_until(b'\n', &mut self.line)
            .map_err(|error| Error::unavailable("the export cannot be read").because(error))?;
        match self.line.pop() {
            None => Ok(false),
            Some(b'\n') => Ok(true),
            Some(_) if self.line.len() as u64 + 1 == LONGEST => {
                Err(self.wrong("is longer than any line of an export"))
            }
            Some(_) => {
                Err(self.wrong("has no end: the file was cut; take a whole copy, or export again"))
            }
        }
    }

    fn count_in(&mut self) {
        self.hash.update(&self.line);
        self.hash.update(b"\n");
    }

    fn wrong(&self, why: &str) -> Error {
        Error::invalid(format!("line {}", self.number), why)
    }
}

pub(super) fn hexadecimal(hash: Sha256) -> String {
    hash.finalize()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
