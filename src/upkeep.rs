//! What the passing of time does to the registry: grace periods end, old requests are forgotten.

use std::time::Duration;

use coditect_core::{RequestId, Result, health::Health};
use coditect_registry::{
    Registry,
    operation::{BuryDue, ForgetRegistrations, ForgetRequests},
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

/// How often the clock is looked at.
const PERIOD: Duration = Duration::from_secs(10);
/// How many records one transaction handles.
const BATCH: usize = 50;
/// How long the answer of a request is kept for a client that sends it again, and a sign-up for its person.
const REQUESTS: SignedDuration = SignedDuration::from_hours(24);
/// The name under which the janitor posts its health.
const PART: &str = "upkeep";

/// Works until `stop`.
pub(crate) async fn run(registry: Registry, health: Health, stop: CancellationToken) {
    loop {
        match once(&registry).await {
            Ok(()) => health.ok(PART, "grace periods and old requests are looked after"),
            Err(error) => {
                health.degraded(PART, format!("waits for the registry: {}", error.chain()))
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn once(registry: &Registry) -> Result<()> {
    let now = Timestamp::now();
    while registry
        .apply(
            RequestId::random(),
            &BuryDue {
                limit: BATCH,
                at: now,
            },
        )
        .await?
        == BATCH
    {}
    let before = now.saturating_sub(REQUESTS).unwrap_or(Timestamp::MIN);
    let forget = ForgetRegistrations {
        before,
        limit: BATCH,
        at: now,
    };
    while registry.apply(RequestId::random(), &forget).await? == BATCH {}
    while registry
        .apply(
            RequestId::random(),
            &ForgetRequests {
                before,
                limit: BATCH,
                at: now,
            },
        )
        .await?
        == BATCH
    {}
    Ok(())
}
