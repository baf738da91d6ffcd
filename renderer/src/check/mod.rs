//! The last gate before Git: every rendered document is a valid object of a kind that a user may have,
//! in the user's own namespace, and loses nothing when it is read as what it says it is.

mod http_route;
mod rules;
mod trace;

use coditect_core::{Error, Result};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{
        LimitRange, Namespace, PersistentVolumeClaim, ResourceQuota, Service, ServiceAccount,
    },
    networking::v1::{Ingress, NetworkPolicy},
    rbac::v1::{Role, RoleBinding},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use self::http_route::HttpRoute;

/// How one kind is read and written again.
type RoundTrip = fn(&Value) -> Result<(), String>;

/// The kinds that a user's file may hold. A Secret is none of them.
const KINDS: [(&str, &str, RoundTrip); 12] = [
    ("v1", "Namespace", round_trip::<Namespace>),
    ("v1", "ResourceQuota", round_trip::<ResourceQuota>),
    ("v1", "LimitRange", round_trip::<LimitRange>),
    ("v1", "ServiceAccount", round_trip::<ServiceAccount>),
    (
        "v1",
        "PersistentVolumeClaim",
        round_trip::<PersistentVolumeClaim>,
    ),
    ("v1", "Service", round_trip::<Service>),
    ("apps/v1", "StatefulSet", round_trip::<StatefulSet>),
    ("networking.k8s.io/v1", "Ingress", round_trip::<Ingress>),
    (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        round_trip::<NetworkPolicy>,
    ),
    ("rbac.authorization.k8s.io/v1", "Role", round_trip::<Role>),
    (
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        round_trip::<RoleBinding>,
    ),
    (
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        round_trip::<HttpRoute>,
    ),
];

/// Checks all documents of one user's file.
///
/// # Errors
/// `Invalid` naming the object (`StatefulSet/workspace-…`) and the JSON path of what is wrong, with the
/// nearest valid field where there is one.
pub fn check(text: &str, namespace: &str) -> Result<()> {
    let documents = objects(text, namespace)?;
    rules::file(&documents, namespace).map_err(|why| Error::invalid(format!("{namespace}:"), why))
}

/// Checks documents each for itself and returns them.
pub(crate) fn objects(text: &str, namespace: &str) -> Result<Vec<Value>> {
    let documents = documents(text)?;
    for document in &documents {
        let name = describe(document);
        object(document, namespace).map_err(|why| Error::invalid(format!("{name}:"), why))?;
    }
    Ok(documents)
}

/// The documents of a file as plain values.
///
/// # Errors
/// `Invalid` naming line and column where the text is no YAML.
pub fn documents(text: &str) -> Result<Vec<Value>> {
    use serde_saphyr::options::DuplicateKeyPolicy;
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let place = error.location().map_or_else(String::new, |at| {
            format!(" at line {}, column {}", at.line(), at.column())
        });
        Error::invalid(
            "manifests",
            format!("are not YAML{place}: {}", error.without_snippet()),
        )
    })
}

/// `Kind/name` of a document, as far as it has them.
fn describe(document: &Value) -> String {
    let part = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!(
        "{}/{}",
        part(&document["kind"]),
        part(&document["metadata"]["name"])
    )
}

fn object(document: &Value, namespace: &str) -> Result<(), String> {
    let (version, kind) = (
        document["apiVersion"].as_str().unwrap_or_default(),
        document["kind"].as_str().unwrap_or_default(),
    );
    let Some((_, _, round_trip)) = KINDS.iter().find(|(v, k, _)| *v == version && *k == kind)
    else {
        let known: Vec<String> = KINDS
            .iter()
            .map(|(version, kind, _)| format!("{version} {kind}"))
            .collect();
        return Err(format!(
            "`{version}` `{kind}` is not among the kinds that a user may have: {}",
            known.join(", ")
        ));
    };
    round_trip(document)?;
    rules::object(document, kind, namespace)
}

/// Reads a document as its type and writes it again: a field that the type does not know is lost on the
/// way, a value of another type is refused.
fn round_trip<T: Serialize + DeserializeOwned>(document: &Value) -> Result<(), String> {
    let (typed, fields) = trace::decode::<T>(document)?;
    let again = serde_json::to_value(&typed)
        .map_err(|error| format!("cannot be written again: {error}"))?;
    lost("", document, &again, &fields)
}

/// Whatever is in `before` must be in `after`, unchanged. What `after` has besides are defaults.
fn lost(path: &str, before: &Value, after: &Value, fields: &trace::Fields) -> Result<(), String> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let path = format!("{path}.{key}");
                match after.get(key) {
                    Some(kept) => lost(&path, value, kept, fields)?,
                    None if value.is_null() => {
                        return Err(format!("{path} is empty; leave it out"));
                    }
                    None => {
                        return Err(format!(
                            "{path} is no field there{}",
                            fields.hint(&path, key)
                        ));
                    }
                }
            }
            Ok(())
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => before
            .iter()
            .zip(after)
            .enumerate()
            .try_for_each(|(index, (before, after))| {
                lost(&format!("{path}[{index}]"), before, after, fields)
            }),
        _ if before == after => Ok(()),
        _ => Err(format!("{path} is {before} but reads as {after}")),
    }
}
