//! What no type says but must hold of every user's file.

use std::collections::HashSet;

use serde_json::Value;

use crate::policy::{label_key, label_value};

/// Rules of one object.
pub(super) fn object(document: &Value, kind: &str, namespace: &str) -> Result<(), String> {
    let metadata = &document["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    if !is_dns_label(name) {
        return Err(format!(
            ".metadata.name `{name}` is not a name: lower-case letters, digits and inner hyphens, at most 63"
        ));
    }
    if kind == "Namespace" {
        if name != namespace {
            return Err(format!(
                ".metadata.name is not `{namespace}`, the user's namespace"
            ));
        }
    } else if metadata["namespace"].as_str() != Some(namespace) {
        return Err(format!(
            ".metadata.namespace is not `{namespace}`, the user's namespace"
        ));
    }
    labels(".metadata.labels", &metadata["labels"])?;
    for key in metadata["annotations"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
    {
        label_key(key).map_err(|why| format!(".metadata.annotations: `{key}` {why}"))?;
    }
    match kind {
        "StatefulSet" => stateful_set(document),
        "Service" => service(document),
        "Ingress" => ingress(document),
        "RoleBinding" => role_binding(document, namespace),
        _ => Ok(()),
    }
}

/// Rules of the file as a whole.
pub(super) fn file(documents: &[Value], namespace: &str) -> Result<(), String> {
    let mut seen = HashSet::new();
    for document in documents {
        let (kind, name) = (
            document["kind"].as_str(),
            document["metadata"]["name"].as_str(),
        );
        if !seen.insert((kind, name)) {
            return Err(format!(
                "{}/{} is there twice",
                kind.unwrap_or_default(),
                name.unwrap_or_default()
            ));
        }
    }
    match documents.first() {
        Some(first) if first["kind"] == "Namespace" => Ok(()),
        _ => Err(format!(
            "the first document must be the Namespace {namespace}"
        )),
    }
}

fn stateful_set(document: &Value) -> Result<(), String> {
    let spec = &document["spec"];
    if spec.get("replicas").is_some() {
        return Err(
            ".spec.replicas is the observer's alone: a StatefulSet in Git leaves it out".to_owned(),
        );
    }
    if spec.get("volumeClaimTemplates").is_some() {
        return Err(".spec.volumeClaimTemplates is not for a workspace, whose volume is an object of its own".to_owned());
    }
    if spec["updateStrategy"]["type"] != "OnDelete" {
        return Err(".spec.updateStrategy.type must be OnDelete: no change of a template restarts a person's pod".to_owned());
    }
    let pod = &spec["template"]["spec"];
    labels(
        ".spec.template.metadata.labels",
        &spec["template"]["metadata"]["labels"],
    )?;
    for (field, refused) in [
        ("hostNetwork", true),
        ("hostPID", true),
        ("hostIPC", true),
        ("shareProcessNamespace", true),
        ("automountServiceAccountToken", true),
    ] {
        if pod.get(field) == Some(&Value::Bool(refused)) {
            return Err(format!(".spec.template.spec.{field} may not be true"));
        }
    }
    if pod["automountServiceAccountToken"] != Value::Bool(false) {
        return Err(".spec.template.spec.automountServiceAccountToken must be false".to_owned());
    }
    for group in ["initContainers", "containers"] {
        for (index, container) in pod[group].as_array().into_iter().flatten().enumerate() {
            let image = container["image"].as_str().unwrap_or_default();
            crate::policy::image(image)
                .map_err(|why| format!(".spec.template.spec.{group}[{index}].image {why}"))?;
        }
    }
    Ok(())
}

fn service(document: &Value) -> Result<(), String> {
    match document["spec"].get("type").and_then(Value::as_str) {
        None | Some("ClusterIP") => Ok(()),
        Some(other) => Err(format!(
            ".spec.type `{other}` would open a way around the route"
        )),
    }
}

/// Wildcard certificates belong to the ingress controller: a user's namespace holds no Secret.
fn ingress(document: &Value) -> Result<(), String> {
    let entries = document["spec"]["tls"].as_array();
    match entries
        .into_iter()
        .flatten()
        .position(|entry| entry.get("secretName").is_some())
    {
        Some(index) => Err(format!(
            ".spec.tls[{index}].secretName: a user's namespace holds no Secret"
        )),
        None => Ok(()),
    }
}

/// Rights go to service accounts of the namespace, never to people: their names would stand in Git.
fn role_binding(document: &Value, namespace: &str) -> Result<(), String> {
    if document["roleRef"]["kind"] != "Role" {
        return Err(
            ".roleRef.kind must be Role: a ClusterRole reaches beyond the namespace's own rules"
                .to_owned(),
        );
    }
    for (index, subject) in document["subjects"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        if subject["kind"] != "ServiceAccount" || subject["namespace"] != *namespace {
            return Err(format!(
                ".subjects[{index}] must be a ServiceAccount of {namespace}"
            ));
        }
    }
    Ok(())
}

fn labels(path: &str, labels: &Value) -> Result<(), String> {
    for (key, value) in labels.as_object().into_iter().flatten() {
        label_key(key).map_err(|why| format!("{path}: `{key}` {why}"))?;
        label_value(value.as_str().unwrap_or_default())
            .map_err(|why| format!("{path}: `{key}` {why}"))?;
    }
    Ok(())
}

fn is_dns_label(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}
