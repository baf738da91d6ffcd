//! Keeps what the tabs share in the registry, so that it is there tomorrow.

use std::{sync::Arc, time::Duration};

use coditect_core::Kind;
use tokio::time::{sleep, timeout};

use crate::app::App;

/// How long changes are gathered.
const GATHER: Duration = Duration::from_secs(2);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(5);

/// Keeps it for as long as it is polled.
pub(crate) async fn keep(app: Arc<App>) {
    loop {
        if !app.hub.is_loaded() {
            match app.platform.state().await {
                Ok(kept) => app.hub.load(kept),
                Err(error) => {
                    tracing::warn!(error = error.chain(), "what tabs shared last is not known");
                    sleep(PAUSE).await;
                    continue;
                }
            }
        }
        app.hub.changed.notified().await;
        sleep(GATHER).await;
        if !write(&app).await {
            sleep(PAUSE).await;
            // To be tried again without another change.
            app.hub.changed.notify_one();
        }
    }
}

/// Keeps what changed. False if it is not kept.
async fn write(app: &App) -> bool {
    let Some(state) = app.hub.take_changed() else {
        return true;
    };
    let Err(error) = app.platform.put_state(&state).await else {
        return true;
    };
    tracing::warn!(error = error.chain(), "what tabs share is not kept");
    app.hub.give_back();
    if *error.kind() == Kind::Conflict
        && let Ok(kept) = app.platform.state().await
    {
        app.hub.load(kept);
    }
    false
}

/// Keeps what changed now, within `limit`.
pub(crate) async fn flush(app: &App, limit: Duration) -> bool {
    timeout(limit, write(app)).await.unwrap_or(false)
}
