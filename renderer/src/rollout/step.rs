//! A step of a roll-out as a commit of the policy.

use std::collections::BTreeMap;

use coditect_core::{Error, ReleaseName, Result, RingName};
use coditect_registry::record::{Rollout, RolloutRing};
use git2::Oid;
use tokio::runtime::Handle;

use crate::{
    git::{PolicyRemote, PolicyRepository, PushError, ReplaceError},
    inputs::POLICY,
    policy::{Runs, rings_of, with_ring},
};

/// Where the rings are written, in a policy repository.
pub(super) fn rings_path() -> String {
    format!("{POLICY}/rings.yaml")
}

/// The policy repository's branch, as a roll-out writes it. Blocks on the disk or the network; to be called within a
/// Tokio runtime, where blocking is allowed.
pub trait PolicyWriter: Send + Sync {
    /// The newest commit of the branch that policy is read from.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be read.
    fn head(&self) -> Result<Oid>;

    /// A file as a commit holds it; none if it has no such file.
    ///
    /// # Errors
    /// `Unavailable` if the commit is not there or cannot be read.
    fn file(&self, commit: Oid, path: &str) -> Result<Option<Vec<u8>>>;

    /// Makes a commit that differs from `parent` in this file alone the newest one, if `parent` still is.
    ///
    /// # Errors
    /// [`WriteError`].
    fn write(
        &self,
        parent: Oid,
        path: &str,
        bytes: &[u8],
        message: &str,
    ) -> Result<Oid, WriteError>;
}

/// Why the policy was not written.
#[derive(Debug)]
pub enum WriteError {
    /// Somebody else wrote meanwhile: read everything anew.
    Moved,
    /// It cannot be written now.
    Failed(Error),
}

impl PolicyWriter for PolicyRepository {
    fn head(&self) -> Result<Oid> {
        Self::head(self)?.ok_or_else(|| Error::not_found("the policy repository has no commit yet"))
    }

    fn file(&self, commit: Oid, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.file_at(commit, path)?)
    }

    fn write(
        &self,
        parent: Oid,
        path: &str,
        bytes: &[u8],
        message: &str,
    ) -> Result<Oid, WriteError> {
        match self.replace(parent, path, bytes, message) {
            Ok(commit) => Ok(commit),
            Err(ReplaceError::Moved) => Err(WriteError::Moved),
            Err(ReplaceError::Dirty) => Err(WriteError::Failed(Error::unavailable(format!(
                "{} holds edits that are not committed; commit them or take them back, and the roll-out goes on",
                self.path().display()
            )))),
            Err(ReplaceError::Failed(error)) => Err(WriteError::Failed(error.into())),
        }
    }
}

/// A hosted repository: a step is pushed on the condition that nobody was faster.
impl PolicyWriter for PolicyRemote {
    fn head(&self) -> Result<Oid> {
        Ok(Handle::current().block_on(self.look())?.main)
    }

    fn file(&self, commit: Oid, path: &str) -> Result<Option<Vec<u8>>> {
        Handle::current().block_on(Self::file(self, commit, path))
    }

    fn write(
        &self,
        parent: Oid,
        path: &str,
        bytes: &[u8],
        message: &str,
    ) -> Result<Oid, WriteError> {
        let edits = [(path.to_owned(), Some(bytes.to_vec()))].into();
        Handle::current().block_on(async {
            let commit = self.commit(parent, edits, message.to_owned()).await;
            let commit = commit.map_err(WriteError::Failed)?;
            match self.merge(parent, commit).await {
                Ok(()) => Ok(commit),
                Err(PushError::Moved) => Err(WriteError::Moved),
                Err(PushError::Failed(error)) => Err(WriteError::Failed(error)),
            }
        })
    }
}

/// The text of the rings at a commit, and what each runs.
pub(super) fn read(
    writer: &dyn PolicyWriter,
    commit: Oid,
) -> Result<(String, Vec<(RingName, Runs)>)> {
    let path = rings_path();
    let bytes = writer
        .file(commit, &path)?
        .ok_or_else(|| Error::not_found(format!("policy commit {commit} has no {path}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::invalid(path, format!("of policy commit {commit} is not UTF-8")))?;
    let runs = rings_of(&text)?;
    Ok((text, runs))
}

/// The releases by ring, as a policy commit says.
pub(super) fn releases_at(
    writer: &dyn PolicyWriter,
    commit: Oid,
) -> Result<BTreeMap<String, ReleaseName>> {
    let (_, runs) = read(writer, commit)?;
    let named = |(ring, runs): (RingName, Runs)| (ring.to_string(), runs.release);
    Ok(runs.into_iter().map(named).collect())
}

/// A commit to be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) text: String,
    pub(super) message: String,
}

/// The step that gives a ring the release.
pub(super) fn promote(
    text: &str,
    rollout: &Rollout,
    release: &ReleaseName,
    ring: &RolloutRing,
    why: &str,
) -> Result<Step> {
    let to = Runs {
        release: release.clone(),
        engine: rollout.engine,
    };
    let name = &ring.ring;
    let before = &ring.release;
    Ok(Step {
        text: with_ring(text, name, &to)?,
        message: format!(
            "rollout: ring {name} gets {release}\n\nIt ran {before}. {why}\n\nCoditect-Rollout: {release}\nCoditect-Ring: {name}\nCoditect-Step: promote\n"
        ),
    })
}

/// The step that gives every ring that was reached what it ran before.
pub(super) fn roll_back(
    text: &str,
    release: &ReleaseName,
    reached: &[&RolloutRing],
    why: &str,
) -> Result<Step> {
    let mut edited = text.to_owned();
    let mut lines = String::new();
    let mut trailers = String::new();
    for RolloutRing {
        ring,
        release: before,
        engine,
        ..
    } in reached
    {
        let to = Runs {
            release: before.clone(),
            engine: *engine,
        };
        edited = with_ring(&edited, ring, &to)?;
        lines.push_str(&format!("Ring {ring} runs {before} again.\n"));
        trailers.push_str(&format!("Coditect-Ring: {ring}\n"));
    }
    Ok(Step {
        text: edited,
        message: format!(
            "rollout: {release} goes back\n\nWhy: {why}\n\n{lines}\nCoditect-Rollout: {release}\n{trailers}Coditect-Step: rollback\n"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../tenants/rings.yaml");

    fn ring(name: &str) -> RolloutRing {
        RolloutRing {
            ring: name.parse().unwrap(),
            release: "v1".parse().unwrap(),
            engine: 1,
            should_run: None,
            ready: None,
            held_back: None,
            restarted: false,
        }
    }

    #[test]
    fn going_back_undoes_every_ring_that_was_reached_in_one_commit() {
        let release = "v2".parse().unwrap();
        let (canary, early) = (ring("canary"), ring("early"));
        let v2 = Runs {
            release: "v2".parse().unwrap(),
            engine: 1,
        };
        let reached = with_ring(TEXT, &canary.ring, &v2).unwrap();
        let reached = with_ring(&reached, &early.ring, &v2).unwrap();
        let back = roll_back(&reached, &release, &[&canary, &early], "it fell").unwrap();
        assert_eq!(back.text, TEXT);
        for line in [
            "rollout: v2 goes back",
            "Why: it fell",
            "Coditect-Rollout: v2",
            "Coditect-Ring: early",
            "Coditect-Step: rollback",
        ] {
            assert!(back.message.lines().any(|has| has == line), "{line}");
        }
    }
}
