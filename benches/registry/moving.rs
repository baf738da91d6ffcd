//! A whole registry out and in again.

use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use coditect_registry::{
    check, dump,
    store::{Store, embedded::EmbeddedStore},
};
use serde_json::{Value, json};

use crate::{
    figures::{peak_mb, progress, table, verdict},
    people,
};

/// Runs one step, in a process of its own so that its peak memory is its own: `fill FOLDER USERS`, `export FOLDER
/// FILE`, `import FOLDER FILE` or `check FOLDER`.
pub(crate) fn step(arguments: &[String]) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let figures = runtime.block_on(async {
        let store = EmbeddedStore::open(Path::new(&arguments[1]).join("registry.redb")).unwrap();
        let store = store as Arc<dyn Store>;
        let began = Instant::now();
        let records = match arguments[0].as_str() {
            "fill" => {
                people::fill(&store, arguments[2].parse().unwrap()).await;
                0
            }
            "export" => {
                let mut out = BufWriter::new(File::create(&arguments[2]).unwrap());
                let exported = dump::export(&store, &mut out, &|_| {}).await.unwrap();
                assert!(exported.consistent);
                exported.records
            }
            "import" => {
                let mut file = BufReader::new(File::open(&arguments[2]).unwrap());
                let imported = dump::import(&store, &mut file, &|_, _| {}).await.unwrap();
                imported.content.records
            }
            "check" => {
                let report = check::check(&store, None, &|_| {}).await.unwrap();
                assert_eq!(report.findings, []);
                report.entries
            }
            other => panic!("no step {other}"),
        };
        json!({"seconds": began.elapsed().as_secs_f64(), "records": records, "peak_mb": peak_mb()})
    });
    println!("{figures}");
}

fn process(arguments: &[&str]) -> Value {
    progress(&arguments.join(" "));
    let child = Command::new(std::env::current_exe().unwrap())
        .arg("moving")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(child.status.success(), "{arguments:?} failed");
    serde_json::from_slice(&child.stdout).unwrap()
}

pub(crate) fn run(small: usize, large: usize) {
    let mut rows = Vec::new();
    let mut peaks = Vec::new();
    let mut identical = true;
    for users in [small, large] {
        let work = tempfile::tempdir().unwrap();
        let path = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
        for folder in ["first", "second"] {
            std::fs::create_dir(work.path().join(folder)).unwrap();
        }
        process(&["fill", &path("first"), &users.to_string()]);
        let steps = [
            (
                "export",
                process(&["export", &path("first"), &path("one.jsonl")]),
            ),
            (
                "import",
                process(&["import", &path("second"), &path("one.jsonl")]),
            ),
            (
                "export again",
                process(&["export", &path("second"), &path("two.jsonl")]),
            ),
            ("check", process(&["check", &path("second")])),
        ];
        identical &= same(&path("one.jsonl"), &path("two.jsonl"));
        let megabytes = std::fs::metadata(path("one.jsonl")).unwrap().len() as f64 / 1e6;
        for (what, figures) in steps {
            let number = |name: &str| figures[name].as_f64().unwrap();
            peaks.push((users, number("peak_mb")));
            rows.push([
                users.to_string(),
                what.to_owned(),
                format!("{:.0}", number("records")),
                format!("{megabytes:.0} MB"),
                format!("{:.1} s", number("seconds")),
                format!("{:.0}", number("records") / number("seconds")),
                format!("{:.0} MB", number("peak_mb")),
            ]);
        }
    }
    table(
        "A whole registry as JSON lines, and back",
        [
            "users",
            "what",
            "records",
            "file",
            "time",
            "records a second",
            "peak memory",
        ],
        rows,
    );
    println!(
        "export, import, export: byte-identical at {small} and {large} users: {}",
        verdict(identical)
    );
    let peak = |of: usize| {
        peaks
            .iter()
            .filter(|(users, _)| *users == of)
            .fold(0.0_f64, |most, (_, peak)| most.max(*peak))
    };
    println!(
        "peak memory {:.0} MB at {small} users, {:.0} MB at {large} (target: flat, at most 1.25 ×): {}",
        peak(small),
        peak(large),
        verdict(peak(large) <= 1.25 * peak(small))
    );
}

fn same(one: &str, other: &str) -> bool {
    use std::io::Read;
    let (mut one, mut other) = (
        BufReader::new(File::open(one).unwrap()),
        BufReader::new(File::open(other).unwrap()),
    );
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut left).unwrap();
        if read == 0 {
            return other.read(&mut right).unwrap() == 0;
        }
        if other.read_exact(&mut right[..read]).is_err() || left[..read] != right[..read] {
            return false;
        }
    }
}
