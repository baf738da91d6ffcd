//! What the passing of time does to the registry: grace periods end, what has had its time is forgotten. And to object
//! storage: what nothing refers to any more is removed.

use std::time::Duration;

use clap::Args;
use coditect_api::{Collected, Objects, collect};
use coditect_core::health::Health;
use coditect_registry::{
    Registry,
    janitor::{Janitor, Retention},
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

/// How often the clock is looked at.
const PERIOD: Duration = Duration::from_secs(10);
/// The names under which the janitors post their health.
const PART: &str = "upkeep";
const OBJECTS: &str = "objects";

/// How long things are kept where an operator may decide.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Keep {
    /// How many days decisions stay in the audit, which holds ids only; without it, for ever.
    #[arg(long, value_name = "DAYS", env = "CODITECT_AUDIT_DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    audit_days: Option<u32>,
}

impl Keep {
    /// For `coditect config`.
    pub(crate) fn described(self) -> String {
        self.audit_days
            .map_or_else(|| "for ever".to_owned(), |days| days.to_string())
    }

    fn retention(self) -> Retention {
        Retention {
            audit: self
                .audit_days
                .map(|days| SignedDuration::from_hours(24 * i64::from(days))),
        }
    }
}

/// Works until `stop`.
pub(crate) async fn run(
    registry: Registry,
    objects: Objects,
    keep: Keep,
    health: Health,
    stop: CancellationToken,
) {
    let mut janitor = Janitor::new(registry.clone(), keep.retention());
    loop {
        match janitor.pass(Timestamp::now()).await {
            Ok(_) if janitor.put_off() > 0 => health.degraded(
                PART,
                format!(
                    "{} entries could not be dealt with and are put off: the log names each; run `coditect registry check`",
                    janitor.put_off()
                ),
            ),
            Ok(_) => health.ok(PART, "grace periods and old records are looked after"),
            Err(error) => {
                health.degraded(PART, format!("waits for the registry: {}", error.chain()))
            }
        }
        match collect(&registry, &objects, Timestamp::now()).await {
            Ok(Collected { left: 0, .. }) => health.ok(OBJECTS, "nothing is left that is to be removed"),
            Ok(Collected { left, .. }) => health.degraded(
                OBJECTS,
                format!("{left} contents of files cannot be removed now: the log says why; they are tried again"),
            ),
            Err(error) => {
                health.degraded(OBJECTS, format!("waits for the registry: {}", error.chain()));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}
