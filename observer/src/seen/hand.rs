//! Who changed an object: the API server keeps it in `managedFields`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use crate::managers::is_controller;

/// A change by somebody who is none of the controllers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The tool, as the API server recorded it (`kubectl-edit`).
    pub tool: String,
    /// When.
    pub at: Timestamp,
}

/// What the API server calls the unknown who wrote an object before anybody applied it.
const UNKNOWN: &str = "before-first-apply";

/// Longest name of a tool that is kept.
const LONGEST: usize = 40;

/// The newest change by hand that still owns a field. What a person changed and Argo CD put back is owned by
/// Argo CD again (Kubernetes documentation, "Server-Side Apply: Field management"), so it is seen between the two.
#[must_use]
pub fn edited_by_hand(meta: &ObjectMeta) -> Option<Edit> {
    meta.managed_fields
        .iter()
        .flatten()
        // A scale is compared with the one that is wanted, and a status is a controller's.
        .filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty())
        .filter_map(by_hand)
        .max_by_key(|edit| edit.at)
}

fn by_hand(entry: &ManagedFieldsEntry) -> Option<Edit> {
    let tool = entry.manager.as_deref()?;
    if is_controller(tool) || tool == UNKNOWN {
        return None;
    }
    Some(Edit {
        tool: tool
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c))
            .take(LONGEST)
            .collect(),
        at: entry.time.as_ref()?.0,
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn entry(manager: &str, second: i64, subresource: Option<&str>) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            time: Some(Time(Timestamp::from_second(second).unwrap())),
            subresource: subresource.map(str::to_owned),
            ..ManagedFieldsEntry::default()
        }
    }

    #[test]
    fn a_person_is_told_from_controllers() {
        let mut meta = ObjectMeta {
            managed_fields: Some(vec![
                entry("argocd-controller", 9, None),
                entry("kube-controller-manager", 9, Some("status")),
                entry("coditect-observer", 9, Some("scale")),
                entry("kubectl", 9, Some("scale")),
            ]),
            ..ObjectMeta::default()
        };
        assert_eq!(edited_by_hand(&meta), None);
        let fields = meta.managed_fields.as_mut().unwrap();
        fields.push(entry("kubectl-edit", 5, None));
        fields.push(entry("argocd-server <x>", 7, None));
        let edit = edited_by_hand(&meta).unwrap();
        assert_eq!(
            (edit.tool.as_str(), edit.at.as_second()),
            ("argocd-serverx", 7)
        );
    }
}
