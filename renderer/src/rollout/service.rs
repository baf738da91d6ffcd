//! The loop that carries a roll-out: looks, decides, writes one commit, notes it.
//!
//! Any number may run: the policy is written by compare-and-swap, and so is the record. What the policy says is the
//! truth; whoever is killed between its commit and the note finds by the policy that the ring has the release.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use coditect_core::{
    CellName, Error, Kind, ReleaseName, RequestId, Result, RingName, health::Health,
};
use coditect_registry::{
    Registry,
    operation::PutRollout,
    record::{Rollout, RolloutCommit, RolloutRing, RolloutState},
};
use git2::Oid;
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    decide::{Decision, Look, Observed, decide, reached},
    observe::{Rendered, observe},
    restart,
    step::{self, PolicyWriter, Step, WriteError},
};
use crate::{git::CellRepository, inputs::Inputs, policy::Runs, reconcile::blocking};

/// The name under which the roll-out's state is posted.
const PART: &str = "rollout";
/// How often it looks. Everything a look needs is read anew, so one more or less does no harm.
const LOOK: Duration = Duration::from_secs(5);

/// How often it is noted that all was looked at: less often than decisions need it, so that a roll-out is not a write
/// every few seconds.
const SEEN: SignedDuration = SignedDuration::from_secs(20);

/// Where a cell's repository is on this machine.
pub type RepositoryOf = Arc<dyn Fn(&CellName) -> PathBuf + Send + Sync>;

/// Carries roll-outs.
pub struct RolloutService {
    registry: Registry,
    writer: Arc<dyn PolicyWriter>,
    inputs: watch::Receiver<Arc<Inputs>>,
    repository_of: RepositoryOf,
    health: Health,
}

/// How a roll-out stands.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What each ring runs by the policy, in its order.
    pub runs: Vec<(RingName, Runs)>,
    /// What is seen of each.
    pub observed: Observed,
    /// What comes next, or what it waits for.
    pub next: String,
}

/// A roll-out as one look finds it.
struct Found {
    release: ReleaseName,
    rollout: Rollout,
    head: Oid,
    text: String,
    runs: Vec<(RingName, Runs)>,
    observed: Observed,
    now: Timestamp,
}

impl RolloutService {
    /// A service that writes the policy by `writer`. `inputs` gives the newest valid policy.
    #[must_use]
    pub fn new(
        registry: Registry,
        writer: Arc<dyn PolicyWriter>,
        inputs: watch::Receiver<Arc<Inputs>>,
        repository_of: RepositoryOf,
        health: Health,
    ) -> Self {
        Self {
            registry,
            writer,
            inputs,
            repository_of,
            health,
        }
    }

    /// Carries on until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            match self.look().await {
                Ok(said) => self.health.ok(PART, said),
                Err(error) => {
                    let why = error.chain();
                    tracing::warn!(why, "a roll-out does not come further");
                    self.health.degraded(
                        PART,
                        format!("{why}; the roll-out stays where it is and is looked at again"),
                    );
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Looks once and does what is to be done. Gives a word about it.
    ///
    /// # Errors
    /// `Unavailable` if registry, policy or a cell's repository cannot be read or written now.
    pub async fn look(&self) -> Result<String> {
        let under_way = self.registry.view().await?.rollouts().await?;
        let under_way = under_way
            .into_iter()
            .find(|(_, rollout)| rollout.state.under_way());
        let Some((release, rollout)) = under_way else {
            return Ok("no roll-out is under way".to_owned());
        };
        let found = self.find(release, rollout).await?;
        let look = decide(&found.rollout, &found.runs, &found.observed, found.now);
        let said = format!("roll-out of {}: {}", found.release, words(&look));
        match self.act(found, look).await {
            Ok(()) => Ok(said),
            // Somebody else was quicker, a second one of us among them: the next look sees what they did.
            Err(error) if *error.kind() == Kind::Conflict => {
                Ok(format!("{said}; changed meanwhile, looked at again"))
            }
            Err(error) => Err(error),
        }
    }

    /// How a roll-out stands, with what the next look will decide. Changes nothing.
    ///
    /// # Errors
    /// As [`RolloutService::look`].
    pub async fn picture(&self, release: ReleaseName, rollout: Rollout) -> Result<Picture> {
        let found = self.find(release, rollout).await?;
        let look = decide(&found.rollout, &found.runs, &found.observed, found.now);
        Ok(Picture {
            runs: found.runs,
            observed: found.observed,
            next: words(&look),
        })
    }

    async fn find(&self, release: ReleaseName, rollout: Rollout) -> Result<Found> {
        let inputs = Arc::clone(&self.inputs.borrow());
        let (writer, repository_of) = (Arc::clone(&self.writer), Arc::clone(&self.repository_of));
        let cells: Vec<CellName> = inputs.policy.cells().keys().cloned().collect();
        let (head, text, runs, rendered) = blocking(move || {
            let head = writer.head()?;
            let (text, runs) = step::read(writer.as_ref(), head)?;
            let rendered: BTreeMap<_, _> = cells
                .into_iter()
                .map(|cell| {
                    let rendered = rendered_with(writer.as_ref(), repository_of(&cell));
                    (cell, rendered)
                })
                .collect();
            Ok((head, text, runs, rendered))
        })
        .await?;
        let now = Timestamp::now();
        let policy = inputs.policy.with_runs(&runs);
        let since = rollout.started_at;
        let mut observed = observe(&self.registry, &policy, &rendered, since, now).await?;
        let cells = policy.cells().keys();
        restart::note(&self.registry, &rollout, &runs, cells, &mut observed, now).await?;
        Ok(Found {
            release,
            rollout,
            head,
            text,
            runs,
            observed,
            now,
        })
    }

    async fn act(&self, found: Found, look: Look) -> Result<()> {
        let mut rollout = found.rollout.clone();
        rollout.holds_since = look.holds_since;
        rollout.falls_since = look.falls_since;
        rollout.ring.clone_from(&look.ring);
        let times = |rollout: &Rollout| (rollout.holds_since, rollout.falls_since);
        let is_noted = |at| found.now.duration_since(at) < SEEN;
        if times(&rollout) != times(&found.rollout) || !found.rollout.seen_at.is_some_and(is_noted)
        {
            rollout.seen_at = Some(found.now);
        }
        count(&mut rollout, &found);
        match look.decision {
            Decision::Wait(why) => {
                self.restart(&mut rollout, &found).await?;
                rollout.why = why;
                self.note(&found, rollout).await
            }
            Decision::Promote(ring) => self.promote(&found, rollout, &ring).await,
            Decision::Done => {
                rollout.state = RolloutState::Done;
                rollout.why = "every ring has it".to_owned();
                self.note(&found, rollout).await
            }
            Decision::RollBack(why) => self.roll_back(&found, rollout, why).await,
            Decision::WentBack(why) => {
                self.stop_restarts(&found, &why).await?;
                restart::ask_back(&self.registry, &rollout, &self.cells(), found.now).await?;
                rollout.why.clone_from(&why);
                rollout.state = RolloutState::RolledBack { why };
                self.note(&found, rollout).await
            }
            Decision::Pause(why) => {
                rollout.why.clone_from(&why);
                rollout.state = RolloutState::Paused { why };
                self.note(&found, rollout).await
            }
        }
    }

    async fn promote(&self, found: &Found, mut rollout: Rollout, ring: &RingName) -> Result<()> {
        let inputs = Arc::clone(&self.inputs.borrow());
        if inputs.releases.get(&found.release).is_none() {
            if inputs.commit != Some(found.head) {
                rollout.why = format!("policy commit {} is not in force yet", found.head);
                return self.note(found, rollout).await;
            }
            let why = format!(
                "the policy's templates have no release {} any more; put it back, or abort",
                found.release
            );
            rollout.why.clone_from(&why);
            rollout.state = RolloutState::Paused { why };
            return self.note(found, rollout).await;
        }
        // Committed all the same, it would keep this and every later change of the policy from being used.
        if let Err(why) = self.try_render(found, &rollout, ring).await? {
            let why = format!(
                "ring {ring} cannot be rendered with it: {why}; mend the release and resume, or abort"
            );
            rollout.why.clone_from(&why);
            rollout.state = RolloutState::Paused { why };
            return self.note(found, rollout).await;
        }
        let why = match (&found.rollout.ring, rollout.holds_since) {
            (None, _) => "It is the first ring.".to_owned(),
            (Some(before), Some(since)) => {
                format!("Ring {before} runs it, and what must be seen of it held since {since:.0}.")
            }
            (Some(before), None) => format!("Ring {before} runs it."),
        };
        // What its workspaces are like before is noted first: afterwards nobody could tell.
        if let (Some(ring), Some(seen)) = (ring_mut(&mut rollout, ring), found.observed.get(ring)) {
            ring.should_run = Some(seen.should_run);
            ring.ready = Some(seen.ready);
            ring.held_back = Some(seen.held_back);
        }
        rollout.why = format!("ring {ring} gets it");
        let revision = self.put(found, &rollout).await?;
        rollout.revision = revision;
        let entry = rollout.rings.iter().find(|known| known.ring == *ring);
        let entry = entry.ok_or_else(|| Error::internal("a ring of no roll-out was promoted"))?;
        let step = step::promote(&found.text, &rollout, &found.release, entry, &why)?;
        let commit = self.write(found.head, step).await?;
        tracing::info!(release = %found.release, %ring, %commit, "a ring gets a release");
        rollout.ring = Some(ring.clone());
        rollout.holds_since = None;
        rollout.falls_since = None;
        rollout.changed_at = found.now;
        rollout.commits.push(RolloutCommit {
            ring: Some(ring.clone()),
            commit: commit.to_string(),
            at: found.now,
        });
        self.put(found, &rollout).await.map(drop)
    }

    /// Renders users of every kind as the policy would with one ring more on the release. Gives what is wrong with that.
    async fn try_render(
        &self,
        found: &Found,
        rollout: &Rollout,
        ring: &RingName,
    ) -> Result<std::result::Result<(), String>> {
        let inputs = Arc::clone(&self.inputs.borrow());
        let mut runs = found.runs.clone();
        for (_, runs) in runs.iter_mut().filter(|(name, _)| name == ring) {
            *runs = Runs {
                release: found.release.clone(),
                engine: rollout.engine,
            };
        }
        blocking(move || Ok(inputs.with_runs(&runs).map(drop))).await
    }

    async fn roll_back(&self, found: &Found, mut rollout: Rollout, why: String) -> Result<()> {
        // Noted before the commit: whoever is killed in between goes back and not on.
        rollout.why.clone_from(&why);
        if rollout.state != (RolloutState::Aborted { why: why.clone() }) {
            tracing::error!(release = %found.release, why, "a release goes back");
            metrics::counter!("coditect_rollouts_rolled_back_total").increment(1);
            rollout.state = RolloutState::Aborted { why: why.clone() };
            rollout.changed_at = found.now;
            rollout.revision = self.put(found, &rollout).await?;
        }
        self.stop_restarts(found, &why).await?;
        let reached = reached(&found.rollout, &found.runs);
        let releases = Arc::clone(&self.inputs.borrow().releases);
        if let Some(gone) = reached
            .iter()
            .find(|ring| releases.get(&ring.release).is_none())
        {
            return Err(Error::unavailable(format!(
                "ring {} cannot go back: the policy's templates have no release {} any more; put it back",
                gone.ring, gone.release
            )));
        }
        let step = step::roll_back(&found.text, &found.release, &reached, &why)?;
        let commit = self.write(found.head, step).await?;
        tracing::info!(release = %found.release, %commit, "a release went back");
        restart::ask_back(&self.registry, &rollout, &self.cells(), found.now).await?;
        rollout.state = RolloutState::RolledBack { why };
        rollout.changed_at = found.now;
        rollout.commits.push(RolloutCommit {
            ring: None,
            commit: commit.to_string(),
            at: found.now,
        });
        self.put(found, &rollout).await.map(drop)
    }

    /// Asks the observers to restart pods of rings that are rendered, if that was asked for.
    async fn restart(&self, rollout: &mut Rollout, found: &Found) -> Result<()> {
        let cells = self.cells();
        for ring in restart::due(rollout, &found.runs, &found.observed) {
            if restart::ask(&self.registry, rollout, &ring, &cells, found.now).await?
                && let Some(ring) = ring_mut(rollout, &ring)
            {
                ring.restarted = true;
            }
        }
        Ok(())
    }

    /// Nobody else is taken down to start on a release that goes back.
    async fn stop_restarts(&self, found: &Found, why: &str) -> Result<()> {
        let why = format!("release {} goes back: {why}", found.release);
        restart::stop(
            &self.registry,
            &found.rollout,
            &self.cells(),
            &why,
            found.now,
        )
        .await
    }

    fn cells(&self) -> Vec<CellName> {
        let inputs = self.inputs.borrow();
        inputs.policy.cells().keys().cloned().collect()
    }

    async fn write(&self, parent: Oid, step: Step) -> Result<Oid> {
        let writer = Arc::clone(&self.writer);
        blocking(move || {
            let path = step::rings_path();
            let written = writer.write(parent, &path, step.text.as_bytes(), &step.message);
            written.map_err(|error| match error {
                WriteError::Moved => Error::conflict("the policy was changed meanwhile"),
                WriteError::Failed(error) => error,
            })
        })
        .await
    }

    /// Writes the record if it says anything new.
    async fn note(&self, found: &Found, rollout: Rollout) -> Result<()> {
        if rollout == found.rollout {
            return Ok(());
        }
        let mut rollout = rollout;
        if rollout.ring != found.rollout.ring || rollout.state != found.rollout.state {
            rollout.changed_at = found.now;
        }
        self.put(found, &rollout).await.map(drop)
    }

    async fn put(&self, found: &Found, rollout: &Rollout) -> Result<u64> {
        let put = PutRollout {
            release: found.release.clone(),
            rollout: rollout.clone(),
            expected: rollout.revision,
            // The policy's commit wakes the renderers.
            cells: Vec::new(),
            at: found.now,
        };
        self.registry.apply(RequestId::random(), &put).await
    }
}

/// What a cell's newest commit was rendered with.
fn rendered_with(writer: &dyn PolicyWriter, repository: PathBuf) -> Rendered {
    let unknown = |why: String| Rendered::Unknown(why);
    let head = match CellRepository::open(repository).and_then(|repository| repository.head()) {
        Ok(Some(head)) => head,
        Ok(None) => return unknown("nothing yet".to_owned()),
        Err(error) => return unknown(error.to_string()),
    };
    let Some(policy) = head.state.and_then(|state| state.checkpoint.policy) else {
        return unknown("its checkpoint names no policy commit".to_owned());
    };
    match step::releases_at(writer, policy) {
        Ok(releases) => Rendered::With(releases),
        Err(error) => unknown(error.chain()),
    }
}

fn ring_mut<'r>(rollout: &'r mut Rollout, ring: &RingName) -> Option<&'r mut RolloutRing> {
    rollout.rings.iter_mut().find(|known| known.ring == *ring)
}

fn count(rollout: &mut Rollout, found: &Found) {
    let seen = || {
        reached(&found.rollout, &found.runs)
            .into_iter()
            .filter_map(|ring| found.observed.get(&ring.ring))
    };
    rollout.users = seen().map(|seen| seen.users).sum();
    rollout.quarantined = seen().map(|seen| seen.quarantined).sum();
}

fn words(look: &Look) -> String {
    match &look.decision {
        Decision::Wait(why) => why.clone(),
        Decision::Promote(ring) => format!("ring {ring} gets it"),
        Decision::Done => "every ring has it".to_owned(),
        Decision::RollBack(why) => format!("goes back: {why}"),
        Decision::WentBack(why) => format!("went back: {why}"),
        Decision::Pause(why) => format!("paused: {why}"),
    }
}
