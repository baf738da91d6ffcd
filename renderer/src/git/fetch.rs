//! A repository elsewhere, of which the newest commit alone is wanted here.

use std::{path::Path, time::Duration};

use super::{
    access::{Elsewhere, GitAccess},
    redact::redacted,
    reference::BRANCH,
};

/// The remote's name for the one fetch.
const REMOTE: &str = "coditect-elsewhere";

/// Brings the newest commit of the branch of the repository at `url` into the bare repository at `folder`, which is made
/// if it is not there.
///
/// # Errors
/// A sentence with the address, without its password, and what git said, if that did not succeed within `limit`.
pub async fn fetch_newest(
    url: &str,
    access: &GitAccess,
    folder: &Path,
    limit: Duration,
) -> Result<(), String> {
    let elsewhere = Elsewhere {
        name: REMOTE,
        url,
        access,
        limit,
    };
    let failed = |said: &str| {
        let shown = redacted(url);
        let said = said.trim().replace(url, &shown);
        format!("{shown} cannot be fetched: {said}")
    };
    let made = tokio::fs::create_dir_all(folder).await;
    made.map_err(|error| failed(&format!("{} cannot be made: {error}", folder.display())))?;
    let branch = format!("+{BRANCH}:{BRANCH}");
    let init = ["init", "--quiet", "--bare", "--initial-branch=main"];
    let fetch = [
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        REMOTE,
        &branch,
    ];
    for arguments in [&init[..], &fetch[..]] {
        let mut command = elsewhere.command(folder);
        command.args(["-c", "gc.auto=0"]).args(arguments);
        match elsewhere.run(command).await {
            Ok(output) if output.success => {}
            Ok(output) => return Err(failed(&output.stderr)),
            Err(said) => return Err(failed(&said)),
        }
    }
    Ok(())
}
