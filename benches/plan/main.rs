//! `make bench`: what a change of one plan does to a whole fleet, told by `coditect plan`, beside `git diff --stat` of
//! both renders.
//!
//! The plan runs in a process of its own, so that its peak memory is its own. It begins with two folders of policy and the
//! cells' repositories; git is given what the plan makes do without, the other render, committed on top of the first.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a program that prints figures or fails"
)]

mod seed;

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use coditect_renderer::{
    inputs::Inputs,
    plan::{Cell, CellReport, Plan, Report, markdown, read},
};
use serde_json::{Value, json};

/// Fleets: users, cells, most seconds, most megabytes.
const FLEETS: [(usize, usize, f64, f64); 2] = [(10_000, 2, 2.0, 500.0), (100_000, 20, 20.0, 500.0)];
/// Most groups that one change of one plan may fall into.
const GROUPS: usize = 3;
const THREADS: usize = 2;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    match arguments.as_slice() {
        [phase, folder] if phase == "phase" => println!("{}", plan(Path::new(folder))),
        _ => all(arguments.iter().any(|argument| argument == "--quick")),
    }
}

fn all(quick: bool) {
    println!(
        "\nOne plan's CPU limit changed: `coditect plan` beside `git diff --stat` of both renders"
    );
    for (users, cells, seconds, megabytes) in FLEETS {
        let users = if quick { users / 10 } else { users };
        let folder = tempfile::tempdir().unwrap();
        let seeded = Instant::now();
        let names = seed::plant(folder.path(), cells);
        seed::render(folder.path(), "policy", &names, users);
        let seeded = seeded.elapsed().as_secs_f64();
        // Both are measured with the repositories in memory, as after a clone.
        let figures: Vec<Value> = (0..3).map(|_| phase(folder.path())).collect();
        let best = |name: &str| {
            let values = figures
                .iter()
                .map(|figures| figures[name].as_f64().unwrap());
            values.fold(f64::INFINITY, f64::min)
        };
        let (took, peak) = (best("seconds"), best("peak_mb"));
        let groups = figures[0]["groups"].as_u64().unwrap();
        let rendered = Instant::now();
        seed::render(folder.path(), "proposed", &names, users);
        let rendered = rendered.elapsed().as_secs_f64();
        let git = (0..3)
            .map(|_| git_diff(folder.path(), &names))
            .fold(f64::INFINITY, f64::min);
        println!(
            "\n{users} users in {cells} cells (seeded in {seeded:.1} s), {} touched",
            figures[0]["touched"]
        );
        println!(
            "  coditect plan       {took:.2} s, of it {:.2} s until the policies are read; {peak:.0} MB; changes in {groups} group(s), a comment of {} bytes",
            best("loaded"),
            figures[0]["comment"]
        );
        println!(
            "  git diff --stat     {git:.2} s, after {rendered:.2} s in which the proposal was rendered and committed"
        );
        println!("  ratio               {:.2}", took / git);
        if !quick {
            println!("  at most {seconds} s: {}", verdict(took < seconds));
            println!("  at most {megabytes} MB: {}", verdict(peak < megabytes));
            println!(
                "  at most {GROUPS} groups: {}",
                verdict(groups <= GROUPS as u64)
            );
        }
    }
    if quick {
        println!("\n--quick: smaller sizes; the targets are about the full ones.");
    }
}

const fn verdict(holds: bool) -> &'static str {
    if holds { "met" } else { "MISSED" }
}

/// One plan in a process of its own.
fn phase(folder: &Path) -> Value {
    let child = Command::new(std::env::current_exe().unwrap())
        .arg("phase")
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(child.status.success(), "the plan failed");
    serde_json::from_slice(&child.stdout).unwrap()
}

/// From two folders and the repositories to the comment.
fn plan(folder: &Path) -> Value {
    let started = Instant::now();
    let load = |name: &str| Arc::new(Inputs::load(&folder.join(name)).unwrap());
    let mut plan = Plan::new(load("proposed"));
    let stands = load("policy");
    let base = plan.base(Arc::clone(&stands));
    let loaded = started.elapsed().as_secs_f64();
    let (mut cells, mut reports) = (Vec::new(), Vec::new());
    for name in stands.policy.cells().keys() {
        cells.push(Cell {
            name: name.clone(),
            repository: folder.join(format!("cells/{name}.git")),
            base,
        });
        reports.push(CellReport {
            cell: name.clone(),
            commit: None,
            base: "what stands".to_owned(),
            base_commit: None,
            users: 0,
            drifted: 0,
            drifted_examples: Vec::new(),
            unreadable: 0,
            unreadable_examples: Vec::new(),
        });
    }
    let tally = read(&plan, &cells, THREADS, &|_| {}).unwrap();
    let report: Report = plan.report("the proposal", &tally, &reports).unwrap();
    let comment = markdown(&report);
    assert!(
        report
            .cells
            .iter()
            .all(|cell| cell.drifted + cell.unreadable == 0)
    );
    json!({
        "seconds": started.elapsed().as_secs_f64(),
        "loaded": loaded,
        "peak_mb": peak_mb(),
        "touched": report.users.touched,
        "groups": report.groups.len(),
        "comment": comment.len(),
    })
}

/// `git diff --stat` of the last commit of every cell, in seconds.
fn git_diff(folder: &Path, names: &[String]) -> f64 {
    let started = Instant::now();
    for name in names {
        let output = Command::new("git")
            .arg("-C")
            .arg(folder.join(format!("cells/{name}.git")))
            .args(["diff", "--stat", "main~1", "main"])
            .output()
            .unwrap();
        assert!(output.status.success() && !output.stdout.is_empty());
    }
    started.elapsed().as_secs_f64()
}

/// The process's largest resident size so far, in MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}
