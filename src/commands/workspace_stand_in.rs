use std::{fs::File, io, net::Ipv4Addr, path::PathBuf, time::Duration};

use clap::Args;
use coditect_core::{Error, Result, Slug};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::{exit::Exit, local_runtime::stand_in, output};

/// A small server of a workspace's files, in the place of its images. `coditect dev` starts and ends it: its
/// first line says where it listens, and it ends when its standard input does.
#[derive(Debug, Args)]
pub(crate) struct WorkspaceStandIn {
    /// The workspace's files.
    #[arg(long, value_name = "DIR")]
    volume: PathBuf,

    /// Held locked while the files are in use.
    #[arg(long, value_name = "FILE")]
    lock: PathBuf,

    /// The first label of the workspace's host.
    #[arg(long)]
    slug: Slug,

    /// The pod that it is.
    #[arg(long)]
    pod: String,
}

/// How long another process that still has the files may take to end.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the lock is tried.
const BETWEEN: Duration = Duration::from_millis(20);

impl WorkspaceStandIn {
    pub(crate) async fn run(self) -> Result<Exit> {
        let failed = |what: &str, error: io::Error| {
            Error::unavailable(format!("pod {}: {what}", self.pod)).because(error)
        };
        let lock = File::create(&self.lock).map_err(|error| failed("no lock", error))?;
        tokio::time::timeout(PATIENCE, locked(&lock))
            .await
            .map_err(|_| Error::unavailable("another process has the workspace's files"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| failed("cannot listen", error))?;
        let address = listener
            .local_addr()
            .map_err(|error| failed("no address", error))?;
        let mut terminate =
            signal(SignalKind::terminate()).map_err(|error| failed("no signals", error))?;
        let routes =
            stand_in::page::routes(self.volume, self.slug, || output::line(stand_in::INPUT));
        output::line(&address.to_string());
        tokio::select! {
            served = axum::serve(listener, routes).into_future() => {
                served.map_err(|error| failed("cannot serve", error))?;
            }
            _ = terminate.recv() => {}
            () = parent_gone() => {}
        }
        drop(lock);
        Ok(Exit::Done)
    }
}

/// Waits until nobody else holds the lock. Killing whoever holds it releases it.
async fn locked(lock: &File) {
    while lock.try_lock().is_err() {
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Waits until the other end of standard input is closed: its holder has ended, however that happened.
async fn parent_gone() {
    let (gone, told) = oneshot::channel();
    // A thread of its own: the runtime would wait at its end for one of its own that still reads.
    std::thread::spawn(move || {
        // A failure to read says the same.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = gone.send(());
    });
    let _ = told.await;
}
