//! A shard that Argo CD has given up is begun anew: by a commit that changes it.
//!
//! An operation that lasts too long is ended (`controller.sync.timeout.seconds`), and Argo CD does not try the same
//! content of a shard twice. What puts back a change by hand is worse off: it applies only the objects that were
//! different when it began, and so never the Namespace that somebody deleted and that was still going then (Argo CD
//! 3.5, controller/appcontroller.go, `autoSync`). A commit that changes the shard is applied in full.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coditect_core::{RequestId, Result, Shard};
use coditect_registry::operation::Raise;
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{cell::Cell, world::World};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long a failed operation must be the newest: a commit that came meanwhile, such as one that puts another file
/// in the place of a refused one, is applied without us.
const NEWEST: SignedDuration = SignedDuration::from_secs(10);
/// The pause after a first commit that did not help, and the longest: it doubles with each.
const PAUSES: [SignedDuration; 2] = [SignedDuration::from_mins(1), SignedDuration::from_hours(1)];

/// Begins anew until `stop`.
pub(crate) async fn run(cell: Arc<Cell>, stop: CancellationToken) {
    let mut shards = BTreeMap::new();
    loop {
        if let Err(error) = step(&cell, &mut shards).await {
            tracing::warn!(cell = %cell.settings.cell, error = %error.chain(), "shards that were given up wait for the registry");
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// The shards that were given up and are not synced since.
type Shards = BTreeMap<Shard, GivenUp>;

/// That a shard was given up.
#[derive(Clone, Copy, Debug)]
struct GivenUp {
    /// When its newest operation began.
    operation: Option<Timestamp>,
    /// When that was first seen to have failed for good.
    seen: Timestamp,
    /// How often the shard was begun anew, and when last.
    times: u32,
    begun: Option<Timestamp>,
    /// True once that was done for this operation.
    done: bool,
}

async fn step(cell: &Cell, shards: &mut Shards) -> Result<()> {
    let now = Timestamp::now();
    let due = due(&cell.world(), shards, now);
    for shard in due {
        let settled = {
            let rows = cell.rows();
            let of_shard = rows.values().filter(|row| row.row.intent.shard == shard);
            // Whoever waits for approval is on no way to Git, and must not be asked about anew.
            let of_shard = of_shard.filter(|row| row.awaited.is_none());
            let ahead = of_shard.clone().any(|row| {
                let committed = row.committed.as_ref();
                committed.map(|committed| committed.generation) != Some(row.row.intent.generation)
            });
            // Somebody's change is on its way to Git: that is a commit, too. And whoever is quarantined must not be
            // rendered anew, or the refused file comes back.
            of_shard
                .filter(|row| !ahead && row.quarantine.is_none())
                .map(|row| (row.row.intent.user, row.row.intent.generation))
                .next()
        };
        let Some((user, above_generation)) = settled else {
            continue;
        };
        let raise = Raise {
            cell: cell.settings.cell.clone(),
            user,
            sizes: Vec::new(),
            above_generation,
            at: now,
        };
        cell.registry.apply(RequestId::random(), &raise).await?;
        tracing::warn!(cell = %cell.settings.cell, %shard, %user, "Argo CD has given up the shard; a commit begins it anew");
        metrics::counter!("coditect_observer_shards_begun_anew_total", "cell" => cell.name())
            .increment(1);
        if let Some(one) = shards.get_mut(&shard) {
            one.done = true;
            one.times = one.times.saturating_add(1);
            one.begun = Some(now);
        }
    }
    Ok(())
}

/// The shards that are to be begun anew now. Those in which objects are refused are among them: what refuses may lie
/// outside of Git, and be put right there.
fn due(world: &World, shards: &mut Shards, now: Timestamp) -> Vec<Shard> {
    shards.retain(|shard, _| {
        let application = world.applications.get(shard);
        application.is_some_and(|application| application.sync != "Synced")
    });
    let mut due = Vec::new();
    for (shard, application) in world.applications.iter() {
        let Some(operation) = application
            .operation
            .as_ref()
            .filter(|operation| operation.over && application.sync == "OutOfSync")
        else {
            continue;
        };
        let one = shards.entry(*shard).or_insert(GivenUp {
            operation: operation.started_at,
            seen: now,
            times: 0,
            begun: None,
            done: false,
        });
        if one.operation != operation.started_at {
            one.operation = operation.started_at;
            one.seen = now;
            one.done = false;
        }
        let waited = one
            .begun
            .is_none_or(|begun| now.duration_since(begun) >= pause(one.times));
        if !one.done && waited && now.duration_since(one.seen) >= NEWEST {
            due.push(*shard);
        }
    }
    due
}

/// How long after the last of so many commits another is made.
fn pause(times: u32) -> SignedDuration {
    let doubled = 2_i32.saturating_pow(times.saturating_sub(1).min(16));
    PAUSES[0].saturating_mul(doubled).min(PAUSES[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        seen::{ApplicationSeen, Failure, OperationSeen},
        world::Step,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    fn shard() -> Shard {
        Shard::new(7).unwrap()
    }

    /// An Application whose newest operation began at a second.
    fn seen(sync: &str, over: bool, second: i64, refused: bool) -> ApplicationSeen {
        let failure = Failure {
            object: "Service s".to_owned(),
            message: "Service \"s\" is invalid: spec".to_owned(),
        };
        ApplicationSeen {
            sync: sync.to_owned(),
            operation: Some(OperationSeen {
                revision: "c1".to_owned(),
                started_at: Some(at(second)),
                attempts: 9,
                ended: true,
                over,
                failures: refused
                    .then(|| (coditect_core::UserId::random(), failure))
                    .into_iter()
                    .collect(),
            }),
            ..ApplicationSeen::default()
        }
    }

    /// Looks at an Application at a second; true if its shard is begun anew.
    fn look(shards: &mut Shards, application: ApplicationSeen, second: i64) -> bool {
        let mut world = World::default();
        world.on_application(Step::Put(shard(), application));
        let due = due(&world, shards, at(second));
        for shard in &due {
            let one = shards.get_mut(shard).unwrap();
            (one.done, one.times, one.begun) = (true, one.times + 1, Some(at(second)));
        }
        !due.is_empty()
    }

    #[test]
    fn what_was_given_up_is_begun_anew_once() {
        let mut shards = Shards::new();
        for (sync, over) in [("OutOfSync", false), ("Synced", true)] {
            assert!(!look(&mut shards, seen(sync, over, 1, false), 5));
            assert!(!look(&mut shards, seen(sync, over, 1, false), 50));
        }
        let given_up = || seen("OutOfSync", true, 1, false);
        assert!(!look(&mut shards, given_up(), 60), "a commit may be coming");
        assert!(look(&mut shards, given_up(), 70));
        assert!(!look(&mut shards, given_up(), 10_000), "the same");
    }

    #[test]
    fn what_does_not_help_is_done_less_and_less_often() {
        let mut shards = Shards::new();
        let day = 86_400;
        // Each operation fails a minute after it began.
        let begun = (0..day)
            .step_by(10)
            .filter(|second| {
                look(
                    &mut shards,
                    seen("OutOfSync", true, second / 60 * 60, false),
                    *second,
                )
            })
            .count();
        assert!((25..=35).contains(&begun), "{begun} commits in a day");
        assert!(!look(&mut shards, seen("Synced", true, 0, false), day));
        assert!(!look(&mut shards, seen("OutOfSync", true, 1, false), day));
        assert!(
            look(&mut shards, seen("OutOfSync", true, 1, false), day + 10),
            "a new trouble"
        );
    }

    #[test]
    fn what_is_refused_is_tried_again_too() {
        let mut shards = Shards::new();
        assert!(!look(&mut shards, seen("OutOfSync", true, 1, true), 0));
        assert!(look(&mut shards, seen("OutOfSync", true, 1, true), 20));
    }
}
