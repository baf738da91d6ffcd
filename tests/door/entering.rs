//! Who comes in, and who is put out.

use std::fs;

use reqwest::{Method, StatusCode};

use crate::{
    cluster::Cluster,
    pod::{Door, GREETING, api, greeter, until_known},
    support::{Api, World, way_in},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_comes_in_with_a_code_their_files_are_known_and_who_leaves_is_out() {
    let world = World::new();
    let cluster = Cluster::new("https://cluster.test");
    cluster.publish(&world.folder.path().join("cell-keys"), "local");
    let process = api(&world, "127.0.0.1:0");
    let person = Api::of(&process)
        .sign_up("ada@example.com", "Ada")
        .await
        .unwrap();
    let mut door = Door::start(&world, &cluster, &person, greeter()).await;
    door.until(StatusCode::UNAUTHORIZED).await;
    let way = way_in(&person).await;
    assert_eq!(door.tab.enter(&way).await, StatusCode::OK);
    let answer = door.until(StatusCode::OK).await;
    assert_eq!(answer.text().await.unwrap(), GREETING);
    assert_eq!(door.tab.enter(&way).await, StatusCode::FORBIDDEN, "twice");

    let volume = world.folder.path().join("pod/volume");
    fs::write(volume.join("first.txt"), "one").unwrap();
    until_known(&person, "first.txt").await;

    // The API dies, and comes back where it was: what happened meanwhile arrives.
    let listen = process.ready["url"].as_str().unwrap();
    let listen = listen.trim_start_matches("http://").to_owned();
    process.kill();
    fs::write(volume.join("second.txt"), "two").unwrap();
    assert_eq!(door.ide().await.unwrap().status(), StatusCode::OK);
    let process = api(&world, &listen);
    let again = person.at(&Api::of(&process)).await;
    until_known(&again, "second.txt").await;
    until_known(&again, "first.txt").await;

    // Whoever ends the login by which somebody is in puts them out.
    let logins = again.get("/api/v5/me/logins").await.unwrap();
    let logins = logins["items"].as_array().unwrap();
    let first = logins
        .iter()
        .find(|login| login["present"] == false)
        .unwrap();
    let path = format!("/api/v5/me/logins/{}", first["id"].as_str().unwrap());
    let (status, said) = again.send(Method::DELETE, &path, None).await.unwrap();
    assert_eq!(status, StatusCode::NO_CONTENT, "{said}");
    door.until(StatusCode::UNAUTHORIZED).await;
    process.stop();
}
