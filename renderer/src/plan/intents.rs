//! Two intents of one user, made comparable.

use std::collections::BTreeMap;

use coditect_core::{UserIntent, WorkspaceId};

/// Both intents with their workspaces numbered alike: shapes are compared by position, and a workspace that comes must
/// not move the others. Those that both have come first.
pub(super) fn aligned(
    before: Option<&UserIntent>,
    after: Option<&UserIntent>,
) -> [Option<UserIntent>; 2] {
    let ids = |intent: Option<&UserIntent>| -> Vec<WorkspaceId> {
        let workspaces = intent.map_or(&[][..], |intent| &intent.workspaces);
        workspaces.iter().map(|workspace| workspace.id).collect()
    };
    let (old, new) = (ids(before), ids(after));
    let (both, gone): (Vec<_>, Vec<_>) = old.into_iter().partition(|id| new.contains(id));
    let come = new.into_iter().filter(|id| !both.contains(id));
    let come: Vec<_> = come.collect();
    [(before, gone), (after, come)].map(|(intent, own)| {
        let numbers: BTreeMap<_, u128> = both.iter().copied().chain(own).zip(0..).collect();
        let mut intent = intent?.clone();
        for workspace in &mut intent.workspaces {
            let number = numbers.get(&workspace.id).copied().unwrap_or_default();
            workspace.id = WorkspaceId::from_bytes(number.to_be_bytes());
        }
        intent.workspaces.sort_by_key(|workspace| workspace.id);
        Some(intent)
    })
}
