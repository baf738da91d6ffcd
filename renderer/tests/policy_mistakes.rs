//! A corpus of mistakes in a policy: each is told with file, line, column, what is wrong and what to do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use coditect_renderer::policy::{Policy, PolicyError};

/// An override of the sample policy's, for mistakes in overrides.
const ORG: &str = "orgs/7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201.yaml";
/// An approval.
const APPROVAL: &str = "approvals/more-room.yaml";

/// A mistake: in which file, what it has, what stands there instead (all of the file if it has nothing); where that
/// is told, what is said, and what to do about it.
type Mistake = (
    &'static str,
    &'static str,
    &'static str,
    (u64, u64),
    &'static str,
    &'static str,
);

const MISTAKES: &[Mistake] = &[
    (
        "plans/free.yaml",
        "storageGib",
        "storageGb",
        (4, 3),
        "unknown field",
        "did you mean `storageGib`",
    ),
    (
        "plans/free.yaml",
        "storageGib: 1",
        "storageGib: 0",
        (4, 15),
        "must be",
        "from 1 to 65536",
    ),
    (
        "plans/free.yaml",
        "storageGib: 1",
        "storageGib: 1Gi",
        (4, 15),
        "must be",
        "a whole number, not text",
    ),
    (
        "plans/free.yaml",
        "storageGib: 1",
        "storageGib: 1.5",
        (4, 15),
        "must be",
        "a whole number, not a fraction",
    ),
    (
        "plans/free.yaml",
        "storageGib: 1",
        "storageGib:",
        (4, 13),
        "must be",
        "a whole number, not nothing",
    ),
    (
        "plans/free.yaml",
        "hoursPerMonth: 10",
        "hoursPerMonth: -1",
        (5, 18),
        "must be",
        "from 0 to 4294967295",
    ),
    (
        "plans/free.yaml",
        "hoursPerMonth: 10",
        "hoursPerMonth: 99999999999",
        (5, 18),
        "must be",
        "from 0 to 4294967295",
    ),
    (
        "plans/free.yaml",
        "workspaces: 1",
        "workspaces: 101",
        (7, 15),
        "must be",
        "from 1 to 100, not 101",
    ),
    (
        "plans/free.yaml",
        "idleMinutes: 30",
        "idleMinutes: \"30\"",
        (8, 16),
        "must be",
        "a whole number, not text",
    ),
    (
        "plans/free.yaml",
        "  idleMinutes: 30\n",
        "",
        (4, 3),
        "missing field `idleMinutes` in `limits`",
        "add it",
    ),
    (
        "plans/free.yaml",
        "pids: 256",
        "pids: 8",
        (14, 11),
        "must be",
        "from 16 to",
    ),
    (
        "plans/free.yaml",
        "pids: 256",
        "pids: [256]",
        (14, 11),
        "must be",
        "a whole number, not a list",
    ),
    (
        "plans/free.yaml",
        "cpuRequestMillis: 100",
        "cpuRequestMillis: 1001",
        (11, 23),
        "is above `cpuMillis`",
        "write 1000 or less",
    ),
    (
        "plans/free.yaml",
        "limits:",
        "limit:",
        (3, 1),
        "unknown field `limit`",
        "did you mean `limits`",
    ),
    (
        "plans/free.yaml",
        "priceCentsPerMonth: 0",
        "priceCentsPerMonth: 0\npriceCentsPerMonth: 1",
        (3, 1),
        "duplicate",
        "leave one of the two",
    ),
    (
        "plans/free.yaml",
        "  storageGib: 1",
        "\tstorageGib: 1",
        (4, 2),
        "tab",
        "check quotes, brackets and indentation",
    ),
    (
        "plans/free.yaml",
        "",
        "",
        (1, 1),
        "must be a map",
        "not nothing",
    ),
    (
        "plans/free.yaml",
        "",
        "- plan\n",
        (1, 1),
        "must be",
        "a map, not a list",
    ),
    (
        "plans/free.yaml",
        "",
        "a: 1\n---\nb: 2\n",
        (2, 1),
        "holds several documents",
        "write one document a file",
    ),
    (
        "plans/free.yaml",
        "",
        "a: &a {b: 1}\nc:\n  <<: *a\n",
        (3, 3),
        "merge keys",
        "write the fields out",
    ),
    (
        "plans/free.yaml",
        "",
        "a: *nobody\n",
        (1, 4),
        "unknown anchor",
        "write the value out",
    ),
    (
        "plans/free.yaml",
        "",
        "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
        (1, 35),
        "nested too deeply",
        "policy is flat and small",
    ),
    (
        "plans/Gold.yaml",
        "",
        "priceCentsPerMonth: 0\nlimits:\n  storageGib: 1\n  hoursPerMonth: 10\n  llmRequestsPerMonth: 100\n  workspaces: 1\n  idleMinutes: 30\n  pod:\n    cpuMillis: 1000\n    cpuRequestMillis: 100\n    memoryMib: 1024\n    ephemeralStorageMib: 2048\n    pids: 256\n",
        (1, 1),
        "the file's name must be a valid one",
        "lower-case",
    ),
    (
        "plans/free.yaml",
        "",
        "priceCentsPerMonth: 1\n",
        (1, 1),
        "missing field `limits`",
        "add it",
    ),
    (
        "plan/free.yaml",
        "",
        "x: 1\n",
        (1, 1),
        "is no file of a policy",
        "those are plans/*.yaml",
    ),
    (
        "plans.yaml",
        "",
        "x: 1\n",
        (1, 1),
        "is no file of a policy",
        "those are plans/*.yaml",
    ),
    (
        "plans/free.yml",
        "",
        "x: 1\n",
        (1, 1),
        "is no file of a policy",
        "plans/*.yaml",
    ),
    (
        "defaults.yaml",
        "plan: free",
        "plan: fre",
        (2, 7),
        "there is no plan `fre`",
        "did you mean `free`",
    ),
    (
        "defaults.yaml",
        "plan: free",
        "plan: gold",
        (2, 7),
        "there is no plan `gold`",
        "known are `free`, `pro`, `starter`",
    ),
    (
        "defaults.yaml",
        "plan: free",
        "plan: Free",
        (2, 7),
        "plan",
        "lower-case",
    ),
    (
        "defaults.yaml",
        "rbacProfile: restricted",
        "rbacProfile: admin",
        (3, 14),
        "may not be `admin`",
        "known are `restricted`, `developer`",
    ),
    (
        "defaults.yaml",
        "rbacProfile: restricted",
        "rbacProfile: developer",
        (3, 14),
        "not safe in cell `local`",
        "developerProfileGuarded: true",
    ),
    (
        "defaults.yaml",
        "mountServiceAccountToken: false",
        "mountServiceAccountToken: no",
        (4, 27),
        "must be",
        "true or false, not text",
    ),
    (
        "defaults.yaml",
        "internet: true",
        "internett: true",
        (6, 3),
        "unknown field",
        "did you mean `internet`",
    ),
    (
        "defaults.yaml",
        "[25, 465, 587]",
        "[25, 70000]",
        (8, 21),
        "must be",
        "from 0 to 65535",
    ),
    (
        "defaults.yaml",
        "[25, 465, 587]",
        "25",
        (8, 16),
        "must be",
        "a list, not a number",
    ),
    (
        "defaults.yaml",
        "10.0.0.0/8",
        "10.0.0.1/8",
        (11, 7),
        "bits set behind its prefix",
        "write 10.0.0.0/8",
    ),
    (
        "defaults.yaml",
        "10.0.0.0/8",
        "10.0.0.0",
        (11, 7),
        "must be",
        "an address range such as 10.0.0.0/8",
    ),
    (
        "defaults.yaml",
        "ide:0.1.0",
        "ide:latest",
        (21, 8),
        "may not be `latest`",
        "add a digest or a version tag",
    ),
    (
        "defaults.yaml",
        "ide:0.1.0",
        "ide",
        (21, 8),
        "names no version",
        "add a digest or a version tag",
    ),
    (
        "defaults.yaml",
        "ide:0.1.0",
        "ide@sha256:12",
        (21, 8),
        "must be",
        "SHA-256 of 64 hexadecimal digits",
    ),
    (
        "defaults.yaml",
        "ide:0.1.0",
        "IDE:0.1.0",
        (21, 8),
        "is not an image reference",
        "such as registry.example/ide:1.2.0",
    ),
    (
        "defaults.yaml",
        "cpuRequestMillis: 10",
        "cpuRequestMillis: 501",
        (25, 21),
        "is above `cpuMillis`",
        "write 500 or less",
    ),
    (
        "defaults.yaml",
        "graceDays: 7",
        "graceDays: 366",
        (28, 12),
        "must be",
        "from 0 to 365",
    ),
    (
        "defaults.yaml",
        "percent: 1",
        "percent: 101",
        (32, 14),
        "must be",
        "from 0 to 100",
    ),
    (
        "defaults.yaml",
        "  routine:\n",
        "  routines:\n",
        (30, 3),
        "unknown field `routines`",
        "did you mean `routine`",
    ),
    (
        "rings.yaml",
        "below: 100\n",
        "below: 1001\n",
        (10, 12),
        "must not fall: 1000 comes after 1001",
        "write 1001 or more",
    ),
    (
        "rings.yaml",
        "below: 10000",
        "below: 9999",
        (14, 12),
        "everyone needs a ring",
        "must end `below: 10000`",
    ),
    (
        "rings.yaml",
        "below: 10000",
        "below: 10001",
        (14, 12),
        "must be",
        "from 0 to 10000",
    ),
    (
        "rings.yaml",
        "name: early",
        "name: canary",
        (9, 11),
        "ring `canary` is there twice",
        "rename one of the two",
    ),
    (
        "rings.yaml",
        "release: v1",
        "release: v2",
        (7, 14),
        "there is no template release `v2`",
        "known are `v1`",
    ),
    (
        "rings.yaml",
        "release: v1",
        "release: 1",
        (7, 14),
        "must be text, not a number",
        "put it in quotes",
    ),
    (
        "rings.yaml",
        "engine: 1",
        "engine: 9",
        (8, 13),
        "engine 9 is not this one",
        "write 1",
    ),
    (
        "rings.yaml",
        "engine: 1",
        "engine: 1\n    images: {ide: coditect/ide}",
        (9, 13),
        "missing field `gateway` in `images`",
        "add it",
    ),
    (
        "rings.yaml",
        "engine: 1",
        "engine: 1\n    images: {ide: coditect/ide, gateway: \"coditect/gateway:1\"}",
        (9, 19),
        "names no version",
        "add a digest",
    ),
    (
        "rings.yaml",
        "",
        "rings: []\n",
        (1, 8),
        "`rings` is empty",
        "everyone needs a ring",
    ),
    (
        "rings.yaml",
        "",
        "rings: [\n",
        (1, 8),
        "bracket",
        "check quotes, brackets and indentation",
    ),
    (
        "cells/local.yaml",
        "domain: workspaces.localhost",
        "domain: Workspaces",
        (2, 9),
        "must be",
        "a lower-case domain name such as workspaces.example.com",
    ),
    (
        "cells/local.yaml",
        "capacity: 5000",
        "capacity: 5001",
        (3, 11),
        "must be",
        "from 0 to 5000",
    ),
    (
        "cells/local.yaml",
        "premium-rwo",
        "standard-rwo",
        (7, 11),
        "storage class `standard-rwo` is there twice",
        "leave one of the two",
    ),
    (
        "cells/local.yaml",
        "accessMode: ReadWriteMany",
        "accessMode: ReadWriteManny",
        (10, 17),
        "may not be",
        "did you mean `ReadWriteMany`",
    ),
    (
        "cells/local.yaml",
        "kind: ingress",
        "kind: httpRoute",
        (12, 3),
        "an HTTPRoute needs its `gateway`",
        "give its `name` and `namespace`",
    ),
    (
        "cells/local.yaml",
        "kind: ingress",
        "kind: route",
        (12, 9),
        "may not be `route`",
        "known are `ingress`, `httpRoute`",
    ),
    (
        "cells/local.yaml",
        "  class: nginx\n",
        "",
        (12, 3),
        "an Ingress needs its `class`",
        "name the IngressClass",
    ),
    (
        "cells/local.yaml",
        "  class: nginx\n",
        "  class: nginx\n  gateway: {name: a, namespace: b}\n",
        (14, 12),
        "`gateway` is for an HTTPRoute",
        "leave it out",
    ),
    (
        "cells/local.yaml",
        "k8s-app: kube-dns",
        "k8s-app: \"kube dns\"",
        (26, 26),
        "is not a label value",
        "at most 63 letters",
    ),
    (
        "cells/local.yaml",
        "nginx.ingress.kubernetes.io/proxy-read-timeout",
        "nginx timeout",
        (16, 5),
        "is not a label key",
        "such as app.kubernetes.io/name",
    ),
    (
        "cells/local.yaml",
        "[10.42.0.0/16, 10.43.0.0/16]",
        "[]",
        (19, 17),
        "`clusterCidrs` is empty",
        "name at least one",
    ),
    (
        "cells/local.yaml",
        "[172.18.0.0/16]",
        "[0.0.0.0/0]",
        (20, 15),
        "would close the internet",
        "name the cell's own",
    ),
    (
        "cells/local.yaml",
        "apiServerPort: 6443",
        "apiServerPort: 65536",
        (22, 18),
        "must be",
        "from 0 to 65535",
    ),
    (
        "cells/local.yaml",
        "address: http://coditect-api.coditect.svc.cluster.local",
        "address: coditect-api",
        (28, 14),
        "must be",
        "an address such as https://api.example.com",
    ),
    (
        "cells/local.yaml",
        "    namespaceLabels: {kubernetes.io/metadata.name: kube-system}",
        "    namespaceLabels: {}",
        (25, 22),
        "would select every namespace",
        "name labels of the one meant",
    ),
    (
        ORG,
        "",
        "plan: gold\n",
        (1, 7),
        "there is no plan `gold`",
        "known are `free`, `pro`, `starter`",
    ),
    (
        ORG,
        "",
        "ring: cannary\n",
        (1, 7),
        "there is no ring `cannary`",
        "did you mean `canary`",
    ),
    (
        ORG,
        "",
        "storageClass: premium\n",
        (1, 15),
        "no cell has the storage class `premium`",
        "did you mean `premium-rwo`",
    ),
    (
        ORG,
        "",
        "plan: pro\ncell: local\n",
        (2, 1),
        "a tenant's `cell` cannot be overridden",
        "moving is a procedure",
    ),
    (
        ORG,
        "",
        "limits:\n  storage: 1\n",
        (2, 3),
        "unknown field `storage`",
        "did you mean `storageGib`",
    ),
    (
        ORG,
        "",
        "limits:\n  pod: {cpuMillis: 100, cpuRequestMillis: 200, memoryMib: 64, ephemeralStorageMib: 64, pids: 64}\n",
        (2, 43),
        "is above `cpuMillis`",
        "write 100 or less",
    ),
    (
        ORG,
        "",
        "rbacProfile: developer\n",
        (1, 14),
        "not safe in cell `local`",
        "developerProfileGuarded: true",
    ),
    (
        ORG,
        "",
        "egress:\n  internet: true\n  allowed:\n    - cidr: 169.254.169.254/32\n",
        (4, 13),
        "which cell `local` keeps closed",
        "name a range outside of it",
    ),
    (
        ORG,
        "",
        "egress:\n  internet: true\n  allowed:\n    - cidr: 192.0.2.0/24\n      ports: [5432, 587]\n",
        (5, 21),
        "port 587 may not be opened here",
        "list `deniedPorts` here without it",
    ),
    (
        "orgs/acme.yaml",
        "",
        "plan: pro\n",
        (1, 1),
        "it is not a tenant id",
        "rename the file",
    ),
    (
        "approvals.yaml",
        "storageGibAbove: 100",
        "storageAbove: 100",
        (4, 1),
        "unknown field `storageAbove`",
        "did you mean `storageGibAbove`",
    ),
    (
        "approvals.yaml",
        "plans: []",
        "plans: pro",
        (3, 8),
        "must be",
        "a list, not text",
    ),
    (
        "approvals.yaml",
        "plans: []",
        "plans: [pra]",
        (3, 9),
        "there is no plan `pra`",
        "did you mean `pro`",
    ),
    (
        "approvals.yaml",
        "plans: []",
        "storageClasses: [premium-rwx]",
        (3, 18),
        "no cell has the storage class `premium-rwx`",
        "did you mean `premium-rwo`",
    ),
    (
        "approvals.yaml",
        "plans: []",
        "cells: [loca]",
        (3, 9),
        "there is no cell `loca`",
        "did you mean `local`",
    ),
    (
        "approvals.yaml",
        "plans: []",
        "tenantDeletion: sometimes",
        (3, 17),
        "must be",
        "true or false, not text",
    ),
    (
        APPROVAL,
        "",
        "tenant: 7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201\ncell: local\nusers:\n  - user: 0b9f1d52-6a37-4c1e-9d25-3f8a51c7e001\n    generation: seven\n    intentHash: \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
        (5, 17),
        "must be",
        "a whole number, not text",
    ),
    (
        APPROVAL,
        "",
        "tenant: 7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201\ncell: local\nusers:\n  - user: 0b9f1d52-6a37-4c1e-9d25-3f8a51c7e001\n    generation: 7\n    intentHash: \"000000000000000000000000000000000000000000000000000000000000000\"\n",
        (6, 17),
        "must be",
        "SHA-256 of 64 hexadecimal digits",
    ),
    (
        APPROVAL,
        "",
        "tenant: 7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201\ncell: local\nusers:\n  - user: x-6a37-4c1e-9d25-3f8a51c7e001\n    generation: 7\n    intentHash: \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
        (4, 11),
        "`user` is not a user id",
        "such as 0b9f1d52",
    ),
    (
        APPROVAL,
        "",
        "tenant: 7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201\ncell: local\nusers:\n  - user: 0b9f1d52-6a37-4c1e-9d25-3f8a51c7e001\n    generation: 7\n    hash: \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
        (4, 5),
        "missing field `intentHash`",
        "add it",
    ),
    (
        APPROVAL,
        "",
        "tenant: 7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201\ncell: local\nusers: []\n",
        (3, 8),
        "`users` is empty",
        "name at least one",
    ),
    (
        APPROVAL,
        "",
        "tenant: 7c2e4a1-95bd-4f6e-8a31-d04b6c9f1201\ncell: local\nusers:\n  - user: 0b9f1d52-6a37-4c1e-9d25-3f8a51c7e001\n    generation: 7\n    intentHash: \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
        (1, 9),
        "`tenant` is not a tenant id",
        "such as 7c2e4a10",
    ),
];

fn text(path: &str) -> String {
    let files = support::policy_files();
    let sample = files
        .get(path)
        .map(|text| String::from_utf8_lossy(text).into_owned());
    sample.unwrap_or_default()
}

/// What is told of the sample policy with one edit.
fn told(path: &str, before: &str, after: &str) -> Vec<PolicyError> {
    let mut files = support::policy_files();
    let edited = match before {
        "" => after.to_owned(),
        before => {
            let text = text(path);
            assert!(text.contains(before), "{path} has no {before:?}");
            text.replacen(before, after, 1)
        }
    };
    files.insert(path.to_owned(), edited.into_bytes());
    match Policy::parse(&files, &support::releases()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().cloned().collect(),
    }
}

#[test]
fn each_mistake_is_told_with_its_place_and_its_remedy() {
    assert!(MISTAKES.len() >= 60, "{}", MISTAKES.len());
    let mut wrong = String::new();
    for (path, before, after, (line, column), what, remedy) in MISTAKES {
        let told = told(path, before, after);
        let place = |error: &&PolicyError| {
            (error.file.as_str(), error.line, error.column) == (path, *line, *column)
        };
        let found = told
            .iter()
            .find(|error| place(error) && error.message.contains(what));
        if !found.is_some_and(|error| error.message.contains(remedy)) {
            let all: Vec<_> = told.iter().map(ToString::to_string).collect();
            wrong += &format!(
                "{path} {before:?} → {after:?}\n  expected {path}:{line}:{column}: {what} … {remedy}\n  told     {}\n",
                all.join("\n           ")
            );
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Several at once, in several files: all of them are told, in order.
#[test]
fn mistakes_do_not_hide_each_other() {
    let mut files = support::policy_files();
    let mut expected = 0;
    for (path, before, after) in [
        ("plans/free.yaml", "pids: 256", "pids: 1"),
        ("plans/pro.yaml", "workspaces: 7", "workspaces: 0"),
        ("plans/starter.yaml", "storageGib: 10", "storage: 10"),
        ("cells/local.yaml", "capacity: 5000", "capacity: many"),
        ("defaults.yaml", "graceDays: 7", "graceDays: 999"),
        ("rings.yaml", "engine: 1", "engine: 2"),
    ] {
        files.insert(
            path.to_owned(),
            text(path).replacen(before, after, 1).into_bytes(),
        );
        expected += if after.starts_with("storage:") { 2 } else { 1 };
    }
    let errors = Policy::parse(&files, &support::releases()).unwrap_err();
    assert_eq!(errors.iter().count(), expected, "{errors}");
    assert!(errors.iter().is_sorted(), "{errors}");
}
