//! `dev` runs workspaces as processes of this machine: from sign-up to a page that answers, asleep and awake again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{path::PathBuf, process::Command, time::Duration};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use support::{Api, Person, Process, Tab, World};
use tokio::time::{sleep, timeout};

/// Longest time to wait for something that must happen; reached only when it does not.
const LIMIT: Duration = Duration::from_secs(60);
/// How long between two looks.
const BETWEEN: Duration = Duration::from_millis(20);

/// `dev` with the local runtime.
fn start(world: &World) -> (Process, Api) {
    let mut command = world.command("dev");
    command.args(["--listen", "127.0.0.1:0", "--no-rate-limits"]);
    let dev = Process::start(command);
    let api = Api::of(&dev);
    (dev, api)
}

/// Looks until it is so.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(BETWEEN).await;
        }
    };
    match timeout(LIMIT, looking).await {
        Ok(found) => found,
        Err(_) => panic!("never: {what}"),
    }
}

async fn workspace(person: &Person) -> Value {
    let path = format!("/api/v5/workspaces/{}", person.workspace);
    person.get(&path).await.unwrap()
}

/// Waits until the workspace is in this phase, and shows it.
async fn in_phase(person: &Person, phase: &str) -> Value {
    let mut last = Value::Null;
    let look = async || {
        last = workspace(person).await;
        (last["phase"] == phase).then(|| last.clone())
    };
    until(&format!("{phase} of {}", person.workspace), look).await
}

async fn act(person: &Person, what: &str) {
    let path = format!("/api/v5/workspaces/{}/{what}", person.workspace);
    person.must(Method::POST, &path, None).await;
}

/// A request for the workspace's own host, as a browser that goes there sends it. The name leads to this machine
/// in every browser (RFC 6761 section 6.3); here the address is used as it is.
fn visit(api: &Api, shown: &Value, method: Method, path: &str) -> RequestBuilder {
    let url = shown["url"].as_str().unwrap();
    let host = url.strip_prefix("http://").unwrap();
    let port = api.url.rsplit_once(':').unwrap().1;
    assert!(
        host.ends_with(&format!(".workspaces.localhost:{port}")),
        "the address is this process's own: {url}"
    );
    api.request(method, path)
        .header("host", host)
        .header("accept", "text/html")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document")
}

async fn text(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// A tab on the person's workspace.
async fn tab(api: &Api, person: &Person) -> Tab {
    Tab::open(person, &api.url).await
}

async fn write(tab: &Tab, name: &str, content: &str) {
    let written = format!("name={name}&content={content}");
    let request = tab
        .request(Method::POST, "/files")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(written);
    // The answer leads to the list of files.
    let (status, page) = text(request).await;
    assert!(
        status.is_success() || status.is_redirection(),
        "{status} {page}"
    );
}

async fn read(tab: &Tab, name: &str) -> String {
    let (status, page) = text(tab.request(Method::GET, &format!("/files/{name}"))).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page
}

fn volume(world: &World, person: &Person) -> PathBuf {
    world
        .data()
        .join("volumes")
        .join(&person.user)
        .join(&person.workspace)
}

/// The processes that have the workspace's files.
fn processes(world: &World) -> Vec<u32> {
    let folder = world.data().join("volumes");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // It may end while we look.
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.contains("workspace-pod") && line.contains(folder.to_str().unwrap()) {
            found.push(id);
        }
    }
    found
}

async fn until_none_runs(world: &World) {
    until("no process is left", async || {
        processes(world).is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_comes_up_sleeps_and_wakes_with_its_files() {
    let world = World::new();
    let (dev, api) = start(&world);
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let shown = in_phase(&ada, "ready").await;
    let steps: Vec<&str> = shown["timeline"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["phase"].as_str().unwrap())
        .collect();
    assert_eq!(
        steps,
        ["requested", "committed", "synced", "starting", "ready"]
    );
    // Whoever comes by the address alone is led to the page that lets people in.
    let (status, page) = text(visit(&api, &shown, Method::GET, "/")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("No files yet"), "{page}");
    let inside = tab(&api, &ada).await;
    let (status, page) = text(inside.request(Method::GET, "/")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("No files yet"), "{page}");
    write(&inside, "notes.txt", "the+first+line").await;
    assert!(read(&inside, "notes.txt").await.contains("the first line"));
    let file = volume(&world, &ada).join("notes.txt");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the first line");
    // Another host's requests are the API's as ever.
    let (status, _) = text(api.request(Method::GET, "/health")).await;
    assert_eq!(status, StatusCode::OK);

    act(&ada, "stop").await;
    in_phase(&ada, "suspended").await;
    assert!(processes(&world).is_empty(), "nothing runs");
    let (status, page) = text(visit(&api, &shown, Method::GET, "/")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let wake = format!(
        "href=\"{}/wake/{}\"",
        api.url,
        shown["slug"].as_str().unwrap()
    );
    assert!(page.contains("asleep") && page.contains(&wake), "{page}");
    assert!(file.exists(), "the volume is kept");
    // What asks without a person behind it wakes nothing.
    for _ in 0..50 {
        let probe = visit(&api, &shown, Method::GET, "/health").header("sec-fetch-mode", "cors");
        assert_eq!(text(probe).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(workspace(&ada).await["phase"], "suspended");

    act(&ada, "start").await;
    let shown = in_phase(&ada, "ready").await;
    let steps = shown["timeline"]["steps"].as_array().unwrap();
    assert_eq!(
        steps[0]["phase"], "starting",
        "a road of its own: {shown:#}"
    );
    let inside = tab(&api, &ada).await;
    assert!(read(&inside, "notes.txt").await.contains("the first line"));
    dev.stop();
    until_none_runs(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_leaves_no_child_and_the_next_start_brings_the_workspace_up_again() {
    let world = World::new();
    let (dev, api) = start(&world);
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    in_phase(&ada, "ready").await;
    write(&tab(&api, &ada).await, "notes.txt", "kept").await;
    assert_eq!(processes(&world).len(), 1);
    dev.kill();
    until_none_runs(&world).await;

    let (dev, api) = start(&world);
    let ada = ada.at(&api).await;
    until("the workspace is found again", async || {
        (workspace(&ada).await["phase"] == "ready").then_some(())
    })
    .await;
    let inside = tab(&api, &ada).await;
    assert!(read(&inside, "notes.txt").await.contains("kept"));
    in_phase(&ada, "ready").await;
    // A suspended one is not started by a restart.
    act(&ada, "stop").await;
    in_phase(&ada, "suspended").await;
    dev.kill();
    let (dev, api) = start(&world);
    let ada = ada.at(&api).await;
    let eve = api.sign_up("eve@example.com", "Eve").await.unwrap();
    in_phase(&eve, "ready").await;
    assert_eq!(workspace(&ada).await["phase"], "suspended");
    assert_eq!(processes(&world).len(), 1, "Eve's alone");
    dev.stop();
    until_none_runs(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_crashes_is_started_again_and_said_to_crash_if_it_goes_on() {
    let world = World::new();
    let (dev, api) = start(&world);
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let shown = in_phase(&ada, "ready").await;
    let kill = |process: u32| {
        let killed = Command::new("kill")
            .args(["-9", &process.to_string()])
            .status();
        // It may have ended by itself.
        killed.unwrap();
    };
    let first = processes(&world)[0];
    kill(first);
    until("another process answers", async || {
        let runs = processes(&world).iter().any(|process| *process != first);
        let (status, _) = text(visit(&api, &shown, Method::GET, "/")).await;
        (runs && status == StatusCode::OK).then_some(())
    })
    .await;
    let failed = until("failed", async || {
        processes(&world).into_iter().for_each(kill);
        let shown = workspace(&ada).await;
        (shown["phase"] == "failed").then_some(shown)
    })
    .await;
    assert_eq!(failed["reason"]["cause"], "crash", "{failed:#}");
    // Left alone, it comes back.
    in_phase(&ada, "ready").await;
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_removes_the_volume_and_nobody_elses() {
    let world = World::new();
    let (dev, api) = start(&world);
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let eve = api.sign_up("eve@example.com", "Eve").await.unwrap();
    for person in [&ada, &eve] {
        in_phase(person, "ready").await;
        write(&tab(&api, person).await, "notes.txt", "kept").await;
    }
    // Marked: the pod goes, the files stay.
    let path = format!("/api/v5/workspaces/{}", ada.workspace);
    ada.must(Method::DELETE, &path, None).await;
    until("one process is left", async || {
        (processes(&world).len() == 1).then_some(())
    })
    .await;
    assert!(volume(&world, &ada).join("notes.txt").exists());
    let shown = workspace(&ada).await;
    let (status, _) = text(visit(&api, &shown, Method::GET, "/")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let password = json!({"password": support::PASSWORD});
    ada.must(Method::POST, &format!("{path}/erase"), Some(password))
        .await;
    until("the volume is gone", async || {
        (!volume(&world, &ada).exists()).then_some(())
    })
    .await;
    in_phase(&eve, "ready").await;
    let inside = tab(&api, &eve).await;
    assert!(read(&inside, "notes.txt").await.contains("kept"));
    world.assert_verified();

    // A person who leaves takes everything along.
    let leave = json!({"password": support::PASSWORD, "mode": "now"});
    let (status, answer) = eve
        .send(Method::DELETE, "/api/v5/me", Some(leave))
        .await
        .unwrap();
    assert!(status.is_success(), "{status} {answer}");
    let of_user = world.data().join("volumes").join(&eve.user);
    until("all volumes are gone", async || {
        (!of_user.exists()).then_some(())
    })
    .await;
    until_none_runs(&world).await;
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_machine_says_so_and_serves_who_waits_when_it_has_room() {
    let world = World::new();
    let mut command = world.command("dev");
    command.args(["--listen", "127.0.0.1:0", "--no-rate-limits"]);
    command.args(["--run-at-most", "1"]);
    let dev = Process::start(command);
    let api = Api::of(&dev);
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    in_phase(&ada, "ready").await;
    let eve = api.sign_up("eve@example.com", "Eve").await.unwrap();
    let waits = in_phase(&eve, "failed").await;
    assert_eq!(waits["reason"]["cause"], "unschedulable", "{waits:#}");
    act(&ada, "stop").await;
    in_phase(&eve, "ready").await;
    dev.stop();
}

/// Nobody but this process sees what runs here: roll-outs go by what it says.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_through_all_rings_and_restarts_nobody() {
    let world = World::new();
    let (dev, api) = start(&world);
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    in_phase(&ada, "ready").await;
    let before = processes(&world);

    let mut command = world.command("cell");
    until("the cell is told of", async || {
        let said = command.output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        (said.status.success() && text.contains("in service")).then_some(())
    })
    .await;

    let templates = world.data().join("policy/templates");
    std::fs::create_dir(templates.join("v2")).unwrap();
    for template in std::fs::read_dir(templates.join("v1")).unwrap() {
        let template = template.unwrap();
        std::fs::copy(
            template.path(),
            templates.join("v2").join(template.file_name()),
        )
        .unwrap();
    }
    let rollout = |arguments: &[&str]| {
        let mut command = world.command("rollout");
        command.args(arguments).output().unwrap()
    };
    until("the release is in the policy", async || {
        let started = rollout(&["start", "v2", "--ring-soak", "1s"]);
        started.status.success().then_some(())
    })
    .await;
    until("every ring has it", async || {
        let told = rollout(&["status", "--json"]);
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        (told["state"] == "done").then_some(())
    })
    .await;
    assert_eq!(processes(&world), before);
    dev.stop();
}
