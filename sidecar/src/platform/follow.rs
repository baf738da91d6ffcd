//! Follows what the API says of who may enter.

use std::{sync::Arc, time::Duration};

use coditect_core::{Result, sidecar::Access};
use tokio::time::sleep;

use crate::{access::Rules, app::App};

/// Pause between two questions; each failure doubles it.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause: new sockets wait for no longer than this once the API is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks for as long as it is polled, and tells the door; and the volume, of what is to be brought back.
pub(crate) async fn follow(app: Arc<App>) {
    let mut version: Option<String> = None;
    let mut pause = PAUSE;
    loop {
        match step(&app, version.as_deref()).await {
            Ok(access) => {
                version = Some(access.version);
                app.volume.bring_back(access.restores);
                pause = PAUSE;
                // An API that answers every question at once is not asked without end.
                sleep(PAUSE).await;
            }
            Err(error) => {
                tracing::warn!(error = error.chain(), "who may enter is not known now");
                if app.door.logins.lose_patience() {
                    tracing::error!("the API has been silent for too long: everybody is cut off");
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn step(app: &App, after: Option<&str>) -> Result<Access> {
    let (platform, door) = (&app.platform, &app.door);
    let credential = platform.credential().await?;
    let rules = Rules::new(credential.issuer, &credential.web_app, &app.site)?;
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
