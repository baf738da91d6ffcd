//! What was found, as a file of metrics for a collector of text files.

use std::{fmt::Write, fs, path::Path};

use coditect_core::{Error, Result};

use super::Verified;

/// Writes the file whole or not at all: a collector may read it at any time.
pub(super) fn write(file: &Path, reports: &[Verified]) -> Result<()> {
    let unwritable =
        |error| Error::unavailable(format!("{} cannot be written", file.display())).because(error);
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    fs::write(&name, text(reports)).map_err(unwritable)?;
    fs::rename(&name, file).map_err(unwritable)
}

/// A family of metrics: its name, its help, and its value of a cell.
type Family = (&'static str, &'static str, fn(&Verified) -> Option<usize>);

const FAMILIES: [Family; 7] = [
    (
        "coditect_verify_agrees_info",
        "1 if registry, Git and, where asked, the cluster agree",
        |verified| Some(usize::from(verified.agrees())),
    ),
    (
        "coditect_verify_users_count",
        "Users compared",
        |verified| Some(verified.report.users),
    ),
    (
        "coditect_verify_git_differences_count",
        "Users of whom registry and Git differ",
        |verified| Some(verified.report.differences.len() + verified.report.troubles.len()),
    ),
    (
        "coditect_verify_cluster_differences_count",
        "Users of whom Git and cluster differ",
        |verified| Some(verified.cluster.as_ref()?.differences.len()),
    ),
    (
        "coditect_verify_quarantined_count",
        "Users in whose place an older file stands",
        |verified| Some(verified.report.quarantined.len()),
    ),
    (
        "coditect_verify_waiting_for_approval_count",
        "Users whose newest change waits for approval",
        |verified| Some(verified.report.awaiting.len()),
    ),
    (
        "coditect_verify_waiting_for_reaper_count",
        "Users of whom something waits for the reaper",
        |verified| Some(verified.cluster.as_ref()?.waiting.len()),
    ),
];

fn text(reports: &[Verified]) -> String {
    let mut text = String::new();
    for (name, help, value) in FAMILIES {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for verified in reports {
            if let Some(value) = value(verified) {
                let cell = &verified.report.cell;
                let _ = writeln!(text, "{name}{{cell=\"{cell}\"}} {value}");
            }
        }
    }
    text
}
