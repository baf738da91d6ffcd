//! A shard that Argo CD has given up is begun anew: by a commit that changes it.
//!
//! An operation that lasts too long is ended (`controller.sync.timeout.seconds`), and Argo CD does not try the same
//! content of a shard twice. What puts back a change by hand is worse off: it applies only the objects that were
//! different when it began, and so never the Namespace that somebody deleted and that was still going then (Argo CD
//! 3.5, controller/appcontroller.go, `autoSync`). A commit that changes the shard is applied in full.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coditect_core::{RequestId, Result, Shard};
use coditect_registry::operation::Raise;
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{cell::Cell, world::World};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Begins anew until `stop`.
pub(crate) async fn run(cell: Arc<Cell>, stop: CancellationToken) {
    let mut begun = BTreeMap::new();
    loop {
        if let Err(error) = step(&cell, &mut begun).await {
            tracing::warn!(cell = %cell.settings.cell, error = %error.chain(), "shards that were given up wait for the registry");
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// When the operation began that each shard was begun anew for.
type Begun = BTreeMap<Shard, Option<Timestamp>>;

async fn step(cell: &Cell, begun: &mut Begun) -> Result<()> {
    let given_up = {
        let world = cell.world();
        begun.retain(|shard, _| world.applications.get(shard).is_some());
        given_up(&world, begun)
    };
    for (shard, started_at) in given_up {
        let settled = {
            let rows = cell.rows();
            let mut of_shard = rows.values().filter(|row| row.row.intent.shard == shard);
            let ahead = of_shard.clone().any(|row| {
                let committed = row.committed.as_ref();
                committed.map(|committed| committed.generation) != Some(row.row.intent.generation)
            });
            // Somebody's change is on its way to Git: that is a commit, too.
            of_shard
                .next()
                .filter(|_| !ahead)
                .map(|row| (row.row.intent.user, row.row.intent.generation))
        };
        let Some((user, above_generation)) = settled else {
            continue;
        };
        let raise = Raise {
            cell: cell.settings.cell.clone(),
            user,
            sizes: Vec::new(),
            above_generation,
            at: Timestamp::now(),
        };
        cell.registry.apply(RequestId::random(), &raise).await?;
        tracing::warn!(cell = %cell.settings.cell, %shard, %user, "Argo CD has given up the shard; a commit begins it anew");
        metrics::counter!("coditect_observer_shards_begun_anew_total", "cell" => cell.name())
            .increment(1);
        begun.insert(shard, started_at);
    }
    Ok(())
}

/// The shards whose newest operation has failed for good and is not the one that they were begun anew for.
fn given_up(world: &World, begun: &Begun) -> Vec<(Shard, Option<Timestamp>)> {
    world
        .applications
        .iter()
        .filter(|(_, application)| application.sync == "OutOfSync")
        .filter_map(|(shard, application)| {
            let operation = application.operation.as_ref()?;
            let known = begun.get(shard) == Some(&operation.started_at);
            (operation.over && !known).then_some((*shard, operation.started_at))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        seen::{ApplicationSeen, OperationSeen},
        world::Step,
    };

    #[test]
    fn what_was_given_up_is_begun_anew_once() {
        let shard = Shard::new(7).unwrap();
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let seen = |sync: &str, over, started_at| ApplicationSeen {
            sync: sync.to_owned(),
            operation: Some(OperationSeen {
                revision: "c1".to_owned(),
                started_at,
                attempts: 9,
                ended: true,
                over,
                failures: BTreeMap::new(),
            }),
            ..ApplicationSeen::default()
        };
        let mut world = World::default();
        let mut count = |application, begun: &Begun| {
            world.on_application(Step::Put(shard, application));
            given_up(&world, begun).len()
        };
        let mut begun = Begun::new();
        assert_eq!(
            count(seen("OutOfSync", false, at(1)), &begun),
            0,
            "it goes on"
        );
        assert_eq!(
            count(seen("Synced", true, at(1)), &begun),
            0,
            "it is as Git says"
        );
        assert_eq!(count(seen("OutOfSync", true, at(1)), &begun), 1);
        begun.insert(shard, at(1));
        assert_eq!(count(seen("OutOfSync", true, at(1)), &begun), 0, "the same");
        assert_eq!(
            count(seen("OutOfSync", true, at(2)), &begun),
            1,
            "and again"
        );
    }
}
