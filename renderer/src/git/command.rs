//! The `git` command, for what libgit2 does slowly or not at all: pushing and repacking.

use std::{path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
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
    let child = command
        .spawn()
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
