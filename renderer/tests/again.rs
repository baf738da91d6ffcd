//! Commits of a cell's repository, rendered again: the same bytes, whatever the policy has become since.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cell_support;

use std::{collections::BTreeMap, fs, process::Command};

use cell_support::{World, local};
use coditect_core::UserId;
use coditect_renderer::{
    again::{Again, Outcome},
    git::Oid,
};

fn again(world: &World, commit: Oid) -> BTreeMap<UserId, Outcome> {
    let tree = world.repository().tree(commit).unwrap();
    let mut again = Again::open(world.repository(), world.policy(), local(), commit).unwrap();
    assert_eq!(again.users(), tree.len() as u64);
    let mut found = BTreeMap::new();
    let render = again.render(|file| {
        let (_, blob) = tree.find(file.user).unwrap();
        if let Some(bytes) = &file.bytes {
            assert_eq!(
                *bytes,
                world.repository().blob(blob).unwrap(),
                "{}",
                file.path
            );
        }
        assert_eq!(file.bytes.is_some(), file.outcome.is_exact());
        found.insert(file.user, file.outcome);
        Ok(())
    });
    render.unwrap();
    assert_eq!(found.len(), tree.len());
    found
}

fn git(world: &World, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(world.path())
        .args(arguments)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_commit_is_rendered_again_byte_by_byte() {
    let world = World::new().await;
    let (running, stop) = world.start();
    for number in 0..3 {
        world.sign_up(number).await;
    }
    world
        .until("committed", |world| world.users().len() == 3)
        .await;
    world.edit(
        "tenants/plans/starter.yaml",
        "cpuMillis: 2000",
        "cpuMillis: 2500",
    );
    let all = |world: &World, has: &str| {
        let users = world.users();
        users
            .iter()
            .all(|user| world.file(*user).unwrap().1.contains(has))
    };
    world.until("rendered", |world| all(world, "2500m")).await;
    let template = "templates/v1/workspace-30-service.yaml.j2";
    world.edit(
        template,
        "  ports:\n",
        "  sessionAffinity: ClientIP\n  ports:\n",
    );
    world
        .until("rendered", |world| all(world, "ClientIP"))
        .await;
    world.sign_up(3).await;
    world
        .until("committed", |world| world.users().len() == 4)
        .await;
    stop.cancel();
    running.await.unwrap();

    let commits = git(&world, &["rev-list", "main"]);
    let mut rendered = 0;
    for commit in commits.lines() {
        let outcomes = again(&world, Oid::from_str(commit).unwrap());
        rendered += outcomes.len();
        assert!(
            outcomes.values().all(|outcome| *outcome == Outcome::Exact),
            "{outcomes:?}"
        );
    }
    assert!(commits.lines().count() >= 4 && rendered >= 10, "{commits}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_an_earlier_policy_or_of_nobodys_hand_is_told() {
    let world = World::new().await;
    let (running, stop) = world.start();
    let free = world.folder.path().join("policy/tenants/plans/free.yaml");
    world.write("tenants/plans/old.yaml", &fs::read_to_string(free).unwrap());
    let kept = world.sign_up_with(0, Some("old")).await.user;
    let other = world.sign_up(1).await.user;
    world
        .until("committed", |world| world.users().len() == 2)
        .await;
    let earlier = world.inputs.borrow().commit.unwrap().to_string();
    // A plan that is gone: who has it keeps the last good file.
    fs::remove_file(world.folder.path().join("policy/tenants/plans/old.yaml")).unwrap();
    world.edit(
        "tenants/plans/starter.yaml",
        "cpuMillis: 2000",
        "cpuMillis: 2500",
    );
    world
        .until("rendered", |world| {
            world.file(other).unwrap().1.contains("2500m")
        })
        .await;
    stop.cancel();
    running.await.unwrap();
    let outcomes = again(&world, world.head());
    assert_eq!(outcomes[&kept], Outcome::Earlier { policy: earlier });
    assert_eq!(outcomes[&other], Outcome::Exact);

    // Edited by hand, in a commit that keeps the checkpoint.
    let clone = world.folder.path().join("clone");
    let path = clone.to_str().unwrap();
    git(&world, &["clone", "--quiet", ".", path]);
    let file = git(&world, &["ls-tree", "-r", "--name-only", "main"]);
    let file = clone.join(
        file.lines()
            .find(|line| line.contains(&other.to_string()))
            .unwrap(),
    );
    fs::write(&file, fs::read_to_string(&file).unwrap() + "# by hand\n").unwrap();
    let identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
    git(
        &world,
        &[
            &["-C", path][..],
            &identity,
            &["commit", "--quiet", "--all", "--message", "x"],
        ]
        .concat(),
    );
    git(&world, &["-C", path, "push", "--quiet", "origin", "main"]);
    let outcomes = again(&world, world.head());
    assert!(
        matches!(&outcomes[&other], Outcome::Differs { why } if why.contains("not what its intent renders"))
    );
    assert!(outcomes[&kept].is_exact());
    let missing = Again::open(world.repository(), world.policy(), local(), Oid::ZERO_SHA1);
    assert!(missing.err().unwrap().to_string().contains("has no commit"));
}
