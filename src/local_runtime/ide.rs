//! The IDE of a pod on this machine: Theia as `make theia` built it, a child of the pod's process.

use std::{
    ffi::OsString,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use coditect_core::{Error, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    process::{Child, ChildStdin, Command},
    time::{sleep, timeout},
};

use super::forward;

/// What of a build starts it.
const START: &str = "start.mjs";
/// Says in the environment of all that runs in a pod whose pod that is.
const MARK: &str = "CODITECT_FOLDER";
/// Heap of the IDE's back end, in MiB: as in the image.
const HEAP_MIB: u32 = 512;
/// How long it may take until it answers: as the templates' probe allows.
const STARTING: Duration = Duration::from_secs(120);
/// How often it is asked whether it answers while it starts, and later.
const LOOK: Duration = Duration::from_millis(100);
const WATCH: Duration = Duration::from_secs(10);
/// How long an answer may take, and how many may be missing in a row: a long build may leave it little time.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_SILENT: u32 = 6;
/// How long it may take to end once it is asked to: it gives its own parts ten seconds.
const ENDING: Duration = Duration::from_secs(12);
/// How often what is left is looked for: what is being ended may still start something.
const SWEEPS: usize = 20;

/// How the IDE is started.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    /// The folder that it was built into.
    pub(crate) build: &'a Path,
    /// The workspace's files.
    pub(crate) volume: &'a Path,
    /// What it says is kept here, since its last start.
    pub(crate) log: &'a Path,
    /// Where it listens, on loopback.
    pub(crate) address: SocketAddr,
    /// Where the gateway listens for it.
    pub(crate) inside: SocketAddr,
    /// The workspace's host, with its port if it has one: requests that name another are none of its.
    pub(crate) host: &'a str,
}

/// A running IDE. What is left of it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Ide {
    child: Child,
    /// Held open: it ends when this closes. Waiting for a child would close what is left with it.
    _stdin: Option<ChildStdin>,
    group: Pid,
    address: SocketAddr,
    volume: PathBuf,
    log: PathBuf,
}

/// Whether a folder holds a built IDE.
pub(crate) fn is_built(build: &Path) -> bool {
    build.join(START).is_file()
}

/// A port of this machine that is free now. Whoever is faster than the IDE has it; then the IDE ends, and its pod is
/// started again with another one.
///
/// # Errors
/// `Unavailable` if there is none.
pub(crate) fn free_address() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Error::unavailable("no port is free").because(error))
}

impl Ide {
    /// Starts it, in place of whatever an earlier one has left running.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be started.
    pub(crate) fn start(settings: &Settings<'_>) -> Result<Self> {
        let Settings { build, volume, .. } = *settings;
        let failed = |what: String| move |error| Error::unavailable(what).because(error);
        // The IDE says of itself where its folder is; both must be the same words.
        let volume = fs::canonicalize(volume)
            .map_err(failed(format!("{} cannot be opened", volume.display())))?;
        sweep(&volume);
        let log = settings.log;
        let said = File::create(log)
            .and_then(|file| Ok([file.try_clone()?, file]))
            .map_err(failed(format!("{} cannot be written", log.display())))?;
        let [out, errors] = said;
        let mut command = Command::new("node");
        command
            .arg(format!("--max-old-space-size={HEAP_MIB}"))
            .arg(build.join(START))
            .arg(&volume)
            .arg("--hostname=127.0.0.1")
            .arg(format!("--port={}", settings.address.port()))
            .current_dir(&volume)
            // What is in ours is nothing of the person's programs: they find programs and a home, as in the image.
            .env_clear()
            .env("PATH", search_path())
            .env("HOME", volume.join(".home"))
            .env("LANG", "C.UTF-8")
            .env(MARK, &volume)
            .env("CODITECT_INSIDE", settings.inside.to_string())
            .env("CODITECT_ENDS_WITH_INPUT", "1")
            .env("THEIA_HOSTS", settings.host)
            // Its end closes when we end, however that happens: it watches for that.
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(failed(
            "node, which runs the IDE, cannot be started; is it installed?".to_owned(),
        ))?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group = id
            .and_then(Pid::from_raw)
            .ok_or_else(|| Error::internal("a process without an id"))?;
        Ok(Self {
            _stdin: child.stdin.take(),
            child,
            group,
            address: settings.address,
            volume,
            log: log.to_owned(),
        })
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// `Unavailable` if it ends before, or takes too long.
    pub(crate) async fn answers(&mut self) -> Result<()> {
        let log = self.log.display().to_string();
        let answering = async {
            loop {
                tokio::select! {
                    ended = self.child.wait() => return Err(describe(ended)),
                    answers = is_there(self.address) => if answers {
                        return Ok(());
                    },
                }
                sleep(LOOK).await;
            }
        };
        let why = match timeout(STARTING, answering).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(ended)) => ended,
            Err(_) => "it takes too long".to_owned(),
        };
        Err(Error::unavailable(format!(
            "the IDE does not start: {why}; what it said is in {log}"
        )))
    }

    /// Waits until it has ended or hangs, and says which.
    pub(crate) async fn failed(&mut self) -> Error {
        let mut silent = 0;
        let why = loop {
            tokio::select! {
                ended = self.child.wait() => break describe(ended),
                () = sleep(WATCH) => {
                    silent = if is_there(self.address).await { 0 } else { silent + 1 };
                    if silent == MOST_SILENT {
                        break "it does not answer any more".to_owned();
                    }
                }
            }
        };
        let log = self.log.display();
        Error::unavailable(format!("the IDE: {why}; what it said is in {log}"))
    }

    /// Asks it to end, and ends what is left of it and of what was started in it.
    pub(crate) async fn stop(mut self) {
        if let Err(error) = kill_process(self.group, Signal::TERM) {
            tracing::debug!(%error, "the IDE has ended already");
        }
        if timeout(ENDING, self.child.wait()).await.is_err() {
            tracing::warn!("the IDE did not end in time and is killed");
        }
    }
}

impl Drop for Ide {
    fn drop(&mut self) {
        // A group that is gone says so.
        let _ = kill_process_group(self.group, Signal::KILL);
        sweep(&self.volume);
    }
}

async fn is_there(address: SocketAddr) -> bool {
    matches!(
        timeout(PATIENCE, forward::is_healthy(address)).await,
        Ok(Ok(true))
    )
}

fn describe(ended: std::io::Result<std::process::ExitStatus>) -> String {
    match ended {
        Ok(status) => format!("it ended with {status}"),
        Err(error) => error.to_string(),
    }
}

/// Where programs are looked for: no setting of ours, but the machine's.
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

/// Ends everything that was started in this volume's pod and is still there, sessions and groups of their own
/// included, as a cluster does with whatever runs in a pod. What took the mark out of its own environment stays: on one
/// machine there is one person.
fn sweep(volume: &Path) {
    for _ in 0..SWEEPS {
        let left = marked(volume);
        if left.is_empty() {
            return;
        }
        for process in left {
            // It may have ended meanwhile.
            let _ = kill_process(process, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    tracing::warn!(volume = %volume.display(), "something that was started in a workspace does not end");
}

fn marked(volume: &Path) -> Vec<Pid> {
    let mut mark = OsString::from(format!("{MARK}="));
    mark.push(volume);
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let of_pod = |environment: Vec<u8>| {
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_encoded_bytes())
    };
    processes
        .flatten()
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            // What has ended and is not waited for has no environment any more.
            let environment = fs::read(entry.path().join("environ")).ok()?;
            of_pod(environment).then(|| Pid::from_raw(id))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A build whose IDE is this program.
    fn build(folder: &Path, program: &str) -> PathBuf {
        let build = folder.join("build");
        fs::create_dir(&build).unwrap();
        fs::write(build.join(START), program).unwrap();
        build
    }

    /// Answers, shows its environment, and leaves a program behind that is in a session of its own.
    const PROGRAM: &str = r#"
        import { spawn } from 'node:child_process';
        import http from 'node:http';
        const port = process.argv.find(one => one.startsWith('--port=')).slice(7);
        const left = spawn('setsid', ['sleep', '600'], { detached: true, stdio: 'ignore' });
        console.log(JSON.stringify({ env: process.env, left: left.pid }));
        http.createServer((_, answer) => answer.end('ok')).listen(Number(port), '127.0.0.1');
        process.on('SIGTERM', () => process.exit(0));
    "#;

    struct Started {
        folder: tempfile::TempDir,
        ide: Ide,
    }

    fn start(program: &str) -> Started {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("volume");
        fs::create_dir(&volume).unwrap();
        let build = build(folder.path(), program);
        assert!(is_built(&build) && !is_built(folder.path()));
        let ide = Ide::start(&Settings {
            build: &build,
            volume: &volume,
            log: &folder.path().join("log"),
            address: free_address().unwrap(),
            inside: "127.0.0.1:1".parse().unwrap(),
            host: "calm-lake.workspaces.localhost:8080",
        })
        .unwrap();
        Started { folder, ide }
    }

    #[tokio::test]
    async fn nothing_of_the_environment_comes_in_and_nothing_that_was_started_stays() {
        let Started { folder, mut ide } = start(PROGRAM);
        ide.answers().await.unwrap();
        let volume = ide.volume.clone();
        let said = fs::read_to_string(folder.path().join("log")).unwrap();
        let said: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        let mut names: Vec<_> = said["env"].as_object().unwrap().keys().collect();
        names.sort();
        let expected = [
            "CODITECT_ENDS_WITH_INPUT",
            "CODITECT_FOLDER",
            "CODITECT_INSIDE",
            "HOME",
            "LANG",
            "PATH",
            "THEIA_HOSTS",
        ];
        assert_eq!(names, expected);
        assert_eq!(said["env"]["HOME"], volume.join(".home").to_str().unwrap());
        assert!(marked(&volume).len() >= 2, "the IDE and what it started");
        ide.stop().await;
        assert_eq!(marked(&volume), []);
    }

    #[tokio::test]
    async fn one_that_ends_says_so_and_where_to_look() {
        let Started { folder, mut ide } = start("process.exit(7);");
        let error = ide.answers().await.unwrap_err().chain();
        assert!(error.contains("exit status: 7"), "{error}");
        assert!(
            error.contains(folder.path().join("log").to_str().unwrap()),
            "{error}"
        );
        let Started {
            folder: _kept,
            ide: mut other,
        } = start(PROGRAM);
        other.answers().await.unwrap();
        kill_process(other.group, Signal::KILL).unwrap();
        let error = other.failed().await.chain();
        assert!(error.contains("signal: 9"), "{error}");
    }
}
