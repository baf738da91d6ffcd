//! commit: from rows to a published commit, past the guards. Blocks on the disk.

mod approval;
mod guard;
mod quarantine;
mod reason;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use coditect_core::{CellName, Error, TenantId, UserId, UserIntent, WorkspaceId};
use coditect_registry::{
    Registry,
    record::{AwaitedApproval, IntentRow, Quarantine},
};
use git2::{ObjectType, Oid};
use jiff::Timestamp;
use tokio::runtime::Handle;

use self::approval::Crowd;
pub(crate) use self::approval::{Asked, Left};
use crate::{
    budget::Budget,
    git::{
        Action, Batch, CellRepository, Checkpoint, Message, Occasion, PublishError, PushError,
        Remote, ShardTree,
    },
    inputs::Inputs,
    load::Work,
    quarantine::Stands,
};

/// Why nothing was published.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Somebody else moved the branch: throw the batch away, read everything anew.
    Moved,
    /// It cannot be done now; trying again later helps, and nothing is lost meanwhile.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What came of a piece of work.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The commit, if there was anything to say.
    pub(crate) commit: Option<Oid>,
    /// Rows that Git holds now and that the registry should note.
    pub(crate) landed: Vec<IntentRow>,
    /// Users whose deletion waits for the budget.
    pub(crate) waiting: BTreeSet<UserId>,
    /// Users of whom Git holds something that the registry does not know.
    pub(crate) orphans: BTreeSet<UserId>,
    /// Users that could not be rendered, with the reason; their last good file stands.
    pub(crate) failed: BTreeMap<UserId, String>,
    /// Users whose file the cluster refuses, with what stands in its place.
    pub(crate) quarantined: BTreeMap<UserId, Stands>,
    /// Users who wait for an approval, with what is asked.
    pub(crate) asked: Vec<Asked>,
    /// Users who waited for an approval and do not any more.
    pub(crate) left: Vec<Left>,
    /// How many users' files were rendered.
    pub(crate) rendered: usize,
    /// How many files the commit made, changed or removed.
    pub(crate) files: u64,
}

/// Writes one cell's branch. Knows what the head holds, so that a commit costs what changed.
pub(crate) struct Committer {
    pub(crate) repository: CellRepository,
    /// The place of truth, if it is not the repository.
    pub(crate) remote: Option<Remote>,
    pub(crate) registry: Registry,
    pub(crate) cell: CellName,
    pub(crate) head: Option<Oid>,
    pub(crate) tree: ShardTree,
    /// The checkpoint at the head, if the head is ours.
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) budget: Budget,
    pub(crate) runtime: Handle,
}

/// One commit in the making.
struct Staging<'a> {
    committer: &'a Committer,
    inputs: &'a Inputs,
    batch: Batch,
    message: Message,
    budget: Budget,
    outcome: Outcome,
    /// What users wait for, as the registry says.
    awaited: BTreeMap<UserId, AwaitedApproval>,
    /// Tenants of which more users change than may at once.
    crowds: BTreeMap<TenantId, Crowd>,
    now: Timestamp,
}

impl Committer {
    /// Renders, checks, commits and publishes.
    ///
    /// # Errors
    /// [`Refused`]; the branch is untouched, but after a failure of the disk it may already be the new commit
    /// and must be read before going on.
    pub(crate) fn commit(
        &mut self,
        mut work: Work,
        inputs: &Inputs,
        checkpoint: Checkpoint,
        occasion: Occasion,
    ) -> Result<Outcome, Refused> {
        let started = Instant::now();
        let now = Timestamp::now();
        self.budget.allow(inputs.policy.defaults().deletion_budgets);
        let mut staging = Staging {
            batch: self.repository.begin(self.head, &self.tree),
            message: Message::new(occasion),
            budget: self.budget.clone(),
            outcome: Outcome {
                orphans: std::mem::take(&mut work.orphans),
                ..Outcome::default()
            },
            committer: self,
            inputs,
            awaited: BTreeMap::new(),
            crowds: BTreeMap::new(),
            now,
        };
        staging.count_crowds(&work)?;
        staging.awaited = work.awaited;
        let mut landed = Vec::new();
        for row in work.rows {
            let user = row.intent.user;
            match staging.user(row, work.quarantines.get(&user)) {
                Ok(Some((row, changed))) => {
                    let noted = work.unnoted.get(&user);
                    if changed || noted.is_some_and(|noted| *noted < row.intent.generation) {
                        landed.push(row);
                    }
                }
                Ok(None) => {}
                Err(Problem::User(why)) => {
                    staging.outcome.failed.insert(user, why);
                }
                Err(Problem::Storage(error)) => return Err(Refused::Failed(error)),
            }
        }
        for (user, tombstone) in work.gone {
            staging.remove(user, tombstone.requested);
        }
        let Staging {
            batch,
            message,
            budget,
            mut outcome,
            ..
        } = staging;
        outcome.files = message.users();
        step("render", started);

        // Where nothing changed but the position in the feed there is nothing to say: history is made of
        // decisions, and the next commit carries the position.
        let same_inputs = self.checkpoint.as_ref().is_some_and(|last| {
            let position = Checkpoint {
                version: last.version,
                ..checkpoint.clone()
            };
            position == *last
        });
        if batch.is_empty() && same_inputs && occasion != Occasion::TakeOver {
            outcome.landed = landed;
            return Ok(outcome);
        }
        let started = Instant::now();
        if let Some(prepared) = batch.finish(checkpoint.clone(), &message, now)? {
            step("write", started);
            if let Some(remote) = &self.remote {
                let started = Instant::now();
                let path = self.repository.path();
                let pushed = remote.push(path, self.head, prepared.commit());
                match self.runtime.block_on(pushed) {
                    Ok(()) => {}
                    Err(PushError::Moved) => return Err(Refused::Moved),
                    Err(PushError::Failed(error)) => return Err(Refused::Failed(error)),
                }
                step("push", started);
            }
            let started = Instant::now();
            let published = match prepared.publish() {
                Ok(published) => published,
                Err(PublishError::Moved { .. }) => return Err(Refused::Moved),
                Err(PublishError::Storage(error)) => return Err(Refused::Failed(error.into())),
            };
            step("publish", started);
            outcome.commit = Some(published.commit);
            self.head = Some(published.commit);
            self.tree = published.tree;
            self.checkpoint = Some(checkpoint);
            self.budget = budget;
        }
        outcome.landed = landed;
        Ok(outcome)
    }
}

/// What is wrong with one user's rendering, or with everything.
enum Problem {
    /// One user: the others go on.
    User(String),
    /// The store or the repository: nobody goes on.
    Storage(Error),
}

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Storage(error.into())
    }
}

impl Staging<'_> {
    /// Brings one user's file up to the row, as far as it waits for nobody's approval; gives the row as rendered and
    /// whether the file changed. None for a user who is quarantined, whose file is another one than the row's, and for
    /// a new one who waits.
    fn user(
        &mut self,
        row: IntentRow,
        quarantine: Option<&Quarantine>,
    ) -> Result<Option<(IntentRow, bool)>, Problem> {
        let Some(mut row) = self.settled(row)? else {
            return Ok(None);
        };
        if let Some(quarantine) = quarantine {
            match self.quarantined(row, quarantine)? {
                None => return Ok(None),
                Some(again) => row = again,
            }
        }
        let bytes = self.render(&row)?;
        let (user, shard) = (row.intent.user, row.intent.shard);
        let places = self.committer.tree.places(user);
        // Its one place is the shard the registry remembers; others were put there by hand.
        let existing = places.iter().find(|(place, _)| *place == shard);
        let Some((_, existing)) = existing.or(places.first()) else {
            self.batch.put(shard, user, &bytes)?;
            let why = reason::created(&row.intent);
            self.message.record(user, Action::Created, &why);
            return Ok(Some((row, true)));
        };
        let oid = oid_of(&bytes)?;
        if oid == *existing && places == [(shard, oid)] {
            return Ok(Some((row, false)));
        }
        let before = self.recorded(user, *existing)?;
        let budget = self.budget.clone();
        let (row, bytes, removed) = match &before {
            None => (row, bytes, Vec::new()),
            Some(before) => self.past_the_guards(row, before).inspect_err(|_| {
                // Nothing of this user is deleted after all.
                self.budget = budget;
            })?,
        };
        for (stray, _) in places.iter().filter(|(place, _)| *place != shard) {
            self.batch.remove(*stray, user);
        }
        let changed = self.batch.put(shard, user, &bytes)? || places != [(shard, oid)];
        if changed {
            let why = reason::changed(before.as_ref(), &row.intent);
            self.message.record(user, Action::Changed, &why);
            for requested in removed {
                self.message.record_workspace_deletion(requested);
            }
        }
        Ok(Some((row, changed)))
    }

    /// The intent that Git records for the user, if the file holds it.
    fn recorded(&self, user: UserId, blob: Oid) -> Result<Option<UserIntent>, Problem> {
        let bytes = self.committer.repository.blob(blob);
        let bytes = bytes.map_err(|error| Problem::User(error.to_string()))?;
        // What another user's file says, copied here by hand, is not this user's.
        Ok(crate::render::intent_of(&bytes).filter(|intent| intent.user == user))
    }

    /// Raises the registry first, so that whatever is put back afterwards is not read over.
    fn past_the_guards(
        &mut self,
        row: IntentRow,
        before: &UserIntent,
    ) -> Result<(IntentRow, Vec<u8>, Vec<bool>), Problem> {
        guard::volumes_keep_their_class(&row.intent, before)?;
        let generation = row.intent.generation;
        let mut row = self.raise_to(row, before)?;
        if row.intent.generation != generation && self.asks(&row, before) {
            let why = "changed while Git's volumes were noted; rendered again at once";
            return Err(Problem::User(why.into()));
        }
        let removed = self.keep_unburied(&mut row, before)?;
        let bytes = self.render(&row)?;
        Ok((row, bytes, removed))
    }

    /// The volumes whose provisioned sizes in the registry are below what policy asks for.
    fn raises(&self, intent: &UserIntent) -> Result<Vec<(WorkspaceId, u32)>, Problem> {
        let resolved = self.inputs.renderer.resolve(intent);
        Ok(resolved
            .map_err(|error| Problem::User(error.to_string()))?
            .raises())
    }

    /// The row's file, in the place of the one that stands.
    fn render(&mut self, row: &IntentRow) -> Result<Vec<u8>, Problem> {
        self.outcome.rendered += 1;
        let (user, shard) = (row.intent.user, row.intent.shard);
        let places = self.committer.tree.places(user);
        // Its one place is the shard the registry remembers; others were put there by hand.
        let own = places.iter().find(|(place, _)| *place == shard);
        let stands = own.or(places.first()).map(|(_, stands)| *stands);
        let repository = &self.committer.repository;
        let rendered = self
            .inputs
            .renderer
            .render_over_blob(&row.intent, stands, |stands| Ok(repository.blob(stands)?));
        Ok(rendered
            .map_err(|error| Problem::User(error.to_string()))?
            .bytes)
    }
}

fn oid_of(bytes: &[u8]) -> Result<Oid, Problem> {
    Oid::hash_object(ObjectType::Blob, bytes).map_err(|error| {
        Problem::Storage(Error::internal("a file cannot be hashed").because(error))
    })
}

fn step(name: &'static str, started: Instant) {
    metrics::histogram!("coditect_renderer_step_seconds", "step" => name)
        .record(started.elapsed().as_secs_f64());
}
