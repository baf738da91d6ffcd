//! `make bench`: whether a commit still costs after ten thousand of them what the first did, beside `git commit` in a
//! checkout of the same repository.
//!
//! Each commit changes one user of a full cell: rendered, written as one synced pack, published by moving the branch,
//! with maintenance at work beside it as in the renderer.
//!
//! Compared are the means of the first and of the last hundred commits; medians stand beside them, and those of each
//! thousand. Commits follow one another without a pause, so packs are joined beside many of them. The first 255 are
//! spared that: there are too few packs yet.
//!
//! Where thousands of files were removed on the volume a few minutes ago (by the run before this one), ext4 makes every
//! new file slower, and so the first commits: leave it alone for five minutes. `--long` makes 30,000 commits, beside which
//! joined packs are also removed, and large ones joined.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a program that prints figures or fails"
)]

#[path = "../plan/seed.rs"]
mod seed;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use coditect_core::{CellName, UserIntent, health::Health};
use coditect_renderer::{
    git::{Action, CellRepository, Maintenance, MaintenanceConfig, Message, Occasion, ShardTree},
    inputs::Inputs,
};
use git2::Oid;
use jiff::Timestamp;

/// Users of a full cell.
const USERS: usize = 5_000;
/// Commits in a row.
const COMMITS: usize = 10_000;
/// How many at each end are compared.
const COMPARED: usize = 100;
/// What the last ones may cost, in times of the first.
const AT_MOST: f64 = 1.3;
/// Commits of the peer at each end.
const OF_PEER: usize = 20;

#[tokio::main]
async fn main() {
    let told = |option: &str| std::env::args().any(|argument| argument == option);
    let quick = told("--quick");
    let (users, commits) = match quick {
        true => (USERS / 10, COMMITS / 10),
        false if told("--long") => (USERS, COMMITS * 3),
        false => (USERS, COMMITS),
    };
    let folder = tempfile::tempdir().unwrap();
    let names = seed::plant(folder.path(), 1);
    seed::render(folder.path(), "policy", &names, users);
    let bare = folder.path().join("cells/local.git");
    println!("\n{commits} commits in a row, one of {users} users changed in each");
    let before = clone(&bare, folder.path(), "before");
    let peer_before = porcelain(&before, folder.path());
    let mut cell = Cell::open(folder.path(), bare.clone(), users);
    let took = cell.commit(commits).await;
    let packs = *cell.maintenance.status().borrow();
    drop(cell);
    let after = clone(&bare, folder.path(), "after");
    let peer_after = porcelain(&after, folder.path());

    let (first, last) = (mean(&took[..COMPARED]), mean(&took[commits - COMPARED..]));
    let ratio = last / first;
    let slowest = took.iter().copied().fold(0.0, f64::max);
    let (first_median, last_median) = (
        median(&took[..COMPARED]),
        median(&took[commits - COMPARED..]),
    );
    println!("  first {COMPARED}           {first:.2} ms each, median {first_median:.2} ms");
    println!(
        "  last {COMPARED}            {last:.2} ms each, median {last_median:.2} ms; the slowest of all {slowest:.1} ms"
    );
    let thousands: Vec<String> = took
        .chunks(1_000)
        .map(|thousand| format!("{:.2}", median(thousand)))
        .collect();
    println!("  each thousand       {} ms, medians", thousands.join(" "));
    println!(
        "  ratio               {ratio:.2} of means, {:.2} of medians",
        last_median / first_median
    );
    println!(
        "  git add, commit     {peer_before:.2} ms each before, {peer_after:.2} ms after them, in a checkout"
    );
    println!(
        "  repository          {:.1} MB in {} packs, joined {} times, large ones {} times; {} loose objects",
        megabytes(&bare.join("objects")),
        packs.packs,
        packs.joins,
        packs.repacks,
        loose(&bare)
    );
    let shallow = measure_clone(&bare, &folder.path().join("shallow"), &["--depth", "1"]);
    let whole = measure_clone(&bare, &folder.path().join("whole"), &[]);
    println!(
        "  clone               {:.1} MB in {:.2} s",
        whole.0, whole.1
    );
    println!(
        "  clone --depth 1     {:.1} MB in {:.2} s",
        shallow.0, shallow.1
    );
    match quick {
        true => println!("\n--quick: smaller sizes; the target is about the full ones."),
        false => println!(
            "  at most {AT_MOST} times: {}",
            if ratio <= AT_MOST { "met" } else { "MISSED" }
        ),
    }
}

/// A cell's repository at work.
struct Cell {
    repository: CellRepository,
    maintenance: Maintenance,
    inputs: Inputs,
    intents: Vec<UserIntent>,
    head: Option<Oid>,
    tree: ShardTree,
}

impl Cell {
    fn open(folder: &Path, bare: PathBuf, users: usize) -> Self {
        let repository = CellRepository::open_or_create(bare).unwrap();
        let head = repository.head_commit().unwrap();
        let name: CellName = "local".parse().unwrap();
        Self {
            tree: repository.tree(head.unwrap()).unwrap(),
            head,
            inputs: Inputs::load(&folder.join("policy")).unwrap(),
            maintenance: Maintenance::start(
                repository.clone(),
                MaintenanceConfig::new(name),
                Health::default(),
            ),
            intents: (0..users)
                .map(|number| seed::intent("local", number))
                .collect(),
            repository,
        }
    }

    /// So many commits; what each took, in milliseconds.
    async fn commit(&mut self, commits: usize) -> Vec<f64> {
        let mut took = Vec::with_capacity(commits);
        for number in 0..commits {
            // Spread over the shards as people are.
            let at = number.wrapping_mul(7_919) % self.intents.len();
            self.intents[at].generation += 1;
            let started = Instant::now();
            self.maintenance.room().await;
            tokio::task::block_in_place(|| self.one(at, number as u64 + 2));
            took.push(started.elapsed().as_secs_f64() * 1e3);
            self.maintenance.published();
        }
        took
    }

    fn one(&mut self, at: usize, version: u64) {
        let intent = &self.intents[at];
        let mut batch = self.repository.begin(self.head, &self.tree);
        let rendered = self.inputs.renderer.render(intent).unwrap();
        assert!(
            batch
                .put(intent.shard, intent.user, &rendered.bytes)
                .unwrap()
        );
        let mut message = Message::new(Occasion::Changes);
        message.record(intent.user, Action::Changed, "generation");
        let checkpoint = seed::checkpoint(&self.inputs, version);
        let prepared = batch.finish(checkpoint, &message, Timestamp::now());
        let published = prepared.unwrap().unwrap().publish().unwrap();
        self.head = Some(published.commit);
        self.tree = published.tree;
    }
}

fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args([
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@example.invalid",
        ])
        .args(["-c", "core.fsync=all", "-c", "gc.auto=0"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// A checkout of the repository as it is now.
fn clone(bare: &Path, folder: &Path, name: &str) -> PathBuf {
    let target = folder.join(name);
    git(
        folder,
        &[
            "clone",
            "-q",
            bare.to_str().unwrap(),
            target.to_str().unwrap(),
        ],
    );
    target
}

/// What people would do instead: a file changed, added and committed, as durably; milliseconds each.
fn porcelain(checkout: &Path, folder: &Path) -> f64 {
    let files = Command::new("git")
        .arg("-C")
        .arg(checkout)
        .args(["ls-files", "shards"])
        .output()
        .unwrap();
    let files = String::from_utf8(files.stdout).unwrap();
    let files: Vec<&str> = files
        .lines()
        .filter(|path| path.ends_with(".yaml"))
        .collect();
    let mut took = Vec::new();
    for number in 0..OF_PEER {
        let path = files[number * 7_919 % files.len()];
        let whole = checkout.join(path);
        let text = std::fs::read_to_string(&whole).unwrap();
        std::fs::write(&whole, format!("{text}# {number}\n")).unwrap();
        let started = Instant::now();
        git(checkout, &["add", path]);
        git(checkout, &["commit", "-q", "-m", "change: 1 user"]);
        took.push(started.elapsed().as_secs_f64() * 1e3);
    }
    assert!(checkout.starts_with(folder));
    std::fs::remove_dir_all(checkout).unwrap();
    mean(&took)
}

/// A clone over the protocol, as somebody elsewhere makes it: its size in megabytes, and seconds.
fn measure_clone(bare: &Path, target: &Path, options: &[&str]) -> (f64, f64) {
    let started = Instant::now();
    let source = format!("file://{}", bare.display());
    let mut arguments = vec!["clone", "-q", "--bare"];
    arguments.extend(options);
    arguments.extend([source.as_str(), target.to_str().unwrap()]);
    git(bare, &arguments);
    (megabytes(target), started.elapsed().as_secs_f64())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn megabytes(folder: &Path) -> f64 {
    let sizes = files(folder)
        .into_iter()
        .map(|path| path.metadata().unwrap().len());
    sizes.sum::<u64>() as f64 / 1e6
}

/// Objects outside of packs.
fn loose(bare: &Path) -> usize {
    let objects = bare.join("objects");
    let is_loose = |path: &PathBuf| {
        let parent = path.parent().and_then(Path::file_name);
        parent.is_some_and(|name| name.len() == 2)
    };
    files(&objects).iter().filter(|path| is_loose(path)).count()
}
