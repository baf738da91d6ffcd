//! What holds for every intent and every policy.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{sync::Arc, thread};

use coditect_core::{
    Shard, Slug, Standing, TenantId, UserId, UserIntent, WorkspaceId, WorkspaceIntent,
};
use coditect_renderer::{
    check,
    policy::{Policy, ring_number},
    quarantine::{is_without_pods, without_pods},
    render::{Renderer, intent_of},
    restore::proved,
};
use proptest::{collection::btree_map, option, prelude::*, sample::select};

/// A tenant that has an override in [`renderer`].
const REVIEWED: &str = "7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201";

fn renderer() -> Renderer {
    let local = String::from_utf8(support::policy_files()["cells/local.yaml"].clone()).unwrap();
    let local = format!("{local}developerProfileGuarded: true\n");
    let other = local.clone();
    let at = (
        other.find("route:").unwrap(),
        other.find("network:").unwrap(),
    );
    let gateway =
        "route:\n  kind: httpRoute\n  gateway: {name: workspaces, namespace: gateway-system}\n";
    let other = format!("{}{gateway}{}", &other[..at.0], &other[at.1..]);
    let reviewed = "plan: pro\nrbacProfile: developer\nmountServiceAccountToken: true\nlimits:\n  storageGib: 3\n";
    support::renderer(&[
        ("cells/local.yaml", &local),
        ("cells/other.yaml", &other),
        (&format!("orgs/{REVIEWED}.yaml"), reviewed),
    ])
}

/// The intent of a golden case.
fn golden_intent(case: &str) -> UserIntent {
    let path = support::root()
        .join("tests/golden")
        .join(case)
        .join("intent.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![6 => Just(Standing::Active), 1 => Just(Standing::Suspended), 1 => Just(Standing::Marked)]
}

fn slug() -> impl Strategy<Value = Slug> {
    "[a-v0-9]([a-z0-9-]{0,22}[a-z0-9])?".prop_filter_map("reserved", |text| text.parse().ok())
}

fn workspace() -> impl Strategy<Value = (Slug, u32, &'static str, Standing)> {
    (
        slug(),
        1_u32..300,
        select(vec!["standard-rwo", "premium-rwo", "filestore-rwx"]),
        standing(),
    )
}

fn intent() -> impl Strategy<Value = UserIntent> {
    let tenant = prop_oneof![3 => any::<[u8; 16]>().prop_map(TenantId::from_bytes), 1 => Just(REVIEWED.parse().unwrap())];
    let ring = option::weighted(0.2, select(vec!["canary", "early", "everyone"]));
    let head = (
        any::<[u8; 16]>(),
        tenant,
        select(vec!["local", "other"]),
        0_u8..128,
        any::<u64>(),
    );
    (
        head,
        select(vec!["free", "starter", "pro"]),
        ring,
        standing(),
        btree_map(any::<[u8; 16]>(), workspace(), 0..5),
    )
        .prop_map(
            |((user, tenant, cell, shard, generation), plan, ring, standing, workspaces)| {
                UserIntent {
                    user: UserId::from_bytes(user),
                    tenant,
                    cell: cell.parse().unwrap(),
                    shard: Shard::new(shard).unwrap(),
                    generation,
                    plan: plan.parse().unwrap(),
                    ring: ring.map(|ring| ring.parse().unwrap()),
                    standing,
                    workspaces: workspaces
                        .into_iter()
                        .map(
                            |(id, (slug, storage_gib, class, standing))| WorkspaceIntent {
                                id: WorkspaceId::from_bytes(id),
                                slug,
                                storage_gib,
                                storage_class: class.parse().unwrap(),
                                standing,
                            },
                        )
                        .collect(),
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The fast way and the plain way give the same bytes, which pass the check and record the intent;
    /// and neither order, nor neighbours, nor what was rendered before, nor threads change a byte.
    #[test]
    fn the_same_input_gives_the_same_bytes(intents in prop::collection::vec(intent(), 1..8)) {
        let shared = Arc::new(renderer());
        let forward: Vec<_> = intents.iter().map(|intent| shared.render(intent).unwrap()).collect();
        for (intent, rendered) in intents.iter().zip(&forward) {
            prop_assert_eq!(rendered, &shared.render_direct(intent).unwrap());
            prop_assert_eq!(&rendered.path, &format!("shards/{}/{}.yaml", intent.shard, intent.user));
            let text = std::str::from_utf8(&rendered.bytes).unwrap();
            check::check(text, &intent.user.namespace()).unwrap();
            prop_assert!(!text.contains('@'), "nothing like an e-mail address");
            prop_assert_eq!(intent_of(&rendered.bytes), Some(intent.clone()));
            prop_assert_eq!(&renderer().render(intent).unwrap(), rendered, "a fresh renderer, without neighbours");
        }
        let threads: Vec<_> = (0..4).map(|start| {
            let (shared, intents) = (Arc::new(renderer()), intents.clone());
            thread::spawn(move || {
                let rendered = |index: usize| (index, shared.render(&intents[index]).unwrap());
                (0..intents.len()).map(|index| rendered((index * 7 + start) % intents.len())).collect::<Vec<_>>()
            })
        }).collect();
        for thread in threads {
            for (index, rendered) in thread.join().unwrap() {
                prop_assert_eq!(&rendered, &forward[index]);
            }
        }
    }

    /// What is rendered gives back the intent it was rendered from, and nothing else does: not another user's
    /// file, not one with a byte changed.
    #[test]
    fn what_is_read_back_is_what_was_rendered(intent in intent(), other in any::<[u8; 16]>(), at in any::<prop::sample::Index>()) {
        let renderer = renderer();
        let mut file = renderer.render(&intent).unwrap().bytes;
        let read = |file: &[u8], user| proved(file, &intent.cell, intent.shard, user, &renderer);
        prop_assert_eq!(read(&file, intent.user), Ok(intent.clone()));
        let other = UserId::from_bytes(other);
        prop_assert_eq!(read(&file, other).is_ok(), other == intent.user);
        let at = at.index(file.len());
        file[at] ^= 1;
        prop_assert!(read(&file, intent.user).is_err());
    }

    /// The Namespace without pods is a user's file that passes every check and holds what is wanted, whatever the
    /// intent; and it is told from every other file.
    #[test]
    fn a_namespace_without_pods_is_a_users_file(intent in intent(), older in intent()) {
        let renderer = renderer();
        let rendered = renderer.render(&intent).unwrap().bytes;
        let older = renderer.render(&UserIntent { user: intent.user, ..older }).unwrap().bytes;
        for older in [None, Some(older.as_slice()), Some(rendered.as_slice())] {
            let empty = without_pods(&rendered, older, &intent).unwrap();
            let documents = check::documents(std::str::from_utf8(&empty).unwrap()).unwrap();
            prop_assert_eq!(intent_of(&empty), Some(intent.clone()));
            prop_assert!(is_without_pods(&empty, &rendered, &intent));
            let count = |kind| documents.iter().filter(|document| document["kind"] == kind).count();
            prop_assert_eq!((count("StatefulSet"), count("ResourceQuota"), count("NetworkPolicy")), (0, 1, 1));
            if older == Some(rendered.as_slice()) {
                prop_assert_eq!(count("PersistentVolumeClaim"), intent.workspaces.len());
            }
        }
        prop_assert!(!is_without_pods(&rendered, &rendered, &intent));
    }

    /// A workspace that is purged from its user's intent, and a user who is purged from the cell, leave nothing
    /// in what is rendered afterwards: no id and no host name, in the user's own file and in nobody else's.
    #[test]
    fn what_is_purged_leaves_nothing(intents in prop::collection::vec(intent(), 2..6)) {
        let renderer = renderer();
        let render = |intent: &UserIntent| String::from_utf8(renderer.render(intent).unwrap().bytes).unwrap();
        let (purged, others) = intents.split_first().unwrap();
        let traces = |workspace: &WorkspaceIntent| {
            // A slug of a few characters may stand in any word.
            let host = workspace.slug.as_str().len() >= 10;
            let host = host.then(|| format!("{}.", workspace.slug));
            std::iter::once(workspace.id.to_string()).chain(host)
        };
        let mut left = purged.clone();
        while let Some(workspace) = left.workspaces.pop() {
            let rendered = render(&left);
            for trace in traces(&workspace) {
                prop_assert!(!rendered.contains(&trace), "{trace} is left in the user's own file");
            }
        }
        for other in others.iter().filter(|other| other.user != purged.user) {
            let rendered = render(other);
            prop_assert!(!rendered.contains(&purged.user.to_string()));
            for trace in purged.workspaces.iter().flat_map(traces) {
                prop_assert!(!rendered.contains(&trace), "{trace} is in a neighbour's file");
            }
        }
    }

    /// The input hash changes with whatever the bytes depend on, and only then.
    #[test]
    fn the_input_hash_tells_inputs_apart(one in intent(), other in intent()) {
        let renderer = renderer();
        let (a, b) = (renderer.render(&one).unwrap(), renderer.render(&other).unwrap());
        prop_assert_eq!(one == other, a.input_hash == b.input_hash);
        let mut next = one.clone();
        next.generation = one.generation.wrapping_add(1);
        prop_assert_ne!(renderer.render(&next).unwrap().input_hash, a.input_hash);
    }

    /// A volume is never smaller than it was, nor than the plan has it, and every raise is told.
    #[test]
    fn volumes_never_shrink(intent in intent()) {
        let renderer = renderer();
        let resolved = renderer.resolve(&intent).unwrap();
        let raises = resolved.raises();
        for (before, after) in intent.workspaces.iter().zip(&resolved.shape.workspaces) {
            prop_assert!(after.storage_gib >= before.storage_gib.max(resolved.shape.limits.storage_gib));
            let raised = raises.iter().find(|(id, _)| *id == before.id).map(|(_, gib)| *gib);
            prop_assert_eq!(raised, (after.storage_gib > before.storage_gib).then_some(after.storage_gib));
        }
        let mut settled = intent.clone();
        for workspace in &mut settled.workspaces {
            if let Some((_, gib)) = raises.iter().find(|(id, _)| *id == workspace.id) {
                workspace.storage_gib = *gib;
            }
        }
        prop_assert_eq!(renderer.resolve(&settled).unwrap().raises(), vec![]);
    }

    /// A release reaches exactly the users whose number is below the ring's threshold.
    #[test]
    fn a_ring_holds_its_share(intent in intent(), threshold in 0_u32..=10_000) {
        let images = "images: {ide: 'a/ide:9', gateway: 'a/gateway:9'}";
        let rings = format!("rings:\n  - {{name: canary, below: {threshold}, release: v1, engine: 1, {images}}}\n  - {{name: everyone, below: 10000, release: v1, engine: 1}}\n");
        let renderer = support::renderer(&[("rings.yaml", &rings)]);
        let mut intent = intent;
        intent.cell = "local".parse().unwrap();
        intent.ring = None;
        let text = String::from_utf8(renderer.render(&intent).unwrap().bytes).unwrap();
        if !intent.workspaces.is_empty() {
            prop_assert_eq!(text.contains("a/ide:9"), ring_number(intent.user) < threshold);
        }
    }

    /// Whatever text policy lets through ends up as one scalar, exactly as it was written.
    #[test]
    fn text_of_a_policy_stays_one_scalar(value in "[ -~\u{e9}\u{85}\u{2028}\u{1f600}\n\t]{0,40}|.{0,40}") {
        let cell = String::from_utf8(support::policy_files()["cells/local.yaml"].clone()).unwrap();
        // Every character by its number: YAML's own spelling of anything.
        let quoted = format!("\"{}\"", value.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect::<String>());
        let cell = cell.replace("nginx.ingress.kubernetes.io/proxy-read-timeout: \"3600\"", &format!("example.com/hostile: {quoted}"));
        let renderer = support::renderer(&[("cells/local.yaml", &cell)]);
        let intent = golden_intent("plan-free");
        let rendered = renderer.render(&intent).unwrap();
        let documents = check::documents(std::str::from_utf8(&rendered.bytes).unwrap()).unwrap();
        let plain = support::renderer(&[]).render(&intent).unwrap();
        prop_assert_eq!(documents.len(), check::documents(std::str::from_utf8(&plain.bytes).unwrap()).unwrap().len());
        let route = documents.iter().find(|document| document["kind"] == "Ingress").unwrap();
        prop_assert_eq!(route["metadata"]["annotations"]["example.com/hostile"].as_str(), Some(value.as_str()));
        prop_assert_eq!(route["metadata"]["annotations"].as_object().unwrap().len(), 2);
    }
}

#[test]
fn text_that_looks_like_a_template_or_yaml_is_only_text() {
    for hostile in [
        "{{ 7 * 7 }}",
        "{% include 'x' %}",
        "\n---\nkind: Secret",
        "a: b # c",
        "*alias",
        "!!python/object:os.system",
        "\"",
        "'",
        "\\",
        "|",
        ">-",
        "~",
    ] {
        let cell = String::from_utf8(support::policy_files()["cells/local.yaml"].clone()).unwrap();
        let cell = cell.replace("\"3600\"", &serde_json::to_string(hostile).unwrap());
        let renderer = support::renderer(&[("cells/local.yaml", &cell)]);
        let text =
            std::fs::read_to_string(support::root().join("tests/golden/plan-free/intent.yaml"))
                .unwrap();
        let rendered = renderer
            .render(&serde_saphyr::from_str::<UserIntent>(&text).unwrap())
            .unwrap();
        let documents = check::documents(std::str::from_utf8(&rendered.bytes).unwrap()).unwrap();
        let route = documents
            .iter()
            .find(|document| document["kind"] == "Ingress")
            .unwrap();
        assert_eq!(
            route["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-send-timeout"],
            hostile
        );
    }
}

#[test]
fn a_cell_on_hold_and_a_user_that_is_held_get_no_pods() {
    let cell = String::from_utf8(support::policy_files()["cells/local.yaml"].clone()).unwrap();
    let held = support::renderer(&[(
        "cells/local.yaml",
        &cell.replace("capacity: 5000", "capacity: 5000\nhold: true"),
    )]);
    let active = golden_intent("plan-starter");
    let suspended = UserIntent {
        standing: Standing::Suspended,
        ..active.clone()
    };
    let marked = UserIntent {
        standing: Standing::Marked,
        ..active.clone()
    };
    let free = support::renderer(&[]);
    for (renderer, intent, pods) in [
        (&free, &active, "3"),
        (&free, &suspended, "0"),
        (&free, &marked, "0"),
        (&held, &active, "0"),
    ] {
        let rendered = renderer.render(intent).unwrap();
        let documents = check::documents(std::str::from_utf8(&rendered.bytes).unwrap()).unwrap();
        let quota = documents
            .iter()
            .find(|document| document["kind"] == "ResourceQuota")
            .unwrap();
        assert_eq!(quota["spec"]["hard"]["pods"], pods);
        assert_eq!(
            documents
                .iter()
                .filter(|document| document["kind"] == "PersistentVolumeClaim")
                .count(),
            1,
            "files are kept"
        );
    }
}

#[test]
fn what_the_policy_does_not_have_is_named() {
    let renderer = support::renderer(&[]);
    let good = golden_intent("plan-free");
    let mut class = good.clone();
    class.workspaces[0].storage_class = "gone".parse().unwrap();
    let mut order = good.clone();
    order.workspaces.push(order.workspaces[0].clone());
    for (intent, expected) in [
        (
            UserIntent {
                cell: "gone".parse().unwrap(),
                ..good.clone()
            },
            "cell `gone` of user",
        ),
        (
            UserIntent {
                plan: "gone".parse().unwrap(),
                ..good.clone()
            },
            "plan `gone` of user",
        ),
        (
            UserIntent {
                ring: Some("gone".parse().unwrap()),
                ..good.clone()
            },
            "ring `gone` of user",
        ),
        (class, "storageClass `gone` of workspace"),
        (order, "workspaces of user"),
    ] {
        let error = renderer.render(&intent).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_policy_is_the_same_whatever_order_its_files_are_read_in() {
    let releases = support::releases();
    let from_disk = Policy::load(&support::root().join("tenants"), &releases).unwrap();
    assert_eq!(
        from_disk,
        Policy::parse(&support::policy_files(), &releases).unwrap()
    );
}

/// All of a user's objects stay below 40 KB in the API server's store (JSON, without what the cluster
/// adds), with as many workspaces as the largest plan has.
#[test]
fn a_users_objects_stay_small() {
    let releases = support::releases();
    let policy = Policy::parse(&support::policy_files(), &releases).unwrap();
    let most = policy.plans()[&"pro".parse().unwrap()].limits.workspaces;
    let renderer = Renderer::new(policy.into(), releases);
    let mut intent = golden_intent("plan-pro");
    let template = intent.workspaces.remove(0);
    for index in 0..most {
        let id = WorkspaceId::from_bytes(u128::from(index).to_be_bytes());
        intent.put_workspace(WorkspaceIntent {
            id,
            ..template.clone()
        });
    }
    assert_eq!(intent.workspaces.len(), most as usize);
    let rendered = renderer.render(&intent).unwrap();
    let documents = check::documents(std::str::from_utf8(&rendered.bytes).unwrap()).unwrap();
    let size: usize = documents
        .iter()
        .map(|document| document.to_string().len())
        .sum();
    assert!(size < 40 * 1_024, "{size} bytes");
}

/// What a change of policy does not show in manifests changes no hash: an approval stays valid, and a
/// quarantined user is not tried again, when a cell's capacity or a plan's price changes.
#[test]
fn the_input_hash_covers_only_what_shows() {
    let edited = |path: &str, before: &str, after: &str| {
        let text = String::from_utf8(support::policy_files()[path].clone()).unwrap();
        assert!(text.contains(before), "{path}");
        let renderer = support::renderer(&[(path, &text.replace(before, after))]);
        renderer.render(&golden_intent("plan-starter")).unwrap()
    };
    let before = support::renderer(&[])
        .render(&golden_intent("plan-starter"))
        .unwrap();
    for (path, from, to) in [
        (
            "cells/local.yaml",
            "capacity: 5000",
            "capacity: 4000\nclosed: true",
        ),
        (
            "plans/starter.yaml",
            "priceCentsPerMonth: 2900",
            "priceCentsPerMonth: 1",
        ),
        (
            "plans/starter.yaml",
            "hoursPerMonth: 100",
            "hoursPerMonth: 99",
        ),
        ("defaults.yaml", "graceDays: 7", "graceDays: 8"),
        ("rings.yaml", "below: 1000\n", "below: 2000\n"),
    ] {
        assert_eq!(edited(path, from, to), before, "{path}: {to}");
    }
    for (path, from, to) in [
        (
            "cells/local.yaml",
            "domain: workspaces",
            "domain: elsewhere",
        ),
        ("plans/starter.yaml", "cpuMillis: 2000", "cpuMillis: 3000"),
        ("defaults.yaml", "25, 465", "25, 26, 465"),
    ] {
        let after = edited(path, from, to);
        assert_ne!(after.input_hash, before.input_hash, "{path}: {to}");
        assert_ne!(after.bytes, before.bytes, "{path}: {to}");
    }
}
