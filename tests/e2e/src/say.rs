//! What a person sees.

#![allow(clippy::print_stdout, reason = "the one place that prints")]

use std::time::{Duration, Instant};

use comfy_table::{Table, presets};

use crate::{During, Result, Usage};

/// Prints a line.
pub fn line(text: impl std::fmt::Display) {
    println!("{text}");
}

/// Does a part of a scenario, and prints it with the time that it took.
///
/// # Errors
/// The part's own, with its name.
pub async fn step<T>(
    what: impl std::fmt::Display,
    part: impl Future<Output = Result<T>>,
) -> Result<T> {
    let began = Instant::now();
    let outcome = part.await;
    let mark = if outcome.is_ok() { "" } else { "  FAILED" };
    line(format!("  {:>8}  {what}{mark}", seconds(began.elapsed())));
    outcome.during(what)
}

/// Prints a table, indented as what belongs to the scenario above it.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for row in table.lines() {
        println!("            {}", row.trim_end());
    }
}

/// A duration in seconds.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// A table of how long several things took: of each its name and the single times.
pub fn times(of: &str, rows: impl IntoIterator<Item = (String, Vec<Duration>)>) {
    table(
        [of, "number", "p50", "p95", "longest"],
        rows.into_iter().map(|(name, mut times)| {
            times.sort_unstable();
            let at = |share| percentile(&times, share).map_or_else(|| "none".to_owned(), seconds);
            [name, times.len().to_string(), at(50), at(95), at(100)]
        }),
    );
}

/// The smallest of sorted times that at least `share` in a hundred do not exceed (nearest rank).
#[must_use]
pub fn percentile(sorted: &[Duration], share: usize) -> Option<Duration> {
    let rank = (sorted.len() * share).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// A table of what processes have used.
pub fn usage(of: &str, rows: impl IntoIterator<Item = (String, Usage)>) {
    let mebibytes = |bytes: u64| format!("{} MiB", bytes / 1024 / 1024);
    table(
        [of, "resident", "own", "peak", "processor"],
        rows.into_iter().map(|(name, usage)| {
            [
                name,
                mebibytes(usage.resident),
                mebibytes(usage.own),
                mebibytes(usage.peak),
                seconds(usage.processor),
            ]
        }),
    );
}
