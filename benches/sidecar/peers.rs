//! The two gateways, each a program of its own.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use coditect_core::{LoginId, WorkspaceId};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::api::{Api, PROJECTED};

/// The sidecar's program, as it was built for this.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_coditect-sidecar");
const HOST: &str = "calm-lake.ws.test";
/// How often it is asked whether a program answers.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Peers {
    sidecar: Running,
    nginx: Running,
    api: Api,
    login: LoginId,
    _folder: TempDir,
}

/// A program that ends with this.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx's workers end with its first process only if that is asked to end.
        let _ = kill_process(pid(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().unwrap()).unwrap()
}

impl Peers {
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let workspace = WorkspaceId::random();
        let api = Api::start(workspace).await;
        let folder = tempfile::tempdir().unwrap();
        let nginx = nginx(folder.path(), upstream);
        let sidecar = sidecar(folder.path(), workspace, api.address, upstream);
        let peers = Self {
            sidecar,
            nginx,
            api,
            login: LoginId::random(),
            _folder: folder,
        };
        let request = peers.request("/small");
        for address in peers.addresses() {
            while !answers(address, &request).await {
                tokio::time::sleep(PAUSE).await;
            }
        }
        peers
    }

    /// The sidecar's and nginx's.
    pub(crate) fn addresses(&self) -> [SocketAddr; 2] {
        [self.sidecar.address, self.nginx.address]
    }

    /// What each holds in memory, in MB: what is shared with other processes (nginx's with each other, libraries) counts
    /// by the share (`Pss`).
    pub(crate) fn memory(&self) -> [f64; 2] {
        self.each(resident)
    }

    /// How long each has kept processors busy.
    pub(crate) fn busy(&self) -> [Duration; 2] {
        self.each(busy)
    }

    /// A figure of all processes of each.
    fn each<T: std::iter::Sum>(&self, of: fn(u32) -> T) -> [T; 2] {
        let nginx = self.nginx.child.id();
        let workers = fs::read_to_string(format!("/proc/{nginx}/task/{nginx}/children")).unwrap();
        let workers = workers.split_whitespace().map(|id| id.parse().unwrap());
        [
            of(self.sidecar.child.id()),
            workers.chain([nginx]).map(of).sum(),
        ]
    }

    /// A request as the workspace's own page sends it, of somebody who is in.
    pub(crate) fn request(&self, path: &str) -> Arc<[u8]> {
        self.head(path, "").into()
    }

    /// The same, to open a socket.
    pub(crate) fn handshake(&self, path: &str) -> Vec<u8> {
        self.head(
            path,
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        )
    }

    fn head(&self, path: &str, more: &str) -> Vec<u8> {
        let token = self.api.state.token(self.login);
        format!(
            "GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{more}Cookie: theme=dark; __Host-coditect-workspace={token}\r\n\
             Origin: https://{HOST}\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\
             User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
             Accept: */*\r\nAccept-Language: en\r\nAccept-Encoding: gzip, deflate, br\r\n\
             Referer: https://{HOST}/\r\n\r\n"
        )
        .into_bytes()
    }
}

fn resident(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}

/// Time in user mode and in the kernel (proc_pid_stat(5)), in hundredths of a second.
fn busy(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, after_name) = text.rsplit_once(')').unwrap();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    Duration::from_millis(
        10 * ticks
            .map(|ticks| ticks.parse::<u64>().unwrap())
            .sum::<u64>(),
    )
}

/// Whether it answers with what the upstream has.
async fn answers(address: SocketAddr, request: &[u8]) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    stream.write_all(request).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.is_ok() && &status == b"HTTP/1.1 200"
}

fn sidecar(
    folder: &Path,
    workspace: WorkspaceId,
    api: SocketAddr,
    upstream: SocketAddr,
) -> Running {
    let at = |name: &str| folder.join(name).display().to_string();
    fs::write(at("token"), PROJECTED).unwrap();
    for name in ["workspace", "queue"] {
        fs::create_dir(at(name)).unwrap();
    }
    let address = free();
    let child = Command::new(PROGRAM)
        .args([
            format!("--workspace={workspace}"),
            format!("--host={HOST}"),
            format!("--api=http://{api}"),
            format!("--ide={upstream}"),
            format!("--token-file={}", at("token")),
            format!("--volume={}", at("workspace")),
            format!("--queue={}", at("queue")),
            format!("--listen={address}"),
            "--inside=127.0.0.1:0".to_owned(),
            "--log=error".to_owned(),
        ])
        .env_clear()
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    Running { child, address }
}

/// nginx with what the sidecar also does to a request: the same headers set and taken out, connections kept.
fn nginx(folder: &Path, upstream: SocketAddr) -> Running {
    let address = free();
    let configuration = format!(
        r#"user root;
worker_processes 2;
daemon off;
pid nginx.pid;
error_log stderr crit;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  upstream ide {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen {address} backlog=4096;
    keepalive_requests 1000000000;
    location / {{
      proxy_pass http://ide;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header Authorization "";
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_hide_header Content-Security-Policy;
      add_header Content-Security-Policy "frame-ancestors https://app.test" always;
      proxy_read_timeout 1h;
    }}
  }}
}}
"#
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, configuration).unwrap();
    let child = Command::new("nginx")
        .arg("-p")
        .arg(folder)
        .arg("-e")
        .arg("stderr")
        .arg("-c")
        .arg(&path)
        .env("PATH", "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .spawn()
        .expect("nginx, which `make tools` installs");
    Running { child, address }
}

/// An address on which nobody listens.
fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
