//! What history answers, and the policy folder's own history.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod git_support;

use std::{fs, path::Path};

use coditect_core::{Kind, Shard, Standing, UserIntent, WorkspaceId, WorkspaceIntent};
use coditect_renderer::{
    git::{Action, Batch, ChangeKind, Message, Occasion, PolicyRepository, Published},
    names, told,
};
use git_support::{Cell, checkpoint, git, put, time, user};

fn commit(
    cell: &Cell,
    on: &Published,
    at: u64,
    message: &Message,
    change: impl FnOnce(&mut Batch),
) -> Published {
    let mut batch = cell.repository.begin(Some(on.commit), &on.tree);
    change(&mut batch);
    batch
        .finish(checkpoint(at), message, time(at))
        .unwrap()
        .unwrap()
        .publish()
        .unwrap()
}

fn message(records: &[(u128, Action, &str)]) -> Message {
    let mut message = Message::new(Occasion::Changes);
    for &(n, action, reason) in records {
        message.record(user(n), action, reason);
    }
    message
}

#[test]
fn a_users_history_tells_what_happened_when_and_why() {
    let (cell, first) = Cell::with_users(10);
    let created = commit(
        &cell,
        &first,
        100,
        &message(&[(20, Action::Created, "signed up")]),
        |batch| assert!(put(batch, 20, 0)),
    );
    let other = commit(
        &cell,
        &created,
        200,
        &message(&[(3, Action::Changed, "plan free to pro")]),
        |batch| assert!(put(batch, 3, 1)),
    );
    let changed = commit(
        &cell,
        &other,
        300,
        &message(&[(20, Action::Changed, "plan free to pro")]),
        |batch| assert!(put(batch, 20, 1)),
    );
    let deleted = commit(
        &cell,
        &changed,
        400,
        &message(&[(20, Action::DeletedOnRequest, "erasure")]),
        |batch| assert!(batch.remove(Shard::of(user(20)), user(20))),
    );
    let again = commit(
        &cell,
        &deleted,
        500,
        &message(&[(4, Action::Changed, "policy")]),
        |batch| assert!(put(batch, 4, 1)),
    );

    let history = cell.repository.history_of(again.commit, user(20)).unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|change| {
            (
                change.commit,
                change.time,
                change.kind,
                change.reason.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                deleted.commit,
                time(400),
                ChangeKind::Deleted,
                Some("erasure")
            ),
            (
                changed.commit,
                time(300),
                ChangeKind::Changed,
                Some("plan free to pro")
            ),
            (
                created.commit,
                time(100),
                ChangeKind::Created,
                Some("signed up")
            ),
        ]
    );
    assert_eq!(history[0].before, history[1].after);
    assert_eq!((history[0].after, history[2].before), (None, None));
    assert_eq!(history[2].subject, "sign-up: 1 user");
    // What Git itself says of the file.
    let path = coditect_renderer::git::path_of(Shard::of(user(20)), user(20));
    let log = git(&cell.path(), &["log", "--format=%H", "main", "--", &path]);
    assert_eq!(
        log.lines().collect::<Vec<_>>(),
        history
            .iter()
            .map(|change| change.commit.to_string())
            .collect::<Vec<_>>()
    );
    // A user of the first commit, and nobody.
    assert_eq!(
        cell.repository
            .history_of(again.commit, user(9))
            .unwrap()
            .len(),
        1
    );
    assert!(
        cell.repository
            .history_of(again.commit, user(999))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn deletions_are_counted_back_to_a_moment() {
    let (cell, mut head) = Cell::with_users(30);
    let delete = |head: &Published, at, n, action| {
        commit(&cell, head, at, &message(&[(n, action, "test")]), |batch| {
            assert!(batch.remove(Shard::of(user(n)), user(n)))
        })
    };
    for (at, n, action) in [
        (1_000, 1, Action::Deleted),
        (2_000, 2, Action::Deleted),
        (3_000, 3, Action::DeletedOnRequest),
        (4_000, 4, Action::Deleted),
    ] {
        head = delete(&head, at, n, action);
    }
    let since = |at| {
        let log = cell.repository.deletion_log(head.commit, time(at)).unwrap();
        log.iter()
            .map(|spent| (spent.at, spent.unrequested, spent.requested))
            .collect::<Vec<_>>()
    };
    let all = [
        (time(1_000), 1, 0),
        (time(2_000), 1, 0),
        (time(3_000), 0, 1),
        (time(4_000), 1, 0),
    ];
    assert_eq!(since(0), all);
    assert_eq!(since(1_999), all[1..]);
    assert_eq!(since(2_000), all[2..]);
    assert_eq!(since(5_000), []);
    let cut: Vec<_> = cell
        .repository
        .cuts(head.commit)
        .unwrap()
        .iter()
        .map(|cut| (cut.user, cut.after))
        .collect();
    assert_eq!(cut, [4, 3, 2, 1].map(|n| (user(n), None)));
}

#[test]
fn someone_elses_commit_with_an_old_date_hides_no_deletion() {
    let (cell, first) = Cell::with_users(5);
    commit(
        &cell,
        &first,
        1_000,
        &message(&[(1, Action::Deleted, "test")]),
        |batch| assert!(batch.remove(Shard::of(user(1)), user(1))),
    );
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
    fs::write(clone.join("README.md"), "hello").unwrap();
    git(&clone, &["add", "-A"]);
    git(
        &clone,
        &[
            "-c",
            "core.pager=cat",
            "commit",
            "-q",
            "-m",
            "by hand",
            "--date",
            "2001-01-01T00:00:00Z",
        ],
    );
    let old = std::process::Command::new("git")
        .args([
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.com",
            "commit",
            "-q",
            "--amend",
            "--no-edit",
        ])
        .env("GIT_COMMITTER_DATE", "2001-01-01T00:00:00Z")
        .current_dir(&clone)
        .status();
    assert!(old.unwrap().success());
    git(&clone, &["push", "-q"]);
    let head = cell.repository.head_commit().unwrap().unwrap();
    let log = cell.repository.deletion_log(head, time(900)).unwrap();
    assert_eq!(log.iter().map(|spent| spent.unrequested).sum::<u64>(), 1);
}

fn policy(folder: &Path) -> PolicyRepository {
    fs::create_dir_all(folder.join("plans")).unwrap();
    fs::write(folder.join("plans/free.yaml"), "price: 0\n").unwrap();
    PolicyRepository::open_or_init(folder).unwrap()
}

#[test]
fn an_edited_policy_becomes_a_commit_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    assert_eq!(
        (policy.head().unwrap(), policy.is_dirty().unwrap()),
        (None, true)
    );
    let first = policy.commit_all("policy: the sample").unwrap();
    assert_eq!(
        (policy.head().unwrap(), policy.is_dirty().unwrap()),
        (Some(first), false)
    );
    assert_eq!(
        policy.commit_all("policy: nothing").unwrap(),
        first,
        "the same files are no commit"
    );

    fs::write(folder.path().join("plans/free.yaml"), "price: 1\n").unwrap();
    fs::write(folder.path().join("plans/pro.yaml"), "price: 99\n").unwrap();
    assert!(policy.is_dirty().unwrap());
    let second = policy.commit_all("policy: prices").unwrap();
    fs::remove_file(folder.path().join("plans/pro.yaml")).unwrap();
    let third = PolicyRepository::open_or_init(folder.path())
        .unwrap()
        .commit_all("policy: no pro")
        .unwrap();
    assert_eq!(
        git(folder.path(), &["log", "--format=%H"]),
        format!("{third}\n{second}\n{first}")
    );
    assert_eq!(
        git(folder.path(), &["ls-tree", "-r", "--name-only", "HEAD"]),
        "plans/free.yaml"
    );
    assert_eq!(git(folder.path(), &["status", "--porcelain"]), "");
    assert_eq!(
        git(folder.path(), &["symbolic-ref", "HEAD"]),
        "refs/heads/main"
    );
}

#[test]
fn people_use_git_in_the_policy_folder_as_they_like() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    fs::write(folder.path().join(".gitignore"), "*.swp\n").unwrap();
    let first = policy.commit_all("policy: the sample").unwrap();
    fs::write(folder.path().join("plans/.free.yaml.swp"), "editor").unwrap();
    assert!(!policy.is_dirty().unwrap());
    fs::write(folder.path().join("plans/free.yaml"), "price: 2\n").unwrap();
    git(
        folder.path(),
        &["commit", "-q", "-am", "a person's own commit"],
    );
    let theirs = policy.head().unwrap().unwrap();
    assert_ne!(theirs, first);
    assert_eq!(policy.commit_all("policy: nothing left").unwrap(), theirs);
    git(
        folder.path(),
        &["reset", "-q", "--hard", &first.to_string()],
    );
    assert_eq!(policy.head().unwrap(), Some(first));
}

#[test]
fn a_folder_inside_another_checkout_gets_a_repository_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "-b", "main"]);
    let policy = policy(&folder.path().join("tenants"));
    policy.commit_all("policy: the sample").unwrap();
    assert!(
        !git(folder.path(), &["for-each-ref"]).contains("main"),
        "the outer repository is untouched"
    );
    assert!(
        PolicyRepository::open_or_init(folder.path().join("missing"))
            .unwrap_err()
            .to_string()
            .contains("is not a folder")
    );
}

/// A user's file with what the intent says and a Service for each workspace.
fn file(intent: &UserIntent) -> Vec<u8> {
    let recorded = serde_json::to_string(intent).unwrap();
    let recorded = serde_json::to_string(&recorded).unwrap();
    let mut text = format!(
        "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {}\n  annotations:\n    {}: {recorded}\n",
        intent.user.namespace(),
        names::INTENT,
    );
    for workspace in &intent.workspaces {
        let (name, label) = (workspace.id.object_name(), names::WORKSPACE);
        text += &format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  labels:\n    {label}: {}\n",
            workspace.id
        );
    }
    text.into_bytes()
}

#[test]
fn a_person_is_told_what_changed_and_what_each_commit_held() {
    let (cell, first) = Cell::with_users(10);
    let owner = user(20);
    let mut workspaces = ["quiet-otter-7k3fm", "brave-heron-2m9qx"].map(|slug| WorkspaceIntent {
        id: WorkspaceId::random(),
        slug: slug.parse().unwrap(),
        storage_gib: 1,
        storage_class: "standard-rwo".parse().unwrap(),
        standing: Standing::Active,
    });
    workspaces.sort_by_key(|workspace| workspace.id);
    let mut intent = UserIntent {
        user: owner,
        tenant: coditect_core::TenantId::random(),
        cell: "local".parse().unwrap(),
        shard: Shard::of(owner),
        generation: 1,
        plan: "free".parse().unwrap(),
        ring: None,
        standing: Standing::Active,
        workspaces: vec![workspaces[0].clone()],
    };
    let write = |on: &Published, at, action, reason: &str, intent: &UserIntent| {
        commit(&cell, on, at, &message(&[(20, action, reason)]), |batch| {
            assert!(batch.put(Shard::of(owner), owner, &file(intent)).unwrap());
        })
    };
    let created = write(&first, 100, Action::Created, "signed up", &intent);
    intent.generation = 2;
    let anew = write(&created, 200, Action::Changed, "release v2", &intent);
    (intent.generation, intent.plan) = (3, "pro".parse().unwrap());
    intent.workspaces = workspaces.to_vec();
    let grown = write(&anew, 300, Action::Changed, "plan free to pro", &intent);

    let told = told::history(&cell.repository, owner, 10).unwrap();
    let commits: Vec<_> = told.iter().map(|told| told.commit.clone()).collect();
    let expected = [&grown, &anew, &created].map(|published| published.commit.to_string());
    assert_eq!(commits, expected);
    assert_eq!(told[0].at, time(300));
    assert_eq!(told[0].sentences[0], "Plan free → pro.");
    assert_eq!(told[0].sentences.len(), 2);
    assert_eq!(told[1].sentences, ["Rendered anew: release v2."]);
    assert_eq!(
        told[2].sentences[0],
        "Written for the first time, with the plan free."
    );
    assert!(
        told[0].diff.contains("\n+kind: Service\n"),
        "{}",
        told[0].diff
    );
    assert_eq!(
        told::history(&cell.repository, owner, 1).unwrap(),
        told[..1]
    );
    assert!(
        told::history(&cell.repository, user(999), 10)
            .unwrap()
            .is_empty()
    );

    let held = |workspace: WorkspaceId, commit| {
        told::manifests(&cell.repository, owner, workspace, commit)
    };
    for workspace in &workspaces {
        let newest = held(workspace.id, None).unwrap();
        assert_eq!(
            (newest.commit.as_str(), newest.at),
            (expected[0].as_str(), time(300))
        );
        assert_eq!(newest.path, intent.path());
        let names: Vec<_> = newest
            .objects
            .iter()
            .map(|object| object.name.clone())
            .collect();
        assert_eq!(names, [owner.namespace(), workspace.id.object_name()]);
    }
    let older = held(workspaces[1].id, Some(&expected[2])).unwrap();
    assert_eq!(older.objects.len(), 1, "it was not there yet");
    // A commit that touched others, one that is none, and a user of whom nothing is there.
    for commit in &[first.commit.to_string(), "0".repeat(40)] {
        let refused =
            told::manifests(&cell.repository, owner, workspaces[0].id, Some(commit)).unwrap_err();
        assert_eq!(*refused.kind(), Kind::NotFound);
    }
    let gone = told::manifests(&cell.repository, user(999), workspaces[0].id, None);
    assert_eq!(*gone.unwrap_err().kind(), Kind::NotFound);
}
