//! The commands for the people of an installation, against a running one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Output, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};
use support::{Api, PASSWORD, World, coditect};
use tempfile::TempDir;

/// A person at a terminal of their own.
struct Desk {
    home: TempDir,
}

impl Desk {
    /// Runs a command, with these lines as its input.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = coditect();
        command
            .args(arguments)
            .env_remove("XDG_CONFIG_HOME")
            .env("HOME", self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that asks nothing may be gone before it is answered.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn json(&self, arguments: &[&str], input: &str) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat(), input);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], input: &str) -> (Option<i32>, String) {
        let output = self.run(arguments, input);
        assert!(!output.status.success(), "{arguments:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".config/coditect/credentials.json")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_works_with_their_workspaces_keys_and_tenant() {
    let world = World::new();
    let process = world.dev();
    let api = Api::of(&process);
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let plan = json!({ "plan": "starter" });
    ada.must(Method::PUT, "/api/v5/tenant/plan", Some(plan))
        .await;
    let desk = Desk {
        home: tempfile::tempdir().unwrap(),
    };
    let password = format!("{PASSWORD}\n");
    let (status, said) = desk.refused(&["workspace", "list"], "");
    assert_eq!(status, Some(2), "{said}");

    let url = process.ready["url"].as_str().unwrap();
    let login = ["login", "--url", url, "--email", "ada@example.com"];
    let (_, said) = desk.refused(&login, "not the password\n");
    assert!(said.contains("e-mail or password is wrong"), "{said}");
    assert_eq!(desk.json(&login, &password)["email"], "ada@example.com");
    let mode = fs::metadata(desk.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let first = desk.json(&["workspace", "list"], "");
    assert_eq!(first[0]["id"], ada.workspace.as_str());
    let shown = desk.run(&["workspace", "list"], "");
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("host") && shown.contains(&ada.workspace),
        "{shown}"
    );
    let made = desk.json(&["workspace", "create", "thesis"], "");
    let slug = made["slug"].as_str().unwrap();
    let stopped = desk.json(&["workspace", "stop", "thesis"], "");
    assert_eq!(stopped["power"]["wanted"], "off");
    let started = desk.json(&["workspace", "start", slug], "");
    assert_eq!(
        (&started["id"], &started["power"]["wanted"]),
        (&made["id"], &"on".into())
    );
    let opened = desk.json(&["workspace", "open", "thesis"], "");
    let id = made["id"].as_str().unwrap();
    assert_eq!(opened["url"], format!("{url}/ide/{id}"));
    let deleted = desk.json(&["workspace", "delete", id], "");
    assert!(deleted["deletes_at"].is_string());
    let (status, said) = desk.refused(&["workspace", "stop", "nothing"], "");
    assert_eq!(status, Some(2), "{said}");

    let invited = desk.json(
        &["tenant", "invite", "bob@example.com", "--role", "admin"],
        "",
    );
    let open = desk.json(&["tenant", "invitations"], "");
    assert_eq!(
        (&open[0]["id"], &open[0]["role"]),
        (&invited["id"], &"admin".into())
    );
    desk.json(&["tenant", "uninvite", invited["id"].as_str().unwrap()], "");
    assert_eq!(
        desk.json(&["tenant", "invitations"], ""),
        Value::Array(Vec::new())
    );
    let members = desk.json(&["tenant", "members"], "");
    assert_eq!(members[0]["email"], "ada@example.com");
    assert_eq!(
        desk.json(&["tenant", "rename", "Physics"], "")["name"],
        "Physics"
    );
    assert_eq!(desk.json(&["tenant", "show"], "")["name"], "Physics");
    assert_eq!(desk.json(&["tenant", "rename"], "")["name"], Value::Null);
    assert_eq!(desk.json(&["tenant", "show"], "")["role"], "owner");
    let user = members[0]["user"].as_str().unwrap();
    let (_, said) = desk.refused(&["tenant", "remove", user], "");
    assert!(said.contains("leave"), "{said}");
    let audit = desk.json(&["tenant", "audit"], "");
    assert_eq!(audit[0]["action"], "tenant_renamed");

    // The command line's own key, and one that may only look.
    let key = [
        "api-key",
        "create",
        "looks",
        "--scope",
        "workspaces:read",
        "--days",
        "1",
    ];
    let key = desk.json(&key, &password);
    let keys = desk.json(&["api-key", "list"], &password);
    assert_eq!(keys.as_array().unwrap().len(), 2);
    let looks = Desk {
        home: tempfile::tempdir().unwrap(),
    };
    let secret = format!("{}\n", key["secret"].as_str().unwrap());
    let kept = looks.json(&["login", "--url", url], &secret);
    assert_eq!(kept["email"], Value::Null);
    assert_eq!(
        looks
            .json(&["workspace", "list"], "")
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let (status, said) = looks.refused(&["workspace", "create", "more"], "");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("workspaces:write"), "{said}");
    let (_, said) = desk.refused(&["api-key", "create", "x", "--scope", "all"], &password);
    assert!(said.contains("scopes"), "{said}");
    desk.json(
        &["api-key", "revoke", key["id"].as_str().unwrap()],
        &password,
    );
    let (_, said) = looks.refused(&["workspace", "list"], "");
    assert!(said.contains("revoked"), "{said}");

    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o644)).unwrap();
    let (status, said) = desk.refused(&["workspace", "list"], "");
    assert_eq!(status, Some(2));
    assert!(said.contains("chmod 600"), "{said}");
    assert_eq!(desk.json(&["logout"], "")["forgotten"], true);
    assert!(!desk.file().exists());
    process.stop();
}

#[test]
fn keys_go_to_no_other_machine_unencrypted() {
    let desk = Desk {
        home: tempfile::tempdir().unwrap(),
    };
    let login = ["login", "--url", "http://app.example.com"];
    let (status, said) = desk.refused(&login, "coditect_x\n");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("plain HTTP"), "{said}");
    assert!(!desk.file().exists());
}

#[test]
fn shells_complete_the_commands() {
    let desk = Desk {
        home: tempfile::tempdir().unwrap(),
    };
    let script = desk.run(&["completions", "bash"], "");
    let script = String::from_utf8(script.stdout).unwrap();
    for command in ["workspace", "api-key", "tenant", "login"] {
        assert!(
            script.contains(&format!("coditect,{command})")),
            "{command}"
        );
    }
}
