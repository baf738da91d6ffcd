//! A cell's repository, read by an independent reader: the `git` command.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod git_support;

use std::fs;

use coditect_core::Shard;
use coditect_renderer::git::{
    BRANCH, CellRepository, IDENTITY, Message, Occasion, PublishError, ShardTree, path_of,
};
use git_support::{
    Cell, assert_clean, checkpoint, finish, git, head_of, manifest, oid, put, time, try_git, user,
};

#[test]
fn a_first_commit_has_every_shard_and_a_clone_has_every_byte() {
    let (cell, published) = Cell::with_users(300);
    assert_eq!(head_of(&cell.path()), published.commit.to_string());
    assert_clean(&cell.path());
    let pack = fs::read_dir(cell.path().join("objects/pack"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let packs: Vec<_> = pack
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "pack")
        })
        .collect();
    assert_eq!(packs.len(), 1);
    let listing = git(
        &cell.path(),
        &[
            "verify-pack",
            "-v",
            packs[0].with_extension("idx").to_str().unwrap(),
        ],
    );
    assert!(
        listing.contains("chain length = 1: 29"),
        "files are stored as differences: {listing}"
    );
    assert!(!listing.contains("chain length = 2"));

    let clone = cell.folder.path().join("clone");
    git(
        cell.folder.path(),
        &[
            "clone",
            "-q",
            cell.path().to_str().unwrap(),
            clone.to_str().unwrap(),
        ],
    );
    for shard in Shard::all() {
        assert!(
            clone.join(format!("shards/{shard}/.gitkeep")).is_file(),
            "{shard}"
        );
    }
    for n in 0..300 {
        let bytes = fs::read(clone.join(path_of(Shard::of(user(n)), user(n)))).unwrap();
        assert_eq!(bytes, manifest(user(n), 0));
    }
    assert_eq!(
        git(&clone, &["ls-files", "shards/*.yaml"]).lines().count(),
        300
    );
    assert_eq!(
        git(&clone, &["log", "-1", "--format=%an <%ae>%n%cn <%ce>"]),
        format!("{IDENTITY}\n{IDENTITY}")
    );
}

#[test]
fn one_change_writes_what_it_touches() {
    let (cell, first) = Cell::with_users(300);
    let second = cell.commit(&first, 2, |batch| assert!(put(batch, 5, 1)));
    // One file, its shard, the folder of shards, the root, the checkpoint and its folder, the commit; and
    // the empty file that keeps shards.
    assert_eq!(second.objects, 8);
    assert!(second.bytes < 16_384, "{}", second.bytes);
    let changed = git(
        &cell.path(),
        &[
            "diff",
            "--name-only",
            &first.commit.to_string(),
            &second.commit.to_string(),
        ],
    );
    assert_eq!(
        changed,
        format!(
            ".coditect/state.yaml\n{}",
            path_of(Shard::of(user(5)), user(5))
        )
    );
    let head = cell.repository.head().unwrap().unwrap();
    assert!(head.intact);
    assert_eq!(head.state.unwrap().checkpoint, checkpoint(2));
    let read = cell.repository.tree(second.commit).unwrap();
    assert!(read.iter().eq(second.tree.iter()));
    assert_eq!(read.shards_oid(), second.tree.shards_oid());
    assert_clean(&cell.path());
}

#[test]
fn the_same_bytes_are_no_change() {
    let (cell, first) = Cell::with_users(50);
    let before = fs::read_dir(cell.path().join("objects/pack"))
        .unwrap()
        .count();
    let mut batch = cell.repository.begin(Some(first.commit), &first.tree);
    for n in 0..50 {
        assert!(!put(&mut batch, n, 0));
    }
    assert!(batch.is_empty());
    // There and back again.
    assert!(put(&mut batch, 3, 1));
    assert!(!batch.is_empty());
    assert!(put(&mut batch, 3, 0));
    assert!(batch.is_empty());
    assert!(
        batch
            .finish(checkpoint(1), &Message::new(Occasion::Changes), time(1))
            .unwrap()
            .is_none()
    );
    assert_eq!(
        fs::read_dir(cell.path().join("objects/pack"))
            .unwrap()
            .count(),
        before,
        "nothing is left"
    );
}

#[test]
fn a_take_over_is_committed_even_if_nothing_changed() {
    let (cell, first) = Cell::with_users(3);
    let batch = cell.repository.begin(Some(first.commit), &first.tree);
    assert!(batch.is_empty());
    let taken = finish(batch, 1, Occasion::TakeOver).publish().unwrap();
    assert_eq!(
        git(&cell.path(), &["log", "--format=%s"]),
        "take-over by fence 1\nfull reconcile: 1 user"
    );
    assert_eq!(
        git(&cell.path(), &["rev-parse", "main^{tree}"]),
        git(&cell.path(), &["rev-parse", "main^^{tree}"])
    );
    cell.commit(&taken, 2, |batch| assert!(put(batch, 3, 0)));
    assert_clean(&cell.path());
}

#[test]
fn removing_the_last_user_keeps_the_shard() {
    let (cell, first) = Cell::with_users(1);
    let shard = Shard::of(user(0));
    let second = cell.commit(&first, 2, |batch| {
        assert!(batch.remove(shard, user(0)));
        assert!(!batch.remove(shard, user(0)));
    });
    assert!(second.tree.is_empty());
    assert_eq!(
        git(
            &cell.path(),
            &["ls-tree", "--name-only", &format!("main:shards/{shard}")]
        ),
        ".gitkeep"
    );
    let state = cell.repository.head().unwrap().unwrap().state.unwrap();
    assert!(state.users.is_empty());
}

#[test]
fn a_last_good_file_is_put_back_from_history() {
    let (cell, first) = Cell::with_users(3);
    let shard = Shard::of(user(1));
    let good = first.tree.get(shard, user(1)).unwrap();
    let second = cell.commit(&first, 2, |batch| assert!(put(batch, 1, 9)));
    let third = cell.commit(&second, 3, |batch| {
        assert!(batch.put_blob(shard, user(1), good).unwrap())
    });
    assert_eq!(
        cell.repository
            .blob(third.tree.get(shard, user(1)).unwrap())
            .unwrap(),
        manifest(user(1), 0)
    );
}

#[test]
fn a_batch_thrown_away_leaves_nothing() {
    let (cell, first) = Cell::with_users(3);
    let files = || {
        let mut names = vec![];
        for folder in [cell.path(), cell.path().join("objects/pack")] {
            names.extend(
                fs::read_dir(folder)
                    .unwrap()
                    .map(|entry| entry.unwrap().file_name()),
            );
        }
        names.sort();
        names
    };
    let before = files();
    let mut batch = cell.repository.begin(Some(first.commit), &first.tree);
    for n in 0..2_000_u128 {
        // Nothing alike in them: more than a buffer's worth reaches the temporary file.
        let bytes: Vec<u8> = (0..64_u128)
            .flat_map(|at| (user(n * 64 + at).to_string()).into_bytes())
            .collect();
        batch.put(Shard::of(user(n)), user(n), &bytes).unwrap();
    }
    assert_ne!(
        files(),
        before,
        "the batch was large enough to reach the disk"
    );
    drop(batch);
    assert_eq!(files(), before);
}

#[test]
fn only_one_of_two_commits_on_one_head_wins() {
    let (cell, first) = Cell::with_users(3);
    let other = CellRepository::open_or_create(cell.path()).unwrap();
    let mut winner = cell.repository.begin(Some(first.commit), &first.tree);
    let mut loser = other.begin(Some(first.commit), &first.tree);
    put(&mut winner, 10, 0);
    put(&mut loser, 11, 0);
    let loser = finish(loser, 2, Occasion::Changes);
    let winner = finish(winner, 2, Occasion::Changes).publish().unwrap();
    match loser.publish() {
        Err(PublishError::Moved { head }) => assert_eq!(head, Some(winner.commit)),
        Ok(_) | Err(PublishError::Storage(_)) => panic!("the loser must hear that the head moved"),
    }
    assert_eq!(head_of(&cell.path()), winner.commit.to_string());
}

#[test]
fn the_same_commit_twice_is_published_once() {
    let (cell, first) = Cell::with_users(3);
    let prepare = || {
        let mut batch = cell.repository.begin(Some(first.commit), &first.tree);
        put(&mut batch, 10, 0);
        finish(batch, 2, Occasion::Changes)
    };
    let (one, two) = (prepare(), prepare());
    assert_eq!(
        one.commit(),
        two.commit(),
        "same content, same time: the same commit"
    );
    one.publish().unwrap();
    two.publish().unwrap();
    assert_clean(&cell.path());
}

#[test]
fn many_writers_make_one_line_and_lose_nothing() {
    const EACH: u128 = 25;
    let (cell, _) = Cell::with_users(0);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = cell.path();
            scope.spawn(move || {
                let repository = CellRepository::open_or_create(path).unwrap();
                for n in 0..EACH {
                    loop {
                        let head = repository.head_commit().unwrap().unwrap();
                        let mut batch =
                            repository.begin(Some(head), &repository.tree(head).unwrap());
                        put(&mut batch, writer * EACH + n, 0);
                        match finish(batch, u64::try_from(n).unwrap(), Occasion::Changes).publish()
                        {
                            Ok(_) => break,
                            Err(PublishError::Moved { .. }) => {}
                            Err(PublishError::Storage(error)) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
    let head = cell.repository.head().unwrap().unwrap();
    assert!(head.intact);
    let tree = cell.repository.tree(head.commit).unwrap();
    assert_eq!(tree.len(), 100);
    assert!((0..100).all(|n| tree.find(user(n)).is_some()));
    assert_eq!(git(&cell.path(), &["rev-list", "--count", "main"]), "101");
    assert_eq!(
        git(&cell.path(), &["rev-list", "--count", "--merges", "main"]),
        "0"
    );
}

#[test]
fn a_file_edited_by_hand_is_noticed_and_rendered_away() {
    let (cell, first) = Cell::with_users(20);
    let shard = Shard::of(user(4));
    let clone = cell.folder.path().join("clone");
    git(
        cell.folder.path(),
        &[
            "clone",
            "-q",
            cell.path().to_str().unwrap(),
            clone.to_str().unwrap(),
        ],
    );
    fs::write(clone.join(path_of(shard, user(4))), "kind: Namespace\n").unwrap();
    fs::write(
        clone.join(format!("shards/{shard}/extra.yaml")),
        "kind: ClusterRole\n",
    )
    .unwrap();
    fs::create_dir(clone.join("shards/zz")).unwrap();
    fs::write(clone.join("shards/zz/x.yaml"), "kind: Secret\n").unwrap();
    fs::write(clone.join(".coditect/note"), "hello\n").unwrap();
    fs::write(clone.join("README.md"), "hello\n").unwrap();
    git(&clone, &["add", "-A"]);
    git(&clone, &["commit", "-q", "-m", "by hand"]);
    git(&clone, &["push", "-q"]);

    // What was prepared on the old head cannot be published.
    let mut stale = cell.repository.begin(Some(first.commit), &first.tree);
    put(&mut stale, 100, 0);
    assert!(matches!(
        finish(stale, 2, Occasion::Changes).publish(),
        Err(PublishError::Moved { .. })
    ));

    let head = cell.repository.head().unwrap().unwrap();
    assert!(!head.intact, "the checkpoint does not speak of these files");
    assert!(head.state.is_some());
    let tree = cell.repository.tree(head.commit).unwrap();
    assert_eq!(tree.len(), 20);
    let foreign = tree.foreign();
    assert_eq!(
        foreign.removed,
        [
            ".coditect/note".to_owned(),
            format!("shards/{shard}/extra.yaml"),
            "shards/zz".to_owned()
        ]
    );
    assert_eq!(
        (foreign.kept.as_slice(), foreign.count),
        (["README.md".to_owned()].as_slice(), 4)
    );

    let mut batch = cell.repository.begin(Some(head.commit), &tree);
    let changed = (0..20).filter(|&n| put(&mut batch, n, 0)).count();
    assert_eq!(changed, 1);
    let repaired = finish(batch, 2, Occasion::Repair).publish().unwrap();
    assert!(cell.repository.head().unwrap().unwrap().intact);
    let names = git(&cell.path(), &["ls-tree", "-r", "--name-only", "main"]);
    assert!(
        names.contains("README.md")
            && !names.contains("extra.yaml")
            && !names.contains("zz")
            && !names.contains("note")
    );
    assert_eq!(
        git(
            &cell.path(),
            &[
                "diff",
                "--name-only",
                &first.commit.to_string(),
                "main",
                "--",
                "shards"
            ]
        ),
        ""
    );
    assert_eq!(repaired.tree.foreign().count, 1);
    assert_clean_but_dangling(&cell);
}

/// A commit that lost its swap stays unreferenced.
fn assert_clean_but_dangling(cell: &Cell) {
    let said = git(
        &cell.path(),
        &["fsck", "--strict", "--full", "--no-progress"],
    );
    assert!(
        said.lines()
            .all(|line| line.starts_with("dangling commit ")),
        "{said}"
    );
}

#[test]
fn foreign_paths_alone_are_reason_enough_to_commit() {
    let (cell, _) = Cell::with_users(2);
    let clone = cell.folder.path().join("clone");
    git(
        cell.folder.path(),
        &[
            "clone",
            "-q",
            cell.path().to_str().unwrap(),
            clone.to_str().unwrap(),
        ],
    );
    fs::write(clone.join(".coditect/note"), "hello\n").unwrap();
    git(&clone, &["add", "-A"]);
    git(&clone, &["commit", "-q", "-m", "by hand"]);
    git(&clone, &["push", "-q"]);
    let head = cell.repository.head_commit().unwrap().unwrap();
    let batch = cell
        .repository
        .begin(Some(head), &cell.repository.tree(head).unwrap());
    assert!(!batch.is_empty());
    finish(batch, 3, Occasion::Repair).publish().unwrap();
    assert_eq!(
        git(&cell.path(), &["ls-tree", "--name-only", "main:.coditect"]),
        "state.yaml"
    );
}

#[test]
fn a_rewound_branch_is_noticed() {
    let (cell, first) = Cell::with_users(2);
    let second = cell.commit(&first, 2, |batch| assert!(put(batch, 2, 0)));
    git(
        &cell.path(),
        &["update-ref", BRANCH, &first.commit.to_string()],
    );
    let mut batch = cell.repository.begin(Some(second.commit), &second.tree);
    put(&mut batch, 3, 0);
    let Err(PublishError::Moved { head }) = finish(batch, 3, Occasion::Changes).publish() else {
        panic!("published on a head that is gone")
    };
    assert_eq!(head, Some(first.commit));
    assert_eq!(
        cell.repository
            .head()
            .unwrap()
            .unwrap()
            .state
            .unwrap()
            .checkpoint,
        checkpoint(1)
    );
}

#[test]
fn a_branch_in_packed_refs_is_the_same_branch() {
    let (cell, first) = Cell::with_users(2);
    git(&cell.path(), &["pack-refs", "--all", "--prune"]);
    assert!(!cell.path().join(BRANCH).exists());
    let second = cell.commit(&first, 2, |batch| assert!(put(batch, 2, 0)));
    assert_eq!(head_of(&cell.path()), second.commit.to_string());
}

#[test]
fn a_deleted_branch_begins_anew() {
    let (cell, first) = Cell::with_users(2);
    git(&cell.path(), &["update-ref", "-d", BRANCH]);
    let mut batch = cell.repository.begin(Some(first.commit), &first.tree);
    put(&mut batch, 3, 0);
    assert!(matches!(
        finish(batch, 2, Occasion::Changes).publish(),
        Err(PublishError::Moved { head: None })
    ));
    assert!(cell.repository.head().unwrap().is_none());
}

#[test]
fn a_repository_replaced_under_a_running_renderer_is_opened_anew() {
    let (cell, first) = Cell::with_users(2);
    let (other, others) = Cell::with_users(5);
    let aside = cell.folder.path().join("aside.git");
    let mut batch = cell.repository.begin(Some(first.commit), &first.tree);
    put(&mut batch, 3, 0);
    let batch = finish(batch, 2, Occasion::Changes);
    fs::rename(cell.path(), aside).unwrap();
    git(
        cell.folder.path(),
        &[
            "clone",
            "-q",
            "--bare",
            other.path().to_str().unwrap(),
            cell.path().to_str().unwrap(),
        ],
    );
    assert!(matches!(
        batch.publish(),
        Err(PublishError::Moved { .. } | PublishError::Storage(_))
    ));
    let head = cell.repository.head().unwrap().unwrap();
    assert_eq!(head.commit, others.commit);
    assert!(head.intact);
    assert_eq!(cell.repository.tree(head.commit).unwrap().len(), 5);
    // Gone altogether: made anew.
    fs::remove_dir_all(cell.path()).unwrap();
    assert!(cell.repository.head().unwrap().is_none());
    finish(
        cell.repository.begin(None, &ShardTree::empty()),
        3,
        Occasion::FullReconcile,
    )
    .publish()
    .unwrap();
    assert_clean(&cell.path());
}

#[test]
fn a_folder_with_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "x").unwrap();
    let error = CellRepository::open_or_create(folder.path()).err().unwrap();
    assert!(error.to_string().contains("thesis.tex"), "{error}");
    assert_eq!(
        fs::read_dir(folder.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name() != "coditect.lock")
            .count(),
        1
    );
}

#[test]
fn making_a_repository_goes_on_where_it_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("objects/pack")).unwrap();
    fs::write(folder.path().join("config"), "").unwrap();
    let repository = CellRepository::open_or_create(folder.path()).unwrap();
    finish(
        repository.begin(None, &ShardTree::empty()),
        1,
        Occasion::FullReconcile,
    )
    .publish()
    .unwrap();
    assert_eq!(git(folder.path(), &["symbolic-ref", "HEAD"]), BRANCH);
    assert_clean(folder.path());
}

#[test]
fn another_git_process_that_holds_the_branch_is_respected_and_a_dead_one_is_not() {
    let (cell, first) = Cell::with_users(1);
    let lock = cell.path().join(format!("{BRANCH}.lock"));
    let attempt = |version| {
        let mut batch = cell.repository.begin(Some(first.commit), &first.tree);
        put(&mut batch, 9, version);
        finish(batch, version, Occasion::Changes).publish()
    };
    fs::write(&lock, "").unwrap();
    let error = attempt(2).err().unwrap().to_string();
    assert!(
        error.contains("main.lock is held by another process"),
        "{error}"
    );
    assert!(lock.exists(), "a fresh lock is not ours to remove");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    fs::File::options()
        .write(true)
        .open(&lock)
        .unwrap()
        .set_modified(old)
        .unwrap();
    attempt(3).unwrap();
    assert!(!lock.exists());
    // Git and the renderer exclude each other: a push of the same commit is no surprise to either.
    assert!(
        try_git(
            &cell.path(),
            &["update-ref", BRANCH, &head_of(&cell.path())]
        )
        .0
    );
    assert_eq!(
        cell.repository.head_commit().unwrap(),
        Some(oid(&head_of(&cell.path())))
    );
}
