//! Who abuses the installation is held by a commit: a quota of zero pods, for whoever reviews it to see.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use reqwest::Method;
use support::{Api, Person, Process, World, git};
use tokio::time::{sleep, timeout};

/// Longest time to wait for what must happen; reached only when it does not.
const LIMIT: Duration = Duration::from_secs(60);

/// What the Namespace of a held user says.
const HELD: &str = "coditect.ai/standing: \"suspended\"";

/// `dev` in which these accounts administer the installation.
fn administered(world: &World, account: &str) -> Process {
    let mut command = world.command("dev");
    command.args(["--listen", "127.0.0.1:0", "--runtime", "none"]);
    command.args(["--administrator", account]);
    Process::start(command)
}

/// The person's file at the head, once it says so.
async fn committed(world: &World, person: &Person, says: impl Fn(&str) -> bool) -> String {
    let listed = || {
        git(
            &world.repository(),
            &["ls-tree", "-r", "--name-only", "main"],
        )
    };
    let name = format!("/{}.yaml", person.user);
    let look = async {
        loop {
            if let Some(path) = listed().lines().find(|path| path.ends_with(&name)) {
                let shown = git(&world.repository(), &["show", &format!("main:{path}")]);
                if says(&shown) {
                    return shown;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let found = timeout(LIMIT, look).await;
    found.expect("no commit says so")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_a_commit_and_so_is_its_end() {
    let world = World::new();
    let process = world.dev();
    let api = Api::of(&process);
    let root = api.sign_up("root@example.com", "Root").await.unwrap();
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let account = root.get("/api/v5/me").await.unwrap()["id"].clone();
    committed(&world, &ada, |file| !file.is_empty()).await;
    process.stop();

    let process = administered(&world, account.as_str().unwrap());
    let api = Api::of(&process);
    let (root, ada) = (root.at(&api).await, ada.at(&api).await);
    let path = format!("/api/v5/admin/users/{}", ada.user);
    root.must(Method::POST, &format!("{path}/hold"), None).await;
    let held = committed(&world, &ada, |file| file.contains(HELD)).await;
    assert!(held.contains("pods: \"0\""), "{held}");
    assert!(
        held.contains("kind: PersistentVolumeClaim"),
        "files are kept"
    );
    root.must(Method::POST, &format!("{path}/let-go"), None)
        .await;
    let free = committed(&world, &ada, |file| !file.contains(HELD)).await;
    assert!(!free.contains("pods: \"0\""), "{free}");
    process.stop();
    world.assert_verified();
}
