//! Warnings about a user's objects.

use coditect_core::{UserId, WorkspaceId};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use super::{user_of, workspace_named};

/// Longest message that is kept: what a status shows of it is shorter still.
const LONGEST: usize = 600;

/// Which object of a workspace a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// Its StatefulSet.
    Set,
    /// Its pod.
    Pod,
    /// Its PersistentVolumeClaim.
    Volume,
}

/// A warning about an object of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which object.
    pub about: About,
    /// The object's uid.
    pub uid: String,
    /// What happened, in a word (`FailedCreate`).
    pub reason: String,
    /// What happened, in a sentence.
    pub message: String,
    /// When it was last seen.
    pub at: Timestamp,
}

/// What is kept of an event, and whose it is; nothing if it is not about an object of a workspace.
#[must_use]
pub fn warning_of(event: &Event) -> Option<(UserId, WorkspaceId, Warning)> {
    let object = &event.involved_object;
    let user = user_of(object.namespace.as_deref()?)?;
    let about = match object.kind.as_deref()? {
        "StatefulSet" => About::Set,
        "Pod" => About::Pod,
        "PersistentVolumeClaim" => About::Volume,
        _ => return None,
    };
    let workspace = workspace_named(object.name.as_deref()?)?;
    // Which of its times a source fills in depends on its age (Kubernetes API, Event v1 core).
    let at = event
        .series
        .as_ref()
        .and_then(|series| series.last_observed_time.as_ref())
        .map(|at| at.0)
        .or_else(|| event.last_timestamp.as_ref().map(|at| at.0))
        .or_else(|| event.event_time.as_ref().map(|at| at.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|at| at.0))?;
    Some((
        user,
        workspace,
        Warning {
            about,
            uid: object.uid.clone().unwrap_or_default(),
            reason: event.reason.clone().unwrap_or_default(),
            message: event
                .message
                .as_deref()
                .unwrap_or_default()
                .chars()
                .take(LONGEST)
                .collect(),
            at,
        },
    ))
}
