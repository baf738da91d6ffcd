//! The renderers of this process: one for each cell, with its mirror and the upkeep of its packs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use coditect_core::{CellName, Result, health::Health};
use coditect_registry::Registry;
use coditect_renderer::{
    git::{CellRepository, GitAccess, Maintenance, MaintenanceConfig, Mirror, MirrorConfig},
    inputs::Inputs,
    place::PolicyPlace,
    proposals::ProposalService,
    rollout::RolloutService,
    service::{Beside, Service, Settings},
    webhook::{Webhook, WebhookConfig},
};
use tokio::{
    sync::watch,
    task::{JoinSet, spawn_blocking},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    data::Data,
    policy_host::PolicyHosting,
    serving::{Hosted, Serving, Telling},
};

/// How cells are rendered, and where else commits go.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rendering {
    /// How long a renderer's lease lasts without renewal: how soon another one takes over after a crash.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600), env = "CODITECT_LEASE_SECONDS")]
    pub(crate) lease_seconds: u64,

    /// A Git remote that every cell's branch is pushed to in the background; `{cell}` stands for the cell's
    /// name.
    #[arg(long, value_name = "URL", env = "CODITECT_MIRROR")]
    pub(crate) mirror: Option<String>,

    /// Overwrite the mirror's branch if somebody else changed it.
    #[arg(long, requires = "mirror", env = "CODITECT_MIRROR_FORCE")]
    pub(crate) mirror_force: bool,

    #[command(flatten)]
    pub(crate) hosted: Hosted,

    #[command(flatten)]
    pub(crate) serving: Serving,

    #[command(flatten)]
    pub(crate) telling: Telling,

    #[command(flatten)]
    pub(crate) policy_host: PolicyHosting,
}

impl Rendering {
    /// What a cell is rendered with.
    pub(crate) fn of(&self, cell: &CellName, data: &Data, access: &GitAccess) -> Settings {
        let mut settings = Settings::new(cell.clone(), data.repository(cell));
        settings.lease = Duration::from_secs(self.lease_seconds);
        settings.remote = self.hosted.of(cell, access);
        settings
    }
}

/// The renderers of a process.
pub(crate) struct Renderers {
    pub(crate) data: Data,
    pub(crate) rendering: Rendering,
    pub(crate) registry: Registry,
    pub(crate) inputs: watch::Receiver<Arc<Inputs>>,
    pub(crate) health: Health,
    /// Where the policy is reviewed.
    pub(crate) place: PolicyPlace,
    /// The credentials of remotes.
    pub(crate) access: GitAccess,
    /// The process's lasting id as a lease's holder, if it has one.
    pub(crate) known_as: Option<Uuid>,
    /// Which cells; all of the policy's, also those it comes to have later, if none is named.
    pub(crate) cells: Vec<CellName>,
}

/// How long until a repository that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(1);

impl Renderers {
    /// What carries roll-outs, beside the renderers.
    ///
    /// # Errors
    /// If the policy folder is missing or cannot be written.
    pub(crate) fn rollouts(&self) -> Result<RolloutService> {
        let writer = self.place.writer()?;
        let data = self.data.clone();
        Ok(RolloutService::new(
            self.registry.clone(),
            writer,
            self.inputs.clone(),
            Arc::new(move |cell: &CellName| data.repository(cell)),
            self.health.clone(),
        ))
    }

    /// What puts before people what waits for an approval.
    ///
    /// # Errors
    /// If the options of the policy's host are not usable.
    pub(crate) fn proposals(&self) -> Result<ProposalService> {
        let service = ProposalService::new(
            self.registry.clone(),
            self.place.clone(),
            self.inputs.clone(),
            self.health.clone(),
        );
        Ok(match self.rendering.policy_host.host()? {
            Some(host) => service.on(host),
            None => service,
        })
    }

    /// Renders until `stop`. A cell whose repository cannot be opened, or whose renderer fails, is tried again
    /// and holds up no other.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut started = BTreeSet::new();
        let mut running = JoinSet::new();
        let mut names = BTreeMap::new();
        loop {
            for cell in self.wanted() {
                if started.insert(cell.clone()) {
                    let task = running.spawn(self.cell(cell.clone(), stop.clone()));
                    names.insert(task.id(), cell);
                }
            }
            tokio::select! {
                Some(ended) = running.join_next_with_id() => {
                    if let Err(panicked) = ended
                        && let Some(cell) = names.remove(&panicked.id())
                    {
                        tracing::error!(%cell, error = %panicked, "a renderer panicked; it is started again");
                        self.health.failing(format!("renderer/{cell}"), "panicked; it is started again");
                        tokio::time::sleep(AGAIN).await;
                        started.remove(&cell);
                    } else if running.is_empty() && stop.is_cancelled() {
                        return;
                    }
                }
                Ok(()) = self.inputs.changed(), if !stop.is_cancelled() => {}
                () = stop.cancelled(), if running.is_empty() => return,
            }
        }
    }

    fn wanted(&self) -> Vec<CellName> {
        if self.cells.is_empty() {
            let cells = self.inputs.borrow().policy.catalogue().cells;
            cells.into_keys().collect()
        } else {
            self.cells.clone()
        }
    }

    /// One cell's renderer with its mirror and the upkeep of its packs.
    fn cell(&self, cell: CellName, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
        let settings = self.rendering.of(&cell, &self.data, &self.access);
        let path = settings.repository.clone();
        let health = self.health.clone();
        let mirror = self.rendering.mirror.as_ref().map(|url| {
            let mut config = MirrorConfig::new(cell.clone(), url.replace("{cell}", cell.as_str()));
            config.force = self.rendering.mirror_force;
            config.access.clone_from(&self.access);
            config
        });
        let webhook = self.rendering.telling.of(&cell);
        let (registry, inputs) = (self.registry.clone(), self.inputs.clone());
        let mut service = Service::new(registry, settings, inputs, health.clone());
        if let Some(holder) = self.known_as {
            service = service.known_as(holder);
        }
        async move {
            let Some(repository) = open(&path, &cell, &health, &stop).await else {
                return;
            };
            let config = MaintenanceConfig::new(cell);
            let maintenance = Maintenance::start(repository.clone(), config, health.clone());
            let webhook = webhook.and_then(|config| started(config, repository.clone(), &health));
            let mirror = mirror.map(|config| Mirror::start(repository, config, health));
            let beside = Beside {
                maintenance: Some(maintenance),
                mirror,
                webhook,
                ..Beside::default()
            };
            service.beside(beside).run(stop).await;
        }
    }
}

/// A cell's webhook. One whose settings are not usable is said by health: commits need no webhook.
fn started(config: WebhookConfig, repository: CellRepository, health: &Health) -> Option<Webhook> {
    let part = format!("webhook/{}", config.cell);
    let webhook = Webhook::start(repository, config, health.clone());
    let said = |error: &coditect_core::Error| {
        let why = error.chain();
        tracing::error!(part, why, "Argo CD is not told of commits");
        health.degraded(
            &part,
            format!("{why}; Argo CD finds commits by its own poll"),
        );
    };
    webhook.inspect_err(said).ok()
}

/// Opens a cell's repository, however long that takes; none if the process is to stop.
async fn open(
    path: &Path,
    cell: &CellName,
    health: &Health,
    stop: &CancellationToken,
) -> Option<CellRepository> {
    loop {
        let at = path.to_owned();
        match spawn_blocking(move || CellRepository::open_or_create(at)).await {
            Ok(Ok(repository)) => return Some(repository),
            Ok(Err(error)) => health.failing(
                format!("renderer/{cell}"),
                format!("{error}; nothing is lost, tried again every second"),
            ),
            Err(error) => tracing::error!(%error, "a background task panicked"),
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = stop.cancelled() => return None,
        }
    }
}
