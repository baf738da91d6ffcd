//! Waiting for something to be seen.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use crate::{During, Failure, Result};

/// The first pause between two looks; it doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(10);
/// The longest pause between two looks: what a measured time can be off by.
const LONGEST: Duration = Duration::from_millis(160);

/// Looks until there is something to see, and gives it.
///
/// A look that fails is not the end: it is what there is to see instead, and the last one is told if the limit
/// passes. So a look says with [`crate::ensure!`] what it still misses, and may use `?` on a server that is down.
///
/// # Errors
/// What was waited for, how long, and the last state seen.
pub async fn until<T, F, Look>(what: impl Display, limit: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Look,
    Look: Future<Output = Result<T>>,
{
    let began = Instant::now();
    let mut pause = FIRST;
    let mut last = Failure::new("nothing answered");
    loop {
        let left = limit.saturating_sub(began.elapsed());
        match timeout(left, look()).await {
            Ok(Ok(seen)) => return Ok(seen),
            Ok(Err(state)) => last = state,
            Err(_) => {}
        }
        if began.elapsed() >= limit {
            return Err(Failure::new(format!(
                "waited {} s for {what}; last seen: {last}",
                limit.as_secs()
            )));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Looks again and again for a while, to see that something stays as it is; the first look that fails ends it.
///
/// # Errors
/// The look's own, with what was to last.
pub async fn lasts<F, Look>(what: impl Display, time: Duration, mut look: F) -> Result
where
    F: FnMut() -> Look,
    Look: Future<Output = Result>,
{
    let ends = Instant::now() + time;
    while Instant::now() < ends {
        look().await.during(format!("{what} did not last"))?;
        sleep(LONGEST).await;
    }
    Ok(())
}
