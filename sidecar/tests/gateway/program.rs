//! The program itself.

use std::{fs, net::SocketAddr, process::Stdio};

use coditect_core::{LoginId, WorkspaceId};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    api::Api,
    ide::Ide,
    socket::{HANDSHAKE, echo, request},
    world::{COOKIE, HOST, ORIGIN, PATIENCE, head, options, send, until},
};

/// Most memory that the program holds with a hundred open sockets, in KiB.
const MOST_MEMORY: u64 = 20 * 1024;

/// The program while it runs.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts it; it has heard from the API when this returns.
    pub(crate) async fn start(options: &[String], api: &Api) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_coditect-sidecar"))
            .args(&options[1..])
            .args(["--announce", "--log=error"])
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
        let mut own = person(api);
        own.push(("host", HOST.to_owned()));
        until(|| async {
            let answer = send(address, "GET", "/coditect/session", &own, "").await;
            answer.status == 200
        })
        .await;
        Self {
            child,
            address,
            _lines: lines,
        }
    }

    /// What it holds in memory, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = fs::read_to_string(status).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Tells it to end, which it does in order.
    pub(crate) async fn end(mut self) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
}

/// What a page of somebody who is in sends.
fn person(api: &Api) -> Vec<(&'static str, String)> {
    let token = api.state.token(LoginId::random());
    vec![
        ("cookie", format!("{COOKIE}={token}")),
        ("origin", ORIGIN.to_owned()),
    ]
}

#[tokio::test]
async fn it_starts_holds_a_hundred_sockets_in_little_memory_and_ends_in_order() {
    let workspace = WorkspaceId::random();
    let (api, ide) = (Api::start(workspace).await, Ide::start().await);
    let folder = TempDir::new().unwrap();
    let options = options(&folder, workspace, api.address, ide.address);
    let program = Program::start(&options, &api).await;
    let person = person(&api);
    let mut sockets = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(program.address).await.unwrap();
        request(&mut stream, "/socket", &person, HANDSHAKE).await;
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 101 "));
        echo(&mut stream, &[7; 10_000]).await;
        sockets.push(stream);
    }
    let held = program.memory();
    assert!(held < MOST_MEMORY, "{held} KiB");
    program.end().await;
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
