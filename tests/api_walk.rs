//! What docs/api.md tells a newcomer to type, typed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::Command;

use support::World;

/// What the document's blocks of shell hold, one after another.
fn commands(document: &str) -> String {
    let blocks = document.split("```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks.collect::<Vec<_>>().concat()
}

#[test]
fn a_newcomer_comes_from_a_sign_up_to_an_ides_address() {
    let world = World::new();
    let dev = world.dev();
    let commands = commands(include_str!("../docs/api.md"));
    assert!(commands.contains("/api/v5/auth/register"), "{commands}");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands])
        .current_dir(world.folder.path())
        .env("URL", dev.ready["url"].as_str().unwrap())
        .output()
        .unwrap();
    let (said, complained) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("\"name\":\"thesis\""), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains("the IDE is at http"), "{said}");
    assert!(last.contains("a code of 107 characters"), "{said}");
}
