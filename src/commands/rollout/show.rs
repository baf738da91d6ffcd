//! A roll-out as a table for people and as JSON for machines.

use std::{sync::Arc, time::Duration};

use coditect_core::{CellName, Error, ReleaseName, Result, health::Health};
use coditect_registry::{
    Registry,
    record::{Rollout as Record, RolloutState},
};
use coditect_renderer::{
    git::PolicyRepository,
    rollout::{Picture, RolloutService, Seen},
};
use serde::Serialize;
use tokio::sync::watch;

use super::Rollout;
use crate::{cli::Output, output, policy};

/// How often `--watch` looks.
pub(super) const AGAIN: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Shown<'a> {
    release: &'a ReleaseName,
    #[serde(flatten)]
    state: &'a RolloutState,
    /// What comes next, or what it waits for.
    next: String,
    started_at: jiff::Timestamp,
    rings: Vec<Ring>,
    /// The policy commits that were written, the oldest first.
    commits: Vec<&'a str>,
}

#[derive(Serialize)]
struct Ring {
    ring: String,
    runs: String,
    users: u64,
    rendered: u64,
    should_run: u64,
    ready: u64,
    quarantined: u64,
    /// Refused by the cluster and not quarantined.
    held_back: u64,
    /// Since when it has the release.
    since: Option<jiff::Timestamp>,
    verdict: String,
}

impl Rollout {
    /// Shows the newest one, and gives it.
    pub(super) async fn show(&self, registry: &Registry, output: Output) -> Result<Record> {
        let known = registry.view().await?.rollouts().await?;
        let newest = known
            .into_iter()
            .max_by_key(|(_, rollout)| rollout.started_at);
        let Some((release, rollout)) = newest else {
            return Err(Error::not_found(
                "there never was a roll-out; begin one with `rollout start RELEASE`",
            ));
        };
        let picture = self.picture(registry, &release, &rollout).await?;
        let rings = rings(&release, &rollout, &picture);
        let next = match &rollout.state {
            RolloutState::Advancing | RolloutState::Paused { .. } => picture.next,
            // Nothing that is seen changes what comes next.
            RolloutState::Aborted { .. } | RolloutState::RolledBack { .. } | RolloutState::Done => {
                rollout.why.clone()
            }
        };
        match output {
            Output::Json => output::json(&Shown {
                release: &release,
                state: &rollout.state,
                next,
                started_at: rollout.started_at,
                rings,
                commits: rollout
                    .commits
                    .iter()
                    .map(|commit| commit.commit.as_str())
                    .collect(),
            })?,
            Output::Text => {
                output::line(&format!("{release} {}: {next}", word(&rollout.state)));
                let header = [
                    "ring", "runs", "users", "rendered", "ready", "refused", "since", "verdict",
                ];
                output::table(header, rings.into_iter().map(cells));
            }
        }
        Ok(rollout)
    }

    async fn picture(
        &self,
        registry: &Registry,
        release: &ReleaseName,
        rollout: &Record,
    ) -> Result<Picture> {
        let inputs = policy::newest(&self.data)?;
        let (_sender, inputs) = watch::channel(Arc::new(inputs));
        let writer = PolicyRepository::open_or_init(self.data.policy())?;
        let data = self.data.clone();
        let service = RolloutService::new(
            registry.clone(),
            Arc::new(writer),
            inputs,
            Arc::new(move |cell: &CellName| data.repository(cell)),
            Health::default(),
        );
        service.picture(release.clone(), rollout.clone()).await
    }
}

fn word(state: &RolloutState) -> &'static str {
    match state {
        RolloutState::Advancing => "goes on",
        RolloutState::Paused { .. } => "is paused",
        RolloutState::Aborted { .. } => "goes back",
        RolloutState::RolledBack { .. } => "went back",
        RolloutState::Done => "is done",
    }
}

fn rings(release: &ReleaseName, rollout: &Record, picture: &Picture) -> Vec<Ring> {
    let mut waits = false;
    let runs = picture.runs.iter();
    runs.map(|(ring, runs)| {
        let seen = picture.observed.get(ring).cloned().unwrap_or_default();
        let known = rollout.rings.iter().find(|known| known.ring == *ring);
        let has_it = runs.release == *release;
        let verdict = match known {
            None => "not a part of it".to_owned(),
            Some(known) if known.release == *release => "had it before".to_owned(),
            Some(_) if has_it => verdict(&seen),
            Some(_) if !rollout.state.under_way() => "does not have it".to_owned(),
            Some(_) if waits => "waits".to_owned(),
            Some(_) => {
                waits = true;
                "is next".to_owned()
            }
        };
        let since = rollout
            .commits
            .iter()
            .rev()
            .find(|commit| commit.ring.as_ref() == Some(ring));
        Ring {
            ring: ring.to_string(),
            runs: runs.release.to_string(),
            users: seen.users,
            rendered: seen.rendered,
            should_run: seen.should_run,
            ready: seen.ready,
            quarantined: seen.quarantined,
            held_back: seen.held_back,
            since: since.filter(|_| has_it).map(|commit| commit.at),
            verdict,
        }
    })
    .collect()
}

fn verdict(seen: &Seen) -> String {
    match &seen.unknown {
        Some(why) => format!("unknown: {why}"),
        None if seen.rendered + seen.quarantined < seen.users => "is being rendered".to_owned(),
        None => "has it".to_owned(),
    }
}

fn cells(ring: Ring) -> [String; 8] {
    [
        ring.ring,
        ring.runs,
        ring.users.to_string(),
        ring.rendered.to_string(),
        format!("{} of {}", ring.ready, ring.should_run),
        (ring.quarantined + ring.held_back).to_string(),
        ring.since
            .map_or_else(|| "-".to_owned(), |since| format!("{since:.0}")),
        ring.verdict,
    ]
}
