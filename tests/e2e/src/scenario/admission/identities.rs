//! The platform's identities: the observer, the reaper, and who verifies.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use kube::{Api, api::PostParams};

use super::{Asking, User, in_force, scaling};
use crate::{Cluster, Result, ensure};

/// Namespaces that are no user's: one by its label, one by its name.
const STRANGERS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: argocd}
---
apiVersion: v1
kind: Namespace
metadata: {name: user-00000000-0000-4000-8000-000000000000}
---
apiVersion: v1
kind: Namespace
metadata: {name: other, labels: {app.kubernetes.io/managed-by: coditect}, annotations: {coditect.ai/tombstone: by hand}}
";

const STRANGER_NAMES: [&str; 3] = [
    "argocd",
    "user-00000000-0000-4000-8000-000000000000",
    "other",
];

const SET: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: tried}
spec:
  replicas: 0
  serviceName: tried
  selector: {matchLabels: {app: tried}}
  template:
    metadata: {labels: {app: tried}}
    spec: {containers: [{name: tried, image: 'example/image:1'}]}
";

const OBSERVER: &[(&str, &[&str])] = &[
    (
        "get list watch",
        &[
            "/namespaces",
            "/pods",
            "/persistentvolumeclaims",
            "/events",
            "/nodes",
        ],
    ),
    (
        "get list watch",
        &["apps/statefulsets", "argoproj.io/applications"],
    ),
    ("get patch", &["apps/statefulsets/scale"]),
];

const REAPER: &[(&str, &[&str])] = &[
    (
        "get list watch patch delete",
        &["/namespaces", "/persistentvolumeclaims"],
    ),
    ("get list", &["argoproj.io/applications"]),
    ("list", &["/pods", "apps/statefulsets"]),
];

const VERIFY: &[(&str, &[&str])] = &[(
    "get list",
    &[
        "/namespaces",
        "/resourcequotas",
        "/limitranges",
        "/serviceaccounts",
        "/persistentvolumeclaims",
        "/services",
        "rbac.authorization.k8s.io/roles",
        "rbac.authorization.k8s.io/rolebindings",
        "networking.k8s.io/networkpolicies",
        "networking.k8s.io/ingresses",
        "apps/statefulsets",
        "gateway.networking.k8s.io/httproutes",
    ],
)];

/// What the API server says an identity may do is what is meant, to the last verb.
pub(super) async fn rights_are_these_and_no_more(cluster: &Cluster) -> Result {
    for (name, meant) in [
        ("coditect-observer", OBSERVER),
        ("coditect-reaper", REAPER),
        ("coditect-verify", VERIFY),
    ] {
        let client = cluster.as_service_account("coditect", name).await?;
        let reviews: Api<SelfSubjectRulesReview> = Api::all(client);
        let review = SelfSubjectRulesReview {
            spec: SelfSubjectRulesReviewSpec {
                namespace: Some("argocd".to_owned()),
            },
            ..SelfSubjectRulesReview::default()
        };
        let answer = reviews.create(&PostParams::default(), &review).await?;
        let rules = answer
            .status
            .map(|status| status.resource_rules)
            .unwrap_or_default();
        let mut rights = BTreeSet::new();
        for rule in rules {
            for group in rule.api_groups.unwrap_or_default() {
                // Everybody may ask who and what he is.
                if group == "authentication.k8s.io" || group == "authorization.k8s.io" {
                    continue;
                }
                for resource in rule.resources.iter().flatten() {
                    rights.extend(
                        rule.verbs
                            .iter()
                            .map(|verb| format!("{verb} {group}/{resource}")),
                    );
                }
            }
        }
        let meant: BTreeSet<String> = meant
            .iter()
            .flat_map(|(verbs, on)| {
                on.iter()
                    .flat_map(|on| verbs.split(' ').map(move |verb| format!("{verb} {on}")))
            })
            .collect();
        let more: Vec<_> = rights.difference(&meant).collect();
        let less: Vec<_> = meant.difference(&rights).collect();
        ensure!(
            more.is_empty() && less.is_empty(),
            "{name} may also {more:?} and may not {less:?}"
        );
    }
    Ok(())
}

pub(super) async fn the_observer_sets_scales_of_users_only(
    cluster: &Cluster,
    users: &[User],
) -> Result {
    let observer = Asking::account(cluster, "coditect-observer").await?;
    let user = &users[0];
    let (namespace, workspace) = (&user.namespace, &user.workspace);
    in_force(
        &observer,
        &scaling(namespace, workspace, 2),
        "a workspace has 0 or 1 pods",
    )
    .await?;
    observer.scale(namespace, workspace, 0).await?;
    observer.scale(namespace, workspace, 1).await?;

    cluster.apply(STRANGERS, "default").await?;
    for stranger in STRANGER_NAMES {
        cluster.apply(SET, stranger).await?;
        let why = "in users' namespaces only";
        observer
            .may_not(&scaling(stranger, "tried", 1), "", why)
            .await?;
    }
    for allowed in [
        "list pods --all-namespaces",
        "patch statefulsets --subresource=scale --namespace=argocd",
    ] {
        ensure!(
            observer.can_i(allowed).await?,
            "the observer may not {allowed}"
        );
    }
    for closed in [
        "patch statefulsets",
        "delete pods",
        "create pods",
        "get secrets",
        "patch namespaces",
        "create pods/exec",
    ] {
        let closed = format!("{closed} --namespace={namespace}");
        ensure!(!observer.can_i(&closed).await?, "the observer may {closed}");
    }
    let nothing_but = "may write nothing but the scale";
    given_everything(cluster, "coditect-observer").await?;
    for words in [
        format!("delete pod {workspace}-0 --namespace={namespace}"),
        format!("label statefulset {workspace} a=b --namespace={namespace}"),
        format!("exec {workspace}-0 --namespace={namespace} --container=theia -- true"),
        "create token coditect-reaper --namespace=coditect".to_owned(),
        "create clusterrolebinding tried --clusterrole=cluster-admin --user=tried".to_owned(),
    ] {
        observer.may_not(&words, "", nothing_but).await?;
    }
    observer
        .may_not(&scaling(namespace, workspace, 2), "", "0 or 1 pods")
        .await?;
    given_nothing(cluster).await
}

pub(super) async fn the_reaper_deletes_what_is_marked_only(
    cluster: &Cluster,
    users: &[User],
) -> Result {
    let reaper = Asking::account(cluster, "coditect-reaper").await?;
    let User {
        namespace,
        workspace,
        ..
    } = &users[1];
    let unmarked = "only what carries the annotation";
    let volume = format!("persistentvolumeclaim {workspace} --namespace={namespace}");
    in_force(&reaper, &format!("delete namespace {namespace}"), unmarked).await?;
    reaper
        .may_not(&format!("delete {volume} --wait=false"), "", unmarked)
        .await?;
    reaper
        .may_not("delete namespace kube-system", "", "forbidden")
        .await?;
    for stranger in STRANGER_NAMES.iter().chain(&["default", "coditect"]) {
        let theirs = "users' namespaces and what is in them only";
        let mark = format!("annotate namespace {stranger} --overwrite coditect.ai/tombstone=tried");
        reaper.may_not(&mark, "", theirs).await?;
        reaper
            .may_not(&format!("delete namespace {stranger}"), "", "forbidden")
            .await?;
    }
    for (words, why) in [
        (
            format!("annotate namespace {namespace} coditect.ai/generation=9 --overwrite"),
            "change no other",
        ),
        (
            format!("annotate namespace {namespace} coditect.ai/tombstone="),
            "change no other",
        ),
        (
            format!("label namespace {namespace} a=b"),
            "may change annotations only",
        ),
        (
            format!("label namespace {namespace} app.kubernetes.io/managed-by-"),
            "may change annotations only",
        ),
        (
            format!("patch {volume} --type=merge --patch={{\"metadata\":{{\"finalizers\":null}}}}"),
            "may change annotations only",
        ),
    ] {
        reaper.may_not(&words, "", why).await?;
    }
    reaper
        .may(
            &format!("annotate {volume} coditect.ai/tombstone=deadbeef"),
            "",
        )
        .await?;
    let again = format!("annotate {volume} --overwrite coditect.ai/tombstone=other");
    reaper.may_not(&again, "", "change no other").await?;
    reaper
        .may(&format!("delete {volume} --wait=false"), "")
        .await?;

    given_everything(cluster, "coditect-reaper").await?;
    for words in [
        format!("delete statefulset {workspace} --namespace={namespace}"),
        format!("delete pod {workspace}-0 --namespace={namespace}"),
    ] {
        reaper
            .may_not(&words, "", "may mark and delete Namespaces and volumes")
            .await?;
    }
    given_nothing(cluster).await?;
    reaper
        .may(
            &format!("annotate namespace {namespace} coditect.ai/tombstone=deadbeef"),
            "",
        )
        .await?;
    reaper
        .may(&format!("delete namespace {namespace} --wait=false"), "")
        .await
}

/// Even with every right the policy holds: it does not rely on the role.
async fn given_everything(cluster: &Cluster, account: &str) -> Result {
    let subject = format!("--serviceaccount=coditect:{account}");
    let bind = [
        "create",
        "clusterrolebinding",
        "tried",
        "--clusterrole=cluster-admin",
        &subject,
    ];
    cluster.kubectl(&bind).await.map(drop)
}

async fn given_nothing(cluster: &Cluster) -> Result {
    cluster
        .kubectl(&["delete", "clusterrolebinding", "tried"])
        .await
        .map(drop)
}
