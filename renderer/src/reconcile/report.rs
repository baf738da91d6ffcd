//! What is told afterwards: to the registry, to health and to the metrics.

use std::collections::BTreeMap;

use coditect_core::{ChangeId, RequestId, TenantId};
use coditect_registry::{
    operation::{LeaveApproval, NoteCommitted, OpenApproval, USERS_OF_A_CHANGE},
    record::IntentRow,
};
use jiff::Timestamp;

use super::{Leader, Stop};
use crate::{
    commit::{Asked, Left, Outcome},
    quarantine::{Stands, tolerated},
    service::part,
};

/// Users who leave an approval in one transaction.
const LEAVING: usize = 100;
/// Rows noted in one transaction.
const NOTED: usize = 256;

impl Leader {
    /// Tells the registry what Git holds now, and remembers what must be looked at again.
    pub(super) async fn note(&mut self, outcome: Outcome) -> Result<(), Stop> {
        let at = Timestamp::now();
        let head = self.committer()?.head;
        if let Some(commit) = outcome.commit.or(head) {
            for row in outcome.landed.iter().filter(|_| outcome.commit.is_some()) {
                let seconds = at.duration_since(row.changed_at).as_secs_f64().max(0.0);
                metrics::histogram!("coditect_renderer_request_to_commit_seconds").record(seconds);
            }
            // A commit without rows, of deletions alone, is noted too.
            let mut rows: Vec<&[IntentRow]> = outcome.landed.chunks(NOTED).collect();
            if rows.is_empty() && outcome.commit.is_some() {
                rows.push(&[]);
            }
            for rows in rows {
                let note = NoteCommitted {
                    cell: self.settings.cell.clone(),
                    commit: commit.to_string(),
                    rows: rows.to_vec(),
                    checkpoint: self
                        .committer()?
                        .checkpoint
                        .as_ref()
                        .map(|last| last.version),
                    at,
                };
                self.registry.apply(RequestId::random(), &note).await?;
            }
        }
        self.awaiting.extend(outcome.awaiting());
        self.note_approvals(outcome.asked, outcome.left, at).await?;
        self.waiting.extend(outcome.waiting);
        self.orphans.extend(outcome.orphans);
        for (user, why) in &outcome.failed {
            tracing::error!(%user, why, "cannot be rendered; the last good file stands");
        }
        self.failed.extend(outcome.failed.into_keys());
        self.quarantined.extend(outcome.quarantined);
        Ok(())
    }

    /// Opens a change for those of each tenant who began to wait, and lets go who does not wait any more. Whoever dies
    /// before this reconciles in full at the next start, and comes to the same.
    async fn note_approvals(
        &self,
        asked: Vec<Asked>,
        left: Vec<Left>,
        at: Timestamp,
    ) -> Result<(), Stop> {
        let cell = &self.settings.cell;
        let mut tenants: BTreeMap<TenantId, Vec<_>> = BTreeMap::new();
        for Asked {
            tenant,
            asked,
            before,
        } in asked
        {
            tenants.entry(tenant).or_default().push((asked, before));
        }
        for (tenant, asked) in tenants {
            for asked in asked.chunks(USERS_OF_A_CHANGE) {
                let open = OpenApproval {
                    cell: cell.clone(),
                    tenant,
                    change: ChangeId::random(),
                    asked: asked.to_vec(),
                    at,
                };
                let opened = self.registry.apply(RequestId::random(), &open).await?;
                if !opened.is_empty() {
                    tracing::info!(%cell, %tenant, change = %open.change, users = opened.len(), "a change waits for approval");
                }
            }
        }
        let mut groups: BTreeMap<Option<String>, Vec<_>> = BTreeMap::new();
        for left in left {
            let group = groups.entry(left.approved).or_default();
            group.push((left.user, left.change));
        }
        for (approved, users) in groups {
            for users in users.chunks(LEAVING) {
                let leave = LeaveApproval {
                    cell: cell.clone(),
                    users: users.to_vec(),
                    approved: approved.clone(),
                    at,
                };
                self.registry.apply(RequestId::random(), &leave).await?;
            }
        }
        Ok(())
    }

    pub(super) fn report(&self) {
        let cell = self.settings.cell.to_string();
        let users = self
            .committer
            .as_ref()
            .map_or(0, |committer| committer.tree.len());
        #[allow(clippy::cast_precision_loss, reason = "a gauge")]
        for (name, count) in [
            ("coditect_renderer_deletions_waiting", self.waiting.len()),
            ("coditect_renderer_orphans", self.orphans.len()),
            ("coditect_renderer_users_failed", self.failed.len()),
            (
                "coditect_renderer_users_quarantined",
                self.quarantined.len(),
            ),
            (
                "coditect_renderer_waiting_for_approval",
                self.awaiting.len(),
            ),
            ("coditect_renderer_users", users),
        ] {
            metrics::gauge!(name, "cell" => cell.clone()).set(count as f64);
        }
        let mut leads = format!("leads under fence {}", self.fence);
        let mut troubles = Vec::new();
        if self.quarantined.len() > tolerated(users) {
            troubles.push(format!(
                "{} users are quarantined, more than {}: the cluster refuses what policy or templates ask for, and an operator must correct them",
                self.quarantined.len(),
                tolerated(users)
            ));
        } else if !self.quarantined.is_empty() {
            leads.push_str(&format!(
                "; {} user(s) quarantined: other files stand for those that the cluster refuses",
                self.quarantined.len()
            ));
        }
        if !self.awaiting.is_empty() {
            leads.push_str(&format!(
                "; {} user(s) wait for approval",
                self.awaiting.len()
            ));
        }
        let refused_too = self
            .quarantined
            .values()
            .filter(|stands| **stands == Stands::RefusedToo);
        let refused_too = refused_too.count();
        if refused_too > 0 {
            troubles.push(format!(
                "the cluster refuses even a Namespace without pods for {refused_too} user(s); an operator must look at its admission"
            ));
        }
        if !self.waiting.is_empty() {
            troubles.push(format!(
                "{} deletion(s) above the hour's budget wait",
                self.waiting.len()
            ));
        }
        if !self.orphans.is_empty() {
            troubles.push(format!(
                "{} user(s) in Git of whom the registry knows nothing are kept",
                self.orphans.len()
            ));
        }
        if !self.failed.is_empty() {
            troubles.push(format!(
                "{} user(s) cannot be rendered; their last good files stand",
                self.failed.len()
            ));
        }
        let alarming = self.committer.as_ref().is_some_and(|committer| {
            committer
                .budget
                .alarming(Timestamp::now(), committer.tree.len())
        });
        if alarming {
            troubles.push("people ask for unusually many deletions".into());
        }
        if let Some(silent) = &self.silent {
            troubles.push(format!(
                "{silent}; sign-ups are kept, their commits will wait"
            ));
        }
        if troubles.is_empty() {
            self.health.ok(part(&self.settings.cell), leads);
        } else {
            self.health.degraded(
                part(&self.settings.cell),
                format!("{leads}; {}", troubles.join("; ")),
            );
        }
    }
}
