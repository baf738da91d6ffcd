//! Golden files: `tests/golden/<case>/{intent.yaml, policy/, expected/}`, found by looking, compared byte
//! by byte. `UPDATE_GOLDEN=1 cargo test -p coditect-renderer --test golden` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use coditect_core::UserIntent;
use coditect_renderer::{
    policy::Policy,
    render::{Renderer, intent_of},
};

/// One expected file per document: `NN-kind-name.yaml`.
fn split(text: &str) -> BTreeMap<String, String> {
    let documents = text
        .split_inclusive('\n')
        .fold(Vec::<String>::new(), |mut documents, line| {
            if line == "---\n" {
                documents.push(String::new());
            } else if let Some(last) = documents.last_mut() {
                last.push_str(line);
            }
            documents
        });
    let name = |(index, text): (usize, String)| {
        let parsed: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let kind = parsed["kind"].as_str().unwrap().to_lowercase();
        (
            format!(
                "{index:02}-{kind}-{}.yaml",
                parsed["metadata"]["name"].as_str().unwrap()
            ),
            text,
        )
    };
    documents.into_iter().enumerate().map(name).collect()
}

fn render(case: &Path) -> BTreeMap<String, String> {
    let intent = fs::read_to_string(case.join("intent.yaml")).unwrap();
    let intent: UserIntent = serde_saphyr::from_str(&intent)
        .unwrap_or_else(|error| panic!("{}: {error}", case.display()));
    let mut files = support::folder(&support::root().join("tenants"));
    files.extend(support::folder(&case.join("policy")));
    let releases = support::releases();
    let policy = Policy::parse(&files, &releases)
        .unwrap_or_else(|errors| panic!("{}:\n{errors}", case.display()));
    let renderer = Renderer::new(policy.into(), releases);
    let rendered = renderer
        .render(&intent)
        .unwrap_or_else(|error| panic!("{}: {}", case.display(), error.chain()));
    assert_eq!(
        rendered,
        renderer.render_direct(&intent).unwrap(),
        "{}",
        case.display()
    );
    assert_eq!(rendered.path, intent.path());
    assert_eq!(
        intent_of(&rendered.bytes).as_ref(),
        Some(&intent),
        "{}",
        case.display()
    );
    assert!(!rendered.bytes.contains(&b'\r'));
    split(&String::from_utf8(rendered.bytes).unwrap())
}

fn expected(dir: &Path) -> BTreeMap<String, String> {
    let text = |(name, bytes)| (name, String::from_utf8(bytes).unwrap());
    support::folder(dir).into_iter().map(text).collect()
}

/// What differs, in words and as a diff.
fn difference(
    case: &str,
    expected: &BTreeMap<String, String>,
    actual: &BTreeMap<String, String>,
) -> String {
    let mut report = String::new();
    for name in expected
        .keys()
        .chain(actual.keys())
        .collect::<std::collections::BTreeSet<_>>()
    {
        match (expected.get(name), actual.get(name)) {
            (Some(_), None) => {
                report += &format!("{case}/expected/{name} is stale: nothing renders it any more\n")
            }
            (None, Some(_)) => report += &format!("{case}/expected/{name} is missing\n"),
            (Some(before), Some(after)) if before != after => {
                let diff = similar::TextDiff::from_lines(before.as_str(), after.as_str());
                let name = format!("{case}/expected/{name}");
                report += &diff.unified_diff().header(&name, "rendered").to_string();
            }
            _ => {}
        }
    }
    report
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(support::root().join("tests/golden"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    cases
}

#[test]
fn every_case_renders_what_was_reviewed() {
    let cases = cases();
    assert!(cases.len() >= 14, "only {} cases were found", cases.len());
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let mut report = String::new();
    for case in &cases {
        let (dir, actual) = (case.join("expected"), render(case));
        if update {
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir).unwrap();
            for (name, text) in &actual {
                fs::write(dir.join(name), text).unwrap();
            }
        }
        report += &difference(
            &case.file_name().unwrap().to_string_lossy(),
            &expected(&dir),
            &actual,
        );
    }
    let command = "UPDATE_GOLDEN=1 cargo test -p coditect-renderer --test golden";
    assert!(
        report.is_empty(),
        "\n{report}\nIf this is what you meant: {command}"
    );
}

#[test]
fn a_stale_missing_or_changed_file_is_told() {
    let map = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let report = difference(
        "c",
        &map(&[("a", "1\n"), ("b", "2\n")]),
        &map(&[("b", "3\n"), ("d", "4\n")]),
    );
    for part in [
        "c/expected/a is stale",
        "c/expected/d is missing",
        "-2\n+3\n",
    ] {
        assert!(report.contains(part), "{report}");
    }
    assert_eq!(
        difference("c", &map(&[("a", "1")]), &map(&[("a", "1")])),
        ""
    );
}
