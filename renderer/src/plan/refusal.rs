//! What the API server refuses of a change to an object that is there (Kubernetes 1.33, `pkg/apis/*/validation`).

use serde_json::Value;

use super::quantity::thousandths;

/// A field and why its change is refused, with the remedy.
pub(super) type Refused = (String, String);

/// Fields of a StatefulSet's spec that may change (`ValidateStatefulSetUpdate`).
const STATEFUL_SET: [&str; 7] = [
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
];
/// Fields of a claim's spec that may change (`ValidatePersistentVolumeClaimUpdate`); the size may only grow.
const CLAIM: [&str; 2] = ["resources", "volumeAttributesClassName"];
/// What a field is that is not there.
const DEFAULTS: [(&str, &str); 2] = [
    ("podManagementPolicy", "OrderedReady"),
    ("volumeMode", "Filesystem"),
];

/// What is refused of changing one object into another of the same kind and name.
pub(super) fn refused(kind: &str, before: &Value, after: &Value) -> Vec<Refused> {
    let mut found = Vec::new();
    match kind {
        "StatefulSet" => {
            fixed(before, after, &STATEFUL_SET, &mut found);
            stateful_set(after, &mut found);
        }
        "PersistentVolumeClaim" => {
            fixed(before, after, &CLAIM, &mut found);
            shrunk(before, after, &mut found);
        }
        "Service" => {
            for field in ["clusterIP", "clusterIPs"] {
                same(before, after, &format!("/spec/{field}"), &mut found);
            }
        }
        "RoleBinding" => same(before, after, "/roleRef", &mut found),
        "ResourceQuota" => same(before, after, "/spec/scopes", &mut found),
        _ => {}
    }
    found
}

/// What is refused of an object that is new.
pub(super) fn refused_anew(kind: &str, after: &Value) -> Vec<Refused> {
    let mut found = Vec::new();
    if kind == "StatefulSet" {
        stateful_set(after, &mut found);
    }
    found
}

fn immutable(field: String, before: &Value, after: &Value, found: &mut Vec<Refused>) {
    let why = format!(
        "cannot change from {} to {}: the API server refuses it; keep it, or give the object another name",
        short(before),
        short(after)
    );
    found.push((field, why));
}

fn short(value: &Value) -> String {
    if value.is_null() {
        return "nothing".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Every field of the spec but some stays as it is.
fn fixed(before: &Value, after: &Value, may_change: &[&str], found: &mut Vec<Refused>) {
    let fields = |value: &Value| -> Vec<String> {
        let spec = value["spec"].as_object();
        spec.into_iter()
            .flatten()
            .map(|(key, _)| key.clone())
            .collect()
    };
    let mut all = fields(before);
    all.extend(fields(after));
    all.sort();
    all.dedup();
    for field in all
        .iter()
        .filter(|field| !may_change.contains(&field.as_str()))
    {
        let default = DEFAULTS.iter().find(|(name, _)| name == field);
        let value = |of: &Value| match (&of["spec"][field.as_str()], default) {
            (Value::Null, Some((_, default))) => Value::from(*default),
            (value, _) => value.clone(),
        };
        let (was, is) = (value(before), value(after));
        if was != is {
            immutable(format!("spec.{field}"), &was, &is, found);
        }
    }
}

fn same(before: &Value, after: &Value, pointer: &str, found: &mut Vec<Refused>) {
    let value = |of: &Value| of.pointer(pointer).cloned().unwrap_or_default();
    let (was, is) = (value(before), value(after));
    if was != is {
        let field = pointer.trim_start_matches('/').replace('/', ".");
        immutable(field, &was, &is, found);
    }
}

fn stateful_set(after: &Value, found: &mut Vec<Refused>) {
    let spec = &after["spec"];
    if spec.get("replicas").is_some() {
        let why = "is the observer's alone: with it in Git every sync would start or stop workspaces; leave it out";
        found.push(("spec.replicas".to_owned(), why.to_owned()));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    for (label, value) in spec["selector"]["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
    {
        if labels.get(label) != Some(value) {
            let why = format!(
                "selects `{label}`, which the pod template does not carry; put the label on the template"
            );
            found.push(("spec.selector".to_owned(), why));
        }
    }
}

fn shrunk(before: &Value, after: &Value, found: &mut Vec<Refused>) {
    let text = |of: &Value| {
        let size = of.pointer("/spec/resources/requests/storage");
        size.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (was, is) = (text(before), text(after));
    if is.is_empty() {
        let why = "is missing, which every claim needs; write it";
        found.push(("spec.resources.requests.storage".to_owned(), why.to_owned()));
    }
    if let (Some(before), Some(after)) = (thousandths(&was), thousandths(&is))
        && after < before
    {
        let why =
            format!("cannot shrink from {was} to {is}: a volume never does; keep {was} or more");
        found.push(("spec.resources.requests.storage".to_owned(), why));
    }
}
