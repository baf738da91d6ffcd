//! `coditect policy check`, as a pre-commit hook and CI run it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The sample policy with its templates, in a folder of its own.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["tenants", "templates"] {
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(part),
            &folder.path().join(part),
        );
    }
    folder
}

fn edit(folder: &Path, file: &str, before: &str, after: &str) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(before), "{file} has no {before:?}");
    fs::write(path, text.replacen(before, after, 1)).unwrap();
}

fn check(folder: &Path, output: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coditect"))
        .args(["policy", "check", "--output", output, "--policy"])
        .arg(folder)
        .output()
        .unwrap()
}

#[test]
fn a_policy_without_mistakes_says_nothing() {
    let folder = sample();
    let checked = check(folder.path(), "text");
    assert_eq!(checked.status.code(), Some(0));
    assert!(checked.stdout.is_empty() && checked.stderr.is_empty());
    let checked = check(folder.path(), "json");
    let told: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(told, json!({"valid": true, "errors": []}));
}

#[test]
fn every_mistake_is_told_by_file_line_and_column() {
    let folder = sample();
    let edit = |file, before, after| edit(folder.path(), file, before, after);
    edit("tenants/plans/free.yaml", "storageGib", "storageGb");
    edit("tenants/plans/pro.yaml", "pids: 4096", "pids: many");
    edit("tenants/rings.yaml", "below: 10000", "below: 9000");
    edit(
        "templates/v1/user-10-namespace.yaml.j2",
        "{{ plan }}",
        "a-{{ plan }}",
    );
    edit(
        "templates/v1/workspace-30-service.yaml.j2",
        "{{ workspace.name }}",
        "{{ workspace.name",
    );
    let checked = check(folder.path(), "text");
    assert_eq!(checked.status.code(), Some(2));
    let told = String::from_utf8(checked.stdout).unwrap();
    let starts = [
        "templates/v1/user-10-namespace.yaml.j2:8:1: a {{ value }} must be a whole scalar",
        "templates/v1/workspace-30-service.yaml.j2:5:1: a {{ value }} must end on its line",
        "tenants/plans/free.yaml:4:3: missing field `storageGib` in `limits`; add it",
        "tenants/plans/free.yaml:4:3: unknown field `storageGb`; did you mean `storageGib`?",
        "tenants/plans/pro.yaml:15:11: `pids` must be a whole number, not text",
        "tenants/rings.yaml:14:12: the last ring must end `below: 10000`, not 9000",
    ];
    assert_eq!(told.lines().count(), starts.len(), "{told}");
    for (line, start) in told.lines().zip(starts) {
        assert!(line.starts_with(start), "{start}\n{told}");
    }
    let checked = check(folder.path(), "json");
    assert_eq!(checked.status.code(), Some(2));
    let told: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(told["valid"], false);
    assert_eq!(
        told["errors"][4],
        json!({"file": "tenants/plans/pro.yaml", "line": 15, "column": 11, "message": "`pids` must be a whole number, not text"})
    );
}

/// What no reading finds: a template that goes wrong only with a certain policy.
#[test]
fn what_only_rendering_finds_is_told_too() {
    let folder = sample();
    let edit = |file, before, after| edit(folder.path(), file, before, after);
    edit(
        "templates/v1/workspace-30-service.yaml.j2",
        "{name: gateway, port:",
        "{nam: gateway, port:",
    );
    edit(
        "templates/v1/user-10-namespace.yaml.j2",
        "{{ plan }}",
        "{{ plann }}",
    );
    let checked = check(folder.path(), "text");
    let told = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(2), "{told}");
    assert!(
        told.starts_with("templates/v1/user-10-namespace.yaml.j2:8:1: "),
        "{told}"
    );
}

#[test]
fn a_folder_without_a_policy_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checked = check(folder.path(), "text");
    assert_eq!(checked.status.code(), Some(2));
    let told = String::from_utf8(checked.stdout).unwrap();
    assert!(told.starts_with(".:1:1: "), "{told}");
    assert!(told.contains("holds no policy"), "{told}");
    // One half is there: the other one is missing.
    std::fs::create_dir(folder.path().join("tenants")).unwrap();
    let checked = check(folder.path(), "text");
    assert!(String::from_utf8_lossy(&checked.stdout).starts_with("templates:1:1: "));
}
