//! What is known of Kubernetes' objects beyond JSON: which lists have keys, which objects may hold more than
//! Git says, what the API server leaves out.

use serde_json::Value;

/// Which fields together say which element of a list is which (Kubernetes API reference, "listMapKey" and
/// "patchMergeKey"); none for a list that is one value, compared by position.
pub(super) fn keys_of(list: &str, elements: &[Value]) -> Option<&'static [&'static str]> {
    let all = |key: &str| elements.iter().all(|element| element.get(key).is_some());
    match list {
        "containers" | "ephemeralContainers" | "env" | "initContainers" | "volumes"
            if all("name") =>
        {
            Some(&["name"])
        }
        "volumeMounts" if all("mountPath") => Some(&["mountPath"]),
        "volumeDevices" if all("devicePath") => Some(&["devicePath"]),
        "ports" if all("containerPort") => Some(&["containerPort", "protocol"]),
        _ => None,
    }
}

/// What the API server puts where a key is left out.
pub(super) fn default_of(key: &str) -> Option<Value> {
    (key == "protocol").then(|| Value::from("TCP"))
}

/// True if the object `name` may hold nothing that Git does not say: a further key would select other pods,
/// bound other things or allow more.
pub(super) fn is_exact(kind: &str, name: &str) -> bool {
    match kind {
        "NetworkPolicy" if name == "spec" => true,
        "Role" if name == "rules" => true,
        "RoleBinding" if name == "roleRef" || name == "subjects" => true,
        "ResourceQuota" | "LimitRange" if name == "spec" => true,
        _ => matches!(
            name,
            "capabilities"
                | "matchLabels"
                | "namespaceSelector"
                | "nodeSelector"
                | "podSelector"
                | "selector"
        ),
    }
}

/// True for what the API server adds even where nothing else may stand.
pub(super) fn is_default(kind: &str, parent: &str, name: &str) -> bool {
    match name {
        "policyTypes" | "protocol" | "apiGroup" => true,
        // A LimitRange's bounds bring each other about (Kubernetes API, `LimitRangeItem`).
        "default" | "defaultRequest" => kind == "LimitRange",
        _ => kind == "LimitRange" && matches!(parent, "default" | "defaultRequest"),
    }
}

/// True if the API server does not write the field out when it has this value, so that its absence says the same.
pub(super) fn is_left_out(name: &str, wanted: &Value) -> bool {
    match wanted {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => {
            fields.is_empty()
                && matches!(
                    name,
                    "annotations" | "hard" | "labels" | "matchLabels" | "nodeSelector"
                )
        }
        Value::Bool(false) => matches!(
            name,
            "hostIPC"
                | "hostNetwork"
                | "hostPID"
                | "publishNotReadyAddresses"
                | "readOnly"
                | "stdin"
                | "stdinOnce"
                | "tty"
        ),
        Value::String(text) => text.is_empty() && name == "apiGroup",
        _ => false,
    }
}
