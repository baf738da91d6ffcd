//! This test program started a second time, as another process on the same store.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// Tells a started test that it is the child, and where its store is.
const PLACE: &str = "CODITECT_CONFORMANCE_CHILD";

/// The store's place, if this process is the child.
pub(crate) fn place() -> Option<OsString> {
    std::env::var_os(PLACE)
}

/// Says a line to the parent, in one write: it is in the pipe before a kill, or it is not.
pub(crate) fn say(words: &str) {
    std::io::stdout()
        .write_all(format!("@{words}\n").as_bytes())
        .unwrap();
}

/// A child that runs `test` and nothing else; killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(test: &str, place: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--quiet"])
            .env(PLACE, place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the child says in the form `@word word …`; `None` once it is dead and everything
    /// it said has been read. The test program's own lines are passed over.
    pub(crate) fn says(&mut self) -> Option<Vec<String>> {
        loop {
            let line = self.lines.next()?.unwrap();
            if let Some(said) = line.split_once('@') {
                return Some(said.1.split(' ').map(str::to_owned).collect());
            }
        }
    }

    /// SIGKILL, and the wait for its end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
