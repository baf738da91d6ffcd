//! verify: registry = Git, per user, by bytes.

use std::{collections::BTreeMap, sync::Arc};

use coditect_core::{
    ApprovalReason, CellName, ChangeId, Reason, Result, Shard, UserId, UserIntent,
};
use coditect_registry::{
    Registry,
    record::{AwaitedApproval, IntentRow, Quarantine},
};
use git2::{ObjectType, Oid};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    approval,
    git::{CellRepository, State},
    inputs::Inputs,
    load,
    quarantine::is_without_pods,
    reconcile::blocking,
    render::{Rendered, intent_of},
};

/// How one user's file differs from what the registry wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    /// The registry has the user, Git has no file.
    Missing,
    /// The file's intent is of another generation than the registry's.
    Generation {
        /// What the registry wants.
        wanted: u64,
        /// What Git holds.
        found: u64,
    },
    /// The file is of the right generation, and not the bytes that rendering gives.
    Content,
    /// The file lies in another shard, or in several.
    Shard,
    /// Git has a file, the registry has a tombstone: the deletion waits.
    Waiting,
    /// Git has a file, the registry knows nothing of the user.
    Orphan,
    /// The user cannot be rendered.
    Unrenderable {
        /// Why.
        why: String,
    },
}

/// What a verification found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The cell.
    pub cell: CellName,
    /// The commit that was compared.
    pub commit: Option<String>,
    /// How many users the registry has.
    pub users: usize,
    /// Users whose file the cluster refuses, with what stands in its place: no difference as long as Git holds
    /// just that.
    pub quarantined: BTreeMap<UserId, Quarantined>,
    /// Users who wait for an approval, with what is asked: no difference as long as Git holds what stands meanwhile.
    pub awaiting: BTreeMap<UserId, Awaiting>,
    /// Every difference.
    pub differences: BTreeMap<UserId, Difference>,
    /// What is wrong with the repository as a whole.
    pub troubles: Vec<String>,
    /// What is no difference but worth knowing.
    pub notes: Vec<String>,
}

/// A user whose newest change waits for a person's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Awaiting {
    /// The change that holds it.
    pub change: ChangeId,
    /// The generation that waits.
    pub generation: u64,
    /// Which rules ask.
    pub reasons: Vec<ApprovalReason>,
    /// Since when.
    pub since: Timestamp,
}

impl From<&AwaitedApproval> for Awaiting {
    fn from(awaited: &AwaitedApproval) -> Self {
        Self {
            change: awaited.change,
            generation: awaited.asked.generation,
            reasons: awaited.asked.reasons.clone(),
            since: awaited.since,
        }
    }
}

/// A user whose file the cluster refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// What the cluster said.
    pub reason: Reason,
    /// Since when.
    pub at: Timestamp,
    /// The commit that it tried.
    pub commit: String,
    /// What Git holds instead.
    pub stands: Standin,
}

/// What Git holds in the place of a refused file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standin {
    /// The last file that was not refused.
    LastGood,
    /// A Namespace with a quota of zero pods.
    NoPods,
    /// Nothing yet: the renderer has not looked, or what is rendered now is another file.
    NotYet,
}

impl Report {
    /// True if registry and Git agree in everything.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.differences.is_empty() && self.troubles.is_empty()
    }
}

/// Compares a cell's registry with its repository. `progress` is called with how many users
/// are done and how many there are.
///
/// A renderer may be at work meanwhile: whoever wants a proof compares again while there are differences that
/// a commit on its way would explain.
///
/// # Errors
/// `Unavailable` if the registry or the repository cannot be read.
pub async fn verify(
    registry: &Registry,
    cell: &CellName,
    repository: CellRepository,
    inputs: Arc<Inputs>,
    progress: impl Fn(u64, u64) + Send + 'static,
) -> Result<Report> {
    let reader = repository.clone();
    let (head, tree) = blocking(move || {
        let head = reader.head()?;
        let tree = head
            .as_ref()
            .map(|head| reader.tree(head.commit))
            .transpose()?
            .unwrap_or_default();
        Ok((head, tree))
    })
    .await?;
    let work = load::everything(registry, cell, &tree).await?;
    let mut report = Report {
        cell: cell.clone(),
        commit: head.as_ref().map(|head| head.commit.to_string()),
        users: work.rows.len(),
        differences: BTreeMap::new(),
        troubles: Vec::new(),
        quarantined: BTreeMap::new(),
        awaiting: BTreeMap::new(),
        notes: Vec::new(),
    };
    match head {
        None => report.troubles.push("the repository has no commit".into()),
        Some(head) if !head.intact => report
            .troubles
            .push("the head is not the renderer's own work".into()),
        Some(head) => troubles(head.state.as_ref(), &inputs, &work, &mut report),
    }
    report
        .differences
        .extend(work.orphans.iter().map(|user| (*user, Difference::Orphan)));
    for (user, _) in &work.gone {
        match work.awaited.get(user) {
            Some(awaited) => drop(report.awaiting.insert(*user, awaited.into())),
            None => drop(report.differences.insert(*user, Difference::Waiting)),
        }
    }
    blocking(move || {
        let all = work.rows.len() as u64;
        for (done, row) in work.rows.into_iter().enumerate() {
            progress(done as u64 + 1, all);
            let user = row.intent.user;
            let places = tree.places(user);
            let mut intent = row.intent.clone();
            if let Some(awaited) = work.awaited.get(&user)
                && let Some(stands) = meanwhile(&repository, &places, &row, awaited, &inputs)?
            {
                report.awaiting.insert(user, awaited.into());
                match stands {
                    Some(stands) => intent = stands,
                    None => continue,
                }
            }
            let stands = places.first().map(|(_, stands)| *stands);
            let rendered = inputs
                .renderer
                .render_over_blob(&intent, stands, |stands| Ok(repository.blob(stands)?));
            if let Some(quarantine) = work.quarantines.get(&user) {
                let stands = standin(&repository, &places, &intent, &rendered, quarantine)?;
                report.quarantined.insert(
                    user,
                    Quarantined {
                        reason: quarantine.reason.clone(),
                        at: quarantine.at,
                        commit: quarantine.commit.clone(),
                        stands,
                    },
                );
                if stands != Standin::NotYet {
                    continue;
                }
            }
            let difference = match (places.as_slice(), rendered) {
                (_, Err(error)) => Some(Difference::Unrenderable {
                    why: error.to_string(),
                }),
                ([], _) => Some(Difference::Missing),
                ([(shard, found)], Ok(rendered)) if *shard == intent.shard => {
                    let generation = intent.generation;
                    differs(&repository, *found, &rendered.bytes, generation)?
                }
                _ => Some(Difference::Shard),
            };
            if let Some(difference) = difference {
                report.differences.insert(user, difference);
            }
        }
        Ok(report)
    })
    .await
}

/// What stands of a user while people are asked about just this row; none within if nothing does, and none at all if
/// the row asks for something else by now.
#[allow(
    clippy::option_option,
    reason = "whether it waits, and whether anything stands"
)]
fn meanwhile(
    repository: &CellRepository,
    places: &[(Shard, Oid)],
    row: &IntentRow,
    awaited: &AwaitedApproval,
    inputs: &Inputs,
) -> Result<Option<Option<UserIntent>>> {
    let policy = &inputs.policy;
    let wanted = approval::wanted(row, policy);
    let asked = approval::asked(&wanted, awaited.asked.reasons.clone());
    if asked != awaited.asked || approval::approved_by(policy, &wanted, &asked).is_some() {
        return Ok(None);
    }
    let stands = match places.first() {
        Some((_, found)) => intent_of(&repository.blob(*found)?),
        None => None,
    };
    let stands = stands.map(|stands| approval::provisioned(&stands, policy));
    Ok(Some(approval::held_back(
        stands.as_ref(),
        &wanted,
        &asked.reasons,
    )))
}

/// What Git holds of a quarantined user, if it is what the registry says stands for the refused file, and that
/// file is still what is rendered.
fn standin(
    repository: &CellRepository,
    places: &[(Shard, Oid)],
    intent: &UserIntent,
    rendered: &Result<Rendered>,
    quarantine: &Quarantine,
) -> Result<Standin> {
    let (Ok(rendered), Some(refused), [(shard, found)]) = (rendered, &quarantine.refused, places)
    else {
        return Ok(Standin::NotYet);
    };
    let again = Oid::hash_object(ObjectType::Blob, &rendered.bytes);
    if *shard != intent.shard || again.is_ok_and(|oid| oid.to_string() != *refused) {
        return Ok(Standin::NotYet);
    }
    Ok(match &quarantine.stands {
        Some(stands) if *stands == found.to_string() => Standin::LastGood,
        None if is_without_pods(&repository.blob(*found)?, &rendered.bytes, intent) => {
            Standin::NoPods
        }
        _ => Standin::NotYet,
    })
}

fn differs(
    repository: &CellRepository,
    found: Oid,
    wanted: &[u8],
    generation: u64,
) -> Result<Option<Difference>> {
    if Oid::hash_object(ObjectType::Blob, wanted).is_ok_and(|oid| oid == found) {
        return Ok(None);
    }
    let intent = intent_of(&repository.blob(found)?);
    Ok(Some(match intent {
        Some(intent) if intent.generation != generation => Difference::Generation {
            wanted: generation,
            found: intent.generation,
        },
        _ => Difference::Content,
    }))
}

fn troubles(state: Option<&State>, inputs: &Inputs, work: &load::Work, report: &mut Report) {
    let troubles = &mut report.troubles;
    let Some(State { checkpoint, .. }) = state else {
        troubles.push("the head has no checkpoint".into());
        return;
    };
    if work.epoch != Some(checkpoint.epoch) {
        report.notes.push(
            "the checkpoint is of another life of the registry; the next renderer reconciles in full"
                .into(),
        );
    } else if checkpoint.version > work.version {
        troubles.push(format!(
            "the checkpoint ({}) is ahead of the registry ({})",
            checkpoint.version, work.version
        ));
    }
    if checkpoint.policy != inputs.commit {
        troubles.push(
            "the repository was rendered with another policy than the one compared with".into(),
        );
    }
    if checkpoint.templates != inputs.templates() {
        troubles.push(
            "the repository was rendered with other templates than the ones compared with".into(),
        );
    }
}
