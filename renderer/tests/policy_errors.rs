//! What a wrong policy gets: every error, with file, line, column and what was probably meant.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use coditect_core::{RingName, StorageClassName, TenantId, UserId};
use coditect_renderer::policy::{Policy, RbacProfile};
use proptest::prelude::*;

/// The sample policy with these files in place of its own; an empty text takes a file away.
fn load(overlay: &[(&str, &str)]) -> Result<Policy, String> {
    let mut files = support::policy_files();
    for (path, text) in overlay {
        files.insert((*path).to_owned(), text.as_bytes().to_vec());
        if text.is_empty() {
            files.remove(*path);
        }
    }
    Policy::parse(&files, &support::releases()).map_err(|errors| errors.to_string())
}

fn sample(path: &str) -> String {
    String::from_utf8(support::policy_files()[path].clone()).unwrap()
}

/// The sample file with one text replaced; what is replaced must be there.
fn edited(path: &str, before: &str, after: &str) -> String {
    let text = sample(path);
    assert!(text.contains(before), "{path} has no {before:?}");
    text.replace(before, after)
}

/// The sample cell, in whose cluster the profile `developer` is safe.
fn guarded() -> String {
    format!(
        "{}developerProfileGuarded: true\n",
        sample("cells/local.yaml")
    )
}

#[test]
fn the_sample_policy_is_what_is_sold() {
    let policy = Policy::load(&support::root().join("tenants"), &support::releases())
        .unwrap_or_else(|errors| panic!("{errors}"));
    let sold: Vec<_> = policy
        .plans()
        .values()
        .map(|plan| {
            let limits = plan.limits;
            (
                plan.name.as_str(),
                plan.price_cents_per_month,
                limits.llm_requests_per_month,
                limits.storage_gib,
                limits.hours_per_month,
                limits.idle_minutes,
            )
        })
        .collect();
    assert_eq!(
        sold,
        [
            ("free", 0, 100, 1, 10, 30),
            ("pro", 9_900, 100_000, 100, 500, 30),
            ("starter", 2_900, 10_000, 10, 100, 30)
        ]
    );
    let catalogue = policy.catalogue();
    assert_eq!(catalogue.default_plan.unwrap().as_str(), "free");
    assert_eq!(catalogue.grace_days, 7);
    let cell = &catalogue.cells[&"local".parse().unwrap()];
    assert_eq!(
        (
            cell.capacity,
            cell.closed,
            cell.storage_class.as_str(),
            cell.domain.as_str()
        ),
        (5_000, false, "standard-rwo", "workspaces.localhost")
    );
}

#[test]
fn a_typo_is_answered_with_its_place_and_the_nearest_name() {
    let cases = [
        (
            "plans/free.yaml",
            edited("plans/free.yaml", "storageGib", "storageGb"),
            "plans/free.yaml:4:3: unknown field `storageGb`; did you mean `storageGib`?",
        ),
        (
            "plans/free.yaml",
            edited("plans/free.yaml", "pids: 256", "pids: many"),
            "plans/free.yaml:14:11: `pids` must be a whole number, not text",
        ),
        (
            "plans/free.yaml",
            edited("plans/free.yaml", "workspaces: 1", "workspaces: 0"),
            "plans/free.yaml:7:15: `workspaces` must be from 1 to 100, not 0",
        ),
        (
            "plans/free.yaml",
            edited("plans/free.yaml", "  idleMinutes: 30\n", ""),
            "plans/free.yaml:4:3: missing field `idleMinutes` in `limits`",
        ),
        (
            "plans/free.yaml",
            edited(
                "plans/free.yaml",
                "cpuRequestMillis: 100",
                "cpuRequestMillis: 1001",
            ),
            "plans/free.yaml:11:23: `cpuRequestMillis` is above `cpuMillis`",
        ),
        (
            "defaults.yaml",
            edited("defaults.yaml", "ide:0.1.0", "ide:latest"),
            "defaults.yaml:21:8: `ide` may not be `latest`",
        ),
        (
            "defaults.yaml",
            edited("defaults.yaml", "ide:0.1.0", "ide"),
            "defaults.yaml:21:8: `ide` names no version",
        ),
        (
            "defaults.yaml",
            edited("defaults.yaml", "plan: free", "plan: fre"),
            "defaults.yaml:2:7: there is no plan `fre`; did you mean `free`?",
        ),
        (
            "defaults.yaml",
            edited(
                "defaults.yaml",
                "rbacProfile: restricted",
                "rbacProfile: admin",
            ),
            "defaults.yaml:3:14: `rbacProfile` may not be `admin`; known are `restricted`, `developer`",
        ),
        (
            "defaults.yaml",
            edited("defaults.yaml", "10.0.0.0/8", "10.0.0.1/8"),
            "defaults.yaml:11:7: `deniedCidrs` has bits set behind its prefix; write 10.0.0.0/8",
        ),
        (
            "rings.yaml",
            edited("rings.yaml", "below: 10000", "below: 9999"),
            "rings.yaml:14:12: the last ring must end `below: 10000`, not 9999",
        ),
        (
            "rings.yaml",
            edited("rings.yaml", "below: 1000\n", "below: 99\n"),
            "rings.yaml:10:12: `below` is cumulative and must not fall: 99 comes after 100",
        ),
        (
            "rings.yaml",
            edited("rings.yaml", "name: early", "name: canary"),
            "rings.yaml:9:11: ring `canary` is there twice",
        ),
        (
            "rings.yaml",
            sample("rings.yaml").replacen("release: v1", "release: v2", 1),
            "rings.yaml:7:14: there is no template release `v2`; known are `v1`",
        ),
        (
            "rings.yaml",
            sample("rings.yaml").replacen("release: v1", "release: 1", 1),
            "rings.yaml:7:14: `release` must be text, not a number; put it in quotes",
        ),
        (
            "rings.yaml",
            sample("rings.yaml").replacen("engine: 1", "engine: 9", 1),
            "rings.yaml:8:13: engine 9 is not this one",
        ),
        (
            "cells/local.yaml",
            edited("cells/local.yaml", "kind: ingress", "kind: httpRoute"),
            "an HTTPRoute needs its `gateway`",
        ),
        (
            "cells/local.yaml",
            edited("cells/local.yaml", "  class: nginx\n", ""),
            "an Ingress needs its `class`",
        ),
        (
            "cells/local.yaml",
            edited("cells/local.yaml", "kube-dns}", "\"kube dns\"}"),
            "`k8s-app` is not a label value",
        ),
        (
            "cells/local.yaml",
            edited("cells/local.yaml", "premium-rwo", "standard-rwo"),
            "storage class `standard-rwo` is there twice",
        ),
        (
            "cells/local.yaml",
            edited("cells/local.yaml", "workspaces.localhost", "Workspaces"),
            "`domain` must be a lower-case domain name",
        ),
        (
            "cells/Local.yaml",
            sample("cells/local.yaml"),
            "cells/Local.yaml:1:1: the file's name must be a valid one",
        ),
        (
            "plan/free.yaml",
            sample("plans/free.yaml"),
            "plan/free.yaml:1:1: is no file of a policy",
        ),
        (
            "rings.yaml",
            String::new(),
            "rings.yaml:1:1: the file is missing",
        ),
        (
            "rings.yaml",
            "rings: [\n".to_owned(),
            "rings.yaml:1:8: unclosed bracket",
        ),
        (
            "defaults.yaml",
            sample("defaults.yaml") + "plan: pro\n",
            "duplicate",
        ),
    ];
    for (path, text, expected) in cases {
        let errors = load(&[(path, &text)]).unwrap_err();
        assert!(
            errors.contains(expected),
            "expected {expected}\ngot      {errors}"
        );
    }
}

#[test]
fn overrides_are_checked_against_the_rest() {
    let org = "orgs/7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201.yaml";
    for (text, expected) in [
        (
            "plan: gold\n",
            ":1:7: there is no plan `gold`; known are `free`, `pro`, `starter`",
        ),
        (
            "ring: cannary\n",
            ":1:7: there is no ring `cannary`; did you mean `canary`?",
        ),
        (
            "storageClass: premium\n",
            ":1:15: no cell has the storage class `premium`; did you mean `premium-rwo`?",
        ),
        (
            "plan: pro\ncell: local\n",
            ":2:1: a tenant's `cell` cannot be overridden",
        ),
        (
            "limits:\n  storage: 1\n",
            ":2:3: unknown field `storage`; did you mean `storageGib`?",
        ),
        (
            "egress:\n  internet: true\n  allowed:\n    - cidr: 169.254.169.254/32\n",
            ":4:13: 169.254.169.254/32 lies inside 169.254.169.254/32, which cell `local` keeps closed",
        ),
        (
            "egress:\n  internet: true\n  deniedPorts: [25]\n  allowed:\n    - cidr: 192.0.2.0/24\n      ports: [443, 25]\n",
            ":6:20: port 25 may not be opened here",
        ),
        (
            "egress:\n  internet: true\n  allowed:\n    - cidr: 192.0.2.0/24\n      ports: [5432, 587]\n",
            ":5:21: port 587 may not be opened here; list `deniedPorts` here without it",
        ),
    ] {
        let errors = load(&[(org, text)]).unwrap_err();
        assert!(
            errors.contains(&format!("{org}{expected}")),
            "expected {expected}\ngot      {errors}"
        );
    }
    assert!(
        load(&[("orgs/acme.yaml", "plan: pro\n")])
            .unwrap_err()
            .contains("orgs/acme.yaml:1:1: the file's name must be a valid one")
    );
}

#[test]
fn an_override_applies_to_its_tenant_alone() {
    let tenant: TenantId = "7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201".parse().unwrap();
    let text = "plan: pro\nring: early\nrbacProfile: developer\nstorageClass: premium-rwo\nlimits:\n  storageGib: 7\n";
    let guarded = guarded();
    let policy = load(&[
        (&format!("orgs/{tenant}.yaml"), text),
        ("cells/local.yaml", &guarded),
    ])
    .unwrap();
    let free = "free".parse().unwrap();
    let (plan, limits) = policy.entitlement(tenant, &free).unwrap();
    assert_eq!(
        (plan.as_str(), limits.storage_gib, limits.workspaces),
        ("pro", 7, 7)
    );
    let entitlement = policy.catalogue().entitlement(tenant, &free).unwrap();
    assert_eq!(
        (entitlement.plan, entitlement.limits),
        (plan.clone(), limits)
    );
    assert_eq!(
        entitlement.storage_class,
        Some("premium-rwo".parse::<StorageClassName>().unwrap())
    );
    assert_eq!(
        policy.orgs()[&tenant].rbac_profile,
        Some(RbacProfile::Developer)
    );
    let user = UserId::from_bytes([1; 16]);
    assert_eq!(
        policy.ring(user, tenant, None).unwrap().name.as_str(),
        "early"
    );
    let by_hand: RingName = "canary".parse().unwrap();
    assert_eq!(
        policy.ring(user, tenant, Some(&by_hand)).unwrap().name,
        by_hand
    );
    let other = TenantId::from_bytes([0; 16]);
    assert_eq!(policy.entitlement(other, &free).unwrap().1.storage_gib, 1);
}

#[test]
fn what_an_override_leaves_out_stays_closed() {
    let tenant: TenantId = "7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201".parse().unwrap();
    let egress = |text: &str| {
        let text = format!("egress:\n  internet: true\n{text}");
        let policy = load(&[(&format!("orgs/{tenant}.yaml"), &text)]).unwrap();
        let defaults = policy.defaults().egress.clone();
        (policy.orgs()[&tenant].egress.clone().unwrap(), defaults)
    };
    for absent in ["", "  deniedPorts:\n  deniedCidrs:\n"] {
        let text = format!("{absent}  allowed:\n    - cidr: 192.0.2.0/24\n      ports: [5432]\n");
        let (own, defaults) = egress(&text);
        assert!(own.denied_ports.contains(&25) && !own.denied_cidrs.is_empty());
        assert_eq!(
            (own.denied_ports, own.denied_cidrs),
            (defaults.denied_ports, defaults.denied_cidrs)
        );
        assert_eq!(own.allowed.len(), 1);
    }
    let (own, defaults) = egress("  deniedPorts: []\n");
    assert_eq!(
        (own.denied_ports, own.denied_cidrs),
        (vec![], defaults.denied_cidrs)
    );
    let (own, defaults) = egress("  deniedCidrs: []\n");
    assert_eq!(
        (own.denied_ports, own.denied_cidrs),
        (defaults.denied_ports, vec![])
    );
}

#[test]
fn the_developer_profile_is_refused_where_the_gateway_is_not_guarded() {
    let org = "orgs/7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201.yaml";
    let defaults = edited(
        "defaults.yaml",
        "rbacProfile: restricted",
        "rbacProfile: developer",
    );
    let (guarded, unguarded) = (guarded(), sample("cells/local.yaml"));
    for (path, text, place) in [
        (org, "plan: pro\nrbacProfile: developer\n", "2:14"),
        ("defaults.yaml", defaults.as_str(), "3:14"),
    ] {
        load(&[(path, text), ("cells/local.yaml", &guarded)]).unwrap();
        let errors = load(&[
            (path, text),
            ("cells/local.yaml", &guarded),
            ("cells/other.yaml", &unguarded),
        ])
        .unwrap_err();
        let why = "`developer` is not safe in cell `other`: exec into a workspace's gateway container would expose the gateway's token";
        assert!(
            errors.starts_with(&format!("{path}:{place}: {why}")) && errors.lines().count() == 1,
            "{errors}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_also_told_as_missing() {
    let org = "orgs/7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201.yaml";
    let errors = load(&[
        (
            "plans/free.yaml",
            &edited("plans/free.yaml", "pids: 256", "pids: many"),
        ),
        ("plans/gold.yaml", "limits: [\n"),
        ("cells/other.yaml", "domain: 1\n"),
        (org, "plan: gold\nstorageClass: of-the-other\n"),
    ])
    .unwrap_err();
    assert!(
        errors.lines().all(|line| line.starts_with("plans/free.")
            || line.starts_with("plans/gold.")
            || line.starts_with("cells/other.")),
        "{errors}"
    );
    let errors = load(&[("plans/gold.yaml", "limits: [\n"), (org, "plan: golf\n")]).unwrap_err();
    assert!(
        errors.contains(&format!(
            "{org}:1:7: there is no plan `golf`; did you mean `gold`?"
        )),
        "{errors}"
    );
}

#[test]
fn all_errors_of_a_folder_are_told_at_once_in_order() {
    let errors = load(&[
        (
            "plans/free.yaml",
            &edited("plans/free.yaml", "hoursPerMonth: 10", "hours: 10"),
        ),
        ("rings.yaml", "rings: nothing\n"),
        (
            "cells/local.yaml",
            &edited("cells/local.yaml", "capacity: 5000", "capacity: 9000"),
        ),
        (
            "defaults.yaml",
            &edited("defaults.yaml", "plan: free", "plan: gold"),
        ),
    ])
    .unwrap_err();
    let lines: Vec<&str> = errors.lines().collect();
    let starts = [
        "cells/local.yaml:3:11:",
        "defaults.yaml:2:7:",
        "plans/free.yaml:4:3: missing field `hoursPerMonth`",
        "plans/free.yaml:5:3: unknown field `hours`",
        "rings.yaml:1:8:",
    ];
    assert_eq!(lines.len(), starts.len(), "{errors}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn an_unreadable_folder_is_an_error_and_not_an_empty_policy() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        Policy::load(&dir.path().join("none"), &support::releases())
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
    let errors = Policy::load(dir.path(), &support::releases())
        .unwrap_err()
        .to_string();
    assert_eq!(errors.lines().count(), 4, "{errors}");
}

#[test]
fn schemas_for_editors_are_fresh_and_named_by_the_samples() {
    let dir = support::root().join("schemas");
    let mut fresh = BTreeMap::new();
    for (name, schema) in Policy::schemas() {
        fresh.insert(
            name.to_owned(),
            format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()).into_bytes(),
        );
    }
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in &fresh {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }
    let command = "UPDATE_SCHEMAS=1 cargo test -p coditect-renderer --test policy_errors schemas";
    assert!(
        support::folder(&dir) == fresh,
        "schemas/ is not what the types say; {command}"
    );
    for (path, text) in support::policy_files()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".yaml"))
    {
        let text = String::from_utf8(text).unwrap();
        let reference = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# yaml-language-server: $schema="))
            .unwrap_or_else(|| panic!("{path}"));
        let from = support::root().join("tenants").join(&path);
        assert!(
            from.parent().unwrap().join(reference).is_file(),
            "{path}: {reference}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever bytes stand in a policy's files, the answer is a policy or errors with places, never a panic.
    #[test]
    fn no_bytes_panic(path in 0_usize..8, bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let mut files = support::policy_files();
        let paths: Vec<String> = files.keys().filter(|path| path.ends_with(".yaml")).cloned().collect();
        let path = &paths[path % paths.len()];
        let sample = files[path].clone();
        let cut = at.index(sample.len());
        let releases = coditect_renderer::release::Releases::default();
        for text in [bytes.clone(), [&sample[..cut], &bytes, &sample[cut..]].concat(), sample[..cut].to_vec()] {
            files.insert(path.clone(), text);
            if let Err(errors) = Policy::parse(&files, &releases) {
                prop_assert!(errors.iter().all(|error| error.line > 0 && error.column > 0 && !error.message.contains('\n')), "{}", errors);
            }
        }
    }

    /// The same with text that is YAML more often than not.
    #[test]
    fn no_yaml_panics(text in "([a-z]{1,9}(: |:\n  )?([\\[\\]{},&*!|>'\"%@`#?-]| |\n|[0-9.]{1,6}|true|null|~|<<|limits|rings|egress){0,4}\n?){0,12}") {
        let mut files = support::policy_files();
        let releases = coditect_renderer::release::Releases::default();
        for path in ["plans/free.yaml", "rings.yaml", "cells/local.yaml", "orgs/7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201.yaml"] {
            files.insert(path.to_owned(), text.clone().into_bytes());
        }
        prop_assert!(Policy::parse(&files, &releases).is_err());
    }
}
