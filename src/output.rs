//! What the commands print.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the one place that prints"
)]

use coditect_core::{Error, Result};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

use crate::cli::Output;

/// Prints a line for people.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Prints one JSON document on one line.
///
/// # Errors
/// `Internal` if the value is not expressible in JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::internal("the answer cannot be written").because(error))?;
    println!("{text}");
    Ok(())
}

/// Says on standard error what is wrong.
pub(crate) fn complain(text: &str) {
    eprintln!("coditect: {text}");
}

/// Prints what the API answered with: a table for people with these columns, each the name at its head and the field, or
/// one JSON document.
///
/// # Errors
/// As [`json`].
pub(crate) fn records<const N: usize>(
    output: Output,
    items: &[Value],
    columns: [(&str, &str); N],
) -> Result<()> {
    match output {
        Output::Json => json(&items),
        Output::Text => {
            let rows = items
                .iter()
                .map(|item| columns.map(|(_, field)| cell(item.pointer(field))));
            table(columns.map(|(head, _)| head), rows);
            Ok(())
        }
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items = items.iter().map(|item| cell(Some(item)));
            items.collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    }
}

/// A table for people, or a word that there is nothing to list.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(head);
    for row in rows {
        table.add_row(row);
    }
    if table.is_empty() {
        println!("nothing to list");
    } else {
        println!("{table}");
    }
}
