//! What is done before the workspace stops: nothing that a person typed may be lost.
//!
//! The IDE's container asks for it before it ends (`preStop`), while tabs, IDE and we are all still there. We end last,
//! as a native sidecar does, and hand over what is left.

use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use crate::{app::App, socket};

/// How long tabs have to save.
const SAVING: Duration = Duration::from_secs(10);
/// How long handing over may take, and how long keeping what tabs share.
const HANDING_OVER: Duration = Duration::from_secs(30);
const KEEPING: Duration = Duration::from_secs(5);
/// How long the rest may take at our own end.
const LAST: Duration = Duration::from_secs(8);

/// What was done.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Prepared {
    /// How many tabs were open.
    pub(crate) tabs: usize,
    /// How many of them did not say in time that they have saved.
    pub(crate) unsaved: usize,
    /// Whether the API has everything that happened to files.
    pub(crate) handed_over: bool,
    /// How much waits for it.
    pub(crate) waiting: u64,
}

/// Has everything saved and handed over. Whatever does not answer in time is not waited for.
pub(crate) async fn prepare(app: &App) -> Prepared {
    let seconds = u32::try_from(SAVING.as_secs()).unwrap_or(u32::MAX);
    let tabs = app.hub.ask_to_save(seconds);
    let saved = async {
        loop {
            let changed = app.hub.saved.notified();
            if app.hub.saving() == 0 {
                return;
            }
            changed.await;
        }
    };
    let unsaved = match timeout(SAVING, saved).await {
        Ok(()) => 0,
        Err(_) => app.hub.saving(),
    };
    let (handed_over, kept) =
        tokio::join!(app.volume.flush(HANDING_OVER), socket::flush(app, KEEPING));
    let prepared = Prepared {
        tabs,
        unsaved,
        handed_over,
        waiting: app.volume.waiting(),
    };
    tracing::info!(?prepared, kept, "ready to stop");
    prepared
}

/// Hands over the rest.
pub(crate) async fn finish(app: &App) {
    tokio::join!(app.volume.flush(LAST), socket::flush(app, LAST));
}
