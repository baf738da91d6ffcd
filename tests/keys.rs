//! `coditect keys`: what an operator sees of the signing keys, adds and takes away.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use coditect_api::KeyRing;
use serde_json::Value;

use support::coditect;

fn keys(data: &Path, arguments: &[&str]) -> Result<Value, String> {
    let mut command = coditect();
    command.args(["--output", "json", "keys", "--data"]);
    command.arg(data).args(arguments);
    let output = command.output().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

fn states(listed: &Value) -> Vec<&str> {
    let listed = listed.as_array().unwrap().iter();
    listed.map(|key| key["state"].as_str().unwrap()).collect()
}

#[test]
fn keys_are_listed_added_and_taken_away() {
    let data = tempfile::tempdir().unwrap();
    let refused = keys(data.path(), &["list"]).unwrap_err();
    assert!(refused.contains("--data"), "{refused}");
    assert!(!data.path().join("keys").exists(), "a look makes nothing");

    KeyRing::open(data.path().join("keys")).unwrap();
    let first = keys(data.path(), &["list"]).unwrap();
    assert_eq!(states(&first), ["signs"]);
    let rotated = keys(data.path(), &["rotate", "--lead", "3600"]).unwrap();
    assert_eq!(states(&rotated), ["signs", "next"]);

    let signs = first[0]["key"].as_str().unwrap();
    // As an argument that may begin with a hyphen.
    let revoked = keys(data.path(), &["revoke", "--", signs]).unwrap();
    assert_eq!(states(&revoked), ["signs", "next", "revoked"]);
    assert_eq!(revoked[2]["key"], signs);
    assert_ne!(revoked[0]["key"], signs, "another one signs at once");
    let again = keys(data.path(), &["revoke", "--", signs]).unwrap();
    assert_eq!(again, revoked);

    let refused = keys(data.path(), &["revoke", "nobodys"]).unwrap_err();
    assert!(refused.contains("coditect keys list"), "{refused}");
}
