//! Follows what the API says of who may enter.

use std::{sync::Arc, time::Duration};

use coditect_core::{Error, Result, sidecar::Access};
use tokio::time::sleep;

use super::Platform;
use crate::{
    access::{Door, Rules},
    app::App,
    site::Site,
};

/// Pause between two questions; each failure doubles it.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause: new sockets wait for no longer than this once the API is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks for as long as it is polled, and tells the door; and the volume, of what is to be brought back.
pub(crate) async fn follow(app: Arc<App>) {
    let (platform, door) = (&app.platform, &app.door);
    let mut version: Option<String> = None;
    let mut pause = PAUSE;
    loop {
        match step(platform, door, version.as_deref()).await {
            Ok(access) => {
                version = Some(access.version);
                app.volume.bring_back(access.restores);
                pause = PAUSE;
                // An API that answers every question at once is not asked without end.
                sleep(PAUSE).await;
            }
            Err(error) => {
                tracing::warn!(error = error.chain(), "who may enter is not known now");
                if door.logins.lose_patience() {
                    tracing::error!("the API has been silent for too long: everybody is cut off");
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn step(platform: &Platform, door: &Door, after: Option<&str>) -> Result<Access> {
    let credential = platform.credential().await?;
    // What stands in pages and headers of ours is an origin, whoever said it.
    let web_app = Site::new(&credential.web_app)
        .map_err(|error| Error::unavailable("the API names no web app").because(error))?;
    let rules = Rules {
        issuer: credential.issuer,
        web_app: web_app.origin().to_owned(),
    };
    if door.rules().is_some() {
        door.set_rules(rules.clone());
    }
    let access = platform.access(after).await?;
    // Before anything that can fail: whoever is shut out must be out.
    door.logins.hear(&access);
    // The first ones only now: a code that came before would be spent, and its person refused.
    door.set_rules(rules);
    if door.keys.restrict(&access.keys) {
        door.keys.replace(&platform.keys().await?)?;
    }
    Ok(access)
}
