//! A pod whose programs are hostile: what they cannot have read, cannot pretend and cannot hold up. Each has a control
//! beside it that is honest, and passes.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use coditect_core::{
    WorkspaceId,
    sidecar::{FileBatch, FileEvent, HEARTBEAT_PATH},
};
use hyper::StatusCode;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    api::{Api, PROJECTED},
    ide::Ide,
    program::Program,
    socket::refused,
    tabs::Tab,
    world::{World, options, send, until},
};

/// How many files there are of the crowd; another number by this variable, such as 1000000.
const CROWD: usize = 5_000;
const OTHER_CROWD: &str = "CODITECT_TEST_FILES";
/// Most memory that the program holds whatever the volume holds, in KiB.
const MOST_MEMORY: u64 = 64 * 1024;

/// Every file that was reported, with its content if it came along.
fn reported(batches: &[FileBatch]) -> Vec<(String, Option<String>)> {
    batches
        .iter()
        .flat_map(|batch| &batch.events)
        .filter_map(|event| match event {
            FileEvent::Written { path, content, .. } => {
                let text = content
                    .as_ref()
                    .map(|content| BASE64_STANDARD.decode(content).unwrap());
                let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
                Some((path.clone(), text))
            }
            _ => None,
        })
        .collect()
}

async fn until_reported(world: &World, path: &str) -> Vec<(String, Option<String>)> {
    let all = || reported(&world.api.state.batches.lock().unwrap());
    world
        .until(|| async { all().iter().any(|(at, _)| at == path) })
        .await;
    all()
}

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// A link to the gateway's own token, also one that was a file a moment ago.
#[tokio::test]
async fn a_link_to_a_token_is_never_followed() {
    let world = World::new().await;
    let token = world.folder.path().join("token");
    let volume = world.folder.path().join("workspace");
    fs::create_dir(volume.join("away")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = {
        let (stop, volume, token) = (Arc::clone(&stop), volume.clone(), token.clone());
        std::thread::spawn(move || {
            let (link, file, swap) = (volume.join("l"), volume.join("f"), volume.join("swap"));
            while !stop.load(Ordering::SeqCst) {
                symlink(&token, &link).unwrap();
                fs::rename(&link, &swap).unwrap();
                fs::write(&file, "honest").unwrap();
                fs::rename(&file, &swap).unwrap();
            }
        })
    };
    symlink(&token, volume.join("token")).unwrap();
    symlink(world.folder.path(), volume.join("away/up")).unwrap();
    // What counts is that it is a link: the same text in a file of the person's is theirs to keep.
    fs::write(volume.join("control"), PROJECTED).unwrap();
    until_reported(&world, "control").await;
    until_reported(&world, "swap").await;
    for round in 0..5 {
        let name = format!("control-{round}");
        fs::write(volume.join(&name), "honest").unwrap();
        until_reported(&world, &name).await;
    }
    stop.store(true, Ordering::SeqCst);
    swapping.join().unwrap();
    for (path, text) in reported(&world.api.state.batches.lock().unwrap()) {
        let has_token = text.is_some_and(|text| text.contains(PROJECTED));
        assert_eq!(has_token, path == "control", "{path}");
    }
}

#[tokio::test]
async fn a_pipe_and_a_file_without_end_are_waited_for_by_nobody() {
    let world = World::new().await;
    let volume = world.folder.path().join("workspace");
    fs::create_dir(volume.join("sub")).unwrap();
    // Also where the gateway itself looks for something to read.
    for name in ["pipe", ".gitignore", "sub/.gitignore"] {
        pipe(&volume.join(name));
    }
    // The largest that is read, and one far above it.
    for (name, length) in [("read", 16 << 20), ("endless", 10 << 30)] {
        let file = fs::File::create(volume.join(name)).unwrap();
        file.set_len(length).unwrap();
    }
    fs::write(volume.join("sub/control"), "honest").unwrap();
    for path in ["sub/control", "read", "endless"] {
        until_reported(&world, path).await;
    }
    let batches = world.api.state.batches.lock().unwrap();
    let mut hashed = Vec::new();
    for event in batches.iter().flat_map(|batch| &batch.events) {
        if let FileEvent::Written { path, sha256, .. } = event {
            assert!(!path.contains("pipe") && !path.contains(".gitignore"));
            if sha256.is_some() {
                hashed.push(path.as_str());
            }
        }
    }
    assert!(hashed.contains(&"read") && !hashed.contains(&"endless"));
}

/// The program begins on a volume that is full of files, and looks at them all once more at its end.
#[tokio::test]
async fn a_crowd_of_files_costs_little_memory_and_has_an_end() {
    let crowd =
        std::env::var_os(OTHER_CROWD).map_or(CROWD, |many| many.to_str().unwrap().parse().unwrap());
    let workspace = WorkspaceId::random();
    let (api, ide) = (Api::start(workspace).await, Ide::start().await);
    let folder = TempDir::new().unwrap();
    let options = options(&folder, workspace, api.address, ide.address);
    let volume = folder.path().join("workspace");
    for at in 0..crowd {
        let folder = volume.join(format!("folder-{}", at / 1_000));
        if at % 1_000 == 0 {
            fs::create_dir(&folder).unwrap();
        }
        fs::write(folder.join(format!("file-{at}")), "").unwrap();
    }
    let program = Program::start(&options, &api).await;
    let all = || reported(&api.state.batches.lock().unwrap());
    fs::write(volume.join("control"), "honest").unwrap();
    until(|| async {
        assert!(program.memory() < MOST_MEMORY, "{} KiB", program.memory());
        let all = all();
        all.len() > crowd.min(20_000) && all.iter().any(|(path, _)| path == "control")
    })
    .await;
    program.end().await;
}

/// A program that writes the same file without end is reported now and then, and its neighbours at once.
#[tokio::test]
async fn a_file_that_changes_all_the_time_crowds_out_no_other() {
    let world = World::new().await;
    let volume = world.folder.path().join("workspace");
    let began = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (stop, path) = (Arc::clone(&stop), volume.join("busy"));
        std::thread::spawn(move || {
            let mut count = 0_u64;
            while !stop.load(Ordering::SeqCst) {
                count += 1;
                fs::write(&path, count.to_string()).unwrap();
            }
        })
    };
    for at in 0..5 {
        let name = format!("control-{at}");
        fs::write(volume.join(&name), "honest").unwrap();
        until_reported(&world, &name).await;
    }
    stop.store(true, Ordering::SeqCst);
    writing.join().unwrap();
    let all = reported(&world.api.state.batches.lock().unwrap());
    let busy = all.iter().filter(|(path, _)| path == "busy").count();
    let most = 1 + began.elapsed().as_secs() / 10;
    assert!((1..=most as usize).contains(&busy), "{busy}");
}

/// A loop in a terminal can say that it prints, which is so. It cannot say that a person is there, and is not heard
/// more often than others.
#[tokio::test]
async fn a_loop_in_a_terminal_is_no_person() {
    let world = World::new().await;
    let began = Instant::now();
    let inside = world.sidecar.inside();
    let host = [("host", inside.to_string())];
    for round in 0..300 {
        let said = json!({"output": round % 2 == 0, "tasks": round % 3}).to_string();
        let answer = send(inside, "PUT", "/activity", &host, said).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let person = json!({"input": true}).to_string();
        let answer = send(inside, "PUT", "/activity", &host, person).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    // A tab would be believed; but the pod's programs have no cookie, nor anything to make one of.
    refused(&world, &[], "401").await;
    let forged = format!("{}={PROJECTED}", crate::world::COOKIE);
    refused(&world, &[("cookie", forged)], "401").await;
    let said = || -> Vec<Value> {
        let calls = world.api.state.calls.lock().unwrap();
        let beats = calls.iter().filter(|(path, _)| path == HEARTBEAT_PATH);
        beats.map(|(_, said)| said.clone()).collect()
    };
    let most = 2 + began.elapsed().as_secs() / 5;
    let beats = said();
    assert!(beats.len() as u64 <= most, "{}", beats.len());
    assert!(beats.iter().all(|beat| beat["input_at"].is_null()));
    let activity = async || world.get("/coditect/activity", &world.own()).await.json();
    assert!(activity().await["input_at"].is_null());

    let (mut tab, _) = Tab::welcomed(&world, "one").await;
    tab.say(json!({"type": "input"})).await;
    world
        .until(|| async { activity().await["input_at"].is_string() })
        .await;
}

/// An API that takes a report and never answers: people work on, what waits has a bound, and what was let go is said.
#[tokio::test]
async fn a_report_that_is_blocked_holds_up_nobody_and_fills_nothing() {
    let world = World::configured(Ide::start().await, |config| config.queue_mib = 1).await;
    world.until_heard().await;
    let volume = world.folder.path().join("workspace");
    let queue = world.folder.path().join("queue");
    world.api.state.stuck.send_replace(true);
    let write = |from: usize| {
        for at in from..from + 12 {
            fs::write(volume.join(format!("file-{at}")), "x".repeat(100_000)).unwrap();
        }
    };
    let largest = AtomicU64::new(0);
    let held = || {
        let held = fs::read_dir(&queue).unwrap().filter_map(|entry| {
            let entry = entry.unwrap();
            Some(entry.metadata().ok()?.len())
        });
        let held = held.sum();
        largest.fetch_max(held, Ordering::SeqCst);
        held
    };
    // What a look finds waits for room; what is heard of then pushes older news out.
    write(0);
    world.until(|| async { held() > 1 << 19 }).await;
    write(12);
    world
        .until(|| async {
            held();
            let answer = world.get("/file", &world.own()).await;
            assert_eq!(answer.status, StatusCode::OK);
            let state = fs::read_to_string(queue.join("state.json")).unwrap_or_default();
            serde_json::from_str::<Value>(&state)
                .is_ok_and(|state| state["lost"].as_u64().is_some_and(|lost| lost > 0))
        })
        .await;
    let largest = largest.into_inner();
    assert!((1..2 << 20).contains(&largest), "{largest} bytes");
    world.api.state.stuck.send_replace(false);
    // Looked at again once there is room: in the end everything is known after all.
    world
        .until(|| async {
            let all = reported(&world.api.state.batches.lock().unwrap());
            (0..24).all(|at| all.iter().any(|(path, _)| *path == format!("file-{at}")))
        })
        .await;
    let batches = world.api.state.batches.lock().unwrap();
    let mut events = batches.iter().flat_map(|batch| &batch.events);
    assert!(events.any(|event| matches!(event, FileEvent::Lost { .. })));
}
