//! A user whom the cluster refuses, as an operator sees it: history, verify, and the way out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{fs, process::Output};

use coditect_core::{Cause, CellName, Reason, RequestId, UserId};
use coditect_registry::{Registry, operation::PutQuarantine, store::remote::RemoteStore};
use jiff::Timestamp;
use serde_json::{Value, json};
use support::{Api, World, git};

fn run(world: &World, subcommand: &str, arguments: &[&str]) -> Output {
    let mut command = world.command(subcommand);
    command.args(arguments).args(["--output", "json"]);
    command.output().unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn file_of(world: &World, user: &str) -> String {
    let listed = git(&world.repository(), &["ls-tree", "-r", "main"]);
    let line = listed.lines().find(|line| line.contains(user)).unwrap();
    line.split_whitespace().nth(2).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_who_is_refused_and_tries_them_again() {
    let world = World::new();
    let dev = world.dev();
    let person = Api::of(&dev)
        .sign_up("ada@example.com", "Ada")
        .await
        .unwrap();
    world.assert_verified();
    let good = file_of(&world, &person.user);
    let plan = world.data().join("policy/tenants/plans/free.yaml");
    let text = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, text.replace("pids: 256", "pids: 257")).unwrap();
    while file_of(&world, &person.user) == good {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    world.assert_verified();
    let bad = file_of(&world, &person.user);

    // What an observer tells.
    let store = RemoteStore::connect(world.data().join("registry.sock"))
        .await
        .unwrap();
    let registry = Registry::open(store).await.unwrap();
    let cell: CellName = "local".parse().unwrap();
    let user: UserId = person.user.parse().unwrap();
    let row = registry
        .view()
        .await
        .unwrap()
        .intent(&cell, user)
        .await
        .unwrap()
        .unwrap();
    let put = PutQuarantine {
        cell,
        user,
        generation: row.intent.generation,
        commit: git(&world.repository(), &["rev-parse", "main"])
            .trim()
            .to_owned(),
        reason: Reason::new(Cause::Admission, "denied by policy pids-are-even"),
        at: Timestamp::now(),
    };
    assert!(registry.apply(RequestId::random(), &put).await.unwrap());
    while file_of(&world, &person.user) != good {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    let (status, report) = world.verify();
    assert_eq!(status, Some(0), "what stands is no difference: {report:#}");
    let quarantined = &report[0]["quarantined"][&person.user];
    assert_eq!(quarantined["stands"], "last_good", "{report:#}");
    assert_eq!(
        quarantined["reason"]["detail"],
        "denied by policy pids-are-even"
    );
    let history = json_of(&run(&world, "history", &[&person.user]));
    assert_eq!(history[0]["change"], "quarantined", "{history:#}");
    assert!(
        history[0]["reason"]
            .as_str()
            .unwrap()
            .contains("the last good file stands")
    );
    let listed = json_of(&run(&world, "quarantine", &["list"]));
    assert_eq!(listed[0]["refused"], bad.as_str(), "{listed:#}");
    assert_eq!(listed[0]["stands"], good.as_str());

    // The cluster's own policy was wrong, and is corrected.
    let lifted = json_of(&run(&world, "quarantine", &["lift", "--all"]));
    assert_eq!(lifted["lifted"], json!([person.user]));
    while file_of(&world, &person.user) != bad {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    world.assert_verified();
    assert_eq!(json_of(&run(&world, "quarantine", &["list"])), json!([]));
    let none = run(&world, "quarantine", &["lift", &person.user]);
    assert_eq!(none.status.code(), Some(2), "{none:?}");
    dev.stop();
}
