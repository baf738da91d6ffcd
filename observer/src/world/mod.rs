//! All that is known of one cluster, by user and workspace.

mod drift;
mod refused;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{Notice, Shard, UserId, WorkspaceId};
use jiff::Timestamp;

pub use refused::Refused;
pub(crate) use table::{Step, Table};

use crate::{
    observe::{Gateway, PodLife, Seen},
    seen::{ApplicationSeen, NamespaceSeen, NodeSeen, PodSeen, SetSeen, VolumeSeen, Warning},
};

/// A workspace and whose it is.
pub type Id = (UserId, WorkspaceId);

/// Most warnings that are kept for a workspace: the newest. A cluster keeps each for an hour by itself.
const MOST_WARNINGS: usize = 8;

/// Whose state is to be looked at again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Users.
    pub users: BTreeSet<UserId>,
    /// Everybody of these shards.
    pub shards: BTreeSet<Shard>,
}

/// All that is known of one cluster.
#[derive(Debug, Default)]
pub struct World {
    pub(crate) namespaces: Table<UserId, NamespaceSeen>,
    pub(crate) sets: Table<Id, SetSeen>,
    /// By number, as more than one has been made by hand.
    pub(crate) pods: Table<(UserId, WorkspaceId, String), PodSeen>,
    pub(crate) volumes: Table<Id, VolumeSeen>,
    pub(crate) warnings: Table<(UserId, WorkspaceId, String), Warning>,
    pub(crate) nodes: Table<String, NodeSeen>,
    pub(crate) applications: Table<Shard, ApplicationSeen>,
    refused: BTreeMap<UserId, Refused>,
    last_pods: BTreeMap<Id, Timestamp>,
    gateways: BTreeMap<Id, (String, Gateway)>,
    drifts: BTreeMap<Id, Vec<Notice>>,
}

impl World {
    /// True once everything that power and phases depend on was listed.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.namespaces.is_known() && self.sets.is_known() && self.pods.is_known()
    }

    /// What was seen of a workspace. `shard` is where its user's file is.
    #[must_use]
    pub fn seen(&self, id: Id, shard: Shard) -> Seen {
        let (user, workspace) = id;
        let pods = self.pods_of(id).map(|pod| PodLife {
            node_silent: self.is_silent(pod),
            pod: pod.clone(),
        });
        let pods: Vec<PodLife> = pods.collect();
        let answers = self.gateways.get(&id).filter(|(uid, _)| {
            pods.iter()
                .any(|life| life.pod.uid == *uid && life.pod.ready)
        });
        let first = (user, workspace, String::new());
        Seen {
            namespace: self.namespaces.get(&user).cloned(),
            set: self.sets.get(&id).cloned(),
            last_pod: self.last_pods.get(&id).copied(),
            volume: self.volumes.get(&id).cloned(),
            warnings: self
                .warnings
                .from(first)
                .take_while(|((u, w, _), _)| (*u, *w) == id)
                .map(|(_, warning)| warning.clone())
                .collect(),
            refused: self
                .refused
                .get(&user)
                .map(|refused| refused.failure.clone()),
            unreadable: self
                .applications
                .get(&shard)
                .and_then(|application| application.unreadable.clone()),
            gateway: answers.map_or(Gateway::Unasked, |(_, gateway)| *gateway),
            notices: self.drifts.get(&id).cloned().unwrap_or_default(),
            pods,
        }
    }

    /// The StatefulSet of a workspace.
    #[must_use]
    pub fn set(&self, id: Id) -> Option<&SetSeen> {
        self.sets.get(&id)
    }

    /// A user's Namespace.
    pub fn namespace(&self, user: UserId) -> Option<&NamespaceSeen> {
        self.namespaces.get(&user)
    }

    /// The pods of a workspace.
    pub fn pods_of(&self, id: Id) -> impl Iterator<Item = &PodSeen> {
        self.pods
            .from((id.0, id.1, String::new()))
            .take_while(move |((user, workspace, _), _)| (*user, *workspace) == id)
            .map(|(_, pod)| pod)
    }

    /// Everybody whose objects were refused when Argo CD last applied them.
    pub fn refused(&self) -> impl Iterator<Item = (UserId, &Refused)> {
        self.refused.iter().map(|(user, refused)| (*user, refused))
    }

    /// How many Applications the cell has; `None` before they were listed.
    #[must_use]
    pub fn applications(&self) -> Option<usize> {
        self.applications
            .is_known()
            .then(|| self.applications.len())
    }

    /// Ready pods whose gateway has not answered: the uid of the pod, and since when it is silent if it was asked.
    #[must_use]
    pub fn unanswered(&self) -> Vec<(Id, String, Option<Timestamp>)> {
        let mut unanswered = Vec::new();
        for ((user, workspace, _), pod) in self.pods.iter().filter(|(_, pod)| pod.ready) {
            let id = (*user, *workspace);
            let asked = self.gateways.get(&id).filter(|(uid, _)| *uid == pod.uid);
            match asked {
                Some((_, Gateway::Answers)) => {}
                Some((_, Gateway::Silent { since })) => {
                    unanswered.push((id, pod.uid.clone(), Some(*since)));
                }
                Some((_, Gateway::Unasked)) | None => unanswered.push((id, pod.uid.clone(), None)),
            }
        }
        unanswered
    }

    /// Notes whether the gateway of a pod answered; true if that changes something.
    pub fn note_gateway(&mut self, id: Id, uid: String, answered: bool, now: Timestamp) -> bool {
        let gateway = match self.gateways.get(&id) {
            _ if answered => Gateway::Answers,
            Some((known, silent @ Gateway::Silent { .. })) if *known == uid => *silent,
            _ => Gateway::Silent { since: now },
        };
        self.gateways
            .insert(id, (uid, gateway))
            .is_none_or(|(_, before)| before != gateway)
    }

    fn is_silent(&self, pod: &PodSeen) -> bool {
        let Some(node) = pod.node.as_ref().filter(|_| self.nodes.is_known()) else {
            return false;
        };
        self.nodes.get(node).is_none_or(|node| !node.ready)
    }

    pub(crate) fn on_namespace(
        &mut self,
        step: Step<UserId, NamespaceSeen>,
        now: Timestamp,
    ) -> Touched {
        let mut touched = Touched::default();
        if let Step::Put(user, new) = &step {
            let old = self.namespaces.get(user).cloned();
            self.drift_of_namespace(*user, old.as_ref(), new, now);
            touched.users.insert(*user);
        }
        for (user, old) in self.namespaces.take(step) {
            if !old.deleting {
                self.drift_everywhere(user, now, "the Namespace was removed");
            }
            // Whoever is deleted must not stay in memory for ever.
            self.last_pods.retain(|(of, _), _| *of != user);
            touched.users.insert(user);
        }
        touched
    }

    pub(crate) fn on_set(&mut self, step: Step<Id, SetSeen>, now: Timestamp) -> Touched {
        let mut touched = Touched::default();
        if let Step::Put(id, new) = &step {
            let old = self.sets.get(id).cloned();
            self.drift_of_set(*id, old.as_ref(), new);
            touched.users.insert(id.0);
        }
        for (id, _) in self.sets.take(step) {
            if self
                .namespaces
                .get(&id.0)
                .is_some_and(|namespace| !namespace.deleting)
            {
                self.drift(
                    id,
                    now,
                    "the StatefulSet was deleted; Argo CD makes it again".to_owned(),
                );
            }
            touched.users.insert(id.0);
        }
        touched
    }

    pub(crate) fn on_pod(&mut self, step: Step<(UserId, WorkspaceId, String), PodSeen>) -> Touched {
        let mut touched = Touched::default();
        if let Step::Put((user, workspace, _), new) = &step {
            touched.users.insert(*user);
            self.note_pod((*user, *workspace), new.created);
        }
        for ((user, workspace, _), old) in self.pods.take(step) {
            touched.users.insert(user);
            self.note_pod((user, workspace), old.created);
            if self.pods_of((user, workspace)).next().is_none() {
                self.gateways.remove(&(user, workspace));
            }
        }
        touched
    }

    fn note_pod(&mut self, id: Id, created: Timestamp) {
        let last = self.last_pods.entry(id).or_insert(created);
        *last = created.max(*last);
    }

    pub(crate) fn on_volume(&mut self, step: Step<Id, VolumeSeen>, now: Timestamp) -> Touched {
        let mut touched = Touched::default();
        if let Step::Put(id, _) = &step {
            touched.users.insert(id.0);
        }
        for (id, _) in self.volumes.take(step) {
            touched.users.insert(id.0);
            if self
                .namespaces
                .get(&id.0)
                .is_some_and(|namespace| !namespace.deleting)
            {
                self.drift(id, now, "the PersistentVolumeClaim was deleted".to_owned());
            }
        }
        touched
    }

    pub(crate) fn on_warning(
        &mut self,
        step: Step<(UserId, WorkspaceId, String), Warning>,
    ) -> Touched {
        let mut touched = Touched::default();
        let put = match &step {
            Step::Put((user, workspace, _), _) => Some((*user, *workspace)),
            _ => None,
        };
        // What a cluster forgets of itself changes no status: the obstacle does.
        self.warnings.take(step);
        if let Some((user, workspace)) = put {
            touched.users.insert(user);
            let all: Vec<(String, Timestamp)> = self
                .warnings
                .from((user, workspace, String::new()))
                .take_while(|((u, w, _), _)| (*u, *w) == (user, workspace))
                .map(|((_, _, name), warning)| (name.clone(), warning.at))
                .collect();
            if all.len() > MOST_WARNINGS
                && let Some((oldest, _)) = all.into_iter().min_by_key(|(_, at)| *at)
            {
                self.warnings.remove(&(user, workspace, oldest));
            }
        }
        touched
    }

    pub(crate) fn on_node(&mut self, step: Step<String, NodeSeen>) -> Touched {
        let mut names = BTreeSet::new();
        if let Step::Put(name, new) = &step
            && self.nodes.get(name) != Some(new)
        {
            names.insert(name.clone());
        }
        names.extend(self.nodes.take(step).into_iter().map(|(name, _)| name));
        let mut touched = Touched::default();
        if !names.is_empty() {
            let on = |pod: &PodSeen| pod.node.as_ref().is_some_and(|node| names.contains(node));
            let users = self.pods.iter().filter(|(_, pod)| on(pod));
            touched.users = users.map(|((user, ..), _)| *user).collect();
        }
        touched
    }

    pub(crate) fn on_application(&mut self, step: Step<Shard, ApplicationSeen>) -> Touched {
        let mut touched = Touched::default();
        if let Step::Put(shard, new) = &step {
            let old = self.applications.get(shard).cloned();
            let healed = self.drift_of_application(old.as_ref(), new);
            if old.as_ref().and_then(|old| old.unreadable.as_ref()) != new.unreadable.as_ref() {
                touched.shards.insert(*shard);
            }
            touched.users = refused::take_in(&mut self.refused, *shard, new);
            touched.users.extend(healed);
        }
        for (shard, _) in self.applications.take(step) {
            self.refused.retain(|_, refused| refused.shard != shard);
            touched.shards.insert(shard);
        }
        touched
    }
}

#[cfg(test)]
mod tests;
