//! `make bench`: from sign-up to commit, and whole cells, beside the tools people would otherwise use.
//!
//! Each phase runs in a process of its own, so that its peak memory is its own. Everything is on disk and
//! durable: the time of a sign-up ends when a power cut would leave both the registry's record and the commit.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a program that prints figures or fails"
)]

mod peers;
mod phases;
mod seed;

use std::process::{Command, Stdio};

use comfy_table::{Table, presets};
use serde_json::Value;

/// Users of a whole-cell render.
const CELL: usize = 10_000;
/// Users of the largest installation, over [`CELLS`] cells.
const FLEET: usize = 100_000;
const CELLS: usize = 20;
/// Sign-ups timed at each size.
const SAMPLES: usize = 300;
/// Users whose manifests the per-user peer renders.
const SAMPLE: usize = 20;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    match arguments.split_first() {
        Some((phase, rest)) if phase == "phase" => phases::run(rest),
        _ => all(&arguments),
    }
}

/// Runs one phase in a process of its own and gives its figures.
fn phase(arguments: &[String]) -> Value {
    eprintln(&format!("… {}", arguments.join(" ")));
    let child = Command::new(std::env::current_exe().unwrap())
        .arg("phase")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(child.status.success(), "phase {arguments:?} failed");
    serde_json::from_slice(&child.stdout).unwrap()
}

#[allow(clippy::print_stderr, reason = "progress")]
fn eprintln(text: &str) {
    eprintln!("{text}");
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(ToOwned::to_owned).collect()
}

fn table<const N: usize>(title: &str, head: [&str; N], rows: Vec<[String; N]>) {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(head);
    for row in rows {
        table.add_row(row);
    }
    println!("\n{title}\n{table}");
}

fn number(value: &Value, name: &str) -> f64 {
    value[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name} in {value}"))
}

fn verdict(holds: bool) -> String {
    if holds { "met" } else { "MISSED" }.to_owned()
}

fn all(arguments: &[String]) {
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let (cell, fleet, samples) = if quick {
        (1_000, 5_000, 50)
    } else {
        (CELL, FLEET, SAMPLES)
    };
    latency(fleet, samples);
    whole_cells(cell);
    if quick {
        println!("\n--quick: smaller sizes; the targets are about the full ones.");
    }
}

/// One sign-up's way into Git at growing sizes.
fn latency(fleet: usize, samples: usize) {
    let sizes = [(100, 1), (1_000, 1), (5_000, 1), (fleet, CELLS)];
    let found: Vec<Value> = sizes
        .iter()
        .map(|(users, cells)| phase(&words(&format!("latency {users} {cells} {samples}"))))
        .collect();
    let first = number(&found[0], "p50_ms");
    table(
        "One sign-up, from the request to a durable commit (registry and repository fsynced)",
        [
            "users",
            "cells",
            "p50",
            "p99",
            "p50 beside the first",
            "of it: fsync",
            "peak memory",
        ],
        found
            .iter()
            .zip(sizes)
            .map(|(found, (users, cells))| {
                [
                    users.to_string(),
                    cells.to_string(),
                    format!("{:.2} ms", number(found, "p50_ms")),
                    format!("{:.2} ms", number(found, "p99_ms")),
                    format!("{:.2} ×", number(found, "p50_ms") / first),
                    format!("{:.2} ms each here", number(found, "fsync_ms")),
                    format!("{:.0} MB", number(found, "peak_mb")),
                ]
            })
            .collect(),
    );
    let last = &found[3];
    let ratio = number(last, "p50_ms") / first;
    println!(
        "{fleet} users cost {ratio:.2} × what 100 cost (target: 1.5): {}",
        verdict(ratio <= 1.5)
    );
    let peak = number(last, "peak_mb");
    println!(
        "peak memory at {fleet} users {peak:.0} MB (target: 200): {}",
        verdict(peak < 200.0)
    );
}

/// A whole cell, beside `git fast-import` and `kustomize build`.
fn whole_cells(cell: usize) {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().to_str().unwrap();
    let full = phase(&words(&format!("full {cell} {folder}")));
    let no_op = phase(&words(&format!("no-op {cell} {folder}")));
    let repository = work.path().join("cells/local.git");
    // Three runs each; the best of a peer against ours.
    let import = peers::fast_import(&repository, work.path());
    let (full_ms, import_ms) = (number(&full, "commit_ms"), import.milliseconds);
    table(
        &format!("A cell of {cell} users, rendered, checked and committed at once"),
        ["what", "time", "written", "peak memory"],
        vec![
            [
                "coditect: load, render, check, commit".into(),
                format!("{:.0} ms", number(&full, "total_ms")),
                format!("{:.1} MB", number(&full, "repository_mb")),
                format!("{:.0} MB", number(&full, "peak_mb")),
            ],
            [
                "  of it: render, check, commit".into(),
                format!("{full_ms:.0} ms"),
                String::new(),
                String::new(),
            ],
            [
                "git fast-import of the same bytes, already rendered".into(),
                format!("{import_ms:.0} ms"),
                format!("{:.1} MB", import.megabytes),
                String::new(),
            ],
            [
                "coditect: nothing to do".into(),
                format!("{:.0} ms", number(&no_op, "total_ms")),
                "0 MB".into(),
                format!("{:.0} MB", number(&no_op, "peak_mb")),
            ],
        ],
    );
    println!(
        "render and commit beside fast-import: {:.2} × (target: 1): {}",
        full_ms / import_ms,
        verdict(full_ms <= import_ms)
    );
    let no_op_ms = number(&no_op, "total_ms");
    println!(
        "a full reconcile with nothing to do: {no_op_ms:.0} ms (target: 1000): {}",
        verdict(no_op_ms < 1_000.0)
    );

    match peers::kustomize(&repository, work.path(), SAMPLE) {
        Ok(each_ms) => {
            #[allow(clippy::cast_precision_loss, reason = "a ratio")]
            let ours = full_ms / cell as f64;
            println!(
                "per user: {:.3} ms here, {each_ms:.1} ms by `kustomize build` ({:.0} ×; target: 200 ×): {}",
                ours,
                each_ms / ours,
                verdict(each_ms / ours >= 200.0)
            );
        }
        Err(why) => println!("`kustomize build` was not measured: {why}"),
    }
}
