//! What people are asked about a change: what stands of each user, what is wanted, and what of their manifests that
//! changes.

use std::{collections::BTreeMap, sync::Arc};

use coditect_core::{ApprovalReason, Result, UserIntent};
use coditect_registry::{Registry, record::ApprovalRequest};
use sha2::{Digest, Sha256};

use crate::{
    approval::{held_back, intent_hash, provisioned, wanted},
    inputs::Inputs,
    plan::{self, Asked, Plan, Report, Tally},
};

/// A change as its users stand now.
#[derive(Debug)]
pub struct Question {
    /// Of each user what stands and what is wanted; none: there is nothing of them before, or afterwards.
    users: Vec<(Option<UserIntent>, Option<UserIntent>)>,
    /// How many users of the change do not wait for it any more.
    left: u64,
}

impl Question {
    /// Reads it, as the policy of `inputs` judges it.
    ///
    /// # Errors
    /// `Unavailable` if the registry does not answer.
    pub async fn read(
        registry: &Registry,
        request: &ApprovalRequest,
        inputs: &Inputs,
    ) -> Result<Self> {
        let mut view = registry.view().await?;
        let policy = &inputs.policy;
        let mut question = Self {
            users: Vec::new(),
            left: 0,
        };
        for asked in &request.users {
            let awaited = view.awaited_approval(&request.cell, asked.user).await?;
            let Some(awaited) = awaited.filter(|awaited| awaited.change == request.change) else {
                question.left += 1;
                continue;
            };
            let before = awaited.before.map(|before| provisioned(&before, policy));
            if asked.reasons.contains(&ApprovalReason::Deletion) {
                question.users.push((before, None));
                continue;
            }
            let row = view.intent(&request.cell, asked.user).await?;
            let wanted = row.map(|row| wanted(&row, policy));
            match wanted.filter(|wanted| intent_hash(wanted) == asked.intent_hash) {
                Some(wanted) => {
                    let stands = held_back(before.as_ref(), &wanted, &asked.reasons);
                    question.users.push((stands, Some(wanted)));
                }
                None => question.left += 1,
            }
        }
        Ok(question)
    }

    /// Names what the question's text depends on: the same digest, the same text.
    #[must_use]
    pub fn digest(&self, inputs: &Inputs) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(format!("{:?} {}\n", inputs.commit, self.left));
        for (before, wanted) in &self.users {
            for intent in [before, wanted] {
                digest.update(intent.as_ref().map(intent_hash).unwrap_or_default());
                digest.update(b"\n");
            }
        }
        digest.finalize().into()
    }

    /// What an approval would change in manifests, by the same policy on both sides.
    ///
    /// # Errors
    /// `Internal` if what was rendered cannot be read again, which is a defect.
    pub fn report(&self, request: &ApprovalRequest, inputs: &Arc<Inputs>) -> Result<Report> {
        let mut plan = Plan::new(Arc::clone(inputs));
        let base = plan.base(Arc::clone(inputs));
        let mut tally = Tally::default();
        for (before, wanted) in &self.users {
            plan.intent(base, before.as_ref(), wanted.as_ref(), &mut tally);
        }
        let proposed = format!("the approval of change {}", request.change);
        let mut report = plan.report(&proposed, &tally, &[])?;
        // Policy's rules have been asked already: the reasons are the change's.
        report.approvals.clear();
        Ok(report)
    }

    /// The same as a comment on the page where people decide, found again by its first line, `mark`.
    ///
    /// # Errors
    /// As [`Question::report`].
    pub fn comment(
        &self,
        request: &ApprovalRequest,
        inputs: &Arc<Inputs>,
        mark: &str,
    ) -> Result<String> {
        let report = self.report(request, inputs)?;
        let mut reasons = BTreeMap::<String, u64>::new();
        for reason in request.users.iter().flat_map(|asked| &asked.reasons) {
            *reasons.entry(reason.to_string()).or_default() += 1;
        }
        let left = match self.left {
            0 => None,
            users => Some(format!(
                "{users} of {} who were asked about want something else by now, and nothing of theirs passes by this",
                request.users.len()
            )),
        };
        Ok(plan::asked(
            &report,
            &Asked {
                mark,
                reasons: &reasons.into_iter().collect::<Vec<_>>(),
                notes: left.as_slice(),
                all: &format!(
                    "`coditect approvals --cell {} show {} --diff`",
                    request.cell, request.change
                ),
            },
        ))
    }
}
