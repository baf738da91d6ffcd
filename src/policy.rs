//! The installation's policy: where it comes from, for processes that stay, and its newest commit for commands that read
//! it once.

use std::{sync::Arc, time::Duration};

use clap::Args;
use coditect_core::{CellName, Error, Result, health::Health};
use coditect_renderer::{
    git::{PolicyRemote, PolicyRemoteConfig, PolicyRepository, redacted},
    inputs::Inputs,
    place::{PolicyPlace, PolicySync},
    watch::PolicyWatch,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{access::Access, data::Data, sample};

/// Where the policy is reviewed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Source {
    /// The Git repository that people review the policy in: its branch's newest valid commit is in force, approvals are
    /// asked for and roll-outs are written there. Without it the folder `policy` of the data folder is that place.
    #[arg(long, value_name = "URL", env = "CODITECT_POLICY_REMOTE")]
    policy_remote: Option<String>,

    /// The branch that changes of the policy are merged into.
    #[arg(
        long,
        value_name = "BRANCH",
        requires = "policy_remote",
        default_value = "main",
        env = "CODITECT_POLICY_BRANCH"
    )]
    policy_branch: String,

    /// How often that is read: a merged change is in force so much later at most.
    #[arg(long, value_name = "N", requires = "policy_remote", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600), env = "CODITECT_POLICY_INTERVAL_SECONDS")]
    policy_interval_seconds: u64,

    #[command(flatten)]
    pub(crate) access: Access,
}

/// What keeps a process's policy the newest.
pub(crate) struct Following {
    watch: PolicyWatch,
    sync: Option<PolicySync>,
}

impl Following {
    pub(crate) async fn run(self, stop: CancellationToken) {
        let sync = async {
            if let Some(sync) = self.sync {
                sync.run(stop.clone()).await;
            }
        };
        tokio::join!(self.watch.run(stop.clone()), sync);
    }
}

impl Source {
    /// Where people review the policy.
    ///
    /// # Errors
    /// `Unavailable` if the copy of a hosted one cannot be made; `Conflict` if the folder is of the other kind.
    pub(crate) fn place(&self, data: &Data) -> Result<PolicyPlace> {
        match &self.policy_remote {
            None => {
                let known = PolicyRepository::open_existing(data.policy());
                if known.map(|known| known.is_bare()).transpose()? == Some(true) {
                    return Err(Error::conflict(format!(
                        "{} is the copy of a hosted policy: name its repository with --policy-remote; or clone that to \
                         another place and put the clone here, to edit the policy in the folder from now on",
                        data.policy().display()
                    )));
                }
                Ok(PolicyPlace::Folder {
                    folder: data.policy(),
                    copy: data.policy_copy(),
                })
            }
            Some(url) => {
                data.create()?;
                let mut config = PolicyRemoteConfig::new(
                    url.as_str(),
                    self.policy_branch.as_str(),
                    data.policy(),
                );
                config.access = self.access.git();
                PolicyRemote::open(config).map(PolicyPlace::Remote)
            }
        }
    }

    /// The policy for the process that owns the folder: where there is none, a sample is planted; valid edits are
    /// committed. A hosted one is only read.
    ///
    /// # Errors
    /// `Invalid` with every mistake, a line each; `Unavailable` if there is none to begin with.
    pub(crate) async fn own(
        &self,
        data: &Data,
        health: &Health,
    ) -> Result<(Following, watch::Receiver<Arc<Inputs>>)> {
        if let PolicyPlace::Remote(_) = self.place(data)? {
            return self.follow(data, health).await;
        }
        sample::plant(&data.policy())?;
        let (watch, inputs) = PolicyWatch::own(data.policy(), health.clone()).await?;
        Ok((Following { watch, sync: None }, inputs))
    }

    /// The policy for a process beside the owner.
    ///
    /// # Errors
    /// As [`Source::own`].
    pub(crate) async fn follow(
        &self,
        data: &Data,
        health: &Health,
    ) -> Result<(Following, watch::Receiver<Arc<Inputs>>)> {
        let sync = match self.place(data)? {
            PolicyPlace::Folder { .. } => None,
            PolicyPlace::Remote(remote) => {
                let every = Duration::from_secs(self.policy_interval_seconds);
                Some(PolicySync::start(remote, every, health.clone()).await?)
            }
        };
        let (watch, inputs) = PolicyWatch::follow(data.policy(), health.clone()).await?;
        Ok((Following { watch, sync }, inputs))
    }

    /// Whether the policy is read from a host.
    pub(crate) const fn is_hosted(&self) -> bool {
        self.policy_remote.is_some()
    }

    /// For `coditect config`.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let access = self.access.settings();
        let Some(url) = &self.policy_remote else {
            return [vec![("policy-remote", "none".to_owned())], access].concat();
        };
        let policy = vec![
            ("policy-remote", redacted(url)),
            ("policy-branch", self.policy_branch.clone()),
            (
                "policy-interval-seconds",
                self.policy_interval_seconds.to_string(),
            ),
        ];
        [policy, access].concat()
    }
}

/// The policy at its newest commit.
///
/// # Errors
/// `NotFound` if it has no commit, `Invalid` with everything that is wrong in it, `Unavailable` if it cannot be
/// read.
pub(crate) fn newest(data: &Data) -> Result<Inputs> {
    let repository = PolicyRepository::open_or_init(data.policy())?;
    let commit = repository
        .head()?
        .ok_or_else(|| Error::not_found("the policy repository has no commit yet"))?;
    Inputs::at(&repository, commit)
        .map_err(|why| Error::invalid("policy", format!("is not valid:\n{why}")))
}

/// Refuses cells that were mistyped.
///
/// # Errors
/// `Invalid` if one is none of the policy's.
pub(crate) fn has(inputs: &Inputs, cells: &[CellName]) -> Result<()> {
    let known = inputs.policy.catalogue().cells;
    match cells.iter().find(|cell| !known.contains_key(*cell)) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<&str> = known.keys().map(CellName::as_str).collect();
            let known = known.join(", ");
            let message =
                format!("names {unknown}, which is no cell of the policy; it has: {known}");
            Err(Error::invalid("--cell", message))
        }
    }
}
