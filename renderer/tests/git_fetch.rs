//! The newest commit of a repository elsewhere, by real `git`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod git_support;

use std::time::Duration;

use coditect_renderer::git::{CellRepository, GitAccess, fetch_newest};
use git_support::{Cell, git, put};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_newest_commit_alone_comes_and_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("not/yet/here");
    let (cell, first) = Cell::with_users(3);
    let url = format!("file://{}", cell.path().display());
    fetch_newest(&url, &GitAccess::default(), &here, LIMIT)
        .await
        .unwrap();
    let fetched = || CellRepository::open(&here).unwrap().head().unwrap();
    assert_eq!(fetched().unwrap().commit, first.commit);
    let second = cell.commit(&first, 2, |batch| {
        put(batch, 9, 0);
    });
    fetch_newest(&url, &GitAccess::default(), &here, LIMIT)
        .await
        .unwrap();
    assert_eq!(fetched().unwrap().commit, second.commit);
    assert_eq!(git(&here, &["rev-list", "--count", "main"]).trim(), "1");
}

#[tokio::test]
async fn a_refusal_says_which_repository_and_hides_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let url = "http://somebody:secret-word@127.0.0.1:1/cell.git";
    let why = fetch_newest(url, &GitAccess::default(), folder.path(), LIMIT)
        .await
        .unwrap_err();
    assert!(why.contains("127.0.0.1:1/cell.git"), "{why}");
    assert!(!why.contains("secret-word"), "{why}");
}
