//! Versions of a file, and one that comes back.

use std::fs;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{
    cluster::Cluster,
    pod::{Door, api, greeter, until},
    support::{Api, Person, World},
};

/// The newest version of `chapter/notes.txt` that the API keeps, once there is one.
async fn version(person: &Person) -> Value {
    let path = format!(
        "/api/v5/workspaces/{}/files/chapter%2Fnotes.txt/snapshots",
        person.workspace
    );
    until("a version", async || {
        person.get(&path).await.ok()?["items"].get(0).cloned()
    })
    .await
}

/// What the API has not seen stays beside.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_wrote_over_comes_back_and_what_stood_there_is_not_lost() {
    let world = World::new();
    let cluster = Cluster::new("https://cluster.test");
    cluster.publish(&world.folder.path().join("cell-keys"), "local");
    let process = api(&world, "127.0.0.1:0");
    let person = Api::of(&process)
        .sign_up("ada@example.com", "Ada")
        .await
        .unwrap();
    let _door = Door::start(&world, &cluster, &person, greeter()).await;
    let volume = world.folder.path().join("pod/volume");
    let file = volume.join("chapter/notes.txt");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "the first thought").unwrap();
    let first = version(&person).await;
    // No text: nobody but the volume has it.
    fs::write(&file, [0, 1, 2]).unwrap();
    let files = format!("/api/v5/workspaces/{}/files", person.workspace);
    until("the change", async || {
        let files = person.get(&files).await.ok()?;
        let known = files["items"]
            .as_array()?
            .iter()
            .any(|file| file["size"] == 3);
        known.then_some(())
    })
    .await;
    let id = first["id"].as_str().unwrap();
    let restore = format!("{files}/chapter%2Fnotes.txt/snapshots/{id}/restore");
    let (status, asked) = person.send(Method::POST, &restore, None).await.unwrap();
    assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
    let restores = format!("/api/v5/workspaces/{}/restores", person.workspace);
    let done = until("the restore", async || {
        let restores = person.get(&restores).await.ok()?;
        let one = restores["items"][0].clone();
        (one["state"] != "waiting").then_some(one)
    })
    .await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "the first thought");
    let beside = file.with_file_name(done["beside"].as_str().unwrap());
    assert_eq!(fs::read(beside).unwrap(), [0, 1, 2]);
    process.stop();
}
