//! Why a file changed, in a few words for the commit message: the difference of two intents.

use coditect_core::{Standing, UserIntent};

/// Why a file is new.
pub(super) fn created(intent: &UserIntent) -> String {
    format!(
        "plan {}, {} workspace(s)",
        intent.plan,
        intent.workspaces.len()
    )
}

/// What changed between the intent in Git and the one wanted.
pub(super) fn changed(before: Option<&UserIntent>, now: &UserIntent) -> String {
    let Some(before) = before else {
        return "rendered again: the file could not be read".into();
    };
    let mut words: Vec<String> = Vec::new();
    if before.plan != now.plan {
        words.push(format!("plan {} → {}", before.plan, now.plan));
    }
    if before.standing != now.standing {
        words.push(standing(now.standing).into());
    }
    if before.ring != now.ring {
        words.push("ring".into());
    }
    for workspace in &now.workspaces {
        let id = workspace.id;
        let Some(old) = before.workspace(id) else {
            words.push(format!("workspace {id} created"));
            continue;
        };
        if old.storage_gib != workspace.storage_gib {
            words.push(format!(
                "workspace {id} storage {} → {} Gi",
                old.storage_gib, workspace.storage_gib
            ));
        }
        if old.standing != workspace.standing {
            words.push(format!("workspace {id} {}", standing(workspace.standing)));
        }
    }
    for workspace in before
        .workspaces
        .iter()
        .filter(|workspace| now.workspace(workspace.id).is_none())
    {
        words.push(format!("workspace {} deleted", workspace.id));
    }
    if words.is_empty() {
        return if before.generation == now.generation {
            "policy, templates or a change by hand".into()
        } else {
            "no change of substance".into()
        };
    }
    words.join(", ")
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "in use again",
        Standing::Suspended => "suspended",
        Standing::Marked => "marked for deletion",
    }
}
