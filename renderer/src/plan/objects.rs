//! The objects of a shape, with placeholders in the places of names.

use std::collections::BTreeMap;

use coditect_core::Result;
use serde_json::Value;

use crate::{
    check::documents,
    render::{Cut, Identity},
};

/// One object.
pub(super) struct Object {
    pub(super) value: Value,
    /// Its document, with one placeholder for all workspaces.
    pub(super) text: String,
    /// The same of its name: `workspace-<workspace>`.
    pub(super) shown: String,
}

/// By kind and name; the names of several workspaces' objects differ.
pub(super) type Objects = BTreeMap<(String, String), Object>;

/// Names that nobody has: `<user>`, and for each workspace `<workspace-0>` and so on.
pub(super) fn placeholders(workspaces: usize) -> Identity {
    let name = |what: &str| format!("<{what}>");
    Identity {
        user: name("user"),
        tenant: name("tenant"),
        generation: name("generation"),
        shard: name("shard"),
        intent: name("intent"),
        workspaces: (0..workspaces)
            .map(|index| (format!("<workspace-{index}>"), format!("<slug-{index}>")))
            .collect(),
    }
}

/// The objects that a shape renders to.
///
/// # Errors
/// As [`documents`]; what is rendered was checked before, so an error is a defect.
pub(super) fn objects(cut: &Cut, workspaces: usize) -> Result<Objects> {
    let text = String::from_utf8_lossy(&cut.splice(&placeholders(workspaces))).into_owned();
    let values = documents(&text)?;
    let texts = split(&text);
    let object = |(value, text): (Value, String)| {
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (part(&value["kind"]), part(&value["metadata"]["name"]));
        let object = Object {
            text: alike(&text),
            shown: format!("{kind}/{}", alike(&name)),
            value,
        };
        ((kind, name), object)
    };
    Ok(values.into_iter().zip(texts).map(object).collect())
}

/// One placeholder for all workspaces: `<workspace-3>` becomes `<workspace>`.
pub(super) fn alike(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, name) = rest.split_at(at);
        out.push_str(before);
        let numbered = ["<workspace", "<slug"].into_iter().find_map(|what| {
            let number = name.strip_prefix(what)?.strip_prefix('-')?;
            let (number, after) = number.split_once('>')?;
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            digits.then_some((what, after))
        });
        match numbered {
            Some((what, after)) => {
                out.push_str(what);
                out.push('>');
                rest = after;
            }
            None => {
                out.push('<');
                rest = &name[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The text of each document, without what separates them.
fn split(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        match found.last_mut() {
            _ if line.trim_end() == "---" => found.push(String::new()),
            Some(last) => last.push_str(line),
            // What the file says of itself.
            None => {}
        }
    }
    found
}
