//! All users of a cell.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::{Result, UserId, WorkspaceId};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{
    kinds::KINDS,
    pages::{Pages, of_user},
    user::{Difference, Live, Wanted, user},
};
use crate::seen::MANAGED_BY;

/// How long between two looks at what differs.
const BETWEEN: Duration = Duration::from_millis(500);
/// How many users are looked at again at the same time.
const AT_ONCE: usize = 8;

/// What a cell's cluster should hold. Every question is answered anew.
#[async_trait]
pub trait Desired: Send + Sync {
    /// Every user of whom the newest commit has a file.
    ///
    /// # Errors
    /// `Unavailable` if the repository does not answer.
    async fn users(&self) -> Result<BTreeSet<UserId>>;

    /// What is wanted of one user; none if Git has no file.
    ///
    /// # Errors
    /// `Unavailable` if repository or registry do not answer.
    async fn of(&self, user: UserId) -> Result<Option<Wanted>>;

    /// True if the registry has a tombstone of the user.
    ///
    /// # Errors
    /// `Unavailable` if the registry does not answer.
    async fn is_buried(&self, user: UserId) -> Result<bool>;

    /// True if the registry has a tombstone of the workspace.
    ///
    /// # Errors
    /// `Unavailable` if the registry does not answer.
    async fn is_workspace_buried(&self, workspace: WorkspaceId) -> Result<bool>;
}

/// What the comparison of a cell found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many users of Git were compared.
    pub users: usize,
    /// How many of their objects.
    pub objects: usize,
    /// Every difference, by user.
    pub differences: BTreeMap<UserId, Vec<Difference>>,
    /// Users in whose place an older file stands, and why; no difference.
    pub quarantined: BTreeMap<UserId, String>,
    /// What has a tombstone and waits for the reaper: namespaces and volumes. No difference.
    pub waiting: BTreeMap<UserId, Vec<String>>,
}

impl Report {
    /// True if the cluster is what Git and the registry say.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.differences.is_empty()
    }

    /// Replaces what was found of a user; true if it differs.
    fn note(&mut self, user: UserId, found: Found) -> bool {
        let differs = !found.differences.is_empty();
        put(&mut self.differences, user, differs, found.differences);
        let waits = !found.waiting.is_empty();
        put(&mut self.waiting, user, waits, found.waiting);
        match found.quarantined {
            Some(why) => self.quarantined.insert(user, why),
            None => self.quarantined.remove(&user),
        };
        differs
    }
}

fn put<T>(map: &mut BTreeMap<UserId, T>, user: UserId, is: bool, value: T) {
    if is {
        map.insert(user, value);
    } else {
        map.remove(&user);
    }
}

#[derive(Default)]
struct Found {
    differences: Vec<Difference>,
    waiting: Vec<String>,
    quarantined: Option<String>,
    objects: usize,
}

/// Compares a cell's cluster with what it should hold. What differs is looked at again until `patience` is over.
/// `progress` is called with how many users are done and how many there are.
///
/// # Errors
/// `Unavailable` if cluster, repository or registry do not answer.
pub async fn compare(
    client: &Client,
    desired: &dyn Desired,
    patience: Duration,
    progress: impl Fn(usize, usize),
) -> Result<Report> {
    let mut report = Report::default();
    let mut differing = first_look(client, desired, &mut report, progress).await?;
    let deadline = Instant::now() + patience;
    while !differing.is_empty() && Instant::now() < deadline {
        sleep(BETWEEN.min(patience)).await;
        let looks = stream::iter(differing)
            .map(async |user| -> Result<(UserId, Option<Found>)> {
                if Instant::now() >= deadline {
                    return Ok((user, None));
                }
                let wanted = desired.of(user).await?;
                let live = of_user(client, &KINDS, user).await?;
                Ok((user, Some(judge(desired, user, wanted, &live).await?)))
            })
            .buffer_unordered(AT_ONCE);
        let looks: Vec<_> = looks.try_collect().await?;
        differing = Vec::new();
        for (user, found) in looks {
            if found.is_none_or(|found| report.note(user, found)) {
                differing.push(user);
            }
        }
    }
    Ok(report)
}

/// Goes once through Git and the cluster side by side. Gives the users that differ.
async fn first_look(
    client: &Client,
    desired: &dyn Desired,
    report: &mut Report,
    progress: impl Fn(usize, usize),
) -> Result<Vec<UserId>> {
    let users = desired.users().await?;
    report.users = users.len();
    let mut pages: Vec<Pages> = KINDS.iter().map(|kind| Pages::new(client, kind)).collect();
    let mut in_git = users.iter().copied().peekable();
    let mut differing = Vec::new();
    let mut done = 0;
    loop {
        let mut next = in_git.peek().copied();
        for head in peek_all(&mut pages).await? {
            next = Some(next.map_or(head, |next| next.min(head)));
        }
        let Some(user) = next else {
            return Ok(differing);
        };
        let mut live = Vec::new();
        for pages in &mut pages {
            pages.take(user, &mut live).await?;
        }
        let mut wanted = None;
        if in_git.next_if_eq(&user).is_some() {
            wanted = desired.of(user).await?;
            done += 1;
            progress(done, users.len());
        }
        let found = judge(desired, user, wanted, &live).await?;
        report.objects += found.objects;
        if report.note(user, found) {
            differing.push(user);
        }
    }
}

/// The next user of every kind that has one; empty pages are fetched side by side.
async fn peek_all(pages: &mut [Pages]) -> Result<Vec<UserId>> {
    let heads = futures::future::try_join_all(pages.iter_mut().map(Pages::peek)).await?;
    Ok(heads.into_iter().flatten().collect())
}

async fn judge(
    desired: &dyn Desired,
    id: UserId,
    wanted: Option<Wanted>,
    live: &[Live],
) -> Result<Found> {
    let Some(wanted) = wanted else {
        return not_in_git(desired, id, live).await;
    };
    let compared = user(&wanted, live);
    let mut found = Found {
        differences: compared.differences,
        quarantined: wanted.quarantined,
        objects: compared.objects,
        ..Found::default()
    };
    for leftover in compared.leftovers {
        let object = format!("PersistentVolumeClaim/{}", leftover.name);
        let buried = match leftover.workspace {
            Some(workspace) => desired.is_workspace_buried(workspace).await?,
            None => false,
        };
        if buried {
            found.waiting.push(object);
        } else {
            found.differences.push(Difference::Unexpected { object });
        }
    }
    Ok(found)
}

/// A namespace that Git does not have: it is the reaper's if a tombstone says so.
async fn not_in_git(desired: &dyn Desired, user: UserId, live: &[Live]) -> Result<Found> {
    let mut found = Found::default();
    let ours = |live: &&Live| {
        let (label, value) = MANAGED_BY;
        live.kind == KINDS[0].kind && live.object["metadata"]["labels"][label] == value
    };
    if live.iter().any(|live| ours(&live)) {
        let namespace = user.namespace();
        if desired.is_buried(user).await? {
            found.waiting.push(format!("Namespace/{namespace}"));
        } else {
            found.differences.push(Difference::Orphan { namespace });
        }
    }
    Ok(found)
}
