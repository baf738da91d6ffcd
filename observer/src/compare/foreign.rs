//! Who else has a hand in an object: fields that Git leaves out and nobody but a person or another tool sets.

use serde_json::Value;

use crate::managers::is_controller;

/// The managers of an object, other than controllers, that own one of its fields outside metadata and status,
/// each with the first such field; without the scale, which is the observer's. Values that the API server
/// defaults are nobody's (Kubernetes documentation, "Field Management").
pub(super) fn foreign(managed_fields: &Value) -> Vec<(String, String)> {
    managed_fields
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["subresource"].as_str().unwrap_or_default().is_empty())
        .filter_map(|entry| {
            let manager = entry["manager"].as_str().unwrap_or("unknown");
            if is_controller(manager) {
                return None;
            }
            let field = first(&entry["fieldsV1"])?;
            Some((manager.to_owned(), field))
        })
        .collect()
}

/// The first field owned, as a path.
fn first(fields: &Value) -> Option<String> {
    fields
        .as_object()?
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "f:metadata" | "f:status"))
        .find_map(|(name, below)| path(name, below))
        .filter(|path| path != "spec.replicas")
}

fn path(name: &str, below: &Value) -> Option<String> {
    let name = name.strip_prefix("f:").unwrap_or(name);
    let fields = below.as_object()?;
    let mut deeper = fields.iter().filter(|(name, _)| *name != ".");
    // The scale beside another field must not hide it.
    let found = deeper.find_map(|(field, below)| {
        (name != "spec" || field != "f:replicas" || fields.len() == 1)
            .then(|| path(field, below))
            .flatten()
    });
    match found {
        Some(below) => Some(format!("{name}.{below}")),
        None => Some(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_persons_field_is_named_and_the_clusters_own_are_not() {
        let entries = json!([
            {"manager": "argocd-controller", "fieldsV1": {"f:spec": {"f:template": {}}}},
            {"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:volumeName": {}}}},
            {"manager": "ingress", "subresource": "status", "fieldsV1": {"f:status": {}}},
            {"manager": "kubectl", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "labeller", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
            {"manager": "kubectl-patch", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl-edit", "fieldsV1": {
                "f:metadata": {"f:labels": {}},
                "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:hostNetwork": {}}}}
            }}
        ]);
        assert_eq!(
            foreign(&entries),
            [(
                "kubectl-edit".to_owned(),
                "spec.template.spec.hostNetwork".to_owned()
            )]
        );
    }

    #[test]
    fn no_record_is_no_difference() {
        assert!(foreign(&Value::Null).is_empty());
    }
}
