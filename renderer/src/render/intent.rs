//! What a rendered file says of itself in its Namespace, read back.

use coditect_core::{RingName, UserIntent};
use serde_json::Value;

use crate::names;

/// The intent that a rendered file records in its Namespace, if it is one of ours.
///
/// Our own spelling is found without reading the whole file; any other is read as YAML.
#[must_use]
pub fn intent_of(bytes: &[u8]) -> Option<UserIntent> {
    serde_json::from_str(&annotation(bytes, names::INTENT)?).ok()
}

/// The ring whose release a rendered file has, if it says so.
#[must_use]
pub fn ring_of(bytes: &[u8]) -> Option<RingName> {
    annotation(bytes, names::RING)?.parse().ok()
}

fn annotation(bytes: &[u8], key: &str) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    as_written(text, key).or_else(|| as_yaml(text, key))
}

/// An intent in a file of its own, as YAML or JSON; unknown fields are refused.
///
/// # Errors
/// What is wrong, with line and column.
pub fn parse_intent(text: &str) -> Result<UserIntent, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

/// Our spelling: the Namespace is the first document and the annotation has a line of its own.
fn as_written(text: &str, key: &str) -> Option<String> {
    let (_, first) = text.split_once("---\n")?;
    let first = first.split("\n---").next()?;
    if !first.lines().any(|line| line == "kind: Namespace") {
        return None;
    }
    let line = first
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(": "))?;
    serde_json::from_str(line).ok()
}

fn as_yaml(text: &str, key: &str) -> Option<String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).ok()?;
    let namespace = documents
        .iter()
        .find(|document| document["kind"] == "Namespace")?;
    namespace["metadata"]["annotations"][key]
        .as_str()
        .map(ToOwned::to_owned)
}
