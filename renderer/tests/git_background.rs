//! The mirror and the maintenance, with real remotes and a real `git`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod git_support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use coditect_core::health::{Health, State};
use coditect_renderer::git::{
    CellRepository, Maintenance, MaintenanceConfig, Mirror, MirrorConfig, MirrorProblem, Occasion,
    Published, join_large_packs, join_small_packs,
};
use git_support::{Cell, assert_clean, finish, git, head_of, put, try_git, user};

fn config(url: &Path) -> MirrorConfig {
    let mut config = MirrorConfig::new("local".parse().unwrap(), url.to_str().unwrap());
    config.first_pause = Duration::from_millis(5);
    config.longest_pause = Duration::from_millis(20);
    config
}

fn bare(path: &Path) {
    git(
        path.parent().unwrap(),
        &["init", "-q", "--bare", "-b", "main", path.to_str().unwrap()],
    );
}

fn hook(remote: &Path, script: &str) {
    let path = remote.join("hooks/pre-receive");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

async fn until_problem(mirror: &Mirror) -> MirrorProblem {
    mirror
        .status()
        .wait_for(|status| status.problem.is_some())
        .await
        .unwrap()
        .problem
        .clone()
        .unwrap()
}

async fn until_pushed(mirror: &Mirror, published: &Published) {
    mirror
        .status()
        .wait_for(|status| status.pushed == Some(published.commit))
        .await
        .unwrap();
}

fn detail(health: &Health) -> (bool, String) {
    match health.snapshot().remove("mirror/local").unwrap() {
        State::Ok { detail } => (true, detail),
        State::Degraded { detail } | State::Failing { detail } => (false, detail),
    }
}

#[tokio::test]
async fn a_mirror_that_is_down_is_shown_and_caught_up_with() {
    let (cell, first) = Cell::with_users(3);
    let remote = cell.folder.path().join("mirror.git");
    let health = Health::default();
    let mirror = Mirror::start(cell.repository.clone(), config(&remote), health.clone());
    let problem = until_problem(&mirror).await;
    assert!(
        matches!(problem, MirrorProblem::Unreachable(_)),
        "{problem:?}"
    );
    assert!(
        detail(&health)
            .1
            .contains("check address, network and credentials"),
        "{:?}",
        detail(&health)
    );
    assert!(health.is_ready(), "a mirror that is down stops nobody");
    let second = cell.commit(&first, 2, |batch| assert!(put(batch, 5, 0)));
    mirror.published();
    bare(&remote);
    until_pushed(&mirror, &second).await;
    assert_eq!(head_of(&remote), second.commit.to_string());
    assert!(detail(&health).0);
    assert_eq!(mirror.status().borrow().failures, 0);
}

#[tokio::test]
async fn a_mirror_that_refuses_is_quoted() {
    let (cell, first) = Cell::with_users(3);
    let remote = cell.folder.path().join("mirror.git");
    bare(&remote);
    hook(&remote, "echo 'no pushes on a Sunday' >&2; exit 1");
    let health = Health::default();
    let mirror = Mirror::start(cell.repository.clone(), config(&remote), health.clone());
    let problem = until_problem(&mirror).await;
    assert!(
        matches!(&problem, MirrorProblem::Rejected(said) if said.contains("no pushes on a Sunday")),
        "{problem:?}"
    );
    assert!(
        detail(&health).1.contains("branch protection"),
        "{:?}",
        detail(&health)
    );
    fs::remove_file(remote.join("hooks/pre-receive")).unwrap();
    until_pushed(&mirror, &first).await;
}

#[tokio::test]
async fn other_peoples_commits_at_the_mirror_are_overwritten_only_by_force() {
    let (cell, first) = Cell::with_users(3);
    let (other, _) = Cell::with_users(4);
    let remote = cell.folder.path().join("mirror.git");
    git(
        cell.folder.path(),
        &[
            "clone",
            "-q",
            "--bare",
            other.path().to_str().unwrap(),
            remote.to_str().unwrap(),
        ],
    );
    let theirs = head_of(&remote);
    let mirror = Mirror::start(cell.repository.clone(), config(&remote), Health::default());
    let problem = until_problem(&mirror).await;
    assert!(matches!(problem, MirrorProblem::Diverged(_)), "{problem:?}");
    assert_eq!(head_of(&remote), theirs);
    drop(mirror);
    let forced = MirrorConfig {
        force: true,
        ..config(&remote)
    };
    let mirror = Mirror::start(cell.repository.clone(), forced, Health::default());
    until_pushed(&mirror, &first).await;
    assert_eq!(head_of(&remote), first.commit.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_come_during_a_push_share_the_next_one() {
    let (cell, mut published) = Cell::with_users(3);
    let remote = cell.folder.path().join("mirror.git");
    bare(&remote);
    for name in ["began", "go"] {
        assert!(
            std::process::Command::new("mkfifo")
                .arg(remote.join(name))
                .status()
                .unwrap()
                .success()
        );
    }
    hook(
        &remote,
        "echo began > began; cat go > /dev/null; echo push >> pushes",
    );
    let mirror = Mirror::start(cell.repository.clone(), config(&remote), Health::default());
    let pipe = |name: &str| remote.join(name);
    let (began, go) = (pipe("began"), pipe("go"));
    let wait = |path: std::path::PathBuf| {
        tokio::task::spawn_blocking(move || fs::read_to_string(path).unwrap())
    };
    let release = |path: std::path::PathBuf| {
        tokio::task::spawn_blocking(move || fs::write(path, "go").unwrap())
    };
    wait(began.clone()).await.unwrap();
    for n in 0..10 {
        published = cell.commit(&published, n + 2, |batch| {
            assert!(put(batch, 100 + u128::from(n), 0))
        });
        mirror.published();
    }
    release(go.clone()).await.unwrap();
    wait(began).await.unwrap();
    release(go).await.unwrap();
    until_pushed(&mirror, &published).await;
    assert_eq!(
        fs::read_to_string(remote.join("pushes")).unwrap(),
        "push\npush\n"
    );
}

#[tokio::test]
async fn a_push_that_hangs_is_ended_with_its_helpers() {
    let (cell, _) = Cell::with_users(1);
    let remote = cell.folder.path().join("mirror.git");
    bare(&remote);
    // The pipe ends for its reader when the last process of the push is gone.
    let pipe = remote.join("alive");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    hook(&remote, "exec sleep 1000 > alive");
    // Long enough for the hook to begin; if it was not, the next attempt is.
    let config = MirrorConfig {
        limit: Duration::from_secs(1),
        ..config(&remote)
    };
    let mirror = Mirror::start(cell.repository.clone(), config, Health::default());
    let gone = tokio::task::spawn_blocking(move || fs::read_to_string(pipe).unwrap());
    let problem = until_problem(&mirror).await;
    assert!(
        matches!(&problem, MirrorProblem::Unreachable(said) if said.contains("took longer")),
        "{problem:?}"
    );
    assert_eq!(gone.await.unwrap(), "");
}

#[tokio::test]
async fn credentials_are_shown_to_nobody() {
    let (cell, _) = Cell::with_users(1);
    let mut config = config(Path::new("x"));
    // Nothing listens on port 1.
    config.url = "http://robot:s3cret-t0ken@127.0.0.1:1/cell.git".to_owned();
    let health = Health::default();
    let mirror = Mirror::start(cell.repository.clone(), config, health.clone());
    let problem = until_problem(&mirror).await;
    assert!(
        !format!("{problem:?} {:?}", detail(&health)).contains("s3cret"),
        "{problem:?}"
    );
}

fn of_packs(packs: usize) -> MaintenanceConfig {
    MaintenanceConfig {
        packs,
        ..MaintenanceConfig::new("local".parse().unwrap())
    }
}

/// Where every pack is large.
fn all_large() -> MaintenanceConfig {
    MaintenanceConfig {
        small: 0,
        ..of_packs(8)
    }
}

fn packs_of(repository: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(repository.join("objects/pack"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    names
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "pack")
        })
        .collect()
}

fn packs(repository: &Path) -> usize {
    packs_of(repository).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_commits_leave_few_packs_and_old_handles_go_on_reading() {
    const COMMITS: u64 = 320;
    let (cell, mut published) = Cell::with_users(40);
    // Opened before, and never told of anything.
    let old = CellRepository::open(cell.path()).unwrap();
    let before = old.tree(published.commit).unwrap();
    // What is joined is large at once, and joined again by the other step.
    let config = MaintenanceConfig {
        small: 16 * 1_024,
        others: 4,
        ..of_packs(8)
    };
    let health = Health::default();
    let maintenance = Maintenance::start(cell.repository.clone(), config, health.clone());
    let runtime = tokio::runtime::Handle::current();
    let (cell, published) = tokio::task::spawn_blocking(move || {
        for version in 0..COMMITS {
            runtime.block_on(maintenance.room());
            published = cell.commit(&published, version + 2, |batch| {
                assert!(put(batch, u128::from(version % 40), version + 1))
            });
            maintenance.published();
            // The ceiling, and what is just being made.
            assert!(packs(&cell.path()) <= 8 * 8 + 2);
            if version % 40 == 0 {
                old.tree(published.commit).unwrap();
            }
        }
        for (_, _, oid) in before.iter().chain(published.tree.iter()) {
            old.blob(oid).unwrap();
        }
        assert_eq!(old.history_of(published.commit, user(3)).unwrap().len(), 9);
        let done = *maintenance.status().borrow();
        assert!(done.joins > 0 && done.repacks > 0, "{done:?}");
        (cell, published)
    })
    .await
    .unwrap();
    join_large_packs(&cell.repository, &all_large())
        .await
        .unwrap();
    // Each pack has at least twice the objects of the next.
    assert!(packs(&cell.path()) < 16);
    assert_eq!(
        git(&cell.path(), &["rev-list", "--count", "main"]),
        (COMMITS + 1).to_string()
    );
    assert_clean(&cell.path());
    assert!(health.is_ready());
    cell.commit(&published, 999, |batch| assert!(put(batch, 77, 0)));
}

#[tokio::test]
async fn publishing_waits_when_packs_outrun_maintenance_but_not_when_it_fails() {
    let (cell, mut published) = Cell::with_users(3);
    for version in 0..40 {
        published = cell.commit(&published, version + 2, |batch| {
            assert!(put(batch, 1, version + 1))
        });
    }
    let failing = MaintenanceConfig {
        limit: Duration::ZERO,
        ..of_packs(2)
    };
    let maintenance = Maintenance::start(cell.repository.clone(), failing, Health::default());
    maintenance.room().await;
    let status = *maintenance.status().borrow();
    assert!(status.failures > 0 && status.packs > 32, "{status:?}");
    drop(maintenance);
    let maintenance = Maintenance::start(cell.repository.clone(), of_packs(2), Health::default());
    maintenance.room().await;
    let status = *maintenance.status().borrow();
    assert!(status.joins == 1 && status.packs == 1, "{status:?}");
}

#[tokio::test]
async fn more_packs_than_a_process_may_open_are_joined_in_several_steps() {
    let (cell, mut published) = Cell::with_users(3);
    for version in 0..520 {
        published = cell.commit(&published, version + 2, |batch| {
            assert!(put(batch, 1, version + 1))
        });
    }
    let maintenance = Maintenance::start(cell.repository.clone(), of_packs(2), Health::default());
    let mut status = maintenance.status();
    let joined = status.wait_for(|status| status.packs <= 2).await.unwrap();
    assert_eq!(joined.joins, 2, "{:?}", *joined);
    drop(joined);
    assert_clean(cell.repository.path());
}

#[tokio::test]
async fn a_prepared_commit_survives_a_repack() {
    let (cell, first) = Cell::with_users(5);
    let second = cell.commit(&first, 2, |batch| assert!(put(batch, 9, 0)));
    let mut batch = cell.repository.begin(Some(second.commit), &second.tree);
    put(&mut batch, 10, 0);
    let prepared = finish(batch, 3, Occasion::Changes);
    assert!(
        join_small_packs(&cell.repository, &of_packs(8))
            .await
            .unwrap()
            >= 3
    );
    join_large_packs(&cell.repository, &all_large())
        .await
        .unwrap();
    git(&cell.path(), &["repack", "--geometric=2", "-d"]);
    let third = prepared.publish().unwrap();
    assert_eq!(cell.repository.tree(third.commit).unwrap().len(), 7);
    assert_clean(&cell.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_join_the_same_packs_lose_nothing() {
    let (cell, mut published) = Cell::with_users(50);
    let other = CellRepository::open_or_create(cell.path()).unwrap();
    let config = MaintenanceConfig {
        small: 16 * 1_024,
        ..of_packs(2)
    };
    let mut joined = [0, 0];
    for round in 0..20_u64 {
        for n in 0..6 {
            published = cell.commit(&published, 10 * round + n + 2, |batch| {
                assert!(put(batch, u128::from(n), 100 * round + n + 1))
            });
        }
        let outcomes = tokio::join!(
            join_small_packs(&cell.repository, &config),
            join_large_packs(&cell.repository, &config),
            join_small_packs(&other, &config),
            join_large_packs(&other, &config),
        );
        let (a, b, c, d) = outcomes;
        joined[0] += a.unwrap() + c.unwrap();
        joined[1] += b.unwrap() + d.unwrap();
        assert_clean(&cell.path());
    }
    assert!(joined.iter().all(|joined| *joined > 0), "{joined:?}");
    assert_eq!(cell.repository.tree(published.commit).unwrap().len(), 50);
    assert_eq!(git(&cell.path(), &["rev-list", "--count", "main"]), "121");
}

#[tokio::test]
async fn packs_that_somebody_keeps_stay() {
    let (cell, mut published) = Cell::with_users(3);
    for version in 2..6 {
        published = cell.commit(&published, version, |batch| assert!(put(batch, 1, version)));
    }
    let kept = packs_of(&cell.path()).remove(0);
    fs::write(kept.with_extension("keep"), "").unwrap();
    assert_eq!(
        join_small_packs(&cell.repository, &of_packs(2))
            .await
            .unwrap(),
        4
    );
    assert!(kept.exists());
    assert_eq!(packs(&cell.path()), 2);
    assert_clean(&cell.path());
}

#[tokio::test]
async fn a_repack_killed_at_any_moment_harms_nothing() {
    let (cell, mut published) = Cell::with_users(50);
    for round in 0..30 {
        published = cell.commit(&published, round + 2, |batch| {
            assert!(put(batch, u128::from(round), 1))
        });
        // Mostly ends by SIGKILL somewhere inside; where does not matter.
        let config = MaintenanceConfig {
            limit: Duration::from_millis(round),
            ..all_large()
        };
        let _ = join_large_packs(&cell.repository, &config).await;
        let (whole, said) = try_git(
            &cell.path(),
            &["fsck", "--strict", "--full", "--no-progress"],
        );
        assert!(whole, "{said}");
    }
    join_large_packs(&cell.repository, &all_large())
        .await
        .unwrap();
    assert_clean(&cell.path());
    assert_eq!(cell.repository.tree(published.commit).unwrap().len(), 50);
}
