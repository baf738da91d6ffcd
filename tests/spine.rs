//! The whole line: a thousand people over HTTP, and what Git holds of them afterwards.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeSet, process::Command, sync::Arc};

use reqwest::Method;
use serde_json::json;
use support::{Api, Person, World, every_object, holds, is_linear, users_in};
use tokio::{sync::Semaphore, task::JoinSet};

const PEOPLE: usize = 1_000;
const AT_ONCE: usize = 32;

/// What one person does, by their number: everything a person can do, mixed.
async fn live(api: Api, number: usize) -> (Person, bool) {
    let person = api
        .sign_up(
            &format!("Person.{number}@Mail-{number}.example"),
            &name(number),
        )
        .await
        .unwrap();
    let workspace = format!("/api/v5/workspaces/{}", person.workspace);
    if number.is_multiple_of(3) {
        person
            .must(Method::POST, &format!("{workspace}/stop"), None)
            .await;
    }
    if number.is_multiple_of(6) {
        person
            .must(Method::POST, &format!("{workspace}/start"), None)
            .await;
    }
    if number.is_multiple_of(4) {
        person
            .must(
                Method::PUT,
                "/api/v5/tenant/plan",
                Some(json!({"plan": "starter"})),
            )
            .await;
        let second = person
            .must(
                Method::POST,
                "/api/v5/workspaces",
                Some(json!({"name": "thesis notes"})),
            )
            .await;
        if number.is_multiple_of(100) {
            let erase = format!(
                "/api/v5/workspaces/{}/erase",
                second["id"].as_str().unwrap()
            );
            let body = json!({"password": support::PASSWORD});
            person.must(Method::POST, &erase, Some(body)).await;
        }
    }
    if number.is_multiple_of(7) {
        person
            .must(
                Method::PUT,
                "/api/v5/tenant/plan",
                Some(json!({"plan": "pro"})),
            )
            .await;
    }
    let leaves = number % 29 == 1;
    if leaves {
        let body = json!({"password": support::PASSWORD, "mode": "now"});
        person.must(Method::DELETE, "/api/v5/me", Some(body)).await;
    }
    (person, leaves)
}

fn name(number: usize) -> String {
    format!("Zenobia Q{number}x Featherstonehaugh")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_people_and_what_git_holds_of_them() {
    let world = World::new();
    let dev = world.dev();
    let api = Api::of(&dev);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut people = JoinSet::new();
    for number in 0..PEOPLE {
        let (api, places) = (api.clone(), Arc::clone(&places));
        people.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            live(api, number).await
        });
    }
    let people = people.join_all().await;
    world.assert_verified();

    // Starts and stops make no commit.
    let commits =
        |world: &World| support::git(&world.repository(), &["rev-list", "--count", "main"]);
    let before = commits(&world);
    let stayed: Vec<&Person> = people
        .iter()
        .filter(|(_, left)| !left)
        .map(|(person, _)| person)
        .collect();
    for person in &stayed[..10] {
        for action in ["stop", "start"] {
            person
                .must(
                    Method::POST,
                    &format!("/api/v5/workspaces/{}/{action}", person.workspace),
                    None,
                )
                .await;
        }
    }
    world.assert_verified();
    assert_eq!(
        commits(&world),
        before,
        "power does not travel the road of commits"
    );

    // The page shows the commit that holds a workspace and how long it took.
    let shown = stayed[0]
        .get(&format!("/api/v5/workspaces/{}", stayed[0].workspace))
        .await
        .unwrap();
    assert_eq!(shown["phase"], "committed", "{shown}");
    let commit = shown["commit"].as_str().unwrap();
    support::git(
        &world.repository(),
        &["merge-base", "--is-ancestor", commit, "main"],
    );
    assert!(
        shown["timeline"]["request_to_commit_ms"].is_number(),
        "{shown}"
    );

    // A fresh clone holds exactly the expected users.
    let clone = world.clone();
    let expected: BTreeSet<&str> = stayed.iter().map(|person| person.user.as_str()).collect();
    assert_eq!(
        users_in(&clone)
            .iter()
            .map(String::as_str)
            .collect::<BTreeSet<_>>(),
        expected
    );
    assert!(is_linear(&world.repository()));
    support::git(&world.repository(), &["fsck", "--strict", "--no-dangling"]);

    // Nothing of a person stands in any object that ever was.
    let heap = every_object(&world.repository()).to_ascii_lowercase();
    for trace in [
        "zenobia",
        "featherstonehaugh",
        "@mail-",
        "person.",
        "thesis notes",
    ] {
        assert!(!holds(&heap, trace), "{trace} is in the repository");
    }
    assert!(
        holds(&heap, "kind: namespace"),
        "the heap is what it should be"
    );

    // A validator that is not ours and does not know our types accepts every manifest.
    let validator = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/validate-manifests");
    let checked = Command::new(validator)
        .arg(clone.join("shards"))
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
    dev.stop();
    world.assert_verified();
}
