//! A policy that people review on a Git host: a bare repository, and a reviewer's clone of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{Process, World, coditect, git};

/// The host's repository and the clone.
pub(crate) struct Reviewed {
    pub(crate) host: PathBuf,
    pub(crate) desk: PathBuf,
}

impl Reviewed {
    /// The sample policy, pushed as a person would.
    pub(crate) fn new(world: &World) -> Self {
        let folder = world.folder.path();
        let reviewed = Self {
            host: folder.join("policy.git"),
            desk: folder.join("desk"),
        };
        git(
            folder,
            &["init", "-q", "--bare", "-b", "main", "policy.git"],
        );
        git(folder, &["clone", "-q", "policy.git", "desk"]);
        let planted = coditect()
            .args(["policy", "init"])
            .arg(&reviewed.desk)
            .output()
            .unwrap();
        assert!(planted.status.success(), "{planted:?}");
        reviewed.commit("the sample");
        git(&reviewed.desk, &["push", "-q", "origin", "HEAD:main"]);
        reviewed
    }

    /// The product, with the policy read from the host.
    pub(crate) fn dev(&self, world: &World) -> Process {
        Process::start(self.command(world))
    }

    /// The same, before it is started.
    pub(crate) fn command(&self, world: &World) -> Command {
        let mut command = world.command("dev");
        command
            .args(["--listen", "127.0.0.1:0", "--no-rate-limits"])
            .args(["--runtime", "none", "--policy-interval-seconds", "1"])
            .arg("--policy-remote")
            .arg(&self.host);
        command
    }

    /// The desk on the newest commit that is merged.
    fn to_main(&self) {
        git(&self.desk, &["fetch", "-q"]);
        let main = ["checkout", "-q", "--detach", "origin/main"];
        git(&self.desk, &main);
    }

    /// Commits everything on the desk.
    pub(crate) fn commit(&self, message: &str) {
        git(&self.desk, &["add", "."]);
        git(&self.desk, &["commit", "-q", "-m", message]);
    }

    /// Proposes an edit on a branch, looks at what it would do to the fleet, and merges it. Gives the plan.
    pub(crate) fn merged(&self, world: &World, what: &str, edit: impl FnOnce(&Path)) -> Value {
        let desk = &self.desk;
        git(desk, &["fetch", "-q"]);
        git(desk, &["checkout", "-q", "-B", "proposal", "origin/main"]);
        edit(desk);
        self.commit(what);
        let plan = coditect()
            .args(["plan", "--output", "json", "--policy"])
            .arg(desk)
            .arg("--cells-folder")
            .arg(world.data().join("cells"))
            .output()
            .unwrap();
        let told = serde_json::from_slice(&plan.stdout);
        let told = told.unwrap_or_else(|error| panic!("{error}: {plan:?}"));
        git(desk, &["checkout", "-q", "--detach", "origin/main"]);
        git(
            desk,
            &[
                "merge",
                "-q",
                "--no-ff",
                "-m",
                &format!("Merge: {what}"),
                "proposal",
            ],
        );
        git(desk, &["push", "-q", "origin", "HEAD:main"]);
        told
    }

    /// A file of the newest commit.
    pub(crate) fn file(&self, path: &str) -> String {
        git(&self.host, &["show", &format!("main:{path}")])
    }

    /// Coditect's own branches.
    pub(crate) fn ours(&self) -> Vec<String> {
        let all = [
            "for-each-ref",
            "--format=%(refname:short)",
            "refs/heads/coditect",
        ];
        git(&self.host, &all)
            .lines()
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Merges a branch that asks for an approval.
    pub(crate) fn approve(&self, branch: &str) {
        let desk = &self.desk;
        self.to_main();
        git(
            desk,
            &[
                "merge",
                "-q",
                "--no-ff",
                "-m",
                &format!("Approved: {branch}"),
                &format!("origin/{branch}"),
            ],
        );
        git(desk, &["push", "-q", "origin", "HEAD:main"]);
    }

    /// Takes the newest merge back, as a reviewer would.
    pub(crate) fn revert(&self) {
        let desk = &self.desk;
        self.to_main();
        git(desk, &["revert", "--no-edit", "-m", "1", "HEAD"]);
        git(desk, &["push", "-q", "origin", "HEAD:main"]);
    }

    /// The subjects of the branch's commits, the oldest first.
    pub(crate) fn story(&self) -> Vec<String> {
        let log = git(
            &self.host,
            &["log", "--reverse", "--first-parent", "--format=%s", "main"],
        );
        log.lines().map(ToOwned::to_owned).collect()
    }
}

/// A release as a copy of another.
pub(crate) fn release(policy: &Path, name: &str, from: &str) {
    let (from, to) = (
        policy.join("templates").join(from),
        policy.join("templates").join(name),
    );
    fs::create_dir(&to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
