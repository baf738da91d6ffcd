//! Processes of a run, none of which outlives it.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{LazyLock, mpsc},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{sync::oneshot, task::spawn_blocking};

use crate::{During, Failure, Result, ensure, fail};

/// How long a process may take to end in order before it is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct Program {
    /// What the process is called in logs and tables.
    pub name: String,
    /// The file to run.
    pub file: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment: nothing is inherited from whoever runs the scenarios.
    pub environment: Vec<(OsString, OsString)>,
    /// The folder it works in.
    pub folder: PathBuf,
    /// The file that everything it writes is appended to.
    pub log: PathBuf,
}

/// A program that has been started, and may be ended and started again.
///
/// It is killed when this is dropped, and by the kernel when the thread that started it goes, as it does with
/// `kill -9` of the scenarios' own process.
#[derive(Debug)]
pub struct Process {
    program: Program,
    child: Option<Child>,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Resident memory now, in bytes. Programs of one file share its pages, and each counts them.
    pub resident: u64,
    /// The part of it that is the process's own.
    pub own: u64,
    /// The most resident memory it ever had.
    pub peak: u64,
    /// Processor time of all its threads.
    pub processor: Duration,
}

/// A request to start a command, and where to answer.
type Request = (Command, oneshot::Sender<std::io::Result<Child>>);

/// The kernel's "kill me when my parent goes" looks at the parent's *thread*, and a thread of the async runtime may
/// go at any time. This one stays until the end.
static STARTER: LazyLock<mpsc::Sender<Request>> = LazyLock::new(|| {
    let (sender, requests) = mpsc::channel::<Request>();
    std::thread::spawn(move || {
        for (mut command, answer) in requests {
            let _ = answer.send(command.spawn());
        }
    });
    sender
});

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// If the file cannot be run or the log cannot be written.
    pub async fn start(program: Program) -> Result<Self> {
        let mut process = Self::new(program);
        process.start_again().await?;
        Ok(process)
    }

    /// One that has not been started yet.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            program,
            child: None,
        }
    }

    /// Starts it again after its end, on the same ports and folders.
    ///
    /// # Errors
    /// As [`Self::start`], or if it still runs.
    pub async fn start_again(&mut self) -> Result {
        let log = self.log()?;
        self.spawn(Stdio::from(log)).await.map(drop)
    }

    /// Starts it and waits for the first line that it prints, as the product's programs print one line of JSON when
    /// they are ready.
    ///
    /// # Errors
    /// As [`Self::start`], or if it ends, or prints nothing within `limit`.
    pub async fn start_until_line(&mut self, limit: Duration) -> Result<String> {
        let mut log = self.log()?;
        let Some(stdout) = self.spawn(Stdio::piped()).await? else {
            fail!("{} has no standard output", self.name());
        };
        let (first, line) = oneshot::channel();
        std::thread::spawn(move || {
            let mut first = Some(first);
            for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
                let _ = writeln!(log, "{line}");
                if let Some(first) = first.take() {
                    let _ = first.send(line);
                }
            }
        });
        match tokio::time::timeout(limit, line).await {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(_)) => Err(self.ended("before it was ready")),
            Err(_) => Err(self.ended(&format!(
                "or did not get ready within {} s",
                limit.as_secs()
            ))),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.program.name
    }

    /// What it was started as, to be changed before it is started again.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// True while it runs, paused or not.
    pub fn runs(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => false,
        }
    }

    /// Fails if it has ended by itself, with the end of its log.
    ///
    /// # Errors
    /// If it does not run.
    pub fn must_run(&mut self) -> Result {
        if self.runs() {
            return Ok(());
        }
        Err(self.ended("by itself"))
    }

    /// `kill -9`, of it and the processes it started, and waits until it is gone.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn kill9(&mut self) -> Result {
        self.signal(Signal::KILL)?;
        self.wait(PATIENCE).await
    }

    /// Asks it to end in order.
    ///
    /// # Errors
    /// If it does not run, or had to be killed because it took too long.
    pub async fn stop(&mut self) -> Result {
        // A paused process would take notice only afterwards.
        self.signal(Signal::TERM)?;
        self.signal(Signal::CONT)?;
        let ended = self.wait(PATIENCE).await;
        if ended.is_err() {
            self.kill9().await?;
        }
        ended
    }

    /// Stops it from running, as a machine does that is out of memory or whose disk hangs.
    ///
    /// # Errors
    /// If it does not run.
    pub fn pause(&mut self) -> Result {
        self.signal(Signal::STOP)
    }

    /// Lets it run on.
    ///
    /// # Errors
    /// If it does not run.
    pub fn resume(&mut self) -> Result {
        self.signal(Signal::CONT)
    }

    /// What it has used since it was started.
    ///
    /// # Errors
    /// If it does not run.
    pub fn usage(&self) -> Result<Usage> {
        let id = self.id()?.as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let bytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kibibytes = line.and_then(|rest| rest.split_whitespace().next());
            1024 * kibibytes.and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name, in parentheses, may hold spaces; fields are counted behind it (proc(5): utime is the 14th).
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Ok(Usage {
            resident: bytes("VmRSS:"),
            own: bytes("RssAnon:"),
            peak: bytes("VmHWM:"),
            processor: Duration::from_millis(
                ticks * 1000 / rustix::param::clock_ticks_per_second(),
            ),
        })
    }

    fn id(&self) -> Result<Pid> {
        let id = self
            .child
            .as_ref()
            .map(Child::id)
            .and_then(|id| i32::try_from(id).ok());
        id.and_then(Pid::from_raw)
            .ok_or_else(|| Failure::new(format!("{} does not run", self.name())))
    }

    fn signal(&mut self, signal: Signal) -> Result {
        ensure!(self.runs(), "{} does not run", self.name());
        kill_process_group(self.id()?, signal).during(format!("a signal to {}", self.name()))
    }

    async fn wait(&mut self, limit: Duration) -> Result {
        let began = Instant::now();
        while self.runs() {
            ensure!(
                began.elapsed() < limit,
                "{} did not end within {} s",
                self.name(),
                limit.as_secs()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.child = None;
        Ok(())
    }

    fn log(&self) -> Result<File> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.program.log);
        log.during(self.program.log.display())
    }

    /// Starts it; gives its standard output if that is a pipe.
    async fn spawn(&mut self, stdout: Stdio) -> Result<Option<ChildStdout>> {
        ensure!(!self.runs(), "{} runs already", self.name());
        // The kernel is told by a small program, because telling it between fork and exec needs unsafe code.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program.file)
            .args(&self.program.arguments)
            .env_clear()
            .envs(
                self.program
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(&self.program.folder)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(self.log()?);
        let (answer, started) = oneshot::channel();
        if STARTER.send((command, answer)).is_err() {
            fail!("the thread that starts processes is gone");
        }
        let child = started
            .await?
            .during(format!("{} cannot be started", self.name()))?;
        let child = self.child.insert(child);
        Ok(child.stdout.take())
    }

    /// That it has ended, how, and what it said last.
    fn ended(&mut self, when: &str) -> Failure {
        let status = self
            .child
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten());
        let how = match status {
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("with status {code}"),
                (None, signal) => format!("by signal {}", signal.unwrap_or_default()),
            },
            None => "not".to_owned(),
        };
        Failure::new(format!(
            "{} ended {how} {when}; its log {} ends with\n{}",
            self.name(),
            self.program.log.display(),
            tail(&self.program.log, 10)
        ))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.runs()
            && let Ok(id) = self.id()
        {
            let _ = kill_process_group(id, Signal::KILL);
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

/// The last lines of a file.
#[must_use]
pub fn tail(file: &Path, lines: usize) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut last: Vec<&str> = text.lines().rev().take(lines).collect();
    last.reverse();
    last.join("\n")
}

/// Runs a program to its end and gives what it printed.
///
/// # Errors
/// If it cannot be run, takes longer than a minute, or does not end with status 0: then with what it said.
pub async fn output(mut command: Command) -> Result<String> {
    let name = format!("{command:?}");
    let run = spawn_blocking(move || command.stdin(Stdio::null()).output());
    let output = tokio::time::timeout(Duration::from_secs(60), run)
        .await
        .during(format!("{name} takes too long"))???;
    ensure!(
        output.status.success(),
        "{name}: {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
