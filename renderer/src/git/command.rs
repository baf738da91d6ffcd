//! The `git` command, for what libgit2 does slowly or not at all: pushing, and joining large packs.

use std::{path::Path, process::Stdio, thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    time::timeout,
};

/// Variables that would point Git at another repository than the one named.
const MISLEADING: [&str; 8] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
];

/// What a command printed that ended by itself.
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// `git` on the bare repository at `path`; asks nobody anything.
pub(super) fn git(path: &Path) -> Command {
    let mut command = Command::new("git");
    for name in MISLEADING {
        command.env_remove(name);
    }
    command
        .arg("--git-dir")
        .arg(path)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: its helpers (ssh) cannot ask at our terminal, and end with it.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Runs the command to its end. `Err` with a sentence if it could not be started or took too long; then
/// it and its helpers are ended.
pub(super) async fn run(mut command: Command, limit: Duration) -> Result<Output, String> {
    follow(command.spawn(), limit).await
}

/// As [`run`], with what everybody else leaves of the processors (`SCHED_IDLE` of sched(7)): for work that nobody waits
/// for. The lowest priority of the usual kind is not enough: such a process keeps its processor for a few milliseconds
/// more when somebody else could go on, and a commit is shorter than that.
pub(super) async fn run_behind(mut command: Command, limit: Duration) -> Result<Output, String> {
    let runtime = Handle::current();
    // A child has the policy of the thread that starts it, and a thread of ours would keep it.
    let starting = thread::Builder::new().spawn(move || {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        if let Err(error) =
            set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
        {
            tracing::debug!(?error, "the scheduler has no idle policy");
        }
        let _runtime = runtime.enter();
        command.spawn()
    });
    let started = starting.and_then(|thread| {
        thread
            .join()
            .unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked")))
    });
    follow(started, limit).await
}

async fn follow(started: std::io::Result<Child>, limit: Duration) -> Result<Output, String> {
    let child = started
        .map_err(|error| format!("the git command could not be started ({error}): install git"))?;
    let mut group = Group::of(&child);
    let output = timeout(limit, child.wait_with_output()).await;
    match output {
        Ok(Ok(output)) => {
            group.ended();
            Ok(Output {
                success: output.status.success(),
                stdout: lossy(&output.stdout),
                stderr: lossy(&output.stderr),
            })
        }
        Ok(Err(error)) => Err(format!("the git command could not be followed: {error}")),
        Err(_) => Err(format!(
            "it was ended because it took longer than {} s",
            limit.as_secs()
        )),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends the command's process group when dropped, unless the command ended by itself.
pub(super) struct Group(Option<u32>);

impl Group {
    /// The group that a command was started as the leader of.
    pub(super) fn of(leader: &Child) -> Self {
        Self(leader.id())
    }

    /// The command ended by itself: its id may be somebody else's soon.
    pub(super) fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self
            .0
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(leader) = leader {
            // Gone already is what we want.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// What the scheduler says of a helper of git's: 0 is the usual policy, 5 is `SCHED_IDLE` (proc(5), field 41 of
    /// `stat`).
    async fn policy(run: impl AsyncFnOnce(Command, Duration) -> Result<Output, String>) -> String {
        let mut command = git(Path::new("/"));
        command.args([
            "-c",
            "alias.policy=!cut -d ' ' -f 41 /proc/self/stat",
            "policy",
        ]);
        let output = run(command, Duration::from_secs(30)).await.unwrap();
        assert!(output.success, "{}", output.stderr);
        output.stdout
    }

    #[tokio::test]
    async fn what_nobody_waits_for_runs_behind_everything_else_and_so_do_its_helpers() {
        assert_eq!(policy(run_behind).await, "5\n");
        // Threads of ours have not kept it.
        assert_eq!(policy(run).await, "0\n");
    }
}
