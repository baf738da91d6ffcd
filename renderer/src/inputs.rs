//! What rendering needs beside intents: the policy, the template releases, and the commit that holds them.

mod check;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use coditect_core::{ReleaseName, RingName};
use git2::Oid;

pub use self::check::{Checked, check};
use crate::{
    git::PolicyRepository,
    policy::{Policy, Runs},
    release::{Release, Releases},
    render::Renderer,
};

/// The reviewed inputs of a render, all of one moment.
pub struct Inputs {
    /// Plans, overrides, cells, rings.
    pub policy: Arc<Policy>,
    /// The template releases.
    pub releases: Arc<Releases>,
    /// Renders with these two.
    pub renderer: Renderer,
    /// The commit of the policy repository that holds them, if they are in one.
    pub commit: Option<Oid>,
}

/// The folder of the policy inside a policy repository.
pub const POLICY: &str = "tenants";
/// The folder of the template releases inside a policy repository.
pub const TEMPLATES: &str = "templates";

impl Inputs {
    /// Reads `<folder>/tenants` and `<folder>/templates`.
    ///
    /// # Errors
    /// Every mistake in them, a line each: file, line, column, what is wrong and the nearest valid name.
    pub fn load(folder: &Path) -> Result<Self, String> {
        if let Some(why) = lacks_policy(folder) {
            return Err(why);
        }
        let releases =
            Releases::load(&folder.join(TEMPLATES)).map_err(|error| error.to_string())?;
        let policy = Policy::load(&folder.join(POLICY), &releases)
            .map_err(|errors| errors.below(POLICY).to_string())?;
        Self::new(Arc::new(policy), Arc::new(releases), None)
    }

    /// Renders a user of every kind once, so that a template's mistake is found now and not at a sign-up.
    fn new(
        policy: Arc<Policy>,
        releases: Arc<Releases>,
        commit: Option<Oid>,
    ) -> Result<Self, String> {
        let renderer = Renderer::new(Arc::clone(&policy), Arc::clone(&releases));
        renderer.probe().map_err(|error| error.to_string())?;
        Ok(Self {
            policy,
            releases,
            renderer,
            commit,
        })
    }

    /// Reads a policy repository's work tree and, once that is found valid, commits what was edited: what is
    /// rendered is always named by a commit.
    ///
    /// # Errors
    /// As [`Inputs::load`], and if the repository cannot be written.
    pub fn load_and_commit(
        repository: &PolicyRepository,
        folder: &Path,
        message: &str,
    ) -> Result<Self, String> {
        Self::load(folder)?;
        let commit = repository
            .commit_all(message)
            .map_err(|error| error.to_string())?;
        // Read back, so that what is rendered is what the commit holds, whatever was typed meanwhile.
        Self::at(repository, commit)
    }

    /// Reads what a commit of a policy repository holds.
    ///
    /// # Errors
    /// As [`Inputs::load`], and if there is no such commit.
    pub fn at(repository: &PolicyRepository, commit: Oid) -> Result<Self, String> {
        let mut policy = BTreeMap::new();
        let mut releases: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        for (path, bytes) in repository
            .files(commit)
            .map_err(|error| error.to_string())?
        {
            match path.split_once('/') {
                Some((POLICY, file)) => {
                    policy.insert(file.to_owned(), bytes);
                }
                Some((TEMPLATES, file)) => {
                    if let Some((release, file)) = file.split_once('/') {
                        let files = releases.entry(release.to_owned()).or_default();
                        files.insert(file.to_owned(), bytes);
                    }
                }
                _ => {}
            }
        }
        let releases = releases
            .iter()
            .map(|(name, files)| Release::parse(name, files))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())?;
        let releases = Arc::new(Releases::new(releases));
        let policy =
            Policy::parse(&policy, &releases).map_err(|errors| errors.below(POLICY).to_string())?;
        let policy = Arc::new(policy);
        Self::new(policy, releases, Some(commit))
    }

    /// The same inputs with every ring on one release.
    ///
    /// # Errors
    /// If there is no such release, or it cannot render what the policy asks for.
    pub fn with_release(&self, release: &ReleaseName) -> Result<Self, String> {
        if self.releases.get(release).is_none() {
            let known: Vec<&str> = self.releases.names().map(ReleaseName::as_str).collect();
            let known = known.join("`, `");
            return Err(format!(
                "there is no template release `{release}`; known are `{known}`"
            ));
        }
        let policy = Arc::new(self.policy.with_release(release));
        Self::new(policy, Arc::clone(&self.releases), self.commit)
    }

    /// The same inputs with these rings on these releases.
    ///
    /// # Errors
    /// If one of them cannot render what the policy asks for.
    pub fn with_runs(&self, runs: &[(RingName, Runs)]) -> Result<Self, String> {
        let policy = Arc::new(self.policy.with_runs(runs));
        Self::new(policy, Arc::clone(&self.releases), self.commit)
    }

    /// The hash of every template release in use, by name.
    #[must_use]
    pub fn templates(&self) -> BTreeMap<ReleaseName, String> {
        self.releases
            .trees()
            .map(|(name, tree)| (name.clone(), tree.to_owned()))
            .collect()
    }
}

/// Why a folder that somebody named is not one of a policy; none if it may be.
fn lacks_policy(folder: &Path) -> Option<String> {
    let has = |name: &str| folder.join(name).exists();
    (!has(POLICY) && !has(TEMPLATES)).then(|| {
        format!(
            "{} holds no policy, neither `{POLICY}/` nor `{TEMPLATES}/`; name the folder that does, or write the sample with `policy init`",
            folder.display()
        )
    })
}
