//! What the check refuses, and what it says: mistakes that a template author makes, put into a release.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeMap, sync::Arc};

use coditect_core::{Result, UserIntent};
use coditect_renderer::{
    check,
    policy::Policy,
    release::{Release, Releases},
    render::Renderer,
};

fn intent() -> UserIntent {
    let text =
        std::fs::read_to_string(support::root().join("tests/golden/workspaces-two/intent.yaml"))
            .unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// Renders with the shipped release after one edit of one of its templates.
fn with_edit(template: &str, before: &str, after: &str) -> Result<Renderer> {
    let mut files: BTreeMap<String, Vec<u8>> =
        support::folder(&support::root().join("templates/v1"));
    let text = String::from_utf8(files[template].clone()).unwrap();
    assert!(text.contains(before), "{template} has no {before:?}");
    files.insert(
        template.to_owned(),
        text.replacen(before, after, 1).into_bytes(),
    );
    let releases = Arc::new(Releases::new([Release::parse("v1", &files)?]));
    let policy = Policy::parse(&support::policy_files(), &releases)?;
    Ok(Renderer::new(policy.into(), releases))
}

#[test]
fn mistakes_in_templates_are_named() {
    const SET: &str = "workspace-20-stateful-set.yaml.j2";
    const SPACE: &str = "user-10-namespace.yaml.j2";
    let cases = [
        (
            SPACE,
            "{{ plan }}",
            "{{ plam }}",
            "templates/v1/user-10-namespace.yaml.j2:8: `plam` is undefined",
        ),
        (
            SPACE,
            "{{ user.standing }}",
            "{{ user.standin }}",
            "`user.standin` is undefined",
        ),
        (
            SPACE,
            "labels:",
            "lables:",
            "templates/v1/user-10-namespace.yaml.j2: Namespace/user-<id>: .metadata.lables is no field there; did you mean `labels`?",
        ),
        (
            SPACE,
            "apiVersion: v1",
            "apiVersion: v2",
            "`v2` `Namespace` is not among the kinds",
        ),
        (
            SPACE,
            "{{ user.namespace }}",
            "kube-system",
            "Namespace/kube-system: .metadata.name is not `user-",
        ),
        (
            SPACE,
            "{{ plan }}",
            "{{ \"a b\" }}",
            "`coditect.ai/plan` is not a label value",
        ),
        (
            SET,
            "serviceName:",
            "replicas: 1\n  serviceName:",
            "templates/v1/workspace-20-stateful-set.yaml.j2: StatefulSet/workspace-<id>: .spec.replicas is the observer's alone",
        ),
        (
            SET,
            "readOnlyRootFilesystem",
            "readonlyRootFilesystem",
            ".spec.template.spec.initContainers[0].securityContext.readonlyRootFilesystem is no field there; did you mean `readOnlyRootFilesystem`?",
        ),
        (
            SET,
            "periodSeconds: 1\n",
            "periodSeconds: soon\n",
            ".spec.template.spec.initContainers[0].startupProbe.periodSeconds: invalid type",
        ),
        (
            SET,
            "{{ images.gateway }}",
            "coditect/gateway:latest",
            ".spec.template.spec.initContainers[0].image may not be `latest`",
        ),
        (
            SET,
            "type: OnDelete",
            "type: RollingUpdate",
            ".spec.updateStrategy.type must be OnDelete",
        ),
        (
            SET,
            "shareProcessNamespace: false",
            "shareProcessNamespace: true",
            ".spec.template.spec.shareProcessNamespace may not be true",
        ),
        (
            SET,
            "automountServiceAccountToken: false",
            "automountServiceAccountToken: true",
            ".spec.template.spec.automountServiceAccountToken may not be true",
        ),
        (
            SET,
            "{type: RuntimeDefault}",
            "{type: }",
            ".spec.template.spec.securityContext.seccompProfile.type",
        ),
        (
            SET,
            "apps/v1\nkind: StatefulSet",
            "apps/v1\nkind: Deployment",
            "`apps/v1` `Deployment` is not among the kinds",
        ),
        (
            "workspace-10-volume.yaml.j2",
            "v1\nkind: PersistentVolumeClaim",
            "v1\nkind: Secret",
            "`v1` `Secret` is not among the kinds",
        ),
        (
            "workspace-10-volume.yaml.j2",
            "namespace: {{ user.namespace }}",
            "namespace: default",
            ".metadata.namespace is not `user-",
        ),
        (
            "workspace-10-volume.yaml.j2",
            "{{ workspace.name }}",
            "volume",
            "PersistentVolumeClaim/volume is there twice",
        ),
        (
            "workspace-10-volume.yaml.j2",
            "{{ workspace.name }}",
            "Volume",
            ".metadata.name `Volume` is not a name",
        ),
        (
            "workspace-30-service.yaml.j2",
            "spec:\n",
            "spec:\n  type: NodePort\n",
            ".spec.type `NodePort` would open a way around the route",
        ),
        (
            "workspace-40-route.yaml.j2",
            "spec:\n",
            "spec:\n  tls: [{secretName: x}]\n",
            ".spec.tls[0].secretName: a user's namespace holds no Secret",
        ),
        (
            "user-30-access.yaml.j2",
            "kind: ServiceAccount\n    name",
            "kind: User\n    name",
            ".subjects[0] must be a ServiceAccount",
        ),
        (
            "user-30-access.yaml.j2",
            "kind: Role\n  name: workspace-access\nsubjects",
            "kind: ClusterRole\n  name: admin\nsubjects",
            ".roleRef.kind must be Role",
        ),
        (
            "workspace-30-service.yaml.j2",
            "  labels:\n",
            "  labels: {\n",
            "templates/v1/workspace-30-service.yaml.j2: manifests are not YAML at line",
        ),
        (
            "user-10-namespace.yaml.j2",
            "{{ user.namespace }}",
            "{{ user.namespace|upper }}",
            "templates/v1/user-10-namespace.yaml.j2: Namespace/USER-",
        ),
    ];
    for (template, before, after, expected) in cases {
        let error =
            with_edit(template, before, after).and_then(|renderer| renderer.render(&intent()));
        let error = error.expect_err(expected).to_string();
        assert!(
            error.contains(expected),
            "expected {expected}\ngot      {error}"
        );
    }
}

#[test]
fn a_template_may_print_names_but_not_compute_with_them() {
    for after in [
        "{{ user.id[:8] }}",
        "{{ user.id|upper }}",
        "{{ \"a\" if user.id < \"8\" else \"b\" }}",
    ] {
        let renderer = with_edit("user-10-namespace.yaml.j2", "{{ plan }}", after).unwrap();
        let error = renderer.render(&intent()).unwrap_err().to_string();
        assert!(
            error.contains("templates/v1 computes with a user's or workspace's names"),
            "{error}"
        );
    }
}

#[test]
fn the_probe_finds_a_fault_in_a_branch_that_no_user_has_reached() {
    let access = "user-30-access.yaml.j2";
    let fault = with_edit(
        access,
        "verbs: [get, list, watch, create, delete]",
        "verb: [get]",
    )
    .unwrap();
    assert!(fault.probe().is_ok(), "the sample policy has no developer");
    let mut files: BTreeMap<String, Vec<u8>> = support::policy_files();
    files.insert(
        "orgs/7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201.yaml".to_owned(),
        b"rbacProfile: developer\n".to_vec(),
    );
    let cell = files.get_mut("cells/local.yaml").unwrap();
    cell.extend_from_slice(b"developerProfileGuarded: true\n");
    let policy = Policy::parse(&files, fault.releases()).unwrap();
    let error = Renderer::new(policy.into(), Arc::clone(fault.releases()))
        .probe()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(
            "Role/workspace-access: .rules[0].verb is no field there; did you mean `verbs`?"
        ),
        "{error}"
    );
}

#[test]
fn the_shipped_release_renders_all_of_the_sample_policy() {
    support::renderer(&[]).probe().unwrap();
}

#[test]
fn a_file_of_another_user_is_refused() {
    let rendered = support::renderer(&[]).render(&intent()).unwrap();
    let text = String::from_utf8(rendered.bytes).unwrap();
    check::check(&text, &intent().user.namespace()).unwrap();
    let error = check::check(&text, "user-00000000-0000-4000-8000-000000000000")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(".metadata.name is not `user-00000000"),
        "{error}"
    );
}
