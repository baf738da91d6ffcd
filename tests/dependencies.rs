//! Which room may depend on what: the table in docs/ARCHITECTURE.md, asserted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// For each crate: the rooms it may use, and the crates it must never use, not even through others.
const TABLE: [(&str, &[&str], &[&str]); 9] = [
    ("coditect-core", &[], &["tokio", "kube", "git2", "axum"]),
    (
        "coditect-registry",
        &["coditect-core", "coditect-fdb-network"],
        &["axum", "git2", "kube"],
    ),
    // The unsafe call of a client library, and nothing that could be elsewhere.
    ("coditect-fdb-network", &[], &["tokio"]),
    (
        "coditect-renderer",
        &["coditect-core", "coditect-registry"],
        &["axum", "kube"],
    ),
    (
        "coditect-observer",
        &["coditect-core", "coditect-registry"],
        &["axum", "git2"],
    ),
    (
        "coditect-api",
        &["coditect-core", "coditect-registry"],
        &["git2", "kube", "k8s-openapi"],
    ),
    // Small, and without anything that could reach past its own pod.
    (
        "coditect-sidecar",
        &["coditect-core"],
        &[
            "axum",
            "git2",
            "kube",
            "k8s-openapi",
            "redb",
            "foundationdb",
        ],
    ),
    (
        "coditect",
        &[
            "coditect-api",
            "coditect-core",
            "coditect-observer",
            "coditect-registry",
            "coditect-renderer",
        ],
        &[],
    ),
    // It knows the product as its users do, by its programs and their interfaces; but a shard of a full cell is seeded
    // through the registry, with the policy as the renderer reads it.
    (
        "coditect-e2e",
        &["coditect-core", "coditect-registry", "coditect-renderer"],
        &["axum"],
    ),
];

#[test]
fn rooms_depend_on_what_the_table_says() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .exec()
        .unwrap();
    let members: Vec<&Package> = metadata.workspace_packages();
    let names: BTreeSet<&str> = members
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(
        names,
        TABLE.iter().map(|(name, ..)| *name).collect(),
        "every room is in the table"
    );

    let by_id: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package))
        .collect();
    let resolve = metadata.resolve.as_ref().unwrap();
    let uses = |id| {
        let node = resolve.nodes.iter().find(|node| &node.id == id).unwrap();
        node.deps
            .iter()
            .filter(|dependency| {
                dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            })
            .map(|dependency| &dependency.pkg)
            .collect::<Vec<_>>()
    };
    for (name, rooms, never) in TABLE {
        let package = members
            .iter()
            .find(|package| package.name.as_str() == name)
            .unwrap();
        let mut seen = BTreeSet::new();
        let mut next = vec![&package.id];
        while let Some(id) = next.pop() {
            if seen.insert(id) {
                next.extend(uses(id));
            }
        }
        for used in seen
            .into_iter()
            .map(|id| by_id[id].name.as_str())
            .filter(|used| *used != name)
        {
            assert!(
                !names.contains(used) || rooms.contains(&used),
                "{name} may not use the room {used}"
            );
            assert!(!never.contains(&used), "{name} must never use {used}");
        }
    }
}
