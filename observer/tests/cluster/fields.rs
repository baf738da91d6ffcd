//! A document against itself with what an API server adds, and with each of its leaves changed or gone.

use std::{fs, path::PathBuf};

use coditect_observer::compare::fields;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Every document of the renderer's golden files.
pub(crate) fn golden() -> Vec<(PathBuf, Value)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden"));
    let mut found = Vec::new();
    for case in fs::read_dir(folder).unwrap() {
        let expected = case.unwrap().path().join("expected");
        for file in fs::read_dir(expected).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, serde_saphyr::from_str(&text).unwrap()));
        }
    }
    assert!(found.len() > 100, "{}", found.len());
    found
}

/// Where a leaf is, as a JSON pointer's parts.
type Place = Vec<String>;

fn leaves(value: &Value, place: &mut Place, found: &mut Vec<Place>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, below) in fields {
                place.push(name.clone());
                leaves(below, place, found);
                place.pop();
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (at, below) in elements.iter().enumerate() {
                place.push(at.to_string());
                leaves(below, place, found);
                place.pop();
            }
        }
        _ => found.push(place.clone()),
    }
}

/// The leaves that are the user's own: not what names the object, which is how it was found.
fn leaves_of(document: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    leaves(document, &mut Vec::new(), &mut found);
    found.retain(|place| {
        let place: Vec<&str> = place.iter().map(String::as_str).collect();
        !matches!(
            place.as_slice(),
            ["apiVersion" | "kind"] | ["metadata", "name" | "namespace"]
        )
    });
    found
}

fn at<'a>(document: &'a mut Value, place: &[String]) -> &'a mut Value {
    place.iter().fold(document, |value, part| match value {
        Value::Array(elements) => &mut elements[part.parse::<usize>().unwrap()],
        Value::Object(fields) => fields.get_mut(part).unwrap(),
        _ => panic!("no way to {part}"),
    })
}

fn without(document: &Value, place: &[String]) -> Value {
    let mut live = document.clone();
    let (last, way) = place.split_last().unwrap();
    match at(&mut live, way) {
        Value::Array(elements) => {
            elements.remove(last.parse().unwrap());
        }
        Value::Object(fields) => {
            fields.remove(last);
        }
        _ => panic!("no way to {last}"),
    }
    live
}

fn changed(document: &Value, place: &[String]) -> Value {
    let mut live = document.clone();
    let leaf = at(&mut live, place);
    *leaf = match leaf {
        Value::Bool(flag) => json!(!*flag),
        Value::Number(number) => json!(number.as_i64().unwrap() + 1),
        Value::String(text) => json!(format!("{text}9")),
        _ => json!({"somebody": "else"}),
    };
    live
}

/// True for what the API server leaves out itself, so that its absence says the same.
fn says_nothing(document: &Value, place: &[String]) -> bool {
    let mut document = document.clone();
    let leaf = at(&mut document, place);
    leaf.is_null() || *leaf == json!([])
}

#[test]
fn every_leaf_of_every_golden_file_that_is_changed_or_gone_is_found() {
    for (path, document) in golden() {
        let same = fields(&document, &document);
        assert!(same.is_empty(), "{}: {same:?}", path.display());
        for place in leaves_of(&document) {
            let live = changed(&document, &place);
            assert!(
                !fields(&document, &live).is_empty(),
                "{}: {place:?} changed",
                path.display()
            );
            if !says_nothing(&document, &place) {
                let live = without(&document, &place);
                assert!(
                    !fields(&document, &live).is_empty(),
                    "{}: {place:?} gone",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn what_an_api_server_makes_of_a_stateful_set_is_the_same() {
    let wanted = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "w", "labels": {"a": "b"}},
        "spec": {"serviceName": "w", "selector": {"matchLabels": {"w": "1"}},
            "template": {"spec": {
                "containers": [
                    {"name": "ide", "image": "ide:1", "ports": [{"containerPort": 80}],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
                        "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": false}]},
                    {"name": "side", "image": "side:1"}],
                "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}]}}}
    });
    let live = json!({
        "metadata": {"name": "w", "uid": "1", "labels": {"a": "b", "c": "d"}, "annotations": {"x": "y"}},
        "spec": {"replicas": 1, "serviceName": "w", "selector": {"matchLabels": {"w": "1"}},
            "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10,
            "template": {"metadata": {"creationTimestamp": null}, "spec": {
                "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
                "containers": [
                    {"name": "side", "image": "side:1", "imagePullPolicy": "IfNotPresent"},
                    {"name": "ide", "image": "ide:1",
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
                        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                        "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]}}},
        "status": {"replicas": 1}
    });
    assert_eq!(fields(&wanted, &live), []);
    let mut other = live.clone();
    other["spec"]["template"]["spec"]["containers"][1]["image"] = json!("ide:2");
    let found = fields(&wanted, &other);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].to_string(),
        "spec.template.spec.containers[name=ide].image: ide:1 in Git, ide:2 in the cluster"
    );
    let mut more = live;
    let container = json!({"name": "miner", "image": "miner:1"});
    let containers = &mut more["spec"]["template"]["spec"]["containers"];
    containers.as_array_mut().unwrap().push(container);
    assert_eq!(
        fields(&wanted, &more)[0].path,
        "spec.template.spec.containers[name=miner]"
    );
}

#[test]
fn what_would_allow_more_is_a_difference_although_git_does_not_speak_of_it() {
    let policy = json!({"kind": "NetworkPolicy", "metadata": {"name": "deny-all"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}});
    for (place, value) in [
        ("/spec/ingress", json!([{}])),
        ("/spec/podSelector/matchLabels", json!({"a": "b"})),
    ] {
        let mut live = policy.clone();
        let (way, name) = place.rsplit_once('/').unwrap();
        live.pointer_mut(way).unwrap()[name] = value;
        assert_eq!(fields(&policy, &live).len(), 1, "{place}");
    }
    let role = json!({"kind": "Role", "metadata": {"name": "r"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    let mut live = role.clone();
    live["rules"]
        .as_array_mut()
        .unwrap()
        .push(json!({"verbs": ["*"]}));
    assert_eq!(fields(&role, &live).len(), 1);
    let quota = json!({"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}});
    let mut live = quota.clone();
    live["spec"]["scopes"] = json!(["Terminating"]);
    assert_eq!(fields(&quota, &live).len(), 1, "a scope bounds other pods");
    let service =
        json!({"kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"w": "1"}}});
    let mut live = service.clone();
    live["spec"]["selector"]["canary"] = json!("1");
    assert_eq!(fields(&service, &live).len(), 1);
}

/// A field name that no rule speaks of.
fn name() -> impl Strategy<Value = String> {
    "x[a-z]{1,5}"
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z0-9]{1,6}".prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::btree_map(name(), inner.clone(), 1..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Value::Array),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 1..4).prop_map(|volumes| {
                let volumes = volumes
                    .into_iter()
                    .map(|(name, below)| json!({"name": name, "xbelow": below}));
                json!({"volumes": volumes.collect::<Vec<_>>()})
            }),
        ]
    })
}

fn document() -> impl Strategy<Value = Value> {
    tree().prop_map(
        |spec| json!({"kind": "Thing", "metadata": {"name": "t"}, "spec": {"xspec": spec}}),
    )
}

/// Adds fields to every object, as a server does that defaults, and turns keyed lists around.
fn as_served(value: &Value, salt: u64) -> Value {
    match value {
        Value::Object(fields) => {
            let mut served: Map<String, Value> = fields
                .iter()
                .map(|(name, below)| {
                    let mut below = as_served(below, salt.wrapping_mul(31) + 1);
                    if name == "volumes" && salt.is_multiple_of(2) {
                        below.as_array_mut().unwrap().reverse();
                    }
                    (name.clone(), below)
                })
                .collect();
            served.insert("yAddedByTheServer".into(), json!(salt));
            if salt.is_multiple_of(3) {
                served.insert("zDefaulted".into(), json!({"deeper": [salt]}));
            }
            Value::Object(served)
        }
        Value::Array(elements) => elements
            .iter()
            .map(|below| as_served(below, salt + 1))
            .collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn a_document_with_what_a_server_adds_is_the_same(document in document(), salt in 0_u64..1_000) {
        let live = as_served(&document, salt);
        prop_assert_eq!(fields(&document, &live), []);
    }

    #[test]
    fn a_leaf_that_is_changed_or_gone_is_found_among_what_a_server_adds(
        document in document(), salt in 0_u64..1_000, choice in any::<prop::sample::Index>(),
    ) {
        let places = leaves_of(&document);
        let place = choice.get(&places);
        let live = as_served(&changed(&document, place), salt);
        prop_assert!(!fields(&document, &live).is_empty(), "{place:?} changed");
        let live = as_served(&without(&document, place), salt);
        prop_assert!(!fields(&document, &live).is_empty(), "{place:?} gone");
    }

    #[test]
    fn any_two_objects_are_compared(wanted in tree(), found in tree()) {
        let (a, b) = (json!({"spec": wanted}), json!({"spec": found}));
        prop_assert!(fields(&a, &b).len() <= 12, "as many as are worth naming");
        prop_assert_eq!(fields(&wanted, &wanted), []);
    }
}
