//! The gateway of a workspace's pod: its only door.
//!
//! Outside are browsers, whose pages may be anybody's; inside is the IDE, in which a person runs what they like. Neither
//! is trusted. What holds: nobody is handed on who is not in, no page of another origin acts for whoever is, and neither
//! side learns or sets what is between us and the other.

mod access;
mod activity;
mod answer;
mod app;
mod beat;
mod config;
mod entry;
#[doc(hidden)]
pub mod hostile;
mod inside;
mod page;
mod platform;
mod program;
mod proxy;
mod route;
mod server;
pub mod site;
pub mod socket;
mod stop;
mod volume;
mod workers;

use std::{net::SocketAddr, sync::Arc};

use coditect_core::{Error, Result};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{app::App, workers::Workers};
pub use crate::{config::Config, program::run};

/// A gateway that runs until it is dropped.
#[derive(Debug)]
pub struct Sidecar {
    address: SocketAddr,
    inside: SocketAddr,
    app: Arc<App>,
    _tasks: JoinSet<()>,
}

impl Sidecar {
    /// Starts it. It listens when this returns; whether the API answers does not matter for that.
    ///
    /// # Errors
    /// `Invalid` if the configuration cannot work; `Unavailable` if it cannot listen.
    pub async fn start(config: &Config) -> Result<Self> {
        let (app, following) = App::new(config)?;
        let app = Arc::new(app);
        let (outside, address) = listen(config.listen).await?;
        let (inside, inside_address) = listen(config.inside).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(Workers::start(&app)?.serve(outside));
        tasks.spawn(inside::serve(Arc::clone(&app), inside));
        tasks.spawn(platform::follow(Arc::clone(&app)));
        tasks.spawn(socket::keep(Arc::clone(&app)));
        tasks.spawn(volume::follow(Arc::clone(&app), following));
        tasks.spawn(volume::hand_over(Arc::clone(&app)));
        tasks.spawn(volume::restore(Arc::clone(&app)));
        tasks.spawn(beat::run(Arc::clone(&app)));
        Ok(Self {
            address,
            inside: inside_address,
            app,
            _tasks: tasks,
        })
    }

    /// Has tabs save and what happened to files handed over, before the IDE ends: what the IDE's container asks for
    /// itself where it has a `preStop`. Whatever does not answer in time is not waited for; 45 seconds at most.
    pub async fn prepare(&self) {
        stop::prepare(&self.app).await;
    }

    /// Hands over what is not handed over yet, for a few seconds at most: the last thing before the end.
    pub async fn finish(&self) {
        stop::finish(&self.app).await;
    }

    /// Where people come in.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the pod's other containers speak.
    #[must_use]
    pub fn inside(&self) -> SocketAddr {
        self.inside
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let failed = |error| {
        Error::unavailable(format!(
            "cannot listen on {address}; is something else there?"
        ))
        .because(error)
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
