//! Says how the workspace is, so that nobody has to ask.

use std::{sync::Arc, time::Duration};

use coditect_core::sidecar::Heartbeat;
use tokio::time::{sleep, timeout};

use crate::app::App;

/// How often.
const EVERY: Duration = Duration::from_secs(30);
/// Shortest time between two words: whoever makes news all the time is heard as often as this.
const PAUSE: Duration = Duration::from_secs(5);

/// Speaks for as long as it is polled. A word that is not heard is not said again: the next one says what holds then.
pub(crate) async fn run(app: Arc<App>) {
    loop {
        let said = app.platform.beat(&heartbeat(&app)).await;
        if let Err(error) = said {
            tracing::warn!(error = error.chain(), "the API does not hear how we are");
        }
        sleep(PAUSE).await;
        // News, or the time is up.
        let _ = timeout(EVERY - PAUSE, app.news.notified()).await;
    }
}

fn heartbeat(app: &App) -> Heartbeat {
    let activity = app.activity.answer();
    Heartbeat {
        used: activity.used,
        input_at: activity.input_at,
        output_at: activity.output_at,
        sockets: u32::try_from(app.door.logins.sockets()).unwrap_or(u32::MAX),
        volume: app.volume.measure(),
        waiting: app.volume.waiting(),
    }
}
