use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use coditect_core::{
    CellName, CellSummary, Result,
    health::{Health, State},
};
use serde::Serialize;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::api::{Local, Running, Server};
use crate::{
    cells::{Renderers, Rendering},
    cli::Output,
    data::Data,
    exit::Exit,
    local_runtime::{Doors, LocalRuntime, Pods, Processes, Tokens},
    output, sample, stop,
};

/// Run everything in one process on one machine: registry, API, renderer, with a sample policy to edit.
///
/// No plan is paid for, and nobody proves an address but with --verification email; letters are shown at /dev/mailbox.
/// This is for trying and developing.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    rendering: Rendering,

    /// What runs workspaces: processes of this machine, or nothing, so that their road ends at their commit.
    #[arg(long, value_enum, default_value_t, env = "CODITECT_RUNTIME")]
    runtime: Runtime,

    /// Speak HTTPS, by a certificate authority that is made in the data folder and that browsers must be told to trust.
    /// Without it, this is for browsers of this machine alone.
    #[arg(long, env = "CODITECT_TLS")]
    tls: bool,

    /// Domain below which each workspace has its host, in the sample policy (`ws.example.test`); it must lead here.
    #[arg(
        long,
        value_name = "DOMAIN",
        conflicts_with = "policy_remote",
        env = "CODITECT_WORKSPACE_DOMAIN"
    )]
    workspace_domain: Option<String>,

    /// Address of an IDE that all workspaces show in the place of their files, to develop one: it is told by
    /// `X-Forwarded-Host` whose it is.
    #[arg(long, value_name = "ADDR", hide = true, env = "CODITECT_IDE_ADDRESS")]
    ide_address: Option<SocketAddr>,

    /// How many workspaces this machine runs at a time.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        env = "CODITECT_RUN_AT_MOST"
    )]
    run_at_most: usize,

    /// Folder of the built IDE (`make theia`). Where nothing is built, a small page of the workspace's files takes its
    /// place.
    #[arg(long, value_name = "DIR", env = "CODITECT_IDE_FOLDER")]
    ide: Option<PathBuf>,
}

/// What runs workspaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// Processes of this machine.
    #[default]
    Local,
    /// Nothing.
    None,
}

#[derive(Serialize)]
struct Ready {
    url: String,
    /// Where it listens, if people reach it elsewhere.
    listens: String,
    /// The certificate of the authority to trust, if it speaks HTTPS.
    authority: Option<String>,
    repository: String,
    /// Where repositories are served, if they are.
    git: Option<String>,
    policy: String,
}

impl Dev {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        self.server.check_public_url(self.tls)?;
        if let Some(domain) = &self.workspace_domain {
            self.data.create()?;
            sample::plant_below(&self.data.policy(), domain)?;
        }
        let asked = stop::on_signal();
        // Workspaces end before the API: what people typed last goes to the volume through their tabs, and what happened
        // to files is handed over.
        let stop = CancellationToken::new();
        let (workspaces, runtime) = (stop.child_token(), TaskTracker::new());
        tokio::spawn(in_order(
            asked,
            workspaces.clone(),
            runtime.clone(),
            stop.clone(),
        ));
        let local = match self.runtime {
            Runtime::None => None,
            Runtime::Local => {
                self.data.create()?;
                Some(Local {
                    doors: Doors::default(),
                    tokens: Arc::new(Tokens::new(self.data.cell_keys())?),
                })
            }
        };
        let mut running = Running::start(
            &self.data,
            &self.server,
            Server::development(self.tls),
            local.clone(),
            stop.clone(),
        )
        .await?;
        let renderers = Renderers {
            data: self.data.clone(),
            rendering: self.rendering.clone(),
            registry: running.registry.clone(),
            inputs: running.inputs.clone(),
            health: running.health.clone(),
            place: self.server.policy.place(&self.data)?,
            access: self.server.policy.access.git(),
            known_as: self.lasting_id()?,
            cells: Vec::new(),
        };
        let serving = &self.rendering.serving;
        let (inputs, health) = (running.inputs.clone(), running.health.clone());
        let served = serving
            .start(&self.data, inputs, Vec::new(), health)
            .await?;
        let git = served.as_ref().map(|served| served.url.clone());
        if let Some(served) = served {
            running.beside.spawn(served.run(stop.clone()));
        }
        let rollouts = renderers.rollouts()?;
        running.beside.spawn(rollouts.run(stop.clone()));
        let proposals = renderers.proposals()?;
        running.beside.spawn(proposals.run(stop.clone()));
        running.beside.spawn(renderers.run(stop.clone()));
        if let Some(Local { doors, tokens }) = local {
            let origins = self.server.workspaces_beside(&running.url);
            let pods = Pods {
                api: running.url.clone(),
                api_ca: running.authority.clone().map(|(file, _)| file),
                origins,
                ide: self.ide,
                ide_address: self.ide_address,
            };
            let processes = Processes::new(pods, tokens)?;
            let local = LocalRuntime {
                data: self.data.clone(),
                registry: running.registry.clone(),
                inputs: running.inputs.clone(),
                health: running.health.clone(),
                doors,
                most: self.run_at_most,
                runner: Arc::new(processes),
            };
            runtime.spawn(local.run(workspaces));
        }
        let cells = running.inputs.borrow().policy.catalogue().cells;
        leading(&running.health, &cells).await;
        let local = cells.keys().find(|cell| cell.as_str() == "local");
        let local = local.or(cells.keys().next());
        let ready = Ready {
            url: running.public_url.clone(),
            listens: running.url.clone(),
            authority: running
                .authority
                .as_ref()
                .map(|(file, _)| file.display().to_string()),
            repository: local
                .map(|cell| self.data.repository(cell).display().to_string())
                .unwrap_or_default(),
            git,
            policy: self.data.policy().display().to_string(),
        };
        match output {
            Output::Json => output::json(&ready)?,
            Output::Text => {
                output::line(&format!("Sign up at      {}", ready.url));
                output::line(&format!("The API         {}/docs", ready.url));
                if self.server.keeps_letters() {
                    output::line(&format!("Letters at      {}/dev/mailbox", ready.url));
                }
                output::line(&format!("Manifests in    {}", ready.repository));
                if let Some(git) = &ready.git {
                    output::line(&format!("Served at       {git}/<cell>.git"));
                }
                let policy = match self.server.policy.is_hosted() {
                    true => "Policy's copy",
                    false => "Policy to edit",
                };
                output::line(&format!("{policy:<16}{}", ready.policy));
                if let Some((file, is_new)) = &running.authority {
                    let new = if *is_new { " (new)" } else { "" };
                    let file = file.display();
                    output::line(&format!("Authority       {file}{new}"));
                    output::line(&format!("To trust it     {} {file}", TRUST));
                    output::line(
                        "                (Chromium on Linux; other browsers import it in their settings)",
                    );
                }
                output::line("Stop with Ctrl-C.");
            }
        }
        let stopped = running.until_stopped().await;
        runtime.close();
        runtime.wait().await;
        stopped
    }
}

/// How Chromium is told on Linux whom to trust; `certutil` is of the package libnss3-tools.
const TRUST: &str = "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n coditect-dev -i";
/// Once it is asked for, ends workspaces, and everything else when they have ended.
async fn in_order(
    asked: CancellationToken,
    workspaces: CancellationToken,
    runtime: TaskTracker,
    stop: CancellationToken,
) {
    asked.cancelled().await;
    workspaces.cancel();
    runtime.close();
    runtime.wait().await;
    stop.cancel();
}

impl Dev {
    /// A name that outlives this process is safe where nobody else can have it: where the folder's store is this
    /// process's alone.
    fn lasting_id(&self) -> Result<Option<Uuid>> {
        if self.data.store().is_cluster() {
            return Ok(None);
        }
        self.data.renderer_id().map(Some)
    }
}

/// Waits until every cell's renderer has said how it fares, so that whoever reads the line that follows finds
/// the repositories there. One that fails says so in health, and is not waited for.
async fn leading(health: &Health, cells: &BTreeMap<CellName, CellSummary>) {
    let deadline = Instant::now() + PATIENCE;
    let leads = |cell: &CellName| match health.snapshot().get(&format!("renderer/{cell}")) {
        Some(State::Ok { detail } | State::Degraded { detail }) => detail.starts_with("leads"),
        Some(State::Failing { .. }) => true,
        None => false,
    };
    while !cells.keys().all(leads) && Instant::now() < deadline {
        tokio::time::sleep(BETWEEN).await;
    }
}

/// How long the first reconcile of the cells is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long between two looks.
const BETWEEN: Duration = Duration::from_millis(10);
