//! Files: what is reported, the newest snapshots, and bytes that nothing refers to any more.

use coditect_core::{
    FilePath, Kind,
    sidecar::{RestoreFailure, Restored},
};
use coditect_registry::{
    operation::{
        BeginUploads, DeleteWorkspace, EndRestore, FILES_AT_ONCE, FileContent, FileReport,
        ForgetFile, MOST_RESTORES, NoteDiscarded, Provisioned, PutFiles, RestoreFile,
    },
    record::{Discard, FileRestore, LONGEST_UPLOAD, Upload, WorkspacePlace, object_prefix},
};
use uuid::Uuid;

use crate::{
    observer::local,
    support::{World, at},
};

fn place(person: &Provisioned) -> WorkspacePlace {
    WorkspacePlace {
        tenant: person.tenant,
        user: person.user,
        cell: local(),
    }
}

/// An upload's object: which content and which upload of it, and of which file.
fn object(name: &str, path: &str) -> Uuid {
    let mut bytes = [b' '; 16];
    for (place, byte) in bytes
        .iter_mut()
        .zip(name.bytes().chain([b' ']).chain(path.bytes()))
    {
        *place = byte;
    }
    Uuid::from_bytes(bytes)
}

/// When the objects of all uploads here are removed.
fn due() -> jiff::Timestamp {
    at(0) + LONGEST_UPLOAD
}

/// A file with a content (its first letter) of an upload (all of them).
fn report(path: &str, content: Option<&str>) -> FileReport {
    FileReport {
        path: path.parse().unwrap(),
        content: content.map(|name| FileContent {
            size: 1,
            hash: name[..1].repeat(64),
            upload: Some(Upload {
                id: object(name, path),
                due: due(),
            }),
        }),
        modified_at: at(0),
    }
}

fn put(person: &Provisioned, files: Vec<FileReport>, seconds: i64) -> PutFiles {
    PutFiles {
        cell: local(),
        workspace: person.workspace,
        files,
        keep: 2,
        most: 3,
        most_bytes: 1_000,
        at: at(seconds),
    }
}

/// What comes before: the uploads of these contents.
fn begin(put: &PutFiles) -> BeginUploads {
    let contents = put.files.iter().filter_map(|file| file.content.as_ref());
    BeginUploads {
        cell: put.cell.clone(),
        workspace: put.workspace,
        uploads: contents.filter_map(|content| content.upload).collect(),
        at: put.at,
    }
}

/// Uploads and notes.
async fn take(world: &World, put: &PutFiles) {
    world.done(&begin(put)).await;
    world.done(put).await;
}

async fn snapshots(world: &World, person: &Provisioned, path: &str) -> Vec<String> {
    let mut view = world.view().await;
    let path: FilePath = path.parse().unwrap();
    let found = view
        .snapshots(&place(person), person.workspace, &path)
        .await
        .unwrap();
    assert!(found.is_sorted_by(|(one, _), (two, _)| one < two));
    found
        .into_iter()
        .map(|(_, snapshot)| snapshot.hash[..1].to_owned())
        .collect()
}

async fn discards(world: &World) -> Vec<Discard> {
    world.view().await.discards(at(100), 100).await.unwrap()
}

async fn discarded(world: &World) -> Vec<String> {
    let mut objects: Vec<_> = discards(world)
        .await
        .into_iter()
        .map(|discard| {
            let upload: Uuid = discard.object.rsplit('/').next().unwrap().parse().unwrap();
            let name = String::from_utf8(upload.as_bytes().to_vec()).unwrap();
            name.split(' ').next().unwrap().to_owned()
        })
        .collect();
    objects.sort();
    objects
}

#[tokio::test]
async fn the_newest_contents_are_kept_and_the_rest_is_let_go() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    // The clocks of those who report may go back: the order of arrival counts.
    for (content, seconds) in [("a1", 10), ("b1", 11), ("b2", 12), ("c1", 11)] {
        take(
            &world,
            &put(&ada, vec![report("src/main.rs", Some(content))], seconds),
        )
        .await;
    }
    assert_eq!(snapshots(&world, &ada, "src/main.rs").await, ["b", "c"]);
    assert_eq!(discarded(&world).await, ["a1", "b2"], "b was known");
    // An object is one upload's: removing the older snapshot's must not take the newer one's along.
    let again = put(&ada, vec![report("src/main.rs", Some("b1"))], 20);
    assert_eq!(world.refused(&again).await, Kind::Conflict);
    take(
        &world,
        &put(&ada, vec![report("src/main.rs", Some("b3"))], 20),
    )
    .await;
    assert_eq!(snapshots(&world, &ada, "src/main.rs").await, ["c", "b"]);
    assert_eq!(discarded(&world).await, ["a1", "b1", "b2"]);

    world
        .done(&put(&ada, vec![report("src/main.rs", None)], 30))
        .await;
    let path: FilePath = "src/main.rs".parse().unwrap();
    let mut view = world.view().await;
    let file = view
        .file(&place(&ada), ada.workspace, &path)
        .await
        .unwrap()
        .unwrap();
    assert!(file.deleted && file.reported_at == at(30));
    assert_eq!(snapshots(&world, &ada, "src/main.rs").await, ["c", "b"]);

    world
        .done(&ForgetFile {
            account: ada.account,
            workspace: ada.workspace,
            path,
            at: at(40),
        })
        .await;
    assert_eq!(discarded(&world).await, ["a1", "b1", "b2", "b3", "c1"]);
    assert_eq!(
        world
            .view()
            .await
            .file_count(&place(&ada), ada.workspace)
            .await
            .unwrap(),
        0
    );
    for discard in discards(&world).await {
        let at = at(50);
        world.done(&NoteDiscarded { discard, at }).await;
    }
    assert!(discarded(&world).await.is_empty());
}

#[tokio::test]
async fn files_are_listed_in_pages_whatever_their_snapshots() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let paths = ["a", "a/b", "z"];
    for content in ["a", "b"] {
        let files = paths.map(|path| report(path, Some(content)));
        take(&world, &put(&ada, files.into(), 10)).await;
    }
    world
        .done(&put(&ada, vec![report("never/there", None)], 11))
        .await;
    let mut listed = Vec::new();
    let mut after: Option<FilePath> = None;
    loop {
        let mut view = world.view().await;
        let (page, more) = view
            .files_after(&place(&ada), ada.workspace, after.as_ref(), 1)
            .await
            .unwrap();
        after = page.last().map(|(path, _)| path.clone());
        listed.extend(page.into_iter().map(|(path, _)| path.to_string()));
        if !more {
            break;
        }
    }
    assert_eq!(listed, paths);
}

#[tokio::test]
async fn what_a_hostile_workspace_reports_is_bounded() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let files: Vec<_> = (0..4)
        .map(|n| report(&format!("f{n}"), Some("a")))
        .collect();
    let files = put(&ada, files, 1);
    world.done(&begin(&files)).await;
    assert_eq!(
        world.refused(&files).await,
        Kind::LimitReached { limit: "files" }
    );
    let many = vec![report("f", Some("a")); FILES_AT_ONCE + 1];
    assert!(matches!(
        world.refused(&put(&ada, many, 1)).await,
        Kind::Invalid { .. }
    ));
    let elsewhere = PutFiles {
        cell: "other".parse().unwrap(),
        ..put(&ada, vec![report("f", Some("a"))], 1)
    };
    assert_eq!(world.refused(&elsewhere).await, Kind::NotFound);
}

#[tokio::test]
async fn a_workspace_takes_its_files_along() {
    let world = World::new().await;
    let first = world.sign_up("ada@example.com").await;
    let ada = Provisioned {
        workspace: world.create(&first, "second").await.unwrap(),
        ..first
    };
    take(&world, &put(&ada, vec![report("f", Some("a"))], 1)).await;
    world
        .done(&DeleteWorkspace {
            account: ada.account,
            workspace: ada.workspace,
            at: at(2),
        })
        .await;
    // Also of a workspace of which no file is known: its first one may be on its way.
    world
        .done(&DeleteWorkspace {
            account: ada.account,
            workspace: first.workspace,
            at: at(3),
        })
        .await;
    for (now, times) in [(at(3), 1), (at(3) + LONGEST_UPLOAD, 2)] {
        let left = world.view().await.discards(now, 10).await.unwrap();
        for workspace in [ada.workspace, first.workspace] {
            let prefix = object_prefix(ada.user, workspace);
            let of_all = left
                .iter()
                .filter(|discard| discard.all_below && discard.object == prefix);
            assert_eq!(of_all.count(), times);
        }
    }
    assert_eq!(
        world.traces(ada.workspace.as_uuid()).await,
        Vec::<String>::new()
    );
    let late = put(&ada, vec![report("f", Some("b"))], 3);
    assert_eq!(world.refused(&begin(&late)).await, Kind::NotFound);
    assert_eq!(world.refused(&late).await, Kind::NotFound);
}

#[tokio::test]
async fn the_longest_names_fit_a_transaction_also_when_fewer_snapshots_are_kept() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let folder = "d".repeat(255);
    let path = |number: usize| {
        let name = format!("{}/{number:0255}", [folder.as_str(); 15].join("/"));
        assert_eq!(name.len(), 4_095);
        name
    };
    // Many to keep, then one: what a smaller plan asks for.
    for (content, keep) in [
        ("a", 20),
        ("b", 20),
        ("c", 20),
        ("d", 20),
        ("e", 20),
        ("f", 1),
    ] {
        let report = |number| FileReport {
            content: Some(FileContent {
                size: 1,
                hash: content.repeat(64),
                upload: Some(Upload {
                    id: Uuid::new_v4(),
                    due: due(),
                }),
            }),
            ..report(&path(number), None)
        };
        let files: Vec<_> = (0..FILES_AT_ONCE).map(report).collect();
        let put = PutFiles {
            keep,
            most: 1_000,
            ..put(&ada, files, 1)
        };
        world.apply(&begin(&put)).await;
        world.apply(&put).await;
    }
    assert_eq!(snapshots(&world, &ada, &path(0)).await, ["f"]);
    let left = world.view().await.discards(at(100), 1_000).await.unwrap();
    assert_eq!(left.len(), 5 * FILES_AT_ONCE);
}

#[tokio::test]
async fn bytes_that_no_snapshot_came_to_refer_to_are_removed_and_none_that_one_does() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let kept = put(&ada, vec![report("f", Some("a1"))], 1);
    let lost = put(&ada, vec![report("f", Some("b1"))], 2);
    take(&world, &kept).await;
    world.done(&begin(&lost)).await;
    assert!(discards(&world).await.is_empty(), "it may still arrive");
    let mut view = world.view().await;
    let left = view.discards(due(), 10).await.unwrap();
    assert!(matches!(&left[..], [one] if one.id == object("b1", "f")));
    // Its bytes may be gone by now, or in a moment.
    for late in [due(), due() - jiff::SignedDuration::from_mins(9)] {
        let late = PutFiles {
            at: late,
            files: lost.files.clone(),
            ..put(&ada, Vec::new(), 0)
        };
        assert_eq!(world.refused(&late).await, Kind::Conflict);
    }
    assert_eq!(snapshots(&world, &ada, "f").await, ["a"]);
}

#[tokio::test]
async fn snapshots_hold_no_more_bytes_than_there_is_room_for() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let sized = |path: &str, name: &str, size| {
        let mut report = report(path, Some(name));
        report.content.as_mut().unwrap().size = size;
        put(&ada, vec![report], 1)
    };
    let held = async || {
        let mut view = world.view().await;
        view.snapshot_bytes(&place(&ada), ada.workspace)
            .await
            .unwrap()
    };
    take(&world, &sized("f", "a1", 600)).await;
    take(&world, &sized("g", "a2", 500)).await;
    assert_eq!(held().await, 600, "there was room for one");
    assert!(snapshots(&world, &ada, "g").await.is_empty());
    assert_eq!(discarded(&world).await, ["a2"]);
    take(&world, &sized("f", "b1", 400)).await;
    assert_eq!(held().await, 1_000);
    // Two are kept: what goes makes room.
    take(&world, &sized("f", "c1", 600)).await;
    assert_eq!(snapshots(&world, &ada, "f").await, ["b", "c"]);
    world
        .done(&ForgetFile {
            account: ada.account,
            workspace: ada.workspace,
            path: "f".parse().unwrap(),
            at: at(2),
        })
        .await;
    assert_eq!(held().await, 0);
}

#[tokio::test]
async fn a_content_wanted_back_waits_until_it_is_said_what_became_of_it() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = world.sign_up("bob@example.com").await;
    for content in ["a1", "b1"] {
        take(&world, &put(&ada, vec![report("f", Some(content))], 1)).await;
    }
    let wish = |name: &str, id: u128, seconds| RestoreFile {
        account: ada.account,
        workspace: ada.workspace,
        path: "f".parse().unwrap(),
        snapshot: object(name, "f"),
        id: Uuid::from_u128(id),
        at: at(seconds),
    };
    let asked = async || -> Vec<FileRestore> {
        let mut view = world.view().await;
        view.restores(&place(&ada), ada.workspace).await.unwrap()
    };
    assert_eq!(world.refused(&wish("c1", 1, 10)).await, Kind::NotFound);
    let of_bob = RestoreFile {
        account: bob.account,
        ..wish("a1", 1, 10)
    };
    assert_eq!(world.refused(&of_bob).await, Kind::NotFound);

    world.done(&wish("a1", 1, 10)).await;
    let first = asked().await.remove(0);
    assert_eq!(first.replaces, Some("b".repeat(64)), "a snapshot holds it");
    // The last word counts.
    world.done(&wish("b1", 2, 11)).await;
    let waiting = asked().await;
    assert!(matches!(&waiting[..], [one] if one.snapshot.hash == "b".repeat(64)));

    let end = |id, outcome| EndRestore {
        cell: local(),
        user: ada.user,
        workspace: ada.workspace,
        id: Uuid::from_u128(id),
        outcome,
        at: at(20),
    };
    let done = Restored::Done {
        beside: Some("f.kept".to_owned()),
    };
    let failed = Restored::Failed {
        why: RestoreFailure::NoRoom,
    };
    world.done(&end(1, failed.clone())).await;
    world.done(&end(2, done.clone())).await;
    world.done(&end(2, failed)).await;
    assert_eq!(asked().await[0].ended, Some((at(20), done)));

    // What is only in the volume must not be overwritten.
    let mut unseen = report("f", Some("c1"));
    unseen.content.as_mut().unwrap().upload = None;
    world.done(&put(&ada, vec![unseen], 30)).await;
    world.done(&wish("a1", 3, 31)).await;
    assert_eq!(asked().await.pop().unwrap().replaces, None);
    // It is told for a day, and then no more.
    world.done(&wish("a1", 4, 31 + 86_400)).await;
    assert_eq!(asked().await.len(), 1);
}

#[tokio::test]
async fn only_so_many_contents_wait() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let path = |number: usize| format!("{number}{}", "/\u{1}".repeat(250) + &"\u{1}".repeat(250));
    let wish = |number| RestoreFile {
        account: ada.account,
        workspace: ada.workspace,
        path: path(number).parse().unwrap(),
        snapshot: object("a1", &path(number)),
        id: Uuid::from_u128(number as u128),
        at: at(10),
    };
    for number in 0..=MOST_RESTORES {
        let put = PutFiles {
            most: 100,
            ..put(&ada, vec![report(&path(number), Some("a1"))], 1)
        };
        take(&world, &put).await;
    }
    for number in 0..MOST_RESTORES {
        world.done(&wish(number)).await;
    }
    assert_eq!(
        world.refused(&wish(MOST_RESTORES)).await,
        Kind::LimitReached { limit: "restores" }
    );
}
