//! What a user's change of intent does, by one policy.

use std::{collections::BTreeSet, sync::Arc};

use coditect_core::{UserIntent, WorkspaceId};
use coditect_renderer::plan::{Plan, Report, Tally};

use crate::fleet::{inputs, intent};

fn changed(users: &[(Option<UserIntent>, Option<UserIntent>)]) -> Report {
    let inputs = Arc::new(inputs(&[], &[]));
    let mut plan = Plan::new(Arc::clone(&inputs));
    let base = plan.base(inputs);
    let mut tally = Tally::default();
    for (before, after) in users {
        plan.intent(base, before.as_ref(), after.as_ref(), &mut tally);
    }
    plan.report("it", &tally, &[]).unwrap()
}

/// The objects of the one change, each once.
fn objects(report: &Report) -> BTreeSet<&str> {
    assert_eq!(report.groups.len(), 1, "{report:#?}");
    let objects = report.groups[0].objects.iter();
    objects.map(|object| object.object.as_str()).collect()
}

#[test]
fn the_same_again_changes_nothing() {
    let mut again = intent("local", 7);
    again.generation += 1;
    let report = changed(&[(Some(intent("local", 7)), Some(again))]);
    assert_eq!((report.users.touched, report.groups.len()), (0, 0));
}

#[test]
fn whoever_comes_has_everything_made_and_whoever_goes_has_it_removed() {
    let someone = intent("local", 7);
    let comes = changed(&[(None, Some(someone.clone()))]);
    assert_eq!((comes.users.created, comes.workspaces.created), (1, 2));
    assert!(objects(&comes).contains("Namespace/user-<user>"));
    assert_eq!(comes.objects["StatefulSet"].created, 2);
    assert!(!comes.refused, "{:?}", comes.unrenderable);
    let goes = changed(&[(Some(someone), None)]);
    assert_eq!((goes.users.touched, goes.workspaces.end_at_once), (1, 2));
    assert_eq!(objects(&goes), objects(&comes));
    assert_eq!(goes.objects["StatefulSet"].removed, 2);
    assert!(
        !goes.refused,
        "nobody is taken for one who cannot be rendered"
    );
    assert_eq!(goes.money.tenants, 0, "a tenant's plan costs the same");
}

/// Its id is before that of the one there is, and the one there is does not move.
#[test]
fn a_workspace_that_comes_changes_no_other() {
    let before = intent("local", 1);
    let mut after = before.clone();
    let mut first = before.workspaces[0].clone();
    first.id = WorkspaceId::from_bytes([0; 16]);
    first.storage_gib = 20;
    after.workspaces.insert(0, first);
    let report = changed(&[(Some(before), Some(after))]);
    assert_eq!(report.workspaces.created, 1);
    assert_eq!(report.workspaces.restart_at_next_start, 0);
    for group in &report.groups {
        for object in &group.objects {
            let of_workspace = object.object.contains("<workspace>");
            let only_comes = object.diff.lines().all(|line| line.starts_with('+'));
            assert!(!of_workspace || only_comes, "{object:?}");
        }
    }
}

#[test]
fn a_plan_that_is_bought_says_what_it_costs() {
    let before = intent("local", 1);
    let mut after = before.clone();
    after.plan = "pro".parse().unwrap();
    let report = changed(&[(Some(before), Some(after))]);
    assert_eq!((report.users.touched, report.money.tenants), (1, 1));
    assert!(report.money.plans_cents_difference > 0);
    assert!(objects(&report).contains("ResourceQuota/workspace-quota"));
}
