//! The store: a connection to a cluster.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use foundationdb::{
    Database, FdbBindingError, FdbError,
    directory::{Directory, DirectoryLayer},
    options::DatabaseOption,
};
use tokio::sync::Mutex;

use super::{
    super::{Store, StoreError, Transaction, limits},
    code::{self, During},
    network,
    options::{Options, Place, milliseconds, text},
    status,
    subspace::Subspace,
    transaction::FdbTransaction,
};

/// Longest wait before another attempt. The client's own default is a second: long for a person who waits.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// How long the cluster's message is kept: to compose it is work for the cluster, and health pages are asked often.
const MESSAGE_AGE: Duration = Duration::from_secs(5);
/// How long the cluster may take to compose it.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(5);
/// What directories of ours say of themselves: nobody opens another's by mistake.
const LAYER: &[u8] = b"coditect";

/// A registry's store on a cluster.
pub struct FdbStore {
    client: Arc<Client>,
    place: Place,
    message: Mutex<Option<(Instant, String)>>,
}

/// The connection, and where the registry is.
pub(super) struct Client {
    database: Database,
    pub(super) subspace: Subspace,
}

impl Client {
    /// A transaction of the client's.
    pub(super) fn transaction(&self) -> Result<foundationdb::Transaction, StoreError> {
        self.database
            .create_trx()
            .map_err(|error| meaning(error, During::Read))
    }
}

/// What an error of the client means.
pub(super) fn meaning(error: FdbError, during: During) -> StoreError {
    code::store_error(error.code(), error.message(), during)
}

impl FdbStore {
    /// Connects. Whether the cluster answers shows only when it is asked something, which for a directory is here.
    ///
    /// # Errors
    /// `NotOpened` if the options make no sense or the client library refuses them, for good; `Unavailable` if there is
    /// no cluster file, or the directory's cluster does not answer.
    pub async fn open(options: &Options) -> Result<Arc<Self>, StoreError> {
        options.check()?;
        network::start(&options.network)?;
        let file = options.cluster_file.as_deref().map(text).transpose()?;
        let database = connect(options, file).map_err(|error| match file {
            Some(file) => StoreError::Unavailable(format!(
                "the cluster file {file} cannot be used: {}, error {}",
                error.message(),
                error.code()
            )),
            None => meaning(error, During::Read),
        })?;
        let subspace = match &options.place {
            Place::Prefix(name) => Subspace::named(name),
            Place::Directory(path) => directory(&database, path).await?,
        };
        Ok(Arc::new(Self {
            client: Arc::new(Client { database, subspace }),
            place: options.place.clone(),
            message: Mutex::default(),
        }))
    }
}

fn connect(options: &Options, file: Option<&str>) -> Result<Database, FdbError> {
    let database = Database::new(file)?;
    // Zero and -1 are the client's words for "no limit".
    let timeout = options.timeout.and_then(milliseconds).unwrap_or(0);
    let retries = options
        .retry_limit
        .and_then(|limit| i32::try_from(limit).ok())
        .unwrap_or(-1);
    let pause = milliseconds(LONGEST_PAUSE).unwrap_or(i32::MAX);
    database.set_option(DatabaseOption::TransactionTimeout(timeout))?;
    database.set_option(DatabaseOption::TransactionRetryLimit(retries))?;
    database.set_option(DatabaseOption::TransactionMaxRetryDelay(pause))?;
    Ok(database)
}

/// The directory's prefix, after making the directory if it is not there. Done twice it is done once, so that the
/// client's own loop may try again after an unknown result.
async fn directory(database: &Database, path: &[String]) -> Result<Subspace, StoreError> {
    let prefix = database
        .run(|transaction, _| async move {
            let directory = DirectoryLayer::default()
                .create_or_open(&transaction, path, None, Some(LAYER))
                .await?;
            Ok(directory.bytes()?.to_vec())
        })
        .await
        .map_err(|error| unopened(&error, path))?;
    if prefix.len() > limits::PREFIX_BYTES {
        return Err(StoreError::NotOpened(format!(
            "the directory {} has a prefix of {} bytes, more than {}",
            path.join("/"),
            prefix.len(),
            limits::PREFIX_BYTES
        )));
    }
    Ok(Subspace::at(prefix))
}

fn unopened(error: &FdbBindingError, path: &[String]) -> StoreError {
    match error.get_fdb_error() {
        Some(error) => match meaning(error, During::Read) {
            error @ (StoreError::Unavailable(_) | StoreError::NotOpened(_)) => error,
            // Tried as often as it may be.
            error => StoreError::Unavailable(error.to_string()),
        },
        None => StoreError::NotOpened(format!(
            "the directory {} cannot be opened: {error:?}",
            path.join("/")
        )),
    }
}

#[async_trait]
impl Store for FdbStore {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(
            FdbTransaction::begin(Arc::clone(&self.client)).await?,
        ))
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.client.changed(key, seen).await
    }

    fn description(&self) -> String {
        format!("FoundationDB, {}", self.place)
    }

    async fn message(&self) -> Option<String> {
        // One asks, the others wait for the same answer.
        let mut kept = self.message.lock().await;
        if let Some((at, message)) = &*kept
            && at.elapsed() < MESSAGE_AGE
        {
            return Some(message.clone());
        }
        let transaction = match self.client.transaction() {
            Ok(transaction) => transaction,
            Err(error) => return Some(error.to_string()),
        };
        let read = transaction.get(status::KEY, true);
        let message = match tokio::time::timeout(MESSAGE_PATIENCE, read).await {
            Ok(Ok(Some(json))) => status::sentence(&json),
            Ok(Ok(None)) => "the cluster says nothing of itself".to_owned(),
            Ok(Err(error)) => format!("the cluster says nothing of itself: {}", error.message()),
            Err(_) => "the cluster has not said in time how it fares".to_owned(),
        };
        *kept = Some((Instant::now(), message.clone()));
        Some(message)
    }
}
