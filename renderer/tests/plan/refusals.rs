//! Each change that the cluster would refuse is named, with the object, the field and what to do.

use std::sync::Arc;

use coditect_renderer::plan::{Plan, Tally};

use crate::fleet::{Edit, cell_report, inputs, intent, planned};

const SET: &str = "workspace-20-stateful-set.yaml.j2";
const VOLUME: &str = "workspace-10-volume.yaml.j2";
const SERVICE: &str = "workspace-30-service.yaml.j2";
const ACCESS: &str = "user-30-access.yaml.j2";
const LIMITS: &str = "user-20-limits.yaml.j2";

/// What is edited in a template, the object and field that are told, and part of why.
const TEMPLATES: &[(Edit<'_>, &str, &str, &str)] = &[
    (
        (
            SET,
            "serviceName: {{ workspace.name }}",
            "serviceName: \"all\"",
        ),
        "StatefulSet/workspace-<workspace>",
        "spec.serviceName",
        "cannot change from \"workspace-<workspace>\" to \"all\"",
    ),
    (
        (
            SET,
            "  updateStrategy:",
            "  podManagementPolicy: Parallel\n  updateStrategy:",
        ),
        "StatefulSet/workspace-<workspace>",
        "spec.podManagementPolicy",
        "cannot change from \"OrderedReady\" to \"Parallel\"",
    ),
    (
        (
            SET,
            "    matchLabels:\n",
            "    matchLabels:\n      app.kubernetes.io/name: workspace\n",
        ),
        "StatefulSet/workspace-<workspace>",
        "spec.selector",
        "the API server refuses it; keep it",
    ),
    (
        (
            SET,
            "    matchLabels:\n",
            "    matchLabels:\n      tier: ide\n",
        ),
        "StatefulSet/workspace-<workspace>",
        "spec.selector",
        "selects `tier`, which the pod template does not carry; put the label on the template",
    ),
    (
        (
            VOLUME,
            "storageClassName: {{ workspace.storageClass }}",
            "storageClassName: \"premium-rwo\"",
        ),
        "PersistentVolumeClaim/workspace-<workspace>",
        "spec.storageClassName",
        "cannot change from \"standard-rwo\" to \"premium-rwo\"",
    ),
    (
        (
            VOLUME,
            "accessModes: [{{ workspace.accessMode }}]",
            "accessModes: [ReadWriteMany]",
        ),
        "PersistentVolumeClaim/workspace-<workspace>",
        "spec.accessModes",
        "cannot change from [\"ReadWriteOnce\"] to [\"ReadWriteMany\"]",
    ),
    (
        (VOLUME, "spec:\n", "spec:\n  volumeMode: Block\n"),
        "PersistentVolumeClaim/workspace-<workspace>",
        "spec.volumeMode",
        "cannot change from \"Filesystem\" to \"Block\"",
    ),
    (
        (VOLUME, "storage: {{ workspace.storage }}", "storage: 1Gi"),
        "PersistentVolumeClaim/workspace-<workspace>",
        "spec.resources.requests.storage",
        "cannot shrink from 10Gi to 1Gi: a volume never does; keep 10Gi or more",
    ),
    (
        (VOLUME, "storage: {{ workspace.storage }}", "size: 1Gi"),
        "PersistentVolumeClaim/workspace-<workspace>",
        "spec.resources.requests.storage",
        "is missing, which every claim needs",
    ),
    (
        (
            VOLUME,
            "  name: {{ workspace.name }}",
            "  name: {{ workspace.slug }}",
        ),
        "PersistentVolumeClaim/workspace-<workspace>",
        "metadata.name",
        "would leave Git while its workspace stays",
    ),
    (
        (SERVICE, "spec:\n", "spec:\n  clusterIP: None\n"),
        "Service/workspace-<workspace>",
        "spec.clusterIP",
        "cannot change from nothing to \"None\"",
    ),
    (
        (
            ACCESS,
            "  kind: Role\n  name: workspace-access",
            "  kind: Role\n  name: workspace-view",
        ),
        "RoleBinding/workspace-sa-binding",
        "roleRef",
        "cannot change from",
    ),
    (
        (
            LIMITS,
            "spec:\n  hard:",
            "spec:\n  scopes: [NotTerminating]\n  hard:",
        ),
        "ResourceQuota/workspace-quota",
        "spec.scopes",
        "cannot change from nothing to [\"NotTerminating\"]",
    ),
];

#[test]
fn each_refusal_is_named_before_it_is_merged() {
    for (edit, object, field, why) in TEMPLATES {
        let report = planned(inputs(&[], &[]), inputs(&[], &[*edit]), 6, 2);
        let found = report.refusals.iter().find(|refusal| {
            (refusal.object.as_str(), refusal.field.as_str()) == (*object, *field)
                && refusal.why.contains(why)
        });
        let found = found.unwrap_or_else(|| panic!("{object} {field}: {:#?}", report.refusals));
        assert!(report.refused && found.users > 0 && found.objects >= found.users);
        assert!(!found.examples.is_empty());
    }
}

/// What a policy alone can ask for.
#[test]
fn a_class_that_is_mounted_otherwise_is_refused_for_volumes_that_are_there() {
    let class = "  - name: standard-rwo\n";
    let edit = (
        "cells/other.yaml",
        class,
        "  - name: standard-rwo\n    accessMode: ReadWriteMany\n",
    );
    let report = planned(inputs(&[], &[]), inputs(&[edit], &[]), 6, 2);
    assert_eq!(report.refusals.len(), 1, "{:#?}", report.refusals);
    assert_eq!(report.refusals[0].field, "spec.accessModes");
    assert_eq!(report.refusals[0].users, 6, "those of one cell");
}

/// A smaller plan takes nothing from a volume that is there.
#[test]
fn a_smaller_plan_shrinks_no_volume() {
    let edit = ("plans/starter.yaml", "storageGib: 10", "storageGib: 5");
    let report = planned(inputs(&[], &[]), inputs(&[edit], &[]), 6, 2);
    assert!(
        report.refusals.is_empty() && !report.refused,
        "{:#?}",
        report.refusals
    );
    assert!(
        report
            .storage
            .iter()
            .all(|class| class.gib.difference() == 0)
    );
}

/// A StatefulSet that gets another name ends the pod that runs.
#[test]
fn a_renamed_stateful_set_ends_its_pods() {
    let edit = (
        SET,
        "  name: {{ workspace.name }}\n  namespace",
        "  name: {{ workspace.slug }}\n  namespace",
    );
    let report = planned(inputs(&[], &[]), inputs(&[], &[edit]), 6, 2);
    let all = report.workspaces;
    assert_eq!(all.end_at_once, all.total);
    assert_eq!((all.created, all.removed), (all.total, all.total));
}

/// Whoever cannot be rendered any more keeps the last good file, and the proposal is refused.
#[test]
fn a_plan_that_is_taken_away_is_refused_for_those_who_have_it() {
    let edit = ("plans/pro.yaml", "", "");
    let report = planned(inputs(&[], &[]), inputs(&[edit], &[]), 6, 2);
    assert!(report.refused);
    assert_eq!(report.users.unrenderable, 4);
    assert_eq!(report.users.touched, 0);
    assert_eq!(report.unrenderable.len(), 1);
    assert_eq!(
        report.unrenderable[0].why,
        "plan `pro` of user <user> is not in the policy"
    );
}

/// A proposal is not refused for those whom what stands cannot render either.
#[test]
fn who_could_not_be_rendered_before_is_no_reason_to_refuse() {
    let without = Arc::new(inputs(&[("plans/pro.yaml", "", "")], &[]));
    let mut plan = Plan::new(Arc::clone(&without));
    let stands = plan.base(without);
    let mut tally = Tally::default();
    let pro = intent("local", 2);
    plan.user(stands, 0, &pro, Some(b"what it was once"), &mut tally)
        .unwrap();
    let report = plan.report("it", &tally, &[cell_report("local")]).unwrap();
    assert!(!report.refused && report.unrenderable.is_empty());
    assert_eq!((report.users.unchanged, report.cells[0].drifted), (1, 1));
}

/// `replicas` and claims of a StatefulSet's own never come as far: no release that has them can be read.
#[test]
fn what_no_release_may_hold_is_named_when_it_is_read() {
    for (after, field) in [
        ("  replicas: 1\n  updateStrategy:", ".spec.replicas"),
        (
            "  volumeClaimTemplates: []\n  updateStrategy:",
            ".spec.volumeClaimTemplates",
        ),
    ] {
        let edit = (SET, "  updateStrategy:", after);
        let caught = std::panic::catch_unwind(|| inputs(&[], &[edit]))
            .err()
            .unwrap();
        let said = caught.downcast_ref::<String>().unwrap();
        assert!(said.contains(field), "{said}");
    }
}
