//! A commit of a cell's repository, rendered again from what it records: the proof that nothing but intents, policy and
//! templates went into it.

use std::{collections::BTreeMap, sync::Arc};

use coditect_core::{CellName, Error, Result, Shard, UserId};
use git2::Oid;
use serde::Serialize;

use crate::{
    ENGINE,
    git::{CellRepository, PolicyRepository, State, path_of},
    inputs::Inputs,
    restore::proved,
};

/// What came of one user's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The same bytes, by the policy that the commit names.
    Exact,
    /// The same bytes, by the policy that an earlier commit names: the user could not be rendered since.
    Earlier {
        /// The policy's commit.
        policy: String,
    },
    /// It stands in the place of a file that the cluster refused, and is not what its intent renders.
    StandIn,
    /// Other bytes, or none.
    Differs {
        /// Why.
        why: String,
    },
}

impl Outcome {
    /// True if rendering gave the file.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::Exact | Self::Earlier { .. })
    }
}

/// A file of the commit, rendered again.
#[derive(Clone, Debug)]
pub struct File {
    /// Whose it is.
    pub user: UserId,
    /// Where it is in the repository.
    pub path: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The bytes, if they are those of the commit.
    pub bytes: Option<Vec<u8>>,
}

/// A commit that can be rendered again.
pub struct Again {
    repository: CellRepository,
    policy: PolicyRepository,
    cell: CellName,
    commit: Oid,
    state: State,
    inputs: BTreeMap<Oid, Result<Arc<Inputs>, String>>,
}

impl Again {
    /// Reads what a commit of a cell's repository says it was rendered with.
    ///
    /// # Errors
    /// `NotFound` if there is no such commit, or the policy repository has not got the commit that it names; `Invalid` if
    /// the commit has no checkpoint, was rendered without a policy repository or by another engine, or if the policy is not
    /// valid or holds other templates.
    pub fn open(
        repository: CellRepository,
        policy: PolicyRepository,
        cell: CellName,
        commit: Oid,
    ) -> Result<Self> {
        let refused = |why: String| Error::invalid("--at", format!("names {commit}, {why}"));
        let state = repository.state(commit).map_err(|error| {
            let message = format!("the cell's repository has no commit {commit}");
            Error::not_found(message).because(error)
        })?;
        let state = state.ok_or_else(|| {
            refused(
                "which has no checkpoint that can be read; name one of the renderer's own commits"
                    .into(),
            )
        })?;
        if state.checkpoint.engine != ENGINE.to_string() {
            return Err(refused(format!(
                "which was rendered by engine {} and this program has engine {ENGINE}; use the program of that commit",
                state.checkpoint.engine
            )));
        }
        let named = state
            .checkpoint
            .policy
            .ok_or_else(|| refused("which names no policy commit".into()))?;
        let inputs = Inputs::at(&policy, named).map_err(|why| {
            let message =
                format!("the policy commit {named} that {commit} names cannot be used: {why}");
            Error::not_found(message)
        })?;
        if inputs.templates() != state.checkpoint.templates {
            return Err(refused(format!(
                "whose checkpoint names other templates than the policy commit {named} holds"
            )));
        }
        Ok(Self {
            repository,
            policy,
            cell,
            commit,
            state,
            inputs: BTreeMap::from([(named, Ok(Arc::new(inputs)))]),
        })
    }

    /// The policy commit that the commit names.
    #[must_use]
    pub const fn policy(&self) -> Option<Oid> {
        self.state.checkpoint.policy
    }

    /// How many users the commit has.
    #[must_use]
    pub fn users(&self) -> u64 {
        self.state.users.values().copied().map(u64::from).sum()
    }

    /// Renders every user's file again and hands each over.
    ///
    /// # Errors
    /// `Unavailable` if the repository cannot be read; what `take` says.
    pub fn render(&mut self, mut take: impl FnMut(File) -> Result<()>) -> Result<()> {
        let tree = self.repository.tree(self.commit)?;
        for (shard, user, blob) in tree.iter() {
            let file = self.repository.blob(blob)?;
            let outcome = self.outcome(shard, user, &file)?;
            take(File {
                user,
                path: path_of(shard, user),
                bytes: outcome.is_exact().then_some(file),
                outcome,
            })?;
        }
        Ok(())
    }

    fn outcome(&mut self, shard: Shard, user: UserId, file: &[u8]) -> Result<Outcome> {
        let named = self.state.checkpoint.policy;
        let here = match named {
            Some(named) => self.proved(named, shard, user, file),
            None => Err("the commit names no policy".to_owned()),
        };
        let Err(why) = here else {
            return Ok(Outcome::Exact);
        };
        let changes = self.repository.history_of(self.commit, user)?;
        let Some(last) = changes.first() else {
            return Ok(Outcome::Differs { why });
        };
        if last.quarantined {
            return Ok(Outcome::StandIn);
        }
        let then = self.repository.state(last.commit)?;
        let then = then.filter(|state| state.checkpoint.engine == ENGINE.to_string());
        if let Some(policy) = then.and_then(|state| state.checkpoint.policy)
            && Some(policy) != named
            && self.proved(policy, shard, user, file).is_ok()
        {
            let policy = policy.to_string();
            return Ok(Outcome::Earlier { policy });
        }
        Ok(Outcome::Differs { why })
    }

    /// Whether the file is what its intent renders with the policy of a commit.
    fn proved(
        &mut self,
        policy: Oid,
        shard: Shard,
        user: UserId,
        file: &[u8],
    ) -> Result<(), String> {
        let inputs = self
            .inputs
            .entry(policy)
            .or_insert_with(|| Inputs::at(&self.policy, policy).map(Arc::new));
        let inputs = inputs.as_ref().map_err(Clone::clone)?;
        proved(file, &self.cell, shard, user, &inputs.renderer).map(drop)
    }
}
