//! Opening a cell's repository under a fence, and reading how it was left.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use coditect_core::{Fence, Result, Version, health::Health};
use coditect_registry::Registry;
use jiff::Timestamp;
use tokio::{runtime::Handle, sync::watch};

use super::{Leader, blocking};
use crate::{
    budget::{Budget, WINDOW},
    commit::Committer,
    git::{CellRepository, State},
    inputs::Inputs,
    service::{Beside, Settings},
};

impl Leader {
    pub(crate) async fn open(
        registry: Registry,
        settings: Settings,
        inputs: watch::Receiver<Arc<Inputs>>,
        health: Health,
        fence: Fence,
        beside: Arc<Beside>,
    ) -> Result<Self> {
        let (path, cell, runtime, theirs) = (
            settings.repository.clone(),
            settings.cell.clone(),
            Handle::current(),
            registry.clone(),
        );
        let remote = settings.remote.clone();
        let allowed = inputs.borrow().policy.defaults().deletion_budgets;
        let (committer, state, intact) = blocking(move || {
            let repository = CellRepository::open_or_create(path)?;
            if let Some(remote) = &remote {
                runtime.block_on(remote.adopt(&repository))?;
            }
            let head = repository.head()?;
            let mut budget = Budget::new(allowed);
            let tree = match &head {
                None => crate::git::ShardTree::empty(),
                Some(head) => {
                    let since = Timestamp::now()
                        .saturating_sub(WINDOW)
                        .unwrap_or(Timestamp::MIN);
                    for spent in repository.deletion_log(head.commit, since)? {
                        budget.note(spent.at, spent.unrequested, spent.requested);
                    }
                    repository.tree(head.commit)?
                }
            };
            let (commit, state, intact) = head.map_or((None, None, true), |head| {
                (Some(head.commit), head.state, head.intact)
            });
            let checkpoint = state
                .as_ref()
                .filter(|_| intact)
                .map(|state: &State| state.checkpoint.clone());
            let committer = Committer {
                repository,
                remote,
                registry: theirs,
                cell,
                head: commit,
                tree,
                checkpoint,
                budget,
                runtime,
            };
            Ok((committer, state, intact))
        })
        .await?;
        let published = state
            .as_ref()
            .map_or(Version(0), |state| state.checkpoint.version);
        let current = Arc::clone(&inputs.borrow());
        Ok(Self {
            registry,
            settings,
            inputs,
            current,
            health,
            fence,
            committer: Some(committer),
            state,
            intact,
            version: published,
            published,
            epoch: None,
            waiting: BTreeSet::new(),
            orphans: BTreeSet::new(),
            failed: BTreeSet::new(),
            quarantined: BTreeMap::new(),
            awaiting: BTreeSet::new(),
            looked: Instant::now(),
            asked: Instant::now(),
            silent: None,
            trimmed: Instant::now(),
            retried: Instant::now(),
            beside,
        })
    }
}
