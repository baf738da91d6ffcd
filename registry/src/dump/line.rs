//! One line of an export.

use std::{borrow::Cow, io::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use coditect_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    keys::{self, Export, KeyKind, KeyPart, ParsedKey},
    keyspace,
    store::{Key, StoreError, Value, limits},
};

/// The layout of the lines that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
/// Grows whenever a program of before would misunderstand the records.
pub const SCHEMA: u32 = 1;

/// What stands between a line and its checksum.
const CRC: &str = ",\"crc\":\"";

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    coditect: String,
    pub(super) format: u32,
    pub(super) schema: u32,
}

impl Header {
    const WHAT: &str = "registry";

    pub(super) fn new() -> Self {
        Self {
            coditect: Self::WHAT.to_owned(),
            format: FORMAT,
            schema: SCHEMA,
        }
    }

    /// The header in this line.
    pub(super) fn parse(line: &[u8]) -> Result<Self> {
        serde_json::from_slice(line)
            .ok()
            .filter(|header: &Self| header.coditect == Self::WHAT)
            .ok_or_else(|| {
                Error::invalid(
                    "line 1",
                    "does not begin an export of a registry; `coditect registry export` makes one",
                )
            })
            .and_then(|header| {
                if header.format > FORMAT || header.schema > SCHEMA {
                    return Err(Error::invalid(
                        "line 1",
                        format!(
                            "says that a newer coditect wrote this (format {}, schema {}; this one reads up to {FORMAT} and {SCHEMA}); import it with that one",
                            header.format, header.schema
                        ),
                    ));
                }
                Ok(header)
            })
    }
}

/// The last line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trailer {
    pub(super) end: End,
}

/// How an export ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// How many records there are.
    pub(super) records: u64,
    /// False if they may be of different versions of the registry.
    pub(super) consistent: bool,
    /// Of every byte before this line.
    pub(super) sha256: String,
}

/// A record on its way in.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: &'static KeyKind,
    /// The whole key; of a sequence, what it is appended to.
    pub(super) key: Key,
    pub(super) value: Value,
}

impl Record {
    pub(super) fn in_sequence(&self) -> bool {
        self.kind.export == Export::AsSequence
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'line> {
    #[serde(borrow)]
    kind: Cow<'line, str>,
    key: Vec<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<u8>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value: Option<&'line RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

/// Writes the line of a record into `line`, without its end.
pub(super) fn write(
    line: &mut Vec<u8>,
    parsed: &ParsedKey,
    value: &[u8],
) -> Result<(), StoreError> {
    line.clear();
    let key = keyspace::parts(parsed)
        .map(to_json)
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            StoreError::Corrupt(format!(
                "a key of {} has a part that no export can hold",
                parsed.kind.pattern
            ))
        })?;
    let mut written = Written {
        kind: parsed.kind.pattern.into(),
        key,
        v: None,
        value: None,
        number: None,
        bytes: None,
    };
    // A record is its version and JSON, a counter is eight bytes; anything else goes as it is.
    if let Some((version, json)) = value.split_first()
        && let Some(json) = one_line(json)
    {
        written.v = Some(*version);
        written.value = Some(json);
    } else if let Ok(number) = value.try_into() {
        written.number = Some(i64::from_le_bytes(number));
    } else {
        written.bytes = Some(BASE64.encode(value));
    }
    serde_json::to_writer(&mut *line, &written)
        .map_err(|error| StoreError::Corrupt(format!("a record cannot be written: {error}")))?;
    line.pop();
    let crc = crc32fast::hash(line);
    // Writing to memory does not fail.
    let _ = write!(line, "{CRC}{crc:08x}\"}}");
    Ok(())
}

/// The bytes as JSON, if that gives back the same bytes and fits a line.
fn one_line(json: &[u8]) -> Option<&RawValue> {
    let text = std::str::from_utf8(json).ok()?;
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let one_line = !json.contains(&b'\n') && !json.contains(&b'\r');
    (one_line && raw.get().len() == text.len()).then_some(raw)
}

/// The record in this line.
///
/// # Errors
/// What is wrong with it, to be read behind the line's number.
pub(super) fn parse(line: &[u8]) -> Result<Record, String> {
    let text = std::str::from_utf8(line).map_err(|_| "is damaged: it is not UTF-8")?;
    let (content, crc) = text
        .rsplit_once(CRC)
        .and_then(|(content, rest)| Some((content, rest.strip_suffix("\"}")?)))
        .ok_or("is no record of an export")?;
    if u32::from_str_radix(crc, 16) != Ok(crc32fast::hash(content.as_bytes())) {
        return Err("is damaged or was edited: its checksum is another".to_owned());
    }
    let whole = format!("{content}}}");
    let written: Written<'_> =
        serde_json::from_str(&whole).map_err(|error| format!("is no record: {error}"))?;
    let kind = keyspace::kind_of(&written.kind).ok_or_else(|| {
        format!(
            "is of a kind that this program does not know, {}; a newer coditect may have written it",
            written.kind
        )
    })?;
    if kind.export == Export::No {
        return Err(format!(
            "is of the kind {}, which no export holds",
            kind.pattern
        ));
    }
    let key = keyspace::segments(kind)
        .zip(&written.key)
        .map(|(segment, part)| of_json(segment, part))
        .collect::<Option<Vec<_>>>()
        .filter(|parts| parts.len() == written.key.len())
        .and_then(|parts| keyspace::build(kind, parts))
        .ok_or_else(|| format!("has a key that is none of {}", kind.pattern))?;
    let value = match (written.v, written.value, written.number, written.bytes) {
        (Some(version), Some(json), None, None) => {
            let mut value = vec![version];
            value.extend_from_slice(json.get().as_bytes());
            value
        }
        (None, None, Some(number), None) => number.to_le_bytes().to_vec(),
        (None, None, None, Some(bytes)) => BASE64
            .decode(bytes)
            .map_err(|error| format!("has bytes that are not base64: {error}"))?,
        _ => return Err("has no value, or more than one".to_owned()),
    };
    if value.len() > limits::VALUE_BYTES || key.len() > limits::KEY_BYTES {
        return Err("is larger than a record may be".to_owned());
    }
    Ok(Record { kind, key, value })
}

/// A part of a key. Its kind says which type it is of, so that ids and texts may both be strings.
fn to_json(part: &KeyPart) -> Option<serde_json::Value> {
    Some(match part {
        KeyPart::Text(text) => text.as_str().into(),
        KeyPart::Id(id) => id.to_string().into(),
        KeyPart::Number(number) => serde_json::Number::from_i128(*number)?.into(),
        KeyPart::Stamp(_) => return None,
    })
}

fn of_json(segment: &str, part: &serde_json::Value) -> Option<KeyPart> {
    use serde_json::Value as Json;
    let part = match part {
        Json::Number(number) => KeyPart::Number(number.as_i128()?),
        Json::String(text) => {
            let id = Uuid::try_parse(text).ok().map(KeyPart::Id);
            id.filter(|id| keys::segment_fits(segment, id))
                .unwrap_or_else(|| KeyPart::Text(text.clone()))
        }
        _ => return None,
    };
    keys::segment_fits(segment, &part).then_some(part)
}
