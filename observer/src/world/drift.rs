//! Changes by hand, as they are seen.

use coditect_core::{Notice, NoticeKind, UserId};
use jiff::Timestamp;

use super::{Id, World};
use crate::{
    observe::DRIFT_SHOWN,
    seen::{ApplicationSeen, Edit, NamespaceSeen, SetSeen},
};

impl World {
    /// Notes a change by hand of a workspace.
    pub fn drift(&mut self, id: Id, at: Timestamp, detail: String) {
        let drifts = self.drifts.entry(id).or_default();
        drifts
            .retain(|notice| at.duration_since(notice.at) < DRIFT_SHOWN && notice.detail != detail);
        drifts.push(Notice {
            kind: NoticeKind::Drift,
            at,
            until: None,
            detail,
        });
    }

    /// Forgets the changes of a workspace: what went did so because Git says so.
    pub fn forget_drifts(&mut self, id: Id) {
        self.drifts.remove(&id);
    }

    /// Forgets what is told no longer.
    pub fn forget_old_drifts(&mut self, now: Timestamp) {
        self.drifts.retain(|_, drifts| {
            drifts.retain(|notice| now.duration_since(notice.at) < DRIFT_SHOWN);
            !drifts.is_empty()
        });
    }

    pub(super) fn drift_everywhere(&mut self, user: UserId, at: Timestamp, detail: &str) {
        let sets = self.sets.iter().map(|(id, _)| *id);
        let volumes = self.volumes.iter().map(|(id, _)| *id);
        let mut ids: Vec<Id> = sets.chain(volumes).filter(|id| id.0 == user).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            self.drift(id, at, detail.to_owned());
        }
    }

    pub(super) fn drift_of_namespace(
        &mut self,
        user: UserId,
        old: Option<&NamespaceSeen>,
        new: &NamespaceSeen,
        now: Timestamp,
    ) {
        let Some(old) = old else {
            return;
        };
        if new.deleting && !old.deleting {
            self.drift_everywhere(
                user,
                now,
                "the Namespace was deleted, with everything in it",
            );
        }
        if let Some(edit) = newer(old.edit.as_ref(), new.edit.as_ref()) {
            let detail = format!("the Namespace was changed by hand ({})", edit.tool);
            self.drift_everywhere(user, edit.at, &detail);
        }
    }

    pub(super) fn drift_of_set(&mut self, id: Id, old: Option<&SetSeen>, new: &SetSeen) {
        let Some(old) = old.filter(|old| old.uid == new.uid) else {
            return;
        };
        if let Some(edit) = newer(old.edit.as_ref(), new.edit.as_ref()) {
            let detail = format!(
                "the StatefulSet was changed by hand ({}); Argo CD puts back what Git says",
                edit.tool
            );
            self.drift(id, edit.at, detail);
        }
    }

    /// Changes by hand of objects that are not watched one by one, from what Argo CD put back. Gives back whose they
    /// were.
    pub(super) fn drift_of_application(
        &mut self,
        old: Option<&ApplicationSeen>,
        new: &ApplicationSeen,
    ) -> Vec<UserId> {
        let (Some(old), Some(healed)) = (old, &new.healed) else {
            return Vec::new();
        };
        let Some(at) = healed.started_at.filter(|_| old.healed != new.healed) else {
            return Vec::new();
        };
        let mut users = Vec::new();
        for (user, objects) in &healed.objects {
            // These are watched, and were told when it happened.
            let mut unwatched = objects.iter().filter(|object| {
                let kind = object.split(' ').next().unwrap_or_default();
                !["Namespace", "PersistentVolumeClaim", "StatefulSet"].contains(&kind)
            });
            let Some(first) = unwatched.next() else {
                continue;
            };
            let more = match unwatched.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let detail = format!("changed by hand, and put back by Argo CD: {first}{more}");
            self.drift_everywhere(*user, at, &detail);
            users.push(*user);
        }
        users
    }
}

fn newer<'a>(old: Option<&Edit>, new: Option<&'a Edit>) -> Option<&'a Edit> {
    new.filter(|new| old.is_none_or(|old| old.at < new.at || old.tool != new.tool))
}
