//! What holds for every intent and every set of rules.

use std::{collections::BTreeMap, fs, mem::discriminant, path::PathBuf, sync::LazyLock};

use coditect_core::{
    ApprovalReason, Standing, TenantId, UserId, UserIntent, WorkspaceId, WorkspaceIntent,
};
use proptest::{collection::btree_map, prelude::*, sample::select};

use super::*;
use crate::release::Releases;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The sample policy with these rules and approvals.
fn policy(rules: &str, approvals: &str) -> Policy {
    static RELEASES: LazyLock<Releases> =
        LazyLock::new(|| Releases::load(&root().join("templates")).unwrap());
    static FILES: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
        let names = [
            "plans/free.yaml",
            "plans/starter.yaml",
            "plans/pro.yaml",
            "cells/local.yaml",
            "defaults.yaml",
            "rings.yaml",
        ];
        let read = |name: &str| fs::read(root().join("tenants").join(name)).unwrap();
        names.map(|name| (name.to_owned(), read(name))).into()
    });
    let mut files = FILES.clone();
    files.insert("approvals.yaml".into(), rules.into());
    if !approvals.is_empty() {
        files.insert("approvals/given.yaml".into(), approvals.into());
    }
    Policy::parse(&files, &RELEASES).unwrap()
}

const RULES: [&str; 6] = [
    "plans: [pro]\n",
    "storageGibAbove: 60\n",
    "workspacesAbove: 1\n",
    "storageClasses: [premium-rwo]\n",
    "cells: [local]\n",
    "limitsAbovePlan: true\n",
];

/// Some of the rules, and all of their text.
fn rules() -> impl Strategy<Value = (Vec<&'static str>, String)> {
    proptest::sample::subsequence(RULES.to_vec(), 0..=RULES.len())
        .prop_map(|rules| (rules.clone(), text(&rules)))
}

fn text(rules: &[&str]) -> String {
    match rules {
        [] => "plans: []\n".into(),
        rules => rules.concat(),
    }
}

fn standing() -> impl Strategy<Value = Standing> {
    select(vec![
        Standing::Active,
        Standing::Suspended,
        Standing::Marked,
    ])
}

fn intent(generation: u64) -> impl Strategy<Value = UserIntent> {
    let volume = (
        select(vec![1_u32, 10, 61, 100, 300]),
        select(vec!["standard-rwo", "premium-rwo"]),
        standing(),
    );
    (
        select(vec!["free", "starter", "pro"]),
        standing(),
        btree_map(0_u8..4, volume, 0..4),
    )
        .prop_map(move |(plan, standing, volumes)| {
            let workspace = |(id, (storage_gib, class, standing)): (u8, (u32, &str, Standing))| {
                WorkspaceIntent {
                    id: WorkspaceId::from_bytes([id; 16]),
                    slug: format!("slug-{id}").parse().unwrap(),
                    storage_gib,
                    storage_class: class.parse().unwrap(),
                    standing,
                }
            };
            let user = UserId::from_bytes([7; 16]);
            UserIntent {
                user,
                tenant: TenantId::from_bytes([9; 16]),
                cell: "local".parse().unwrap(),
                shard: coditect_core::Shard::of(user),
                generation,
                plan: plan.parse().unwrap(),
                ring: None,
                standing,
                workspaces: volumes.into_iter().map(workspace).collect(),
            }
        })
}

/// What stands, and what is wanted of the same volumes: none changes its class or shrinks.
fn change() -> impl Strategy<Value = (UserIntent, UserIntent)> {
    (intent(7), intent(8)).prop_map(|(before, mut wanted)| {
        for workspace in &mut wanted.workspaces {
            if let Some(stood) = before.workspace(workspace.id) {
                workspace.storage_class.clone_from(&stood.storage_class);
                workspace.storage_gib = workspace.storage_gib.max(stood.storage_gib);
            }
        }
        (before, wanted)
    })
}

fn approval(wanted: &UserIntent, asked: &[ApprovalUser]) -> String {
    let mut text = format!("tenant: {}\ncell: local\nusers:\n", wanted.tenant);
    for asked in asked {
        text.push_str(&format!(
            "  - user: {}\n    generation: {}\n    intentHash: {:?}\n",
            asked.user, asked.generation, asked.intent_hash
        ));
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn without_rules_nobody_waits((before, wanted) in change()) {
        let policy = policy("plans: []\n", "");
        prop_assert_eq!(judge(None, &wanted, &policy), []);
        prop_assert_eq!(judge(Some(&before), &wanted, &policy), []);
    }

    #[test]
    fn the_more_stands_the_less_is_asked((_, text) in rules(), (before, wanted) in change()) {
        let policy = policy(&text, "");
        let (of_new, of_known) =
            (judge(None, &wanted, &policy), judge(Some(&before), &wanted, &policy));
        for reason in &of_known {
            prop_assert!(of_new.contains(reason), "{reason:?} is not in {of_new:?}");
        }
        prop_assert_eq!(judge(Some(&wanted), &wanted, &policy), []);
    }

    #[test]
    fn more_rules_never_ask_less((all, text) in rules(), left_out in 0_usize..6, (before, wanted) in change()) {
        let fewer: Vec<_> = all.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, rule)| *rule).collect();
        let (less, more) = (policy(&super::tests::text(&fewer), ""), policy(&text, ""));
        for reason in judge(Some(&before), &wanted, &less) {
            prop_assert!(judge(Some(&before), &wanted, &more).contains(&reason));
        }
    }

    #[test]
    fn what_is_published_meanwhile_needs_no_approval_and_lets_all_else_pass((_, text) in rules(), (before, wanted) in change()) {
        let policy = policy(&text, "");
        let before = provisioned(&before, &policy);
        let reasons = judge(Some(&before), &wanted, &policy);
        prop_assume!(!reasons.is_empty());
        let wanted = provisioned(&wanted, &policy);
        let held = held_back(Some(&before), &wanted, &reasons).unwrap();
        prop_assert_eq!(judge(Some(&before), &held, &policy), []);
        // It is rendered just so: no plan makes a volume larger.
        prop_assert_eq!(&provisioned(&held, &policy), &held);
        prop_assert_eq!(held.generation, before.generation);
        // Holds and marks never wait, nor does a workspace that goes.
        prop_assert_eq!(held.standing, wanted.standing);
        for workspace in &held.workspaces {
            let asked = wanted.workspace(workspace.id).unwrap();
            prop_assert_eq!(asked.standing, workspace.standing);
            if let Some(stood) = before.workspace(workspace.id) {
                prop_assert!(workspace.storage_gib >= stood.storage_gib);
            }
        }
        for stood in &before.workspaces {
            prop_assert_eq!(held.workspace(stood.id).is_some(), wanted.workspace(stood.id).is_some());
        }
        prop_assert!(held_back(None, &wanted, &reasons).is_none());
    }

    #[test]
    fn an_approval_lets_one_intent_pass_and_no_other((one, other) in change(), bystanders in 0_u8..4) {
        let open = policy("plans: [pro]\n", "");
        let (one, other) = (provisioned(&one, &open), provisioned(&other, &open));
        let mut users: Vec<_> = (0..bystanders)
            .map(|n| {
                let mut of = one.clone();
                of.user = UserId::from_bytes([100 + n; 16]);
                asked(&of, Vec::new())
            })
            .collect();
        users.push(asked(&one, Vec::new()));
        for _ in 0..users.len() {
            // In whatever order.
            users.rotate_left(1);
            let policy = policy("plans: [pro]\n", &approval(&one, &users));
            let passes = |intent: &UserIntent| approved_by(&policy, intent, &asked(intent, Vec::new())).is_some();
            prop_assert!(passes(&one));
            prop_assert!(!passes(&other));
            for changed in [
                UserIntent { generation: other.generation, ..one.clone() },
                UserIntent { generation: one.generation, ..other.clone() },
                UserIntent { tenant: TenantId::from_bytes([8; 16]), ..one.clone() },
            ] {
                prop_assert_eq!(passes(&changed), changed == one);
            }
        }
    }

    #[test]
    fn a_raise_by_policy_makes_no_other_intent_of_it((_, wanted) in change()) {
        let policy = policy("plans: []\n", "");
        let row = IntentRow {
            intent: wanted.clone(),
            changed_at: jiff::Timestamp::UNIX_EPOCH,
            requested: BTreeMap::new(),
            raised_from: None,
        };
        let mut raised = IntentRow { intent: provisioned(&wanted, &policy), raised_from: Some(wanted.generation), ..row.clone() };
        raised.intent.generation += 1;
        prop_assert_eq!(super::wanted(&row, &policy), super::wanted(&raised, &policy));
    }
}

#[test]
fn each_rule_asks_about_what_is_new() {
    let mut before = example();
    let mut wanted = before.clone();
    wanted.plan = "pro".parse().unwrap();
    let mut second = before.workspaces[0].clone();
    second.id = WorkspaceId::from_bytes([2; 16]);
    second.storage_class = "premium-rwo".parse().unwrap();
    wanted.put_workspace(second);
    let kinds = |rules: &str, before: Option<&UserIntent>| {
        let reasons = judge(before, &wanted, &policy(rules, ""));
        reasons.iter().map(discriminant).collect::<Vec<_>>()
    };
    let kind = |reason: ApprovalReason| vec![discriminant(&reason)];
    let plan = "pro".parse().unwrap();
    assert_eq!(
        kinds(RULES[0], Some(&before)),
        kind(ApprovalReason::Plan { plan })
    );
    // The plan pro gives each volume 100 GiB.
    assert_eq!(kinds(RULES[1], Some(&before)).len(), 2);
    assert_eq!(
        kinds(RULES[2], Some(&before)),
        kind(ApprovalReason::Workspaces {
            workspaces: 2,
            above: 1
        })
    );
    assert_eq!(kinds(RULES[3], Some(&before)).len(), 1);
    assert_eq!(kinds(RULES[4], Some(&before)).len(), 0);
    assert_eq!(kinds(RULES[4], None).len(), 1);
    assert_eq!(kinds(RULES[5], Some(&before)).len(), 0);
    before.workspaces[0].storage_gib = 400;
    wanted.workspaces[0].storage_gib = 400;
    let reasons = judge(Some(&example()), &wanted, &policy(RULES[5], ""));
    assert!(
        matches!(
            reasons[..],
            [ApprovalReason::StorageAboveLimit {
                gib: 400,
                limit: 100,
                ..
            }]
        ),
        "{reasons:?}"
    );
}

#[test]
fn the_hash_of_an_intent_never_changes() {
    assert_eq!(
        intent_hash(&example()),
        "d2026a39da9a224ee7a1fc499f8715e8b82414dc5b82ed4ae10718a524b8db1c"
    );
}

fn example() -> UserIntent {
    let text = r#"{"user":"07070707-0707-0707-0707-070707070707","tenant":"09090909-0909-0909-0909-090909090909","cell":"local","shard":"07","generation":7,"plan":"free","workspaces":[{"id":"01010101-0101-0101-0101-010101010101","slug":"slug-1","storageGib":1,"storageClass":"standard-rwo"}]}"#;
    serde_json::from_str(text).unwrap()
}
