//! What the commands print.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the one place that prints"
)]

use coditect_core::{Error, Result};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

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

/// A table for people.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(head);
    for row in rows {
        table.add_row(row);
    }
    println!("{table}");
}
