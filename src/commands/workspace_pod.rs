use std::{
    ffi::OsStr,
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser};
use coditect_core::{Error, Result, Slug, WorkspaceId};
use coditect_sidecar::Sidecar;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    task::JoinSet,
};

use crate::{
    exit::Exit,
    local_runtime::{
        FAILED, READY,
        ide::{self, Ide},
        stand_in,
    },
    output,
};

/// A workspace's pod as one process: its gateway, and before it the IDE as its child, or a small server of its files
/// where no IDE is built. `coditect dev` starts and ends it: its first line says where the gateway listens, the next one
/// that the IDE answers, and it ends when its standard input does.
#[derive(Debug, Args)]
pub(crate) struct WorkspacePod {
    /// Whose pod it is.
    #[arg(long)]
    workspace: WorkspaceId,

    /// The workspace's host name.
    #[arg(long)]
    host: String,

    /// The workspace's origin.
    #[arg(long)]
    origin: String,

    /// Address of the API.
    #[arg(long)]
    api: String,

    /// PEM file with the authorities that may vouch for the API, in place of the system's.
    #[arg(long, value_name = "FILE")]
    api_ca: Option<PathBuf>,

    /// Where an IDE listens, in the place of the small server of files.
    #[arg(long, value_name = "ADDR")]
    ide_address: Option<SocketAddr>,

    /// The token by which the API knows the pod.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,

    /// Folder for what the API has not taken yet.
    #[arg(long, value_name = "DIR")]
    queue: PathBuf,

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

    /// Folder of the built IDE, if there is one.
    #[arg(long, value_name = "DIR")]
    ide: Option<PathBuf>,

    /// Where what the IDE says is kept.
    #[arg(long, value_name = "FILE")]
    ide_log: PathBuf,
}

/// How long another process that still has the files may take to end.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the lock is tried.
const BETWEEN: Duration = Duration::from_millis(20);

/// Why the pod ends.
enum End {
    /// It is asked to. The API is still there, and people may be too.
    Asked,
    /// Whoever started it is gone.
    Alone,
}

impl WorkspacePod {
    pub(crate) async fn run(self) -> Result<Exit> {
        let ended = self.until_end().await;
        ended.inspect_err(|error| output::line(&format!("{FAILED}{}", error.chain())))
    }

    async fn until_end(&self) -> Result<Exit> {
        let lock = File::create(&self.lock).map_err(|error| self.failed("no lock", error))?;
        tokio::time::timeout(PATIENCE, locked(&lock))
            .await
            .map_err(|_| Error::unavailable("another process has the workspace's files"))?;
        let terminate =
            signal(SignalKind::terminate()).map_err(|error| self.failed("no signals", error))?;
        let built = self.ide.as_deref().filter(|build| ide::is_built(build));
        match built.filter(|_| self.ide_address.is_none()) {
            Some(build) => self.with_ide(build, terminate).await?,
            None => self.with_stand_in(terminate).await?,
        }
        drop(lock);
        Ok(Exit::Done)
    }

    async fn with_ide(&self, build: &std::path::Path, mut terminate: Signal) -> Result<()> {
        let address = ide::free_address()?;
        let gateway = Sidecar::start(&self.gateway(address)?).await?;
        let host = self.origin.split_once("://").map_or("", |(_, host)| host);
        let mut ide = Ide::start(&ide::Settings {
            build,
            volume: &self.volume,
            log: &self.ide_log,
            address,
            inside: gateway.inside(),
            host,
        })?;
        output::line(&gateway.address().to_string());
        let work = async {
            ide.answers().await?;
            output::line(READY);
            Err(ide.failed().await)
        };
        let end = tokio::select! {
            failed = work => return failed,
            end = asked_to_end(&mut terminate) => end,
        };
        if matches!(end, End::Asked) {
            // In the order of a pod: what its IDE's container does before it ends, its end, and the gateway's last.
            gateway.prepare().await;
        }
        ide.stop().await;
        if matches!(end, End::Asked) {
            gateway.finish().await;
        }
        Ok(())
    }

    async fn with_stand_in(&self, mut terminate: Signal) -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| self.failed("cannot listen", error))?;
        let address = listener
            .local_addr()
            .map_err(|error| self.failed("no address", error))?;
        let gateway = Sidecar::start(&self.gateway(self.ide_address.unwrap_or(address))?).await?;
        let routes = stand_in::routes(self.volume.clone(), self.slug.clone());
        let mut beside = JoinSet::new();
        beside.spawn(stand_in::speak(gateway.inside()));
        output::line(&gateway.address().to_string());
        output::line(READY);
        let end = tokio::select! {
            served = axum::serve(listener, routes).into_future() => {
                return served.map_err(|error| self.failed("cannot serve", error));
            }
            end = asked_to_end(&mut terminate) => end,
        };
        if matches!(end, End::Asked) {
            gateway.finish().await;
        }
        Ok(())
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::unavailable(format!("pod {}: {what}", self.pod)).because(error)
    }

    /// How the gateway is started before an IDE at this address.
    fn gateway(&self, ide: SocketAddr) -> Result<coditect_sidecar::Config> {
        std::fs::create_dir_all(&self.queue).map_err(|error| {
            Error::unavailable(format!("{} cannot be made", self.queue.display())).because(error)
        })?;
        let (workspace, ide) = (self.workspace.to_string(), ide.to_string());
        let arguments: [(&str, &OsStr); 9] = [
            ("--workspace", workspace.as_ref()),
            ("--host", self.host.as_ref()),
            ("--origin", self.origin.as_ref()),
            ("--api", self.api.as_ref()),
            ("--token-file", self.token_file.as_ref()),
            ("--queue", self.queue.as_ref()),
            ("--volume", self.volume.as_ref()),
            ("--ide", ide.as_ref()),
            ("--listen", "127.0.0.1:0".as_ref()),
        ];
        let arguments = arguments
            .into_iter()
            .flat_map(|(name, value)| [name.as_ref(), value]);
        let program = [OsStr::new("coditect-sidecar")].into_iter();
        let inside = [OsStr::new("--inside"), OsStr::new("127.0.0.1:0")];
        let api_ca = self.api_ca.iter();
        let api_ca = api_ca.flat_map(|file| [OsStr::new("--api-ca"), file.as_os_str()]);
        let arguments = program.chain(arguments).chain(inside).chain(api_ca);
        coditect_sidecar::Config::try_parse_from(arguments)
            .map_err(|error| Error::internal(format!("the gateway's settings: {error}")))
    }
}

/// Waits until nobody else holds the lock. Killing whoever holds it releases it.
async fn locked(lock: &File) {
    while lock.try_lock().is_err() {
        tokio::time::sleep(BETWEEN).await;
    }
}

async fn asked_to_end(terminate: &mut Signal) -> End {
    tokio::select! {
        _ = terminate.recv() => End::Asked,
        () = parent_gone() => End::Alone,
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
