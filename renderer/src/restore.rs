//! restore: the registry's intents, read back from a cell's repository after the registry was lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use coditect_core::{
    AccountId, CellName, Epoch, Error, Kind, RequestId, Result, Shard, UserId, UserIntent,
};
use coditect_registry::{
    Registry,
    operation::{AdoptUser, BeginEpoch},
};
use git2::Oid;
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    ENGINE,
    git::{CellRepository, PolicyRepository, ShardTree},
    inputs::Inputs,
    reconcile::blocking,
    render::{Renderer, intent_of},
    restored::{Age, bury_what_git_remembers},
};

/// How many users are adopted at the same time; the store writes them with one sync.
const AT_ONCE: usize = 32;

/// What became of the users of a commit.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The cell.
    pub cell: CellName,
    /// The commit that was read.
    pub commit: String,
    /// The policy that proves the intents.
    pub policy: Option<String>,
    /// Users that the registry has again.
    pub adopted: usize,
    /// Users that it had already; left as they are.
    pub already_there: usize,
    /// Users of the commit who were deleted, by the repository's whole history or the registry: they stay so.
    pub deleted: BTreeSet<UserId>,
    /// Users whose intent does not count, with the reason. Their files stay in Git, as orphans.
    pub refused: BTreeMap<UserId, String>,
    /// What else a person should know.
    pub notes: Vec<String>,
    /// The registry's new life.
    pub epoch: Epoch,
}

/// The intent that a user's file records, if rendering it gives the file, byte for byte.
///
/// # Errors
/// Why the intent does not count.
pub fn proved(
    file: &[u8],
    cell: &CellName,
    shard: Shard,
    user: UserId,
    renderer: &Renderer,
) -> Result<UserIntent, String> {
    let intent = intent_of(file).ok_or("the file records no intent")?;
    if (intent.user, intent.shard) != (user, shard) || intent.cell != *cell {
        return Err("the file records the intent of another user, cell or shard".into());
    }
    let rendered = renderer.render_over(&intent, file);
    let rendered = rendered.map_err(|error| format!("its intent cannot be rendered: {error}"))?;
    if rendered.bytes != file {
        return Err("the file is not what its intent renders".into());
    }
    Ok(intent)
}

/// Reads every user's intent from a commit of a cell's repository (its head if none is named) and gives those to
/// the registry that are proved, with every workspace off. Whoever was deleted stays deleted. A new life of the
/// registry begins, so that the renderer reconciles in full.
///
/// An intent is proved by the policy that the commit's checkpoint names, or, for a file that an earlier commit
/// brought, by the policy of that commit's checkpoint. `progress` is called with how many users are done and how
/// many there are.
///
/// # Errors
/// `NotFound` if there is no such commit or no policy to prove anything with; `Invalid` if the commit has no
/// checkpoint or another engine rendered it; `Unavailable` if registry or repository do not answer.
pub async fn restore_registry(
    registry: &Registry,
    cell: &CellName,
    repository: CellRepository,
    policy: PolicyRepository,
    commit: Option<Oid>,
    progress: impl Fn(u64, u64) + Send + 'static,
) -> Result<Report> {
    let reader = repository.clone();
    let mut source = {
        let cell = cell.clone();
        blocking(move || Source::open(reader, policy, cell, commit)).await?
    };
    // First, so that nobody is adopted who is to be buried.
    bury_what_git_remembers(registry, repository, cell, Age::OtherEpoch).await?;
    let mut report = Report {
        cell: cell.clone(),
        commit: source.commit.to_string(),
        policy: source.inputs.commit.map(|commit| commit.to_string()),
        adopted: 0,
        already_there: 0,
        deleted: BTreeSet::new(),
        refused: BTreeMap::new(),
        notes: std::mem::take(&mut source.notes),
        epoch: Epoch::random(),
    };
    let found = blocking(move || source.read()).await?;
    let (all, mut done) = (found.len() as u64, 0);
    let mut running = JoinSet::new();
    let mut found = found.into_iter();
    loop {
        while running.len() < AT_ONCE
            && let Some((user, intent)) = found.next()
        {
            running.spawn(adopt(registry.clone(), cell.clone(), user, intent));
        }
        let Some(adopted) = running.join_next().await else {
            break;
        };
        let adopted = adopted
            .map_err(|error| Error::internal("a background task panicked").because(error))?;
        let (user, became) = adopted?;
        match became {
            Became::Adopted => report.adopted += 1,
            Became::Known => report.already_there += 1,
            Became::Deleted => drop(report.deleted.insert(user)),
            Became::Refused(why) => drop(report.refused.insert(user, why)),
        }
        done += 1;
        progress(done, all);
    }
    // Last, so that whoever leads the cell meanwhile reads everybody anew.
    let begin = BeginEpoch {
        epoch: report.epoch,
        at: Timestamp::now(),
    };
    registry.apply(RequestId::random(), &begin).await?;
    Ok(report)
}

/// What became of a user.
enum Became {
    Adopted,
    Known,
    Deleted,
    Refused(String),
}

async fn adopt(
    registry: Registry,
    cell: CellName,
    user: UserId,
    intent: Result<UserIntent, String>,
) -> Result<(UserId, Became)> {
    let mut view = registry.view().await?;
    if view.user_tombstone(&cell, user).await?.is_some() {
        return Ok((user, Became::Deleted));
    }
    let mut intent = match intent {
        Ok(intent) => intent,
        // Of no consequence for somebody whom the registry has.
        Err(_) if view.intent(&cell, user).await?.is_some() => return Ok((user, Became::Known)),
        Err(why) => return Ok((user, Became::Refused(why))),
    };
    let mut living = Vec::with_capacity(intent.workspaces.len());
    for workspace in intent.workspaces {
        if view
            .workspace_tombstone(&cell, workspace.id)
            .await?
            .is_none()
        {
            living.push(workspace);
        }
    }
    intent.workspaces = living;
    drop(view);
    let adopt = AdoptUser {
        intent,
        account: AccountId::random(),
        at: Timestamp::now(),
    };
    let became = match registry.apply(RequestId::random(), &adopt).await {
        Ok(true) => Became::Adopted,
        Ok(false) => Became::Known,
        Err(error) if matches!(error.kind(), Kind::Conflict | Kind::Invalid { .. }) => {
            Became::Refused(error.to_string())
        }
        Err(error) => return Err(error),
    };
    Ok((user, became))
}

/// A commit of a cell's repository and the policies that prove what it records.
struct Source {
    repository: CellRepository,
    policy: PolicyRepository,
    cell: CellName,
    commit: Oid,
    tree: ShardTree,
    /// What the commit's checkpoint names.
    inputs: Arc<Inputs>,
    /// Other policies that were needed.
    others: BTreeMap<Oid, Result<Arc<Inputs>, String>>,
    notes: Vec<String>,
}

impl Source {
    fn open(
        repository: CellRepository,
        policy: PolicyRepository,
        cell: CellName,
        commit: Option<Oid>,
    ) -> Result<Self> {
        let commit = match commit {
            Some(commit) => commit,
            None => repository
                .head_commit()?
                .ok_or_else(|| Error::not_found("the cell's repository has no commit"))?,
        };
        let state = repository.state(commit).map_err(|error| {
            Error::not_found(format!("the cell's repository has no commit {commit}")).because(error)
        })?;
        let Some(state) = state else {
            return Err(Error::invalid(
                "--commit",
                format!(
                    "{commit} has no checkpoint that can be read; name one of the renderer's own commits"
                ),
            ));
        };
        let engine = state.checkpoint.engine;
        if engine != ENGINE.to_string() {
            return Err(Error::invalid(
                "--commit",
                format!(
                    "{commit} was rendered by engine {engine} and this program has engine {ENGINE}: use the program of that commit"
                ),
            ));
        }
        let mut notes = Vec::new();
        let inputs = match state.checkpoint.policy {
            Some(named) => match Inputs::at(&policy, named) {
                Ok(inputs) => inputs,
                Err(why) => {
                    notes.push(format!(
                        "the policy commit {named} that the checkpoint names cannot be used; what is checked out now proves what it can"
                    ));
                    newest(&policy, Some(&why))?
                }
            },
            None => newest(&policy, None)?,
        };
        Ok(Self {
            tree: repository.tree(commit)?,
            repository,
            policy,
            cell,
            commit,
            inputs: Arc::new(inputs),
            others: BTreeMap::new(),
            notes,
        })
    }

    /// Every user of the commit with the intent, or why it does not count.
    fn read(mut self) -> Result<Vec<(UserId, Result<UserIntent, String>)>> {
        let replaced = self.repository.ever_quarantined(self.commit)?;
        let files: Vec<_> = self.tree.iter().collect();
        let mut found = Vec::with_capacity(files.len());
        let mut seen = BTreeSet::new();
        for (shard, user, blob) in files {
            if self.tree.places(user).len() > 1 {
                if seen.insert(user) {
                    let why = "the user has files in several shards".to_owned();
                    found.push((user, Err(why)));
                }
                continue;
            }
            let intent = self.intent(shard, user, blob, replaced.contains(&user))?;
            found.push((user, intent));
        }
        Ok(found)
    }

    fn intent(
        &mut self,
        shard: Shard,
        user: UserId,
        blob: Oid,
        replaced: bool,
    ) -> Result<Result<UserIntent, String>> {
        let file = self.repository.blob(blob)?;
        let here = proved(&file, &self.cell, shard, user, &self.inputs.renderer);
        if here.is_ok() && !replaced {
            return Ok(here);
        }
        // Either a file of an earlier policy, whose user could not be rendered since, or one that stands in the
        // place of a file that the cluster refused: then the refused one holds what was wanted.
        let changes = self.repository.history_of(self.commit, user)?;
        let stands_in = changes.first().is_some_and(|change| change.quarantined);
        let wanted = changes.iter().find(|change| !change.quarantined);
        let Some((wanted, after)) = wanted.and_then(|change| Some((change, change.after?))) else {
            return Ok(here);
        };
        if !stands_in && here.is_ok() {
            return Ok(here);
        }
        let then = match self.policy_of(wanted.commit)? {
            Ok(inputs) => {
                let file = self.repository.blob(after)?;
                proved(&file, &self.cell, shard, user, &inputs.renderer)
            }
            Err(why) => Err(why),
        };
        Ok(match (then, here) {
            (Ok(then), _) => Ok(then),
            (Err(_), Ok(here)) => Ok(here),
            (Err(_), Err(here)) => Err(here),
        })
    }

    /// The policy that the renderer's commit names.
    fn policy_of(&mut self, commit: Oid) -> Result<Result<Arc<Inputs>, String>> {
        let state = self.repository.state(commit)?;
        let Some(state) = state.filter(|state| state.checkpoint.engine == ENGINE.to_string())
        else {
            return Ok(Err("another engine rendered it".into()));
        };
        let Some(named) = state.checkpoint.policy else {
            return Ok(Ok(Arc::clone(&self.inputs)));
        };
        let inputs = self
            .others
            .entry(named)
            .or_insert_with(|| Inputs::at(&self.policy, named).map(Arc::new));
        Ok(inputs.clone())
    }
}

/// The policy that is checked out.
fn newest(policy: &PolicyRepository, missing: Option<&str>) -> Result<Inputs> {
    let missing = missing.map_or_else(String::new, |why| format!(" ({why})"));
    let commit = policy.head()?.ok_or_else(|| {
        Error::not_found(format!(
            "there is no policy to prove the intents with{missing}: bring the policy repository back, with its history"
        ))
    })?;
    Inputs::at(policy, commit).map_err(|why| {
        Error::invalid(
            "policy",
            format!(
                "is not valid, and the one that the checkpoint names is not there{missing}:\n{why}"
            ),
        )
    })
}
