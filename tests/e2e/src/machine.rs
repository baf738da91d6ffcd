//! What a run needs of the machine: the built programs, the source tree, a folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use uuid::Uuid;

use crate::{During, Result, ensure, process, say};

/// How long the folder of a failed run is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Where things are.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The folder of the control plane's programs, as `scripts/e2e-stack` built them.
    pub stack: PathBuf,
    /// The product's program.
    pub coditect: PathBuf,
    /// The source tree.
    pub tree: PathBuf,
    /// The folder of this run: processes, their data and logs.
    pub run: PathBuf,
}

impl Machine {
    /// Finds the programs, and makes a folder for the run below `cache`. The product's is the one given, or the one
    /// beside this program. `tree` holds the manifests under test.
    ///
    /// # Errors
    /// If something has not been built, with the command that builds it.
    pub async fn new(tree: &Path, cache: &Path, program: Option<&Path>) -> Result<Self> {
        let tree = tree.canonicalize().during(tree.display())?;
        let script = tree.join("scripts/e2e-stack");
        ensure!(
            script.exists(),
            "{} is not the source tree; run this there, or give --tree",
            tree.display()
        );
        let mut command = Command::new(script);
        command.arg("--where").env("CODITECT_CACHE", cache);
        let stack = PathBuf::from(process::output(command).await?.trim());
        ensure!(
            stack.join("complete").exists(),
            "the test control plane is not built; run scripts/e2e-stack"
        );
        let coditect = match program {
            Some(program) => program.to_owned(),
            None => std::env::current_exe()?.with_file_name("coditect"),
        };
        ensure!(
            coditect.exists(),
            "{} is not built; run `cargo build --bin coditect`",
            coditect.display()
        );
        forget(&cache.join("e2e/runs"));
        // Unix sockets lie below it, and their paths have at most 107 bytes.
        let name = Uuid::new_v4().simple().to_string();
        let run = cache.join("e2e/runs").join(&name[..8]);
        fs::create_dir_all(&run).during(run.display())?;
        // A program that is built anew meanwhile must not change under a run that starts it again and again.
        let linked = run.join("coditect");
        fs::hard_link(&coditect, &linked)
            .or_else(|_| fs::copy(&coditect, &linked).map(drop))
            .during(linked.display())?;
        let coditect = linked;
        Ok(Self {
            stack,
            coditect,
            tree,
            run,
        })
    }

    /// A program of the control plane.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.stack.join(name)
    }

    /// Removes the run's folder, or says where it is.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn tidy(&self, keep: bool) -> Result {
        if keep {
            say::line(format!("logs and data are in {}", self.run.display()));
            return Ok(());
        }
        fs::remove_dir_all(&self.run).during(self.run.display())
    }
}

/// Removes the runs that failed, or were killed, so long ago that nobody reads their logs any more. One that cannot
/// be removed is in nobody's way.
fn forget(runs: &Path) {
    for run in fs::read_dir(runs).into_iter().flatten().flatten() {
        let modified = run.metadata().and_then(|run| run.modified());
        let age = modified.ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > KEPT) {
            let _ = fs::remove_dir_all(run.path());
        }
    }
}
