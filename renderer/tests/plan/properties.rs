//! What holds whatever is proposed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use coditect_core::{Standing, UserIntent};
use coditect_renderer::{
    inputs::Inputs,
    plan::{Effect, Plan, Tally},
};
use proptest::{prelude::*, sample::select};

use crate::fleet::{Edit, REVIEWED, cell_report, inputs, intent, planned};

/// Proposals of all kinds: what they edit in the policy, and in the templates.
const PROPOSALS: &[(&[Edit<'static>], &[Edit<'static>])] = &[
    (&[], &[]),
    (
        &[("plans/free.yaml", "cpuMillis: 1000", "cpuMillis: 1500")],
        &[],
    ),
    (
        &[("plans/starter.yaml", "storageGib: 10", "storageGib: 20")],
        &[],
    ),
    // No manifest shows these.
    (
        &[("plans/pro.yaml", "hoursPerMonth: 500", "hoursPerMonth: 400")],
        &[],
    ),
    (
        &[("cells/local.yaml", "capacity: 5000", "capacity: 4000")],
        &[],
    ),
    (&[("rings.yaml", "below: 1000\n", "below: 5000\n")], &[]),
    (
        &[
            ("rings.yaml", "below: 1000\n", "below: 5000\n"),
            ("rings.yaml", "name: early", "name: soon"),
        ],
        &[],
    ),
    (
        &[(
            "orgs/7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201.yaml",
            "",
            "plan: pro\n",
        )],
        &[],
    ),
    (
        &[(
            "cells/other.yaml",
            "domain: workspaces.localhost",
            "hold: true\ndomain: w.localhost",
        )],
        &[],
    ),
    (
        &[("defaults.yaml", "coditect/ide:0.1.0", "coditect/ide:0.2.0")],
        &[],
    ),
    // Another release, that differs by a comment in its template, or by nothing that this user has.
    (
        &[],
        &[(
            "user-10-namespace.yaml.j2",
            "apiVersion: v1",
            "{# said twice #}\napiVersion: v1",
        )],
    ),
    (
        &[],
        &[(
            "user-10-namespace.yaml.j2",
            "{{ user.generation }}",
            "\"1\"",
        )],
    ),
    (
        &[],
        &[(
            "user-30-access.yaml.j2",
            "{% if rbacProfile == \"developer\" %}",
            "{% if rbacProfile != \"restricted\" %}",
        )],
    ),
];

/// A proposal's inputs, read once; the first is what stands.
fn read(proposal: usize) -> Arc<Inputs> {
    static READ: Mutex<BTreeMap<usize, Arc<Inputs>>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap();
    let (policy, templates) = PROPOSALS[proposal];
    let inputs = read
        .entry(proposal)
        .or_insert_with(|| Arc::new(inputs(policy, templates)));
    Arc::clone(inputs)
}

fn users() -> impl Strategy<Value = Vec<UserIntent>> {
    let standing = prop_oneof![4 => Just(Standing::Active), 1 => Just(Standing::Suspended)];
    let user = (
        select(vec!["local", "other"]),
        0_u32..60,
        1_u64..3,
        standing,
        1_u32..30,
    );
    let made = user.prop_map(|(cell, number, generation, standing, gib)| {
        let mut intent = intent(cell, number);
        intent.generation = generation;
        intent.standing = standing;
        intent.workspaces[0].storage_gib = gib;
        intent
    });
    prop::collection::vec(made, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A plan says that a user's file changes if and only if its bytes do; and what it says does not depend on the order
    /// in which users were counted, nor on who counted them.
    #[test]
    fn what_changes_is_what_differs(proposal in 0..PROPOSALS.len(), users in users(), at in any::<prop::sample::Index>()) {
        let (base, proposed) = (read(0), read(proposal));
        let mut plan = Plan::new(Arc::clone(&proposed));
        let stands = plan.base(Arc::clone(&base));
        let (mut all, mut changed) = (Tally::default(), 0);
        for intent in &users {
            let before = base.renderer.render(intent).unwrap().bytes;
            let after = proposed.renderer.render(intent).unwrap().bytes;
            let effect = plan.user(stands, 0, intent, Some(&before), &mut all).unwrap();
            prop_assert_eq!(effect == Effect::Changed, before != after);
            changed += u64::from(before != after);
        }
        let cells = [cell_report("local")];
        let report = plan.report("it", &all, &cells).unwrap();
        prop_assert_eq!((report.users.total, report.users.touched), (users.len() as u64, changed));
        prop_assert_eq!(report.cells[0].drifted, 0);
        prop_assert_eq!(report.groups.is_empty(), changed == 0);
        prop_assert_eq!(report.groups.iter().map(|group| group.users).sum::<u64>(), changed);

        // In two parts, in another order, by a plan that met the shapes otherwise.
        let mut again = Plan::new(proposed);
        let stands = again.base(base);
        let (first, second) = users.split_at(at.index(users.len()));
        let mut tallies = [first, second].map(|part| {
            let mut tally = Tally::default();
            for intent in part.iter().rev() {
                again.user(stands, 0, intent, None, &mut tally).unwrap();
            }
            tally
        });
        let [first, second] = &mut tallies;
        second.add(first.clone());
        let other = again.report("it", second, &cells).unwrap();
        prop_assert_eq!(serde_json::to_value(&report).unwrap(), serde_json::to_value(&other).unwrap());
    }
}

/// Users and workspaces alike but for their names, sizes and cells make one group.
#[test]
fn one_change_is_one_group_however_many_have_it() {
    let edit = ("plans/starter.yaml", "cpuMillis: 2000", "cpuMillis: 2500");
    for (users, threads) in [(30, 1), (120, 2)] {
        let report = planned(inputs(&[], &[]), inputs(&[edit], &[]), users, threads);
        assert_eq!(report.groups.len(), 1, "{:#?}", report.groups);
        assert_eq!(report.groups[0].users, u64::from(users) * 2 / 3);
        assert_eq!(report.groups[0].cells.len(), 2);
        assert_eq!(report.groups[0].examples.len(), 3);
    }
}

/// Files that nobody's intent renders are told beside the plan, and change nothing in it.
#[test]
fn what_is_not_as_rendered_is_told() {
    let base = Arc::new(inputs(&[], &[]));
    let mut plan = Plan::new(Arc::clone(&base));
    let stands = plan.base(Arc::clone(&base));
    let mut tally = Tally::default();
    let intent = intent("local", 4);
    let mut file = base.renderer.render(&intent).unwrap().bytes;
    for expected in [0, 1] {
        plan.user(stands, 0, &intent, Some(&file), &mut tally)
            .unwrap();
        let report = plan.report("it", &tally, &[cell_report("local")]).unwrap();
        assert_eq!(report.cells[0].drifted, expected);
        assert_eq!(report.users.touched, 0);
        file.extend(b"# by hand\n");
    }
    assert_eq!(intent.tenant, REVIEWED.parse().unwrap());
}
