//! Who may be in a workspace, told as soon as it changes.

use std::time::Duration;

use axum::{Json, extract::State};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{
    Error, LoginId, Result, WorkspaceId,
    sidecar::{Access, Restore},
};
use sha2::{Digest, Sha256};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until, timeout},
};

use super::{body::AccessBody, restores::waiting};
use crate::{extract::Query, gateway::Gateway, problem::Answer, revoked::Known, state::ApiState};

/// Longest time that a question waits for news, in seconds: below the time within which every request is answered.
const LONGEST_WAIT: u64 = 25;
/// How long the first look at who ended their sign-in may take.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// Who may be in the workspace: the keys that verify, those that were revoked, and the logins that ended lately; and
/// which earlier contents of files somebody wants back.
///
/// Always the whole of it. With `after`, it is told as soon as it is not what that version names, and after `wait`
/// seconds at the latest.
#[utoipa::path(
    get, path = "/api/v5/sidecar/access", tag = "sidecar",
    params(
        ("after" = Option<String>, Query, description = "`version` of the answer before"),
        ("wait" = Option<u64>, Query, description = "How many seconds to wait for news, 0 to 25; 0 if it is left out", minimum = 0, maximum = 25),
    ),
    responses((status = 200, description = "Who may be in", body = AccessBody)),
)]
pub(in crate::route) async fn access(
    State(state): State<ApiState>,
    gateway: Gateway,
    query: Query,
) -> Answer<Json<Access>> {
    let [after, wait] = query.take(["after", "wait"])?;
    let wait = wait.map_or(Ok(0), |text| seconds(&text))?;
    let until = Instant::now() + Duration::from_secs(wait);
    let (mut ended, mut keys) = (state.revoked.follow(), state.tokens.keys.follow());
    let mut asked = state.restores.subscribe();
    loop {
        keys.mark_unchanged();
        let known = ended.borrow_and_update().clone();
        let logins = match known {
            Known::All(ended) => ended.of(gateway.account),
            Known::Away => return Err(away().into()),
            // The first one who asks waits for the first look.
            Known::NotYet => match timeout(FIRST_LOOK, ended.changed()).await {
                Ok(Ok(())) => continue,
                _ => return Err(away().into()),
            },
        };
        let restores = waiting(&state, &gateway).await?;
        let ring = &state.tokens.keys;
        let access = access_of(ring.ids(), ring.revoked(state.now()), logins, restores);
        if after.as_ref() != Some(&access.version) {
            return Ok(Json(access));
        }
        tokio::select! {
            biased;
            () = state.stopping.cancelled() => return Ok(Json(access)),
            () = sleep_until(until) => return Ok(Json(access)),
            Ok(()) = ended.changed() => {}
            Ok(()) = keys.changed() => {}
            () = of(&mut asked, gateway.workspace) => {}
        }
    }
}

/// Returns when somebody has asked for a file of this workspace back, or may have. What another process is asked for is
/// found with the next question.
async fn of(asked: &mut Receiver<WorkspaceId>, workspace: WorkspaceId) {
    loop {
        match asked.recv().await {
            Ok(other) if other != workspace => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn away() -> Error {
    Error::unavailable("who ended their sign-in is not known now; try again in a moment")
}

fn seconds(text: &str) -> Result<u64> {
    let wait = text.parse().ok().filter(|wait| *wait <= LONGEST_WAIT);
    wait.ok_or_else(|| Error::invalid("wait", format!("must be a number from 0 to {LONGEST_WAIT}")))
}

fn access_of(
    keys: Vec<String>,
    revoked_keys: Vec<String>,
    ended_logins: Vec<LoginId>,
    restores: Vec<Restore>,
) -> Access {
    let mut all = Sha256::new();
    for keys in [&keys, &revoked_keys] {
        for key in keys {
            all.update((key.len() as u64).to_be_bytes());
            all.update(key);
        }
        all.update([0]);
    }
    for login in &ended_logins {
        all.update(login.as_bytes());
    }
    all.update([0]);
    for restore in &restores {
        all.update(restore.id.as_bytes());
    }
    Access {
        version: BASE64_URL_SAFE_NO_PAD.encode(&all.finalize()[..16]),
        keys,
        revoked_keys,
        ended_logins,
        restores,
    }
}
