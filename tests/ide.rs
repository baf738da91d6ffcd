//! `dev` with an IDE: a pod's process starts and ends it as a kubelet does its container. What starts it is the IDE's own
//! (`theia/app/start.mjs`); the back end behind that is a small one here, the real one is in `make journey`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use reqwest::{Method, StatusCode};
use support::{Api, Person, Process, Tab, World};
use tokio::time::{sleep, timeout};

/// Longest time to wait for something that must happen; reached only when it does not.
const LIMIT: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_millis(20);

/// Listens once its volume holds a file `go`.
const BACK_END: &str = r#"
    const { existsSync } = require('node:fs');
    const http = require('node:http');
    const folder = process.argv[2];
    const port = Number(process.argv.find(one => one.startsWith('--port=')).slice('--port='.length));
    const look = setInterval(() => {
        if (existsSync(`${folder}/go`)) {
            clearInterval(look);
            http.createServer((request, answer) => answer.end('the editor')).listen(port, '127.0.0.1');
        }
    }, 20);
"#;

/// A folder as `make theia` makes it.
fn build(world: &World) -> PathBuf {
    let build = world.folder.path().join("ide");
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("theia/app");
    fs::create_dir_all(build.join("lib/backend")).unwrap();
    fs::create_dir_all(build.join("sample")).unwrap();
    for name in ["start.mjs", "sample.mjs", "sample/README.md"] {
        fs::copy(app.join(name), build.join(name)).unwrap();
    }
    fs::write(build.join("lib/backend/main.js"), BACK_END).unwrap();
    build
}

fn start(world: &World) -> (Process, Api) {
    let mut command = world.command("dev");
    command.args(["--listen", "127.0.0.1:0", "--no-rate-limits", "--ide"]);
    command.arg(build(world));
    // Nobody's programs are to see this.
    command.env("SOMEBODYS_SECRET", "secret");
    let dev = Process::start(command);
    let api = Api::of(&dev);
    (dev, api)
}

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

async fn phase(person: &Person) -> String {
    let path = format!("/api/v5/workspaces/{}", person.workspace);
    let shown = person.get(&path).await.unwrap();
    shown["phase"].as_str().unwrap().to_owned()
}

async fn until_ready(person: &Person) {
    let look = async || (phase(person).await == "ready").then_some(());
    until("ready", look).await;
}

/// The volume, once its pod has been started.
async fn volume(world: &World, person: &Person) -> PathBuf {
    let volumes = world.data().join("volumes");
    let volume = volumes.join(&person.user).join(&person.workspace);
    until("the sample", async || {
        volume.join("README.md").exists().then_some(())
    })
    .await;
    volume
}

/// The processes whose command line holds all of this.
fn processes(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        // It may end while we look.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        if name.parse::<u32>().is_ok() && words.iter().all(|word| line.contains(word)) {
            found.push(name);
        }
    }
    found
}

/// A request for a webview's host of the workspace, without a cookie.
async fn webview(api: &Api, person: &Person, path: &str) -> StatusCode {
    let shown = format!("/api/v5/workspaces/{}", person.workspace);
    let shown = person.get(&shown).await.unwrap();
    let host = shown["url"].as_str().unwrap().trim_end_matches('/');
    let host = host.strip_prefix("http://").unwrap();
    let host = format!("w-00001013-3d41-4b7a-8c55-19e06fa2b713-{host}");
    let request = api.request(Method::GET, path).header("host", host);
    request.send().await.unwrap().status()
}

async fn page(tab: &Tab) -> (StatusCode, String) {
    let answer = tab.request(Method::GET, "/").send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_ready_when_its_ide_answers_and_its_gateway_says_so_until_then() {
    let world = World::new();
    let (dev, api) = start(&world);
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let volume = volume(&world, &ada).await;
    let tab = Tab::open(&ada, &api.url).await;
    let (status, waiting) = page(&tab).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{waiting}");
    assert!(waiting.contains("IDE does not answer yet"), "{waiting}");
    assert_eq!(phase(&ada).await, "starting");

    fs::write(volume.join("go"), "").unwrap();
    until_ready(&ada).await;
    assert_eq!(page(&tab).await, (StatusCode::OK, "the editor".to_owned()));
    // Webviews have hosts of their own, on which there is the program's own and nothing else.
    assert_eq!(webview(&api, &ada, "/webview/x").await, StatusCode::OK);
    assert_eq!(webview(&api, &ada, "/x").await, StatusCode::NOT_FOUND);
    for process in processes(&["start.mjs", volume.to_str().unwrap()]) {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap();
        assert!(!support::holds(&environment, "SOMEBODYS_SECRET"));
    }
    dev.stop();
    assert_eq!(processes(&[volume.to_str().unwrap()]), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ide_ends_with_its_pod_however_that_ends() {
    let world = World::new();
    let (dev, api) = start(&world);
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let volume = volume(&world, &ada).await;
    fs::write(volume.join("go"), "").unwrap();
    until_ready(&ada).await;
    let volume = volume.to_str().unwrap();
    let (pods, ides) = (["workspace-pod", volume], ["start.mjs", volume]);
    let (pod, ide) = (processes(&pods), processes(&ides));
    assert_eq!((pod.len(), ide.len()), (1, 1));
    let killed = Command::new("kill").args(["-9", &pod[0]]).status();
    assert!(killed.unwrap().success());
    until("another pod with another IDE", async || {
        let now = (processes(&pods), processes(&ides));
        let other = now.0.len() == 1 && now.0 != pod && now.1.len() == 1 && now.1 != ide;
        other.then_some(())
    })
    .await;
    until_ready(&ada).await;
    dev.kill();
    until("nothing is left", async || {
        processes(&[volume]).is_empty().then_some(())
    })
    .await;
}
