//! The folder that holds everything of one machine's installation.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use coditect_core::{CellName, Error, Result, health::Health};
use coditect_registry::{
    Registry, keys,
    store::{Isolation, Store, StoreError, embedded::EmbeddedStore, remote::RemoteStore},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{store::StoreOptions, waiting};

/// How long a short command waits for an owner that has just started.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long between two attempts to reach the owner.
const BETWEEN: Duration = Duration::from_millis(200);

/// Where an installation lives.
#[derive(Clone, Debug, Args)]
pub(crate) struct Data {
    /// The folder that holds the installation: registry, cells' repositories, policy, keys.
    #[arg(
        long = "data",
        global = true,
        value_name = "DIR",
        default_value = ".coditect",
        env = "CODITECT_DATA"
    )]
    folder: PathBuf,

    #[command(flatten)]
    store: StoreOptions,
}

impl Data {
    /// Which store holds the registry.
    pub(crate) const fn store(&self) -> &StoreOptions {
        &self.store
    }

    /// Makes the folder, readable by its owner alone, if it is not there.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be made.
    pub(crate) fn create(&self) -> Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(|error| {
                Error::unavailable(format!(
                    "the folder {} cannot be made; choose another with --data",
                    self.folder.display()
                ))
                .because(error)
            })
    }

    /// The embedded store's file.
    pub(crate) fn registry(&self) -> PathBuf {
        self.folder.join("registry.redb")
    }

    /// The socket through which whoever has the store open serves it to other processes.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("registry.sock")
    }

    /// A cell's bare repository.
    pub(crate) fn repository(&self, cell: &CellName) -> PathBuf {
        self.folder.join("cells").join(format!("{cell}.git"))
    }

    /// The policy repository.
    pub(crate) fn policy(&self) -> PathBuf {
        self.folder.join("policy")
    }

    /// The bare copy of the policy repository, through which branches are made in it.
    pub(crate) fn policy_copy(&self) -> PathBuf {
        self.folder.join("policy-copy.git")
    }

    /// The folder of the volumes that the local runtime keeps.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.folder.join("volumes")
    }

    /// The folder of what the local runtime publishes of the keys that sign its pods' tokens.
    pub(crate) fn cell_keys(&self) -> PathBuf {
        self.folder.join("cell-keys")
    }

    /// The folder of the contents of files' versions.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }

    /// The folder of the certificate authority of `dev --tls`.
    pub(crate) fn tls(&self) -> PathBuf {
        self.folder.join("tls")
    }

    /// The folder of the signing keys.
    pub(crate) fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// The lasting id under which the one process that has the registry's file to itself asks for leases.
    ///
    /// # Errors
    /// `Unavailable` if it can be neither read nor written.
    pub(crate) fn renderer_id(&self) -> Result<Uuid> {
        let file = self.folder.join("renderer-id");
        if let Some(id) = fs::read_to_string(&file)
            .ok()
            .and_then(|text| text.trim().parse().ok())
        {
            return Ok(id);
        }
        // A file that is missing or torn by a crash only costs the wait for a lease.
        let id = Uuid::new_v4();
        fs::write(&file, id.to_string()).map_err(|error| {
            Error::unavailable(format!("{} cannot be written", file.display())).because(error)
        })?;
        Ok(id)
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens the embedded store as its one owner.
    ///
    /// # Errors
    /// `Unavailable` if another process owns it or it cannot be read; `Invalid` if the registry is in a cluster, which
    /// nobody has to himself.
    pub(crate) fn own(&self) -> Result<Arc<EmbeddedStore>> {
        if self.store.is_cluster() {
            return Err(Error::invalid(
                "registry",
                "is in a FoundationDB cluster; this is done to the embedded store's file alone",
            ));
        }
        self.create()?;
        Ok(EmbeddedStore::open(self.registry())?)
    }

    /// Opens the registry for a short command: in its cluster, or through its owner's socket if a process serves it,
    /// otherwise the file itself.
    ///
    /// # Errors
    /// `NotFound` if there is no registry here; `Unavailable` if nothing answers.
    pub(crate) async fn open(&self) -> Result<Registry> {
        if self.store.is_cluster() {
            let store = self.store.connect().await?;
            // To open an empty place would found a registry there.
            if !founded(&store).await? {
                return Err(Error::not_found(format!(
                    "there is no registry in {}; name its place with --fdb-prefix or --fdb-directory",
                    store.description()
                )));
            }
            return Registry::open(store).await;
        }
        if !self.registry().exists() {
            let folder = self.folder.display();
            let message = format!("there is no registry in {folder}; name the folder with --data");
            return Err(Error::not_found(message));
        }
        if let Ok(store) = RemoteStore::connect(self.socket()).await {
            return Registry::open(store).await;
        }
        match EmbeddedStore::open(self.registry()) {
            Ok(store) => Registry::open(store).await,
            // Its owner has just started and does not serve yet.
            Err(StoreError::NotOpened(_)) => self.beside_owner(PATIENCE).await,
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Data::open`], but makes an empty registry where there is none: to be filled from elsewhere.
    ///
    /// # Errors
    /// `Unavailable` if it can be neither opened nor made.
    pub(crate) async fn open_or_create(&self) -> Result<Registry> {
        if self.store.is_cluster() {
            return Registry::open(self.store.connect().await?).await;
        }
        if self.registry().exists() {
            return self.open().await;
        }
        Registry::open(self.own()?).await
    }

    /// Opens the registry in its cluster for a process that stays, however long the cluster takes to answer; says in
    /// `health` and in the log that it waits.
    ///
    /// # Errors
    /// `Invalid` if no waiting helps; `Unavailable` if it is time to stop.
    pub(crate) async fn in_cluster(
        &self,
        health: &Health,
        stop: &CancellationToken,
    ) -> Result<Registry> {
        let open = async || Registry::open(self.store.connect().await?).await;
        waiting::until_it_answers(open, health, stop).await
    }

    /// Opens the registry for a process that works beside the owner, never in its place: a renderer that took
    /// the file would keep the API out.
    ///
    /// # Errors
    /// `Unavailable` if no process serves the registry within `patience`.
    pub(crate) async fn beside_owner(&self, patience: Duration) -> Result<Registry> {
        let deadline = Instant::now() + patience;
        loop {
            match RemoteStore::connect(self.socket()).await {
                Ok(store) => return Registry::open(store).await,
                Err(error) if Instant::now() >= deadline => return Err(error.into()),
                Err(error) => tracing::info!(%error, "waits for the process that has the registry"),
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
}

async fn founded(store: &Arc<dyn Store>) -> Result<bool, StoreError> {
    let mut transaction = store.begin().await?;
    let epoch = transaction.get(&keys::epoch(), Isolation::Snapshot).await?;
    Ok(epoch.is_some())
}
