//! Requests that come evenly, whatever becomes of those before them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval_at},
};

/// How many come at a time at most: later ones wait, and their wait counts.
const LANES: u32 = 50;

/// Sends `a_second` requests a second for so long, and gives how long each took from when it was due. `send` is told
/// which one it is.
pub(crate) async fn times<F>(
    a_second: u32,
    time: Duration,
    send: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Vec<Duration>
where
    F: Future<Output = ()> + Send,
{
    let send = Arc::new(send);
    let lanes = LANES.min(a_second);
    let between = Duration::from_secs(1) * lanes / a_second;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for lane in 0..lanes {
        let send = Arc::clone(&send);
        tasks.spawn(async move {
            let mut ticks = interval_at((began + between * lane / lanes).into(), between);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut times = Vec::new();
            let mut ended = began;
            while began.elapsed() < time {
                let due = ticks.tick().await.into_std();
                // A timer wakes up to a millisecond late; that is not the program's.
                let from = if ended > due { due } else { Instant::now() };
                send(lane as usize + times.len() * lanes as usize).await;
                ended = Instant::now();
                times.push(ended - from);
            }
            times
        });
    }
    tasks.join_all().await.concat()
}
