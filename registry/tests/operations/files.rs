//! Files: what is reported, the newest snapshots, and bytes that nothing refers to any more.

use coditect_core::{FilePath, Kind};
use coditect_registry::{
    operation::{
        DeleteWorkspace, FILES_AT_ONCE, FileContent, FileReport, ForgetFile, NoteDiscarded,
        Provisioned, PutFiles,
    },
    record::{WorkspacePlace, object_prefix},
};

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

fn report(person: &Provisioned, path: &str, content: Option<&str>) -> FileReport {
    FileReport {
        path: path.parse().unwrap(),
        content: content.map(|name| FileContent {
            size: 1,
            hash: name.repeat(64),
            object: Some(format!(
                "{}{name}",
                object_prefix(person.user, person.workspace)
            )),
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
        at: at(seconds),
    }
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

async fn discarded(world: &World) -> Vec<String> {
    let found = world.view().await.discards(100).await.unwrap();
    let mut objects: Vec<_> = found
        .into_iter()
        .map(|(_, discard)| discard.object.rsplit('/').next().unwrap().to_owned())
        .collect();
    objects.sort();
    objects
}

#[tokio::test]
async fn the_newest_contents_are_kept_and_the_rest_is_let_go() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    // The clocks of those who report may go back: the order of arrival counts.
    for (content, seconds) in [("a", 10), ("b", 11), ("b", 12), ("c", 11)] {
        world
            .done(&put(
                &ada,
                vec![report(&ada, "src/main.rs", Some(content))],
                seconds,
            ))
            .await;
    }
    assert_eq!(snapshots(&world, &ada, "src/main.rs").await, ["b", "c"]);
    assert_eq!(discarded(&world).await, ["a"]);
    // Back to what it was: the object of the older snapshot is the newer one's, too.
    world
        .done(&put(&ada, vec![report(&ada, "src/main.rs", Some("b"))], 20))
        .await;
    assert_eq!(snapshots(&world, &ada, "src/main.rs").await, ["c", "b"]);
    assert_eq!(discarded(&world).await, ["a"], "b is still there");

    world
        .done(&put(&ada, vec![report(&ada, "src/main.rs", None)], 30))
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
    assert_eq!(discarded(&world).await, ["a", "b", "c"]);
    assert_eq!(
        world
            .view()
            .await
            .file_count(&place(&ada), ada.workspace)
            .await
            .unwrap(),
        0
    );
    for (id, _) in world.view().await.discards(100).await.unwrap() {
        world.done(&NoteDiscarded { id, at: at(50) }).await;
    }
    assert!(discarded(&world).await.is_empty());
}

#[tokio::test]
async fn files_are_listed_in_pages_whatever_their_snapshots() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let paths = ["a", "a/b", "z"];
    for content in ["a", "b"] {
        let files = paths.map(|path| report(&ada, path, Some(content)));
        world.done(&put(&ada, files.into(), 10)).await;
    }
    world
        .done(&put(&ada, vec![report(&ada, "never/there", None)], 11))
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
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let files: Vec<_> = (0..4)
        .map(|n| report(&ada, &format!("f{n}"), Some("a")))
        .collect();
    assert_eq!(
        world.refused(&put(&ada, files, 1)).await,
        Kind::LimitReached { limit: "files" }
    );
    let many = vec![report(&ada, "f", Some("a")); FILES_AT_ONCE + 1];
    assert!(matches!(
        world.refused(&put(&ada, many, 1)).await,
        Kind::Invalid { .. }
    ));
    let foreign = vec![report(&bob, "f", Some("a"))];
    assert_eq!(
        world.refused(&put(&ada, foreign, 1)).await,
        Kind::Internal,
        "an object of somebody else's"
    );
    let elsewhere = PutFiles {
        cell: "other".parse().unwrap(),
        ..put(&ada, vec![report(&ada, "f", Some("a"))], 1)
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
    world
        .done(&put(&ada, vec![report(&ada, "f", Some("a"))], 1))
        .await;
    world
        .done(&DeleteWorkspace {
            account: ada.account,
            workspace: ada.workspace,
            at: at(2),
        })
        .await;
    let left = world.view().await.discards(10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].1.all_below);
    assert_eq!(left[0].1.object, object_prefix(ada.user, ada.workspace));
    assert_eq!(
        world.traces(ada.workspace.as_uuid()).await,
        Vec::<String>::new()
    );
    let late = put(&ada, vec![report(&ada, "f", Some("b"))], 3);
    assert_eq!(world.refused(&late).await, Kind::NotFound);
}
