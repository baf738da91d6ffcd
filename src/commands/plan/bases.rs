//! What each cell is compared with, and how that is found.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use coditect_core::{Error, Result};
use coditect_renderer::{
    git::{Checkout, Oid, PolicyRepository},
    inputs::Inputs,
    plan::{self, Base},
};

use super::{Plan, at, mistakes, short};

/// What stands in the cells, each read once.
pub(super) struct Bases<'a> {
    pub(super) of: &'a Plan,
    pub(super) repository: Option<&'a PolicyRepository>,
    pub(super) plan: plan::Plan,
    pub(super) known: Vec<(Source, Base)>,
}

/// Where a base comes from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Source {
    Folder(PathBuf),
    Commit(Oid),
}

impl Bases<'_> {
    /// What a cell is compared with, its commit, and how that was found, in words.
    pub(super) fn of(&mut self, checkout: &Checkout) -> Result<(Base, Option<Oid>, String)> {
        let (source, mut words) = self.source(checkout)?;
        let commit = match &source {
            Source::Commit(commit) => Some(*commit),
            Source::Folder(_) => None,
        };
        if let Some(release) = &self.of.base_release {
            words += &format!(" with release {release} for everybody");
        }
        if let Some((_, base)) = self.known.iter().find(|(known, _)| *known == source) {
            return Ok((*base, commit, words));
        }
        let inputs = match (&source, self.repository) {
            (Source::Commit(commit), Some(repository)) => Inputs::at(repository, *commit),
            (Source::Commit(_), None) => Err("there is no repository".to_owned()),
            (Source::Folder(folder), _) => Inputs::load(folder),
        };
        let mut inputs = inputs.map_err(|why| mistakes(&words, &why))?;
        if let Some(release) = &self.of.base_release {
            let released = inputs.with_release(release);
            inputs = released.map_err(|why| Error::invalid("--base-release", why))?;
        }
        let base = self.plan.base(Arc::new(inputs));
        self.known.push((source, base));
        Ok((base, commit, words))
    }

    fn source(&self, checkout: &Checkout) -> Result<(Source, String)> {
        if let Some(base) = &self.of.base {
            if Path::new(base).is_dir() {
                return Ok((Source::Folder(base.into()), format!("the folder {base}")));
            }
            let (_, commit) = at(&self.of.policy, self.repository, base, "--base")?;
            return Ok((Source::Commit(commit), format!("commit {}", short(commit))));
        }
        let recorded = checkout
            .state
            .as_ref()
            .and_then(|state| state.checkpoint.policy);
        let repository = self.repository.ok_or_else(|| {
            let message = format!(
                "is needed: {} is no Git repository in which what stands could be found",
                self.of.policy.display()
            );
            Error::invalid("--base", message)
        })?;
        if let Some(commit) = recorded
            && repository.resolve(&commit.to_string())? == Some(commit)
        {
            let words = format!(
                "policy commit {}, with which it was rendered",
                short(commit)
            );
            return Ok((Source::Commit(commit), words));
        }
        let revision = self.of.commit.as_deref().unwrap_or("HEAD");
        let left = match repository.resolve(revision)? {
            Some(commit) => repository.left_at(commit)?,
            None => None,
        };
        let left = left.ok_or_else(|| {
            let message = "is needed: the policy repository has neither the commit that the cell was rendered with nor a main branch that the proposal left";
            Error::invalid("--base", message)
        })?;
        let why = match recorded {
            Some(recorded) => format!(
                "its own, {}, is not in the policy repository",
                short(recorded)
            ),
            None => "its repository names none".to_owned(),
        };
        let words = format!(
            "policy commit {}, where the proposal left the main branch ({why})",
            short(left)
        );
        Ok((Source::Commit(left), words))
    }
}
