//! The program itself.

use std::{fs, process::Stdio};

use coditect_core::{LoginId, WorkspaceId};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

use crate::{
    api::Api,
    ide::Ide,
    socket::{HANDSHAKE, echo, request},
    world::{COOKIE, HOST, ORIGIN, PATIENCE, head, options, send},
};

/// Most memory that the program holds with a hundred open sockets, in KiB.
const MOST_MEMORY: u64 = 20 * 1024;

fn memory(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn it_starts_holds_a_hundred_sockets_in_little_memory_and_ends_in_order() {
    let workspace = WorkspaceId::random();
    let (api, ide) = (Api::start(workspace).await, Ide::start().await);
    let folder = TempDir::new().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_coditect-sidecar"))
        .args(&options(&folder, workspace, api.address, ide.address)[1..])
        .arg("--announce")
        .env_clear()
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
    let line = line.unwrap();
    let (address, _) = line.split_once(' ').unwrap();
    let address = address.parse().unwrap();
    let own = [
        (
            "cookie",
            format!("{COOKIE}={}", api.state.token(LoginId::random())),
        ),
        ("origin", ORIGIN.to_owned()),
        ("host", HOST.to_owned()),
    ];
    let entered = async {
        while send(address, "GET", "/coditect/session", &own, "")
            .await
            .status
            != 200
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, entered).await.unwrap();
    let mut sockets = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        request(&mut stream, "/socket", &own[..2], HANDSHAKE).await;
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 101 "));
        echo(&mut stream, &[7; 10_000]).await;
        sockets.push(stream);
    }
    let held = memory(&child);
    assert!(held < MOST_MEMORY, "{held} KiB");

    let pid = rustix::process::Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_told_at_once() {
    let folder = TempDir::new().unwrap();
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let options = options(&folder, WorkspaceId::random(), nowhere, nowhere);
    for wrong in [
        "--origin=http://calm-lake.ws.test",
        "--volume=/nowhere/at/all",
        "--api=ftp://x",
        "--api-ca=/nowhere/at/all",
    ] {
        let (name, _) = wrong.split_once('=').unwrap();
        let mut options = options.clone();
        options.retain(|option| !option.starts_with(&format!("{name}=")));
        if wrong.starts_with("--api-ca") {
            options.retain(|option| !option.starts_with("--api="));
            options.push("--api=https://127.0.0.1:1".to_owned());
        }
        let ended = Command::new(env!("CARGO_BIN_EXE_coditect-sidecar"))
            .args(&options[1..])
            .arg(wrong)
            .env_clear()
            .output();
        let ended = timeout(PATIENCE, ended).await.unwrap().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{wrong}");
        let said = String::from_utf8(ended.stderr).unwrap();
        let field = name.trim_start_matches('-').replace('-', "_");
        assert!(said.contains(&field), "{said}");
    }
}
