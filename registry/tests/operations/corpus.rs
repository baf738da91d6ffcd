//! The seeds of the fuzz targets: a key and a value of every kind that a person has. What was written by older
//! programs stays among them, and stays readable.

use std::{fs, path::PathBuf};

use coditect_registry::{keys, record};

use crate::{cast, support::World};

/// Writes seeds that are missing, and changes none that is there.
const UPDATE: &str = "UPDATE_CORPUS";

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// A file's name for a pattern.
fn name(pattern: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    pattern.chars().map(plain).collect()
}

#[tokio::test]
async fn every_kind_of_key_and_value_is_among_the_corpus() {
    let world = World::with_identity_key().await;
    cast::ada(&world).await;
    let mut missing = Vec::new();
    for (key, value) in world.entries().await {
        let pattern = keys::parse(&key).unwrap().kind.pattern;
        let value = [pattern.as_bytes(), &[0], &value].concat();
        for (target, bytes) in [("keys", key), ("values", value)] {
            let place = corpus().join(target).join(name(pattern));
            if place.exists() {
                continue;
            }
            if std::env::var_os(UPDATE).is_some() {
                fs::write(&place, bytes).unwrap();
            } else {
                missing.push(place);
            }
        }
    }
    assert!(missing.is_empty(), "run with {UPDATE}=1 for {missing:?}");
}

#[test]
fn old_values_stay_readable() {
    for seed in fs::read_dir(corpus().join("values")).unwrap() {
        let place = seed.unwrap().path();
        let seed = fs::read(&place).unwrap();
        let at = seed.iter().position(|byte| *byte == 0).unwrap();
        let pattern = std::str::from_utf8(&seed[..at]).unwrap();
        let read = record::inspect(pattern, &seed[at + 1..]);
        // Those that hold damage were found by the fuzzer, and say so.
        let damaged = place
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("damaged-");
        assert_eq!(read.is_err(), damaged, "{}: {read:?}", place.display());
    }
}
