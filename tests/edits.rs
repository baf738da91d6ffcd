//! What people do to a running installation's files, and what it does about that.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{fs, path::Path, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use support::{Api, World, git, users_in};
use tokio::time::sleep;

/// The health board, once `is` holds of it.
async fn health(api: &Api, is: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..600 {
        last = api
            .request(Method::GET, "/health")
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        if is(&last["parts"]) {
            return last["parts"].clone();
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("health stayed {last:#}");
}

fn edit(file: &Path, before: &str, after: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(
        text.contains(before),
        "{} has no {before:?}",
        file.display()
    );
    fs::write(file, text.replacen(before, after, 1)).unwrap();
}

fn count(world: &World) -> u64 {
    git(&world.repository(), &["rev-list", "--count", "main"])
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_policy_is_named_and_the_last_good_one_stays() {
    let world = World::new();
    let dev = world.dev();
    let api = Api::of(&dev);
    api.sign_up("ada@example.com", "Ada").await.unwrap();
    world.assert_verified();
    let commits = count(&world);

    let plan = world.data().join("policy/tenants/plans/free.yaml");
    edit(&plan, "storageGib:", "storgeGib:");
    let parts = health(&api, |parts| parts["policy"]["status"] == "degraded").await;
    let detail = parts["policy"]["detail"].as_str().unwrap();
    for part in [
        "plans/free.yaml:",
        "storgeGib",
        "did you mean `storageGib`",
        "last good one stays in force",
    ] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    api.sign_up("bob@example.com", "Bob").await.unwrap();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(users_in(&world.clone()).len(), 2, "sign-ups go on");

    edit(&plan, "storgeGib:", "storageGib:");
    health(&api, |parts| parts["policy"]["status"] == "ok").await;
    world.assert_verified();
    assert_eq!(
        count(&world),
        commits + 1,
        "a policy that is what it was makes no commit"
    );

    // A limit that is raised reaches everybody, and the volume's mark is raised with it.
    edit(&plan, "storageGib: 1", "storageGib: 2");
    health(&api, |parts| parts["policy"]["status"] == "ok").await;
    world.assert_verified();
    let clone = world.clone();
    assert_eq!(
        git(&clone, &["grep", "-l", "storage: \"2Gi\"", "--", "shards"])
            .lines()
            .count(),
        2,
        "{}",
        git(&clone, &["log", "-1"])
    );
    edit(&plan, "storageGib: 2", "storageGib: 1");
    world.assert_verified();
    assert_eq!(
        git(
            &world.clone(),
            &["grep", "-l", "storage: \"2Gi\"", "--", "shards"]
        )
        .lines()
        .count(),
        2,
        "a volume never shrinks"
    );
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_template_is_named_and_commits_nothing() {
    let world = World::new();
    let dev = world.dev();
    let api = Api::of(&dev);
    api.sign_up("ada@example.com", "Ada").await.unwrap();
    world.assert_verified();
    let commits = count(&world);
    let templates = world.data().join("policy/templates/v1");
    for (file, before, after, named) in [
        (
            "user-10-namespace.yaml.j2",
            "{{ plan }}",
            "{{ plam }}",
            "`plam` is undefined",
        ),
        (
            "user-10-namespace.yaml.j2",
            "labels:",
            "lables:",
            "did you mean `labels`",
        ),
        (
            "workspace-20-stateful-set.yaml.j2",
            "serviceName:",
            "replicas: 1\n  serviceName:",
            ".spec.replicas",
        ),
    ] {
        edit(&templates.join(file), before, after);
        let parts = health(&api, |parts| parts["policy"]["status"] == "degraded").await;
        let detail = parts["policy"]["detail"].as_str().unwrap();
        assert!(
            detail.contains(named) && detail.contains(file),
            "{named}: {detail}"
        );
        edit(&templates.join(file), after, before);
        health(&api, |parts| parts["policy"]["status"] == "ok").await;
    }
    world.assert_verified();
    assert_eq!(count(&world), commits);
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_changed_by_hand_is_repaired_and_loses_nobody() {
    let world = World::new();
    let dev = world.dev();
    let api = Api::of(&dev);
    let mut people = Vec::new();
    for number in 0..5 {
        people.push(
            api.sign_up(&format!("p{number}@example.com"), "Ada")
                .await
                .unwrap(),
        );
    }
    world.assert_verified();
    let old = git(&world.repository(), &["rev-parse", "main~2"]);

    // A file edited, another deleted, a third put beside, all pushed by hand.
    let clone = world.clone();
    let files: Vec<String> = git(&clone, &["ls-files", "shards/*/*.yaml"])
        .lines()
        .map(ToOwned::to_owned)
        .collect();
    edit(
        &clone.join(&files[0]),
        "workspace-access",
        "workspace-accessible",
    );
    fs::remove_file(clone.join(&files[1])).unwrap();
    let copied = Path::new(&files[2]).file_name().unwrap();
    for shard in ["shards/00", "shards/7f"] {
        fs::copy(clone.join(&files[2]), clone.join(shard).join(copied)).unwrap();
    }
    fs::copy(clone.join(&files[3]), clone.join(&files[4])).unwrap();
    fs::write(clone.join("shards/00/extra.yaml"), "kind: Secret\n").unwrap();
    git(&clone, &["add", "-A"]);
    git(&clone, &["commit", "-qm", "by hand"]);
    git(&clone, &["push", "-q", "origin", "HEAD:main"]);
    world.assert_verified();
    assert_eq!(users_in(&world.clone()).len(), 5);
    assert!(
        !world.clone().join("shards/00/extra.yaml").exists(),
        "what Argo CD would apply is ours alone"
    );

    // Rewound.
    git(
        &world.repository(),
        &["update-ref", "refs/heads/main", old.trim()],
    );
    world.assert_verified();
    assert_eq!(users_in(&world.clone()).len(), 5);

    // Gone altogether.
    fs::remove_dir_all(world.repository()).unwrap();
    while !world.repository().join("refs/heads/main").exists() {
        sleep(Duration::from_millis(50)).await;
    }
    world.assert_verified();
    assert_eq!(users_in(&world.clone()).len(), 5);
    let metrics = api
        .request(Method::GET, "/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        metrics.contains("coditect_renderer_foreign_changes_total"),
        "it is reported"
    );
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_written_loses_no_sign_up() {
    let world = World::new();
    let dev = world.dev();
    let api = Api::of(&dev);
    let packs = world.repository().join("objects/pack");
    let aside = world.repository().join("objects/aside");
    fs::rename(&packs, &aside).unwrap();
    fs::write(&packs, "not a folder").unwrap();

    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let parts = health(&api, |parts| parts["renderer/local"]["status"] == "failing").await;
    assert!(
        parts["renderer/local"]["detail"]
            .as_str()
            .unwrap()
            .contains("nothing is lost, next attempt in"),
        "{parts}"
    );
    let ready = api
        .request(Method::GET, "/health/ready")
        .send()
        .await
        .unwrap()
        .status();
    assert_eq!(ready, reqwest::StatusCode::SERVICE_UNAVAILABLE);
    let shown = ada
        .get(&format!("/api/v5/workspaces/{}", ada.workspace))
        .await
        .unwrap();
    assert_eq!(shown["phase"], "requested");

    fs::remove_file(&packs).unwrap();
    fs::rename(&aside, &packs).unwrap();
    health(&api, |parts| parts["renderer/local"]["status"] == "ok").await;
    world.assert_verified();
    assert_eq!(users_in(&world.clone()), [ada.user]);
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_restored_from_a_backup_resurrects_nobody_and_loses_nobody() {
    let world = World::new();
    let dev = world.dev();
    let api = Api::of(&dev);
    let early = api.sign_up("early@example.com", "Early").await.unwrap();
    let leaver = api.sign_up("leaver@example.com", "Leaver").await.unwrap();
    let grower = api.sign_up("grower@example.com", "Grower").await.unwrap();
    world.assert_verified();
    dev.stop();
    let (file, backup) = (
        world.data().join("registry.redb"),
        world.folder.path().join("backup.redb"),
    );
    fs::copy(&file, &backup).unwrap();

    let dev = world.dev();
    let api = Api::of(&dev);
    let body = json!({"password": support::PASSWORD, "mode": "now"});
    let leaver = leaver.at(&api).await;
    leaver.must(Method::DELETE, "/api/v5/me", Some(body)).await;
    let grower = grower.at(&api).await;
    let pro = json!({"plan": "pro"});
    grower
        .must(Method::PUT, "/api/v5/tenant/plan", Some(pro))
        .await;
    let late = api.sign_up("late@example.com", "Late").await.unwrap();
    world.assert_verified();
    dev.stop();

    fs::copy(&backup, &file).unwrap();
    let dev = world.dev();
    let api = Api::of(&dev);
    let parts = health(&api, |parts| {
        parts["renderer/local"]["status"] == "degraded"
    })
    .await;
    assert!(
        parts["renderer/local"]["detail"]
            .as_str()
            .unwrap()
            .contains("1 user(s) in Git of whom the registry knows nothing"),
        "{parts}"
    );
    let mut expected = vec![early.user.clone(), grower.user.clone(), late.user.clone()];
    expected.sort();
    let clone = world.clone();
    assert_eq!(
        users_in(&clone),
        expected,
        "the late one is kept, the leaver stays gone"
    );
    let (status, report) = world.verify();
    assert_eq!(status, Some(3));
    assert_eq!(
        report[0]["differences"].as_object().unwrap().len(),
        1,
        "{report:#}"
    );
    assert_eq!(report[0]["differences"][&late.user]["difference"], "orphan");
    let kept = git(
        &clone,
        &["grep", "-l", "storage: \"100Gi\"", "--", "shards"],
    );
    assert!(
        kept.contains(&grower.user),
        "the volume that grew after the backup does not shrink: {kept}"
    );
    let (_, answer) = api.register("leaver@example.com", "Leaver").await.unwrap();
    assert!(answer["id"].is_string(), "the address is free again");
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_follows_in_the_background() {
    let world = World::new();
    let mirror = world.folder.path().join("mirror-local.git");
    let mut command = world.command("dev");
    let address = world.folder.path().join("mirror-{cell}.git");
    command.args(["--listen", "127.0.0.1:0", "--runtime", "none", "--mirror"]);
    command.arg(&address);
    let dev = support::Process::start(command);
    let api = Api::of(&dev);
    // The mirror is not there yet: nobody waits for it.
    api.sign_up("ada@example.com", "Ada").await.unwrap();
    world.assert_verified();
    health(&api, |parts| parts["mirror/local"]["status"] == "degraded").await;
    git(
        world.folder.path(),
        &["init", "-q", "--bare", mirror.to_str().unwrap()],
    );
    health(&api, |parts| parts["mirror/local"]["status"] == "ok").await;
    let head = |repository: &Path| git(repository, &["rev-parse", "main"]);
    assert_eq!(head(&mirror), head(&world.repository()));
    dev.stop();
}
