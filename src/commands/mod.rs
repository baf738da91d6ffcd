//! The subcommands, one file each with its arguments, help and function.

mod api;
mod api_key;
mod approvals;
mod cell;
mod completions;
mod config;
mod dev;
mod history;
mod keys;
mod login;
mod logout;
mod observer;
mod plan;
mod policy;
mod quarantine;
mod reap;
mod registry;
mod render;
mod renderer;
mod restart;
mod restore;
mod rollout;
mod tenant;
mod verify;
mod workspace;
mod workspace_pod;

use std::{net::SocketAddr, time::Duration};

use clap::Subcommand;
use coditect_core::{Error, Result, health::Health};
use coditect_registry::Registry;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Cli, Output},
    data::Data,
    exit::Exit,
    output, stop, store, waiting,
};

/// How long the process that has the registry may take to start.
const OWNER: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process on one machine.
    Dev(dev::Dev),
    /// Serve the HTTP API, and the registry to other processes of this machine.
    Api(api::Api),
    /// Render cells: keep their repositories what the registry wants.
    Renderer(renderer::Renderer),
    /// Render intents with a policy into a folder; needs no registry.
    Render(render::Render),
    /// Say what a change of policy or templates does to the whole fleet, before it is merged.
    Plan(plan::Plan),
    /// Look after the reviewed policy: tell every mistake in it.
    Policy(policy::Policy),
    /// Prove that registry, Git and cluster agree, user by user.
    Verify(verify::Verify),
    /// Remove the namespaces and volumes of what was deleted.
    Reap(reap::Reap),
    /// Watch cells' clusters: say what stands there, set power, suspend what nobody uses.
    Observer(observer::Observer),
    /// How a cell fares, as its observer says, and whether its hold may end.
    Cell(cell::Cell),
    /// Restart pods that run on an older version, a few at a time, within a window.
    Restart(restart::Restart),
    /// Roll a template release out, ring by ring.
    Rollout(rollout::Rollout),
    /// What happened to a user or workspace, when and why, by Git alone.
    History(history::History),
    /// Care for a registry: figures, compaction, a new epoch after a restore.
    Registry(registry::Registry),
    /// Users whose files the cluster refuses: who they are, and to try them again.
    Quarantine(quarantine::Quarantine),
    /// Changes that wait for people's approval: which there are, and whom they are about.
    Approvals(approvals::Approvals),
    /// Read back from Git what was lost.
    Restore(restore::Restore),
    /// The keys that sign tokens: which there are, a new one, one less.
    Keys(keys::Keys),
    /// Keep an API key, with which `workspace` and `tenant` call an installation.
    Login(login::Login),
    /// Forget the API key that `login` keeps.
    Logout(logout::Logout),
    /// Your workspaces in an installation: list, create, start, stop, delete, open.
    Workspace(workspace::Workspace),
    /// Your API keys in an installation: list, create, revoke.
    ApiKey(api_key::ApiKey),
    /// Your tenant in an installation: members, roles, invitations, what was decided.
    Tenant(tenant::Tenant),
    /// Print the effective configuration, secrets hidden.
    Config(config::Config),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
    /// Run a workspace's pod as a process; `dev` starts it.
    #[command(hide = true)]
    WorkspacePod(workspace_pod::WorkspacePod),
}

/// Does what the command line says.
///
/// # Errors
/// What the subcommand says.
pub(crate) fn run(cli: Cli) -> Result<Exit> {
    let mut builder = match &cli.command {
        // Many of these run beside each other, each with little to do.
        Command::WorkspacePod(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().map_err(|error| {
        Error::unavailable("the process cannot start its threads").because(error)
    })?;
    let output = match cli.json {
        true => Output::Json,
        false => cli.output,
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Dev(dev) => dev.run(output).await,
            Command::Api(api) => api.run(output).await,
            Command::Renderer(renderer) => renderer.run(output).await,
            Command::Render(render) => render.run(output),
            Command::Plan(plan) => plan.run(output),
            Command::Policy(policy) => policy.run(output),
            Command::Verify(verify) => verify.run(output).await,
            Command::Reap(reap) => reap.run(output).await,
            Command::Observer(observer) => observer.run(output).await,
            Command::Cell(cell) => cell.run(output).await,
            Command::Restart(restart) => restart.run(output).await,
            Command::Rollout(rollout) => rollout.run(output).await,
            Command::History(history) => history.run(output).await,
            Command::Registry(registry) => registry.run(output).await,
            Command::Quarantine(quarantine) => quarantine.run(output).await,
            Command::Approvals(approvals) => approvals.run(output).await,
            Command::Restore(restore) => restore.run(output).await,
            Command::Keys(keys) => keys.run(output),
            Command::Login(login) => login.run(output).await,
            Command::Logout(logout) => logout.run(output),
            Command::Workspace(workspace) => workspace.run(output).await,
            Command::ApiKey(api_key) => api_key.run(output).await,
            Command::Tenant(tenant) => tenant.run(output).await,
            Command::Config(config) => config.run(output),
            Command::Completions(completions) => Ok(completions.run()),
            Command::WorkspacePod(pod) => pod.run().await,
        }
    });
    // Whatever still used the store ends with the runtime.
    drop(runtime);
    store::close();
    done
}

/// What a process needs that works beside the API: the registry, an address for its health, the sign to stop.
struct Beside {
    registry: Registry,
    listener: TcpListener,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Beside {
    /// Opens the registry in its cluster, or through the process that has it, and listens. Says so if it must wait:
    /// for a cluster at the address as well.
    async fn start(
        data: &Data,
        listen: SocketAddr,
        health: &Health,
        metrics: &PrometheusHandle,
    ) -> Result<Self> {
        let (registry, listener, stop) = if data.store().is_cluster() {
            let stop = stop::on_signal();
            let listener = bind(listen).await?;
            let router = coditect_api::ops_router(health.clone(), metrics.clone(), None);
            let opening = data.in_cluster(health, &stop);
            let registry = waiting::answering(&listener, router, opening).await?;
            (registry, listener, stop)
        } else {
            let registry = beside_owner(data).await?;
            (registry, bind(listen).await?, stop::on_signal())
        };
        Ok(Self {
            registry,
            address: listener
                .local_addr()
                .map_err(|error| Error::internal("a socket without address").because(error))?,
            listener,
            stop,
        })
    }
}

/// Listens where `--listen` says.
async fn bind(listen: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| {
        let why = format!("cannot listen on {listen}; choose another with --listen");
        Error::unavailable(why).because(error)
    })
}

/// The registry, for a process that works beside the one that has it. Says so if it must wait.
async fn beside_owner(data: &Data) -> Result<Registry> {
    if !data.socket().exists() {
        output::complain(&format!(
            "no process serves the registry in {}; waits {} s for `coditect api` to start (--data names the folder)",
            data.folder().display(),
            OWNER.as_secs()
        ));
    }
    data.beside_owner(OWNER).await
}
