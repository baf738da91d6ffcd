//! What the tests of the Git half share: a cell's repository in a temporary folder, users, and the `git`
//! command as an independent reader.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use coditect_core::{Epoch, Fence, Shard, UserId, Version};
use coditect_renderer::git::{
    Action, Batch, CellRepository, Checkpoint, Message, Occasion, Oid, Prepared, Published,
    ShardTree,
};
use jiff::Timestamp;
use tempfile::TempDir;

pub(crate) struct Cell {
    pub(crate) folder: TempDir,
    pub(crate) repository: CellRepository,
}

impl Cell {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = CellRepository::open_or_create(folder.path().join("cell.git")).unwrap();
        Self { folder, repository }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.repository.path().to_path_buf()
    }

    /// A cell whose head holds this many users.
    pub(crate) fn with_users(count: u128) -> (Self, Published) {
        let cell = Self::new();
        let mut batch = cell.repository.begin(None, &ShardTree::empty());
        for n in 0..count {
            put(&mut batch, n, 0);
        }
        let published = finish(batch, 1, Occasion::FullReconcile).publish().unwrap();
        (cell, published)
    }

    pub(crate) fn commit(
        &self,
        on: &Published,
        version: u64,
        change: impl FnOnce(&mut Batch),
    ) -> Published {
        let mut batch = self.repository.begin(Some(on.commit), &on.tree);
        change(&mut batch);
        finish(batch, version, Occasion::Changes).publish().unwrap()
    }
}

pub(crate) fn user(n: u128) -> UserId {
    UserId::from_bytes((n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).to_be_bytes())
}

pub(crate) fn put(batch: &mut Batch, n: u128, generation: u64) -> bool {
    batch
        .put(Shard::of(user(n)), user(n), &manifest(user(n), generation))
        .unwrap()
}

/// About ten kilobytes of a user's manifests, as real ones are: the same lines, other ids.
pub(crate) fn manifest(user: UserId, generation: u64) -> Vec<u8> {
    use std::fmt::Write;
    let mut text = String::new();
    for (at, kind) in [
        "Namespace",
        "ResourceQuota",
        "LimitRange",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "StatefulSet",
        "Service",
        "HTTPRoute",
    ]
    .iter()
    .enumerate()
    {
        write!(text, "---\napiVersion: v1\nkind: {kind}\nmetadata:\n  name: {}-{user}\n  namespace: user-{user}\n  labels:\n    app.kubernetes.io/managed-by: coditect\n    coditect.ai/user: {user}\n", kind.to_lowercase()).unwrap();
        if at == 0 {
            write!(text, "  annotations:\n    coditect.ai/generation: \"{generation}\"\n    coditect.ai/intent: '{{\"user\":\"{user}\",\"plan\":\"free\",\"generation\":{generation}}}'\n").unwrap();
        }
        text.push_str("spec:\n");
        for line in 0..22 {
            writeln!(text, "  setting{line}: {kind}-{}", at * 31 + line * 7).unwrap();
        }
    }
    text.into_bytes()
}

pub(crate) fn checkpoint(version: u64) -> Checkpoint {
    Checkpoint {
        epoch: Epoch::from_bytes([7; 16]),
        version: Version(version),
        fence: Fence(1),
        policy: None,
        templates: [("v1".parse().unwrap(), "0123456789abcdef".to_owned())].into(),
        engine: "1".to_owned(),
    }
}

pub(crate) fn finish(batch: Batch, version: u64, occasion: Occasion) -> Prepared {
    let mut message = Message::new(occasion);
    message.record(user(0), Action::Changed, "test");
    batch
        .finish(checkpoint(version), &message, time(version))
        .unwrap()
        .expect("something to publish")
}

pub(crate) fn time(seconds: u64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + i64::try_from(seconds).unwrap()).unwrap()
}

/// What the `git` command prints, run in `folder`. Fails the test if it fails.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let (success, output) = try_git(folder, arguments);
    assert!(success, "git {arguments:?}: {output}");
    output
}

pub(crate) fn try_git(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("git");
    command
        .args([
            "-c",
            "user.name=A Person",
            "-c",
            "user.email=person@example.com",
        ])
        .args(arguments)
        .current_dir(folder);
    let output = command.output().expect("git is installed");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).trim().to_owned(),
    )
}

pub(crate) fn head_of(folder: &Path) -> String {
    git(folder, &["rev-parse", "refs/heads/main"])
}

pub(crate) fn oid(text: &str) -> Oid {
    Oid::from_str(text).unwrap()
}

/// `git fsck` finds nothing, not even something dangling.
pub(crate) fn assert_clean(folder: &Path) {
    assert_eq!(
        git(folder, &["fsck", "--strict", "--full", "--no-progress"]),
        ""
    );
}
