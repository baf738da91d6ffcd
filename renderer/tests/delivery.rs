//! What delivers the rendered manifests agrees with what is rendered: Argo CD's project and Applications, and the
//! role of `coditect verify --cluster`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeSet, fs, path::Path};

use coditect_core::Shard;
use serde_json::Value;

fn documents(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(support::root().join(path)).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    documents.into_iter().filter(|one| !one.is_null()).collect()
}

/// The document of that kind in a file.
fn of_kind(path: &str, kind: &str) -> Value {
    let found = documents(path).into_iter().find(|one| one["kind"] == kind);
    found.unwrap_or_else(|| panic!("{path} has no {kind}"))
}

/// Group and kind of everything that the golden cases render.
fn rendered() -> BTreeSet<(String, String)> {
    let mut kinds = BTreeSet::new();
    for case in fs::read_dir(support::root().join("tests/golden")).unwrap() {
        let expected = case.unwrap().path().join("expected");
        for (_, text) in support::folder(Path::new(&expected)) {
            let object: Value = serde_saphyr::from_str(&String::from_utf8(text).unwrap()).unwrap();
            let version = object["apiVersion"].as_str().unwrap();
            let group = version.split_once('/').map_or("", |(group, _)| group);
            kinds.insert((
                group.to_owned(),
                object["kind"].as_str().unwrap().to_owned(),
            ));
        }
    }
    kinds
}

fn pairs(list: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = list.as_array().unwrap();
    list.iter()
        .map(|one| (text(&one["group"]), text(&one["kind"])))
        .collect()
}

#[test]
fn the_project_allows_the_rendered_kinds_and_no_others() {
    let project = of_kind("argocd/cell/project.yaml", "AppProject");
    let cluster_wide = pairs(&project["spec"]["clusterResourceWhitelist"]);
    assert_eq!(
        cluster_wide,
        BTreeSet::from([(String::new(), "Namespace".to_owned())])
    );
    let mut allowed = pairs(&project["spec"]["namespaceResourceWhitelist"]);
    allowed.extend(cluster_wide);
    assert_eq!(allowed, rendered());
    assert_eq!(project["spec"]["destinations"].as_array().unwrap().len(), 1);
    assert_eq!(project["spec"]["destinations"][0]["namespace"], "user-*");
    assert_eq!(
        project["spec"]["clusterResourceWhitelist"][0]["name"],
        "user-*"
    );
}

#[test]
fn whoever_verifies_reads_the_rendered_kinds_and_nothing_else() {
    let role = of_kind("deploy/access/verify.yaml", "ClusterRole");
    let mut readable = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        assert_eq!(rule["verbs"], serde_json::json!(["get", "list"]));
        let group = rule["apiGroups"][0].as_str().unwrap().to_owned();
        for resource in rule["resources"].as_array().unwrap() {
            readable.insert((group.clone(), resource.as_str().unwrap().to_owned()));
        }
    }
    let plural = |kind: &str| {
        let kind = kind.to_lowercase();
        match kind.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None if kind.ends_with('s') => format!("{kind}es"),
            None => format!("{kind}s"),
        }
    };
    let rendered: BTreeSet<_> = rendered()
        .into_iter()
        .map(|(group, kind)| (group, plural(&kind)))
        .collect();
    assert_eq!(readable, rendered);
}

#[test]
fn every_shard_has_one_application_and_none_can_be_deleted() {
    let set = of_kind("argocd/cell/shards.yaml", "ApplicationSet");
    let elements = set["spec"]["generators"][0]["list"]["elements"]
        .as_array()
        .unwrap();
    let listed: Vec<Shard> = elements
        .iter()
        .map(|one| one["shard"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(listed, Shard::all().collect::<Vec<_>>());
    let spec = &set["spec"];
    assert_eq!(spec["syncPolicy"]["applicationsSync"], "create-update");
    assert_eq!(spec["syncPolicy"]["preserveResourcesOnDeletion"], true);
    // With `create-update`, what keeps the Applications when the set itself is deleted.
    assert_eq!(
        set["metadata"]["finalizers"][0],
        "resources-finalizer.argocd.argoproj.io"
    );
    assert!(spec["template"]["metadata"].get("finalizers").is_none());
    let sync = &spec["template"]["spec"]["syncPolicy"];
    let options: Vec<&str> = sync["syncOptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|option| option.as_str().unwrap())
        .collect();
    for option in [
        "ServerSideApply=true",
        "ApplyOutOfSyncOnly=true",
        "FailOnSharedResource=true",
    ] {
        assert!(options.contains(&option), "{options:?}");
    }
    // Each would break an invariant: see the reasons in the file.
    for option in ["Replace=true", "Force=true", "PruneLast=true"] {
        assert!(!options.contains(&option), "{options:?}");
    }
    assert_eq!(
        spec["template"]["spec"]["source"]["targetRevision"],
        "refs/heads/main"
    );
    assert!(spec["template"]["spec"].get("ignoreDifferences").is_none());
}
