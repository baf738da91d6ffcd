//! Who waits for a person's approval, what is published of them meanwhile, and what the registry is told of it
//! afterwards.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{ApprovalReason, ChangeId, Error, Shard, TenantId, UserId, UserIntent};
use coditect_registry::record::{ApprovalUser, IntentRow};
use git2::Oid;

use super::{Outcome, Problem, Staging};
use crate::{
    approval::{approved_by, asked, held_back, is_change, judge, provisioned, wanted},
    load::Work,
};

/// Somebody who waits for an approval.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) tenant: TenantId,
    pub(crate) asked: ApprovalUser,
    /// What stands meanwhile.
    pub(crate) before: Option<UserIntent>,
}

/// Somebody who waited for a change and does not any more.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) user: UserId,
    pub(crate) change: ChangeId,
    /// The commit of the policy that approves it; none if nobody asks any more.
    pub(crate) approved: Option<String>,
}

/// What is decided about a row.
enum Verdict {
    /// All of it is published; the name says that it was approved.
    Passes { approved: bool },
    /// Git has seen a later life of the registry, which must catch up first.
    Behind(UserIntent),
    /// People are asked; what is published meanwhile, if anything.
    Waits(Box<Asked>, Option<UserIntent>),
}

impl Staging<'_> {
    /// Gives of a row what may be published now, with the registry's volumes raised to that: the row, or what is held
    /// back of it, or none if nothing of a new user may be.
    pub(super) fn settled(&mut self, mut row: IntentRow) -> Result<Option<IntentRow>, Problem> {
        // A raise gives the registry's newest row, which may ask for more than the one that was judged. Sizes and
        // generations only grow, so that this ends.
        loop {
            let verdict = self.verdict(&row)?;
            let larger = match &verdict {
                Verdict::Passes { .. } => self.raises(&row.intent)?,
                Verdict::Behind(before) => {
                    row = self.raise_to(row, before)?;
                    continue;
                }
                Verdict::Waits(_, Some(held)) => {
                    let larger = |held: &&coditect_core::WorkspaceIntent| {
                        let have = row.intent.workspace(held.id);
                        have.is_some_and(|have| have.storage_gib < held.storage_gib)
                    };
                    let volumes = held.workspaces.iter().filter(larger);
                    volumes
                        .map(|volume| (volume.id, volume.storage_gib))
                        .collect()
                }
                Verdict::Waits(_, None) => Vec::new(),
            };
            if !larger.is_empty() {
                row = self.raise(row, larger, 0)?;
                continue;
            }
            let user = row.intent.user;
            return Ok(match verdict {
                Verdict::Waits(asked, held) => {
                    self.outcome.asked.push(*asked);
                    held.map(|held| without_the_newest(row, held))
                }
                Verdict::Passes { approved } => {
                    self.leave(user, approved);
                    Some(row)
                }
                Verdict::Behind(_) => None,
            });
        }
    }

    fn verdict(&self, row: &IntentRow) -> Result<Verdict, Problem> {
        let passes = Ok(Verdict::Passes { approved: false });
        let policy = &self.inputs.policy;
        let wanted = wanted(row, policy);
        let crowd = self.crowds.get(&wanted.tenant).copied();
        // What needs no approval where nothing stands needs none anywhere: most users' files are never read.
        if crowd.is_none() && judge(None, &wanted, policy).is_empty() {
            return passes;
        }
        let user = wanted.user;
        let awaited = self.awaited.get(&user);
        let stands = self.standing(user, row.intent.shard)?;
        if let Some(stands) = &stands
            && stands.generation > row.intent.generation
        {
            return Ok(Verdict::Behind(stands.clone()));
        }
        let before = stands.or_else(|| awaited.and_then(|awaited| awaited.before.clone()));
        let mut reasons = judge(before.as_ref(), &wanted, policy);
        if let Some(crowd) = crowd
            && let Some(before) = &before
            && is_change(before, &wanted, policy)
        {
            reasons.push(crowd.reason());
        }
        if reasons.is_empty() || self.was_published(&wanted)? {
            return passes;
        }
        let asked = asked(&wanted, reasons);
        if approved_by(policy, &wanted, &asked).is_some() {
            return Ok(Verdict::Passes { approved: true });
        }
        let provisioned = before.as_ref().map(|before| provisioned(before, policy));
        let held = held_back(provisioned.as_ref(), &wanted, &asked.reasons);
        let tenant = wanted.tenant;
        Ok(Verdict::Waits(
            Box::new(Asked {
                tenant,
                asked,
                before,
            }),
            held,
        ))
    }

    /// Whether anything of a row that has just been read anew needs an approval.
    pub(super) fn asks(&self, row: &IntentRow, before: &UserIntent) -> bool {
        let policy = &self.inputs.policy;
        !judge(Some(before), &wanted(row, policy), policy).is_empty()
    }

    /// Whether the registry says that Git held this generation once: a repository that was lost is filled again
    /// without asking anybody.
    fn was_published(&self, wanted: &UserIntent) -> Result<bool, Error> {
        let committed = self.committer.runtime.block_on(async {
            let mut view = self.committer.registry.view().await?;
            view.committed(&self.committer.cell, wanted.user).await
        })?;
        Ok(committed.is_some_and(|committed| committed.generation >= wanted.generation))
    }

    /// What Git says was wanted of the user.
    fn standing(&self, user: UserId, shard: Shard) -> Result<Option<UserIntent>, Problem> {
        let places = self.committer.tree.places(user);
        let own = places.iter().find(|(place, _)| *place == shard);
        match own.or(places.first()) {
            Some((_, blob)) => self.recorded(user, *blob),
            None => Ok(None),
        }
    }

    /// Whether a user's file may leave Git for a tombstone; if not, people are asked.
    pub(super) fn may_leave(&mut self, user: UserId, places: &[(Shard, Oid)]) -> bool {
        let policy = &self.inputs.policy;
        if !policy.approval_rules().tenant_deletion {
            self.leave(user, false);
            return true;
        }
        let recorded = places
            .first()
            .and_then(|(_, blob)| self.recorded(user, *blob).ok().flatten());
        let Some(stands) = recorded else {
            // Nothing says what would be deleted, so that nobody can be asked.
            tracing::error!(%user, "the file of a deleted user records no intent; it stays until it is rendered again or removed by hand");
            self.outcome.waiting.insert(user);
            return false;
        };
        let asked = asked(&stands, vec![ApprovalReason::Deletion]);
        if approved_by(policy, &stands, &asked).is_some() {
            self.leave(user, true);
            return true;
        }
        self.outcome.asked.push(Asked {
            tenant: stands.tenant,
            asked,
            before: Some(stands),
        });
        false
    }

    /// Notes that a user does not wait, if they did.
    pub(super) fn leave(&mut self, user: UserId, approved: bool) {
        let Some(awaited) = self.awaited.get(&user) else {
            return;
        };
        let commit = self.inputs.commit.map(|commit| commit.to_string());
        let commit = commit.unwrap_or_else(|| "uncommitted".into());
        self.outcome.left.push(Left {
            user,
            change: awaited.change,
            approved: approved.then_some(commit),
        });
    }

    /// Counts, for every tenant of which more users change in this flush than `usersAbove` allows, how many do. Whoever
    /// waits for this reason already counts too, so that one more change of theirs does not pass alone.
    pub(super) fn count_crowds(&mut self, work: &Work) -> Result<(), Error> {
        let policy = &self.inputs.policy;
        let Some(above) = policy.approval_rules().users_above else {
            return Ok(());
        };
        let mut wait = BTreeMap::<TenantId, BTreeSet<UserId>>::new();
        for (user, awaited) in &work.awaited {
            let crowd = |reason: &ApprovalReason| matches!(reason, ApprovalReason::Users { .. });
            if let Some(before) = &awaited.before
                && awaited.asked.reasons.iter().any(crowd)
            {
                wait.entry(before.tenant).or_default().insert(*user);
            }
        }
        let mut rows = BTreeMap::<TenantId, Vec<&IntentRow>>::new();
        for row in &work.rows {
            rows.entry(row.intent.tenant).or_default().push(row);
        }
        for (tenant, rows) in rows {
            let mut changed = wait.remove(&tenant).unwrap_or_default();
            // Blobs are read only where it can matter.
            if rows.len() + changed.len() <= above as usize {
                continue;
            }
            for row in rows {
                let user = row.intent.user;
                let stands = match self.standing(user, row.intent.shard) {
                    Ok(stands) => stands,
                    // It is told of when the user's turn comes.
                    Err(Problem::User(_)) => continue,
                    Err(Problem::Storage(error)) => return Err(error),
                };
                let changes = |stands: &UserIntent| is_change(stands, &wanted(row, policy), policy);
                if stands.as_ref().is_some_and(changes) {
                    changed.insert(user);
                } else {
                    changed.remove(&user);
                }
            }
            if changed.len() > above as usize {
                let users = u32::try_from(changed.len()).unwrap_or(u32::MAX);
                self.crowds.insert(tenant, Crowd { users, above });
            }
        }
        Ok(())
    }
}

/// More users of a tenant than may change at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    users: u32,
    above: u32,
}

impl Crowd {
    const fn reason(self) -> ApprovalReason {
        ApprovalReason::Users {
            users: self.users,
            above: self.above,
        }
    }
}

impl Outcome {
    /// Everyone who waits for an approval.
    pub(crate) fn awaiting(&self) -> impl Iterator<Item = UserId> {
        self.asked.iter().map(|asked| asked.asked.user)
    }
}

/// The row as it is published: with what is held back, and without the requests that are.
fn without_the_newest(row: IntentRow, held: UserIntent) -> IntentRow {
    let mut requested = row.requested;
    requested.retain(|workspace, requested| {
        requested.generation <= held.generation && held.workspace(*workspace).is_some()
    });
    IntentRow {
        intent: held,
        changed_at: row.changed_at,
        requested,
        raised_from: None,
    }
}
