//! What happens to files reaches the API, and nothing else does.

use std::{
    collections::BTreeMap, fs, os::unix::fs::symlink, path::PathBuf, sync::atomic::Ordering,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use coditect_core::sidecar::{FileEvent, Restore, RestoreFailure, Restored};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{tabs::Tab, world::World};

impl World {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join("workspace").join(name)
    }

    /// What the API knows of each path: its content, none if there is none, and nothing if it is gone.
    fn known(&self) -> BTreeMap<String, Option<String>> {
        let mut known = BTreeMap::new();
        let batches = self.api.state.batches.lock().unwrap();
        for event in batches.iter().flat_map(|batch| &batch.events) {
            match event {
                FileEvent::Written { path, content, .. } => {
                    let text = content.as_ref().map(|content| {
                        String::from_utf8(BASE64_STANDARD.decode(content).unwrap()).unwrap()
                    });
                    known.insert(path.clone(), text);
                }
                FileEvent::Removed { path, .. } => {
                    let below = format!("{path}/");
                    known.retain(|at, _| at != path && !at.starts_with(&below));
                }
                FileEvent::Lost { events } => panic!("{events} events were lost"),
            }
        }
        known
    }

    async fn until_known(&self, expected: &[(&str, Option<&str>)]) {
        let expected: BTreeMap<String, Option<String>> = expected
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.map(str::to_owned)))
            .collect();
        self.until(|| async { self.known() == expected }).await;
    }
}

#[tokio::test]
async fn what_a_person_writes_is_known_and_what_goes_is_forgotten() {
    let world = World::new().await;
    let (mut tab, _) = Tab::welcomed(&world, "one").await;
    fs::create_dir_all(world.at("src/deep")).unwrap();
    fs::write(world.at("src/deep/main.rs"), "fn main() {}").unwrap();
    fs::write(world.at("readme"), "hello").unwrap();
    world
        .until_known(&[
            ("readme", Some("hello")),
            ("src/deep/main.rs", Some("fn main() {}")),
        ])
        .await;
    let changes = tab.heard("files").await;
    assert!(changes["changes"].as_array().unwrap().iter().any(|change| {
        *change == json!({"path": "readme", "removed": false})
            || *change == json!({"path": "src/deep/main.rs", "removed": false})
    }));
    fs::rename(world.at("src"), world.at("lib")).unwrap();
    fs::remove_file(world.at("readme")).unwrap();
    world
        .until_known(&[("lib/deep/main.rs", Some("fn main() {}"))])
        .await;
}

#[tokio::test]
async fn nothing_that_is_no_file_of_the_persons_work_is_read() {
    let world = World::new().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("token"), "outside").unwrap();
    let token = outside.path().join("token");
    symlink(&token, world.at("link")).unwrap();
    symlink(outside.path(), world.at("away")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.at("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let sparse = fs::File::create(world.at("sparse")).unwrap();
    sparse.set_len(10 * 1024 * 1024 * 1024).unwrap();
    for (path, text) in [
        (".env", "KEY=1"),
        ("server.pem", "secret"),
        ("node_modules/a/index.js", "x"),
        (".git/config", "x"),
        (".home/.bash_history", "x"),
        ("ignored.log", "x"),
        (".gitignore", "*.log\n"),
        ("kept", "kept"),
    ] {
        fs::create_dir_all(world.at(path).parent().unwrap()).unwrap();
        fs::write(world.at(path), text).unwrap();
    }
    fs::write(world.at("large"), "x".repeat(300 * 1024)).unwrap();
    world
        .until_known(&[
            (".gitignore", Some("*.log\n")),
            ("kept", Some("kept")),
            ("large", None),
            ("sparse", None),
        ])
        .await;
    let batches = world.api.state.batches.lock().unwrap();
    let text = serde_json::to_string(&*batches).unwrap();
    assert!(!text.contains("KEY=1") && !text.contains(&BASE64_STANDARD.encode("outside")));
    let hashes: BTreeMap<&str, bool> = batches
        .iter()
        .flat_map(|batch| &batch.events)
        .filter_map(|event| match event {
            FileEvent::Written { path, sha256, .. } => Some((path.as_str(), sha256.is_some())),
            _ => None,
        })
        .collect();
    assert!(hashes["large"] && !hashes["sparse"]);
}

#[tokio::test]
async fn an_api_that_is_away_loses_nothing() {
    let world = World::new().await;
    let away = &world.api.state.away;
    away.store(true, Ordering::SeqCst);
    for at in 0..300 {
        fs::write(world.at(&format!("file-{at}")), format!("{at}")).unwrap();
    }
    let queue = world.folder.path().join("queue");
    world
        .until(|| async { fs::read_dir(&queue).unwrap().count() > 2 })
        .await;
    assert!(world.known().is_empty());
    away.store(false, Ordering::SeqCst);
    world.until(|| async { world.known().len() == 300 }).await;
    world
        .until(|| async { fs::read_dir(&queue).unwrap().count() == 1 })
        .await;
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn contents_that_the_api_has_are_not_sent_again_and_what_is_no_text_never() {
    let world = World::new().await;
    let (known, new) = ("known ".repeat(2_000), "new ".repeat(2_000));
    world.api.state.has.lock().unwrap().insert(hash(&known));
    fs::write(world.at("image"), [&[0_u8][..], new.as_bytes()].concat()).unwrap();
    fs::write(world.at("known"), &known).unwrap();
    fs::write(world.at("new"), &new).unwrap();
    world
        .until_known(&[
            ("image", None),
            ("known", None),
            ("new", Some(new.as_str())),
        ])
        .await;
}

#[tokio::test]
async fn a_file_wanted_back_is_written_once_and_said() {
    let world = World::new().await;
    let wish = |id: u128, path: &str, text: &str| Restore {
        id: Uuid::from_u128(id),
        path: path.to_owned(),
        size: text.len() as u64,
        sha256: hash(text),
        replaces: None,
    };
    let wishes = vec![wish(1, "src/a", "old"), wish(2, "gone", "gone")];
    fs::create_dir(world.at("src")).unwrap();
    fs::write(world.at("src/a"), "unseen").unwrap();
    let state = &world.api.state;
    state
        .wanted_back
        .lock()
        .unwrap()
        .insert(Uuid::from_u128(1), "old");
    state.change(|access| access.restores = wishes.clone());
    let said = async |many| {
        world
            .until(|| async { state.brought_back.lock().unwrap().len() >= many })
            .await;
        state.brought_back.lock().unwrap().clone()
    };
    let beside = "a.before-00000000";
    let done = Restored::Done {
        beside: Some(beside.to_owned()),
    };
    let gone = Restored::Failed {
        why: RestoreFailure::Gone,
    };
    assert_eq!(
        said(2).await,
        [
            (Uuid::from_u128(1), done.clone()),
            (Uuid::from_u128(2), gone)
        ]
    );
    assert_eq!(fs::read_to_string(world.at("src/a")).unwrap(), "old");
    let kept = world.at("src").join(beside);
    assert_eq!(fs::read_to_string(kept).unwrap(), "unseen");

    // Told of it once more: what was typed since is the person's.
    fs::write(world.at("src/a"), "typed since").unwrap();
    state.change(|access| access.restores = wishes[..1].to_vec());
    assert_eq!(said(3).await[2], (Uuid::from_u128(1), done));
    let typed = fs::read_to_string(world.at("src/a")).unwrap();
    assert_eq!(typed, "typed since");
}
