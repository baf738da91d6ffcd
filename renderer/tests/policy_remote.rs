//! The policy repository as Coditect writes to it: real repositories, and people who were faster.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod git_support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use coditect_renderer::git::{
    Edits, Oid, PolicyRemote, PolicyRemoteConfig, PolicyRepository, PushError,
};
use git_support::git;
use tempfile::TempDir;

/// A hosted policy repository, and the clone of somebody who works on it.
struct Hosted {
    folder: TempDir,
}

impl Hosted {
    fn new() -> Self {
        let hosted = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let folder = hosted.folder.path();
        git(
            folder,
            &["init", "-q", "--bare", "-b", "main", "policy.git"],
        );
        git(folder, &["clone", "-q", "policy.git", "desk"]);
        hosted.commits("tenants/rings.yaml", "rings: []\n");
        hosted
    }

    fn desk(&self) -> PathBuf {
        self.folder.path().join("desk")
    }

    /// Somebody commits a file and pushes.
    fn commits(&self, path: &str, contents: &str) {
        let desk = self.desk();
        fs::create_dir_all(desk.join(path).parent().unwrap()).unwrap();
        fs::write(desk.join(path), contents).unwrap();
        git(&desk, &["add", "."]);
        git(&desk, &["commit", "-q", "-m", path]);
        git(&desk, &["push", "-q", "origin", "HEAD:main"]);
    }

    fn open(&self, name: &str) -> PolicyRemote {
        open(
            &self.folder.path().join("policy.git"),
            &self.folder.path().join(name),
        )
    }
}

fn open(url: &Path, copy: &Path) -> PolicyRemote {
    PolicyRemote::open(PolicyRemoteConfig::new(
        url.display().to_string(),
        "main",
        copy.to_path_buf(),
    ))
    .unwrap()
}

fn edit(path: &str, contents: &str) -> Edits {
    BTreeMap::from([(path.to_owned(), Some(contents.as_bytes().to_vec()))])
}

async fn on(remote: &PolicyRemote, parent: Oid, path: &str) -> Oid {
    let message = format!("adds {path}\n\nCoditect-Change: 1\n");
    remote
        .commit(parent, edit(path, "a: 1\n"), message)
        .await
        .unwrap()
}

#[tokio::test]
async fn of_two_who_write_on_the_same_commit_one_is_told_that_it_moved() {
    let hosted = Hosted::new();
    let (one, other) = (hosted.open("one"), hosted.open("other"));
    let seen = one.look().await.unwrap();
    assert_eq!(other.look().await.unwrap(), seen);
    let (first, second) = (
        on(&one, seen.main, "a.yaml").await,
        on(&other, seen.main, "b.yaml").await,
    );
    one.merge(seen.main, first).await.unwrap();
    let late = other.merge(seen.main, second).await;
    assert!(matches!(late, Err(PushError::Moved)), "{late:?}");
    let seen = other.look().await.unwrap();
    assert_eq!(seen.main, first);
    assert!(other.is_merged(first, seen.main).await.unwrap());
    assert!(!other.is_merged(second, seen.main).await.unwrap());
    assert_eq!(
        other.file(first, "a.yaml").await.unwrap().unwrap(),
        b"a: 1\n"
    );
    assert_eq!(other.file(first, "b.yaml").await.unwrap(), None);
    // What was there stays.
    assert!(
        other
            .file(first, "tenants/rings.yaml")
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_branch_is_made_once_merged_by_people_and_removed() {
    let hosted = Hosted::new();
    let (one, other) = (hosted.open("one"), hosted.open("other"));
    let seen = one.look().await.unwrap();
    other.look().await.unwrap();
    let name = "coditect/approvals/7";
    let commit = on(&one, seen.main, "tenants/approvals/7.yaml").await;
    one.put_branch(name, None, commit).await.unwrap();
    let again = on(&other, seen.main, "tenants/approvals/8.yaml").await;
    let late = other.put_branch(name, None, again).await;
    assert!(matches!(late, Err(PushError::Moved)), "{late:?}");
    assert_eq!(
        other.look().await.unwrap().ours,
        [(name.to_owned(), commit)].into()
    );

    hosted.commits("tenants/defaults.yaml", "plan: free\n");
    let desk = hosted.desk();
    git(&desk, &["fetch", "-q"]);
    git(
        &desk,
        &[
            "merge",
            "-q",
            "-m",
            "approved",
            "origin/coditect/approvals/7",
        ],
    );
    git(&desk, &["push", "-q", "origin", "HEAD:main"]);
    let seen = other.look().await.unwrap();
    assert!(other.is_merged(commit, seen.main).await.unwrap());
    other.remove_branch(name, commit).await.unwrap();
    assert_eq!(one.look().await.unwrap().ours, BTreeMap::new());
}

#[tokio::test]
async fn the_copy_follows_what_people_push_and_loses_no_commit_that_a_checkpoint_names() {
    let hosted = Hosted::new();
    let remote = hosted.open("copy");
    let first = remote.look().await.unwrap().main;
    hosted.commits("tenants/rings.yaml", "rings: [1]\n");
    let second = remote.look().await.unwrap().main;
    let copy = PolicyRepository::open_or_init(remote.copy()).unwrap();
    assert!(copy.is_bare().unwrap() && !copy.is_dirty().unwrap());
    assert_eq!(copy.head().unwrap(), Some(second));
    // Somebody takes the second one out of the branch by force, and another one in its place.
    let desk = hosted.desk();
    git(&desk, &["reset", "-q", "--hard", &first.to_string()]);
    git(&desk, &["commit", "-q", "--allow-empty", "-m", "instead"]);
    git(&desk, &["push", "-q", "--force", "origin", "HEAD:main"]);
    let seen = remote.look().await.unwrap().main;
    assert_eq!(copy.head().unwrap(), Some(seen));
    assert_ne!(seen, second);
    git(remote.copy(), &["-c", "gc.pruneExpire=never", "gc", "-q"]);
    assert_eq!(
        copy.file_at(second, "tenants/rings.yaml").unwrap().unwrap(),
        b"rings: [1]\n"
    );
}

#[tokio::test]
async fn a_folder_that_people_work_in_is_not_taken_for_a_copy() {
    let hosted = Hosted::new();
    let refused = PolicyRemote::open(PolicyRemoteConfig::new(
        "https://robot:s3cret@git.example/policy.git".to_owned(),
        "main",
        hosted.desk(),
    ));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("move the folder away") && !refused.contains("s3cret"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_does_not_answer_is_said_without_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let remote = PolicyRemote::open(PolicyRemoteConfig::new(
        "http://robot:s3cret@127.0.0.1:9/policy.git".to_owned(),
        "main",
        folder.path().join("copy"),
    ))
    .unwrap();
    let said = remote.look().await.unwrap_err().chain().to_string();
    assert!(
        said.contains("does not answer") && !said.contains("s3cret"),
        "{said}"
    );
    assert!(!format!("{remote:?}").contains("s3cret"));
}
