//! What is said of a workspace: the observer's own rules, fed with what this machine sees instead of a cluster.

use coditect_core::{Notice, Readiness, Standing};
use coditect_observer::{
    observe::{self, PodLife, Wanted},
    seen::{About, NamespaceSeen, SetSeen, Warning},
};
use coditect_registry::{
    query::{UserRuntime, WorkspaceRuntime},
    record::{Requested, Status},
};
use jiff::Timestamp;

use super::{
    manifest::{Pod, UserFile},
    worker::{Life, revision},
};

/// What the registry wants of a workspace.
pub(crate) fn wanted(user: &UserRuntime, workspace: &WorkspaceRuntime, held: bool) -> Wanted {
    let intent = &user.row.intent;
    let standing = intent
        .workspace(workspace.id)
        .map_or(Standing::Marked, |workspace| workspace.standing);
    let newest = Requested {
        generation: intent.generation,
        at: user.row.changed_at,
    };
    let landed = user
        .committed
        .as_ref()
        .and_then(|committed| committed.workspaces.get(&workspace.id));
    Wanted {
        requested: user
            .row
            .requested
            .get(&workspace.id)
            .copied()
            .unwrap_or(newest),
        landed: landed.cloned(),
        power: workspace.power.clone(),
        active: intent.standing == Standing::Active && standing == Standing::Active,
        marked: intent.standing == Standing::Marked || standing == Standing::Marked,
        held,
        readiness: Readiness::Gateway,
        quarantine: user.quarantine.clone(),
    }
}

/// What is said of a workspace now. `file` is what Git holds of its user; `notices` follow from its use.
pub(crate) fn status(
    wanted: &Wanted,
    file: Option<(&UserFile, &Pod)>,
    life: &Life,
    notices: &[Notice],
    before: Option<&Status>,
    now: Timestamp,
) -> Status {
    let mut seen = observe::Seen {
        gateway: life.gateway,
        notices: notices.to_vec(),
        ..observe::Seen::default()
    };
    if let Some((file, pod)) = file {
        let uid = pod.workspace.to_string();
        seen.namespace = Some(NamespaceSeen {
            uid: pod.user.to_string(),
            generation: file.intent.generation,
            runs: None,
            deleting: false,
            edit: None,
        });
        seen.set = Some(SetSeen {
            uid: uid.clone(),
            created: Timestamp::UNIX_EPOCH,
            replicas: i32::from(wanted.on()),
            pods: i32::from(life.pod.is_some()),
            observed: true,
            update_revision: Some(revision(pod)),
            edit: None,
        });
        if file.no_room {
            // What a cluster says when it refuses the pod.
            seen.warnings.push(Warning {
                about: About::Set,
                uid,
                reason: "FailedCreate".to_owned(),
                message: "exceeded quota: the namespace may have no pods".to_owned(),
                at: now,
            });
        }
    }
    let pods = life.pod.iter().cloned();
    seen.pods = pods
        .map(|pod| PodLife {
            pod,
            node_silent: false,
        })
        .collect();
    observe::status(wanted, &seen, before, now)
}
