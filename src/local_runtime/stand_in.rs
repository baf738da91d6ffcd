//! The stand-in for the images: a small server of the workspace's files, this program's own hidden subcommand.

pub(crate) mod page;

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
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
    time::timeout,
};

use super::{
    forward,
    manifest::Pod,
    runner::{Identity, Runner, Running, Volume},
};

/// What the stand-in prints whenever a person does something.
pub(crate) const INPUT: &str = "input";

/// How long it may take to say where it listens: the volume may be held by one that is still ending.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to answer whether it is well.
const HEALTH: Duration = Duration::from_secs(2);

/// Runs the stand-in.
pub(crate) struct StandIn {
    program: PathBuf,
}

impl StandIn {
    /// The stand-in that is part of the running program.
    ///
    /// # Errors
    /// `Unavailable` if the program cannot be found.
    pub(crate) fn new() -> Result<Self> {
        let program = std::env::current_exe().map_err(|error| {
            Error::unavailable("the running program's own file cannot be found").because(error)
        })?;
        Ok(Self { program })
    }
}

#[async_trait]
impl Runner for StandIn {
    async fn start(
        &self,
        pod: &Pod,
        volume: &Volume,
        identity: &Identity,
    ) -> Result<Box<dyn Running>> {
        let failed = |what: &str| Error::unavailable(format!("the stand-in {what}"));
        let mut command = Command::new(&self.program);
        command
            .arg("workspace-stand-in")
            .arg("--volume")
            .arg(&volume.folder)
            .arg("--lock")
            .arg(&volume.lock)
            .args(["--slug", pod.slug.as_str(), "--pod", &identity.pod])
            // Its end of this pipe closes when we end, however that happens: it watches for that.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What interrupts us from the terminal must not reach it first: we end it in order.
            .process_group(0)
            .kill_on_drop(true);
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
        let (told, input) = watch::channel(None);
        tokio::spawn(listen(lines, told));
        Ok(Box::new(Process {
            child,
            address,
            input,
            _stdin: stdin,
        }))
    }
}

/// Notes the time of each input until the process ends.
async fn listen(mut lines: Lines<BufReader<ChildStdout>>, told: watch::Sender<Option<Timestamp>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        if line == INPUT {
            told.send_replace(Some(Timestamp::now()));
        }
    }
}

/// A stand-in that was started.
struct Process {
    child: Child,
    address: SocketAddr,
    input: watch::Receiver<Option<Timestamp>>,
    /// Held open: it ends when this closes.
    _stdin: ChildStdin,
}

#[async_trait]
impl Running for Process {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn input(&self) -> watch::Receiver<Option<Timestamp>> {
        self.input.clone()
    }

    async fn is_healthy(&self) -> bool {
        matches!(
            timeout(HEALTH, forward::is_healthy(self.address)).await,
            Ok(Ok(true))
        )
    }

    async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        }
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
                "a workspace did not end in time and was killed"
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
