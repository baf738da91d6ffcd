//! What the repository survives: a full disk, a read-only one, kill -9, a power cut. Real ones where a
//! process can make them (mount namespaces need `unshare`; system calls are read with `strace`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod git_support;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use coditect_core::Shard;
use coditect_renderer::git::{
    BRANCH, CellRepository, Error, MaintenanceConfig, Occasion, PublishError, ShardTree,
    join_small_packs,
};
use git_support::{Cell, finish, git, head_of, put, try_git, user};
use tokio::runtime::Builder;

/// Tells a run of this test binary by one of its own tests where to work.
const FOLDER: &str = "CODITECT_TEST_FOLDER";

/// This test alone, to be run as a process of its own that works in `folder`.
fn as_process(mut wrapper: Command, test: &str, folder: &Path) -> Command {
    wrapper
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder);
    wrapper
}

fn folder_of_this_process() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs a test on a file system of its own of 2 MB.
fn on_a_small_disk(test: &str, scenario: fn(&Path)) {
    if let Some(folder) = folder_of_this_process() {
        return scenario(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut wrapper = Command::new("unshare");
    let script = "mount -t tmpfs -o size=2m none \"$1\" && shift && exec \"$@\"";
    wrapper
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(folder.path());
    let output = as_process(wrapper, test, folder.path())
        .output()
        .expect("unshare is installed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

/// Bytes that do not compress.
fn noise(seed: u128, length: usize) -> Vec<u8> {
    (0..)
        .flat_map(|n| *user(seed * 1_000_000 + n).as_bytes())
        .zip((0_u64..).flat_map(u64::to_le_bytes))
        .map(|(a, b)| a ^ b.wrapping_mul(167))
        .take(length)
        .collect()
}

#[test]
fn a_full_disk_publishes_nothing_and_goes_on_when_there_is_room() {
    on_a_small_disk(
        "a_full_disk_publishes_nothing_and_goes_on_when_there_is_room",
        |folder| {
            let repository = CellRepository::open_or_create(folder.join("cell.git")).unwrap();
            let mut batch = repository.begin(None, &ShardTree::empty());
            put(&mut batch, 1, 0);
            let first = finish(batch, 1, Occasion::FullReconcile).publish().unwrap();

            // Full while files are added.
            let mut batch = repository.begin(Some(first.commit), &first.tree);
            let error = (0..100)
                .find_map(|n| {
                    batch
                        .put(Shard::of(user(n)), user(n), &noise(n, 100_000))
                        .err()
                })
                .expect("10 MB do not fit");
            assert!(matches!(error, Error::Full { .. }), "{error:?}");
            assert!(error.to_string().contains("enlarge the volume"), "{error}");
            drop(batch);
            let left = fs::read_dir(repository.path().join("objects/pack"))
                .unwrap()
                .filter(|entry| {
                    entry
                        .as_ref()
                        .unwrap()
                        .file_name()
                        .to_string_lossy()
                        .starts_with("tmp")
                });
            assert_eq!(left.count(), 0, "what was written of it is gone");

            // Full at the end, at every possible size of what is left.
            for room in (0..40).map(|step| step * 4_096) {
                let filler = folder.join("filler");
                let mut file = fs::File::create(&filler).unwrap();
                while file.write_all(&[1; 4_096]).is_ok() {}
                let size = file.metadata().unwrap().len();
                file.set_len(size.saturating_sub(room)).unwrap();
                let mut batch = repository.begin(Some(first.commit), &first.tree);
                put(&mut batch, 2, room);
                let mut message = coditect_renderer::git::Message::new(Occasion::Changes);
                message.record(user(2), coditect_renderer::git::Action::Created, "test");
                let outcome = match batch.finish(
                    git_support::checkpoint(2),
                    &message,
                    git_support::time(2),
                ) {
                    Ok(prepared) => prepared.unwrap().publish().err(),
                    Err(error) => Some(PublishError::Storage(error)),
                };
                fs::remove_file(filler).unwrap();
                match outcome {
                    None => break,
                    Some(PublishError::Storage(Error::Full { .. })) => {
                        assert_eq!(repository.head_commit().unwrap(), Some(first.commit))
                    }
                    Some(other) => panic!("{other:?}"),
                }
                assert!(room < 39 * 4_096, "it fits in the end");
            }
            let head = repository.head().unwrap().unwrap();
            assert!(head.intact && head.commit != first.commit);
            assert!(try_git(repository.path(), &["fsck", "--strict", "--full"]).0);
        },
    );
}

#[test]
fn a_disk_that_became_read_only_is_named_and_later_written_again() {
    on_a_small_disk(
        "a_disk_that_became_read_only_is_named_and_later_written_again",
        |folder| {
            let remount = |mode: &str| {
                assert!(
                    Command::new("mount")
                        .args(["-o", mode])
                        .arg(folder)
                        .status()
                        .unwrap()
                        .success()
                )
            };
            let repository = CellRepository::open_or_create(folder.join("cell.git")).unwrap();
            let first = finish(
                repository.begin(None, &ShardTree::empty()),
                1,
                Occasion::FullReconcile,
            )
            .publish()
            .unwrap();
            remount("remount,ro");
            let mut batch = repository.begin(Some(first.commit), &first.tree);
            put(&mut batch, 2, 0);
            let mut message = coditect_renderer::git::Message::new(Occasion::Changes);
            message.record(user(2), coditect_renderer::git::Action::Created, "test");
            let error = batch
                .finish(git_support::checkpoint(2), &message, git_support::time(2))
                .err()
                .unwrap();
            assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
            assert!(
                error.to_string().contains("mount the volume writable"),
                "{error}"
            );
            // Reading goes on.
            assert!(repository.head().unwrap().unwrap().intact);
            assert!(CellRepository::open(repository.path()).is_ok());
            remount("remount,rw");
            let mut batch = repository.begin(Some(first.commit), &first.tree);
            put(&mut batch, 2, 0);
            finish(batch, 2, Occasion::Changes).publish().unwrap();
        },
    );
}

/// Publishes as fast as it can and says each commit once it is published, until it is killed.
#[test]
fn kill_9_at_any_moment_loses_no_published_commit_and_blocks_nobody() {
    const TEST: &str = "kill_9_at_any_moment_loses_no_published_commit_and_blocks_nobody";
    if let Some(folder) = folder_of_this_process() {
        let repository = CellRepository::open_or_create(folder).unwrap();
        let mut head = repository.head_commit().unwrap();
        let mut tree = head.map_or_else(ShardTree::empty, |head| repository.tree(head).unwrap());
        let beside = repository.clone();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().build().unwrap();
            let config = MaintenanceConfig::new("local".parse().unwrap());
            loop {
                runtime
                    .block_on(join_small_packs(&beside, &config))
                    .unwrap();
            }
        });
        for version in 0.. {
            let mut batch = repository.begin(head, &tree);
            put(
                &mut batch,
                u128::from(version % 50),
                version + 1_000_000 * u64::from(std::process::id()),
            );
            let published = finish(batch, version, Occasion::Changes).publish().unwrap();
            // Not `println!`: the test harness may hold that back.
            writeln!(std::io::stderr(), "published {}", published.commit).unwrap();
            (head, tree) = (Some(published.commit), published.tree);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell.git");
    let (mut published, mut joined) = (0, 0);
    for round in 0..25_usize {
        let mut command = as_process(Command::new("env"), TEST, &path);
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut lines = lines.filter_map(|line| line.strip_prefix("published ").map(str::to_owned));
        // A different moment each time: after so many commits, in the midst of the next.
        let mut acknowledged: Vec<String> = lines.by_ref().take(1 + round * 7 % 11).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(lines);
        published += acknowledged.len();

        let repository = CellRepository::open_or_create(&path).unwrap();
        assert!(repository.head().unwrap().unwrap().intact);
        let history = git(&path, &["rev-list", "--first-parent", "main"]);
        for commit in &acknowledged {
            assert!(
                history.contains(commit.as_str()),
                "{commit} was published and is gone"
            );
        }
        assert_eq!(
            git(&path, &["rev-list", "--count", "--merges", "main"]),
            "0"
        );
        assert!(history.lines().count() >= published);
        joined += fs::read_dir(path.join("coditect-joined")).map_or(0, Iterator::count);
        for folder in [
            path.clone(),
            path.join("objects/pack"),
            path.join("refs/heads"),
        ] {
            for name in fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            {
                assert!(
                    !(name.starts_with("tmp_")
                        || name.starts_with("main") && name.ends_with(".lock")),
                    "{name} is left"
                );
            }
        }
    }
    assert!(joined > 100, "packs were joined meanwhile: {joined}");
    let said = git(&path, &["fsck", "--strict", "--full", "--no-progress"]);
    assert!(
        said.lines().all(|line| line.starts_with("dangling ")),
        "{said}"
    );
}

#[test]
fn a_lock_on_the_branch_that_a_killed_renderer_left_blocks_nobody() {
    let (cell, first) = Cell::with_users(1);
    // Exactly what kill -9 between taking the branch and moving it leaves.
    let next = cell.path().join("tmp_coditect_killed");
    let lock = cell.path().join(format!("{BRANCH}.lock"));
    fs::write(&next, format!("{}\n", first.commit)).unwrap();
    fs::hard_link(&next, &lock).unwrap();
    let second = cell.commit(&first, 2, |batch| assert!(put(batch, 2, 0)));
    assert!(!lock.exists());
    // And with a restart in between.
    fs::hard_link(&next, &lock).unwrap();
    let reopened = CellRepository::open_or_create(cell.path()).unwrap();
    assert!(!next.exists() && !lock.exists());
    let mut batch = reopened.begin(Some(second.commit), &second.tree);
    put(&mut batch, 3, 0);
    finish(batch, 3, Occasion::Changes).publish().unwrap();
}

#[test]
fn opening_leaves_a_living_batch_alone() {
    let (cell, first) = Cell::with_users(1);
    let mut batch = cell.repository.begin(Some(first.commit), &first.tree);
    for n in 0..20 {
        batch
            .put(Shard::of(user(n)), user(n), &noise(n, 50_000))
            .unwrap();
    }
    let prepared = finish(batch, 2, Occasion::Changes);
    let mut batch = cell.repository.begin(Some(first.commit), &first.tree);
    for n in 0..20 {
        batch
            .put(Shard::of(user(n)), user(n), &noise(n + 100, 50_000))
            .unwrap();
    }
    CellRepository::open_or_create(cell.path()).unwrap();
    let published = prepared.publish().unwrap();
    drop(batch);
    assert_eq!(head_of(&cell.path()), published.commit.to_string());
}

/// What the kernel was asked to do, in the order in which a power cut could fall between.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Synced(String),
    Renamed(String, String),
    Linked(String),
}

#[test]
fn nothing_refers_to_what_is_not_yet_on_the_disk() {
    if let Some(folder) = folder_of_this_process() {
        let repository = CellRepository::open_or_create(folder.join("cell.git")).unwrap();
        let first = finish(
            repository.begin(None, &ShardTree::empty()),
            1,
            Occasion::FullReconcile,
        )
        .publish()
        .unwrap();
        let mut batch = repository.begin(Some(first.commit), &first.tree);
        put(&mut batch, 1, 0);
        // Shows in the trace where the commit to look at begins.
        assert!(fs::rename(folder.join("here"), folder.join("it begins")).is_err());
        finish(batch, 2, Occasion::Changes).publish().unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("trace");
    let mut wrapper = Command::new("strace");
    wrapper
        .args([
            "-f",
            "-y",
            "-s",
            "4096",
            "-e",
            "trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat",
            "-o",
        ])
        .arg(&log);
    let output = as_process(
        wrapper,
        "nothing_refers_to_what_is_not_yet_on_the_disk",
        folder.path(),
    )
    .output()
    .expect("strace is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let trace = fs::read_to_string(log).unwrap();
    let steps = steps(&trace);
    let begin = steps
        .iter()
        .position(|step| matches!(step, Step::Renamed(_, to) if to.ends_with("it begins")))
        .unwrap();
    let steps = &steps[begin + 1..];
    let at = |what: &str, found: &dyn Fn(&Step) -> bool| {
        steps
            .iter()
            .position(found)
            .unwrap_or_else(|| panic!("no {what} in {steps:#?}"))
    };
    let named = |suffix: &'static str| {
        at(
            suffix,
            &move |step| matches!(step, Step::Renamed(_, to) if to.contains("/objects/pack/pack-") && to.ends_with(suffix)),
        )
    };
    let (pack, index) = (named(".pack"), named(".idx"));
    for (name, place) in [("pack", pack), ("index", index)] {
        let Step::Renamed(from, _) = &steps[place] else {
            unreachable!()
        };
        assert!(
            at(name, &|step| step == &Step::Synced(from.clone())) < pack.min(index),
            "the {name} is synced before it has its name"
        );
    }
    assert!(pack < index, "an index without its pack would be read");
    let folder_synced = at(
        "sync of the packs' folder",
        &|step| matches!(step, Step::Synced(path) if path.ends_with("/objects/pack")),
    );
    let linked = at(
        "lock",
        &|step| matches!(step, Step::Linked(to) if to.ends_with("main.lock")),
    );
    let moved = at(
        "move of the branch",
        &|step| matches!(step, Step::Renamed(_, to) if to.ends_with("refs/heads/main")),
    );
    let branch_synced = at(
        "sync of the branch's folder",
        &|step| matches!(step, Step::Synced(path) if path.ends_with("refs/heads")),
    );
    let content = at(
        "sync of the branch's content",
        &|step| matches!(step, Step::Synced(path) if path.contains("cell.git/tmp_coditect_")),
    );
    assert!(
        index < folder_synced
            && folder_synced < linked
            && linked < moved
            && moved < branch_synced
            && content < linked,
        "{steps:#?}"
    );
    let syncs = steps
        .iter()
        .filter(|step| matches!(step, Step::Synced(_)))
        .count();
    assert_eq!(syncs, 5, "{steps:#?}");
}

/// Reads `strace -f -y`: a sync counts when it has returned, a rename when it begins.
fn steps(trace: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut running = std::collections::HashMap::new();
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        let paths: Vec<&str> = call.split('"').skip(1).step_by(2).collect();
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            let path = call
                .split_once('<')
                .unwrap()
                .1
                .split_once('>')
                .unwrap()
                .0
                .to_owned();
            if call.contains("<unfinished") {
                running.insert(process, path);
            } else if call.ends_with("= 0") {
                steps.push(Step::Synced(path));
            }
        } else if call.contains("sync resumed") {
            steps.extend(
                running
                    .remove(process)
                    .filter(|_| call.ends_with("= 0"))
                    .map(Step::Synced),
            );
        } else if call.starts_with("rename") {
            steps.push(Step::Renamed(paths[0].to_owned(), paths[1].to_owned()));
        } else if call.starts_with("link") {
            steps.push(Step::Linked(paths[1].to_owned()));
        }
    }
    steps
}
