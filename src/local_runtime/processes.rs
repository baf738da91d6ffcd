//! Pods as processes of this machine: each is this program's own hidden subcommand, which has the gateway and, in the
//! IDE image's place, the built IDE or a small server of the workspace's files.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::{Error, Result};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use super::{
    forward, ide,
    manifest::Pod,
    runner::{Identity, Runner, Running, Volume},
    tokens::Tokens,
};

/// What a pod prints once its IDE answers.
pub(crate) const READY: &str = "ready";
/// What a pod prints before why it fails.
pub(crate) const FAILED: &str = "failed: ";

/// How long it may take to say where it listens: the volume may be held by one that is still ending.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to answer whether it is well.
const HEALTH: Duration = Duration::from_secs(2);

/// How often a pod's token is replaced, as a cluster does long before it ends.
const REPLACED: Duration = Duration::from_secs(200);

/// What every pod is told.
pub(crate) struct Pods {
    /// Address of the API.
    pub(crate) api: String,
    /// File of the authority that vouches for the API, if not the system's.
    pub(crate) api_ca: Option<PathBuf>,
    /// Where people find workspaces; `{host}` stands for a workspace's.
    pub(crate) origins: String,
    /// Where the IDE is built, or will be.
    pub(crate) ide: Option<PathBuf>,
    /// Where an IDE listens that all pods show in its place.
    pub(crate) ide_address: Option<SocketAddr>,
}

/// Runs pods as processes.
pub(crate) struct Processes {
    program: PathBuf,
    pods: Pods,
    tokens: Arc<Tokens>,
}

impl Processes {
    /// Pods that are known by `tokens`.
    ///
    /// # Errors
    /// `Unavailable` if the running program cannot be found.
    pub(crate) fn new(pods: Pods, tokens: Arc<Tokens>) -> Result<Self> {
        let program = std::env::current_exe().map_err(|error| {
            Error::unavailable("the running program's own file cannot be found").because(error)
        })?;
        Ok(Self {
            program,
            pods,
            tokens,
        })
    }
}

/// The host at which people find the pod's workspace, as its gateway is told.
fn host(pod: &Pod) -> Option<&str> {
    let mut hosts = pod
        .containers
        .iter()
        .filter_map(|container| container.env.get("CODITECT_HOST"));
    hosts.next().map(String::as_str)
}

#[async_trait]
impl Runner for Processes {
    async fn start(
        &self,
        pod: &Pod,
        volume: &Volume,
        identity: &Identity,
    ) -> Result<Box<dyn Running>> {
        let failed = |what: &str| Error::unavailable(format!("the pod's process {what}"));
        let host = host(pod).ok_or_else(|| failed("has no gateway that knows its host"))?;
        let token = volume.beside.join("token");
        self.tokens.project(identity, &token, Timestamp::now())?;
        let mut command = Command::new(&self.program);
        command
            .arg("workspace-pod")
            .args(["--workspace", &pod.workspace.to_string()])
            .args(["--slug", pod.slug.as_str(), "--pod", &identity.pod])
            .args(["--host", host, "--api", &self.pods.api])
            .args(["--origin", &self.pods.origins.replace("{host}", host)])
            .arg("--token-file")
            .arg(&token)
            .arg("--queue")
            .arg(volume.beside.join("queue"))
            .arg("--volume")
            .arg(&volume.folder)
            .arg("--lock")
            .arg(&volume.lock)
            .arg("--ide-log")
            .arg(volume.beside.join("ide.log"))
            // The pod gets what it is told here: nothing that is in our environment is its business.
            .env_clear()
            .env("PATH", ide::search_path())
            // Its end of this pipe closes when we end, however that happens: it watches for that.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What interrupts us from the terminal must not reach it first: we end it in order.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(file) = &self.pods.api_ca {
            command.arg("--api-ca").arg(file);
        }
        if let Some(folder) = &self.pods.ide {
            command.arg("--ide").arg(folder);
        }
        if let Some(ide) = self.pods.ide_address {
            command.args(["--ide-address", &ide.to_string()]);
        }
        let mut child = command
            .spawn()
            .map_err(|error| failed("cannot be started").because(error))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("has no pipes"));
        };
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(PATIENCE, lines.next_line())
            .await
            .map_err(|_| failed("does not say where it listens"))?
            .map_err(|error| failed("cannot be heard").because(error))?;
        let Some(address) = first.and_then(|line| line.parse().ok()) else {
            let how = child.wait().await.map(describe).unwrap_or_default();
            return Err(failed(&format!("ended before it listened: {how}")));
        };
        let (told, ready) = watch::channel(false);
        let mut beside = JoinSet::new();
        let why = Arc::default();
        beside.spawn(listen(lines, told, Arc::clone(&why)));
        beside.spawn(replace(Arc::clone(&self.tokens), identity.clone(), token));
        Ok(Box::new(Process {
            child,
            address,
            ready,
            why,
            _stdin: stdin,
            _beside: beside,
        }))
    }
}

/// Notes that the IDE answers, and why the pod fails.
async fn listen(
    mut lines: Lines<BufReader<ChildStdout>>,
    told: watch::Sender<bool>,
    failed: Arc<OnceLock<String>>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        if line == READY {
            told.send_replace(true);
        } else if let Some(why) = line.strip_prefix(FAILED) {
            let _ = failed.set(why.to_owned());
        }
    }
}

/// Replaces the pod's token for as long as it runs.
async fn replace(tokens: Arc<Tokens>, identity: Identity, file: PathBuf) {
    loop {
        tokio::time::sleep(REPLACED).await;
        if let Err(error) = tokens.project(&identity, &file, Timestamp::now()) {
            tracing::warn!(error = error.chain(), "a pod's token was not replaced");
        }
    }
}

/// A pod that was started.
struct Process {
    child: Child,
    address: SocketAddr,
    ready: watch::Receiver<bool>,
    why: Arc<OnceLock<String>>,
    /// Held open: it ends when this closes.
    _stdin: ChildStdin,
    /// What is done for it while it runs.
    _beside: JoinSet<()>,
}

#[async_trait]
impl Running for Process {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn is_ready(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }

    async fn is_healthy(&self) -> bool {
        matches!(
            timeout(HEALTH, forward::is_healthy(self.address)).await,
            Ok(Ok(true))
        )
    }

    async fn ended(&mut self) -> String {
        let how = match self.child.wait().await {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        };
        // What it said last may still be on its way; whoever listens has ended when it has all been heard.
        let heard = async { while self.ready.changed().await.is_ok() {} };
        let _ = timeout(HEALTH, heard).await;
        self.why.get().cloned().unwrap_or(how)
    }

    async fn stop(&mut self, grace: Duration) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw)
            && let Err(error) = kill_process(pid, Signal::TERM)
        {
            tracing::debug!(%error, "the process has ended already");
        }
        if timeout(grace, self.child.wait()).await.is_err() {
            tracing::warn!(
                seconds = grace.as_secs(),
                "a pod did not end in time and was killed"
            );
            if let Err(error) = self.child.kill().await {
                tracing::error!(%error, "a workspace cannot be killed");
            }
        }
    }
}

fn describe(status: ExitStatus) -> String {
    status.to_string()
}
