//! A place of a test's own in the cluster that `FDB_CLUSTER_FILE` names, cleared when the test is over.
//!
//! Without a cluster the tests fail and say so: they were built to be run on one.

use std::{path::PathBuf, sync::Arc};

use coditect_registry::store::{
    KeyRange, Store, StoreError,
    fdb::{FdbStore, Options, Place},
    limits,
};
use uuid::Uuid;

/// The cluster file, if tests may use one.
const CLUSTER: &str = "FDB_CLUSTER_FILE";

/// How the cluster is reached, at a place that nobody else has. Its prefix is as long as prefixes may be.
pub(crate) fn options() -> Options {
    let name = format!("conformance/{}/", Uuid::new_v4().simple());
    let padding = "-".repeat(limits::PREFIX_BYTES - 2 - name.len());
    at(Place::Prefix(name + &padding))
}

/// How the cluster is reached at `place`. No time-out and no retry limit: a check that many run against each other on a
/// small cluster takes as long as it takes.
pub(crate) fn at(place: Place) -> Options {
    let file = std::env::var_os(CLUSTER).map(PathBuf::from);
    assert!(
        file.is_some(),
        "{CLUSTER} names no cluster file: nothing has been tried on FoundationDB"
    );
    Options {
        cluster_file: file,
        timeout: None,
        retry_limit: None,
        ..Options::at(place)
    }
}

/// A store whose place is cleared when this is dropped, by a panic as well.
pub(crate) struct Cleared(pub(crate) Arc<FdbStore>);

impl Cleared {
    pub(crate) async fn open(options: &Options) -> Self {
        Self(FdbStore::open(options).await.unwrap())
    }
}

impl Drop for Cleared {
    fn drop(&mut self) {
        let store = Arc::clone(&self.0);
        // Where this is dropped a runtime may be running, and cannot be waited in.
        let clearing = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(clear(&*store))
        });
        if !matches!(clearing.join(), Ok(Ok(()))) {
            crate::child::say("a test's place in the cluster was not cleared");
        }
    }
}

async fn clear(store: &dyn Store) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    loop {
        transaction.clear_range(&KeyRange {
            begin: vec![],
            end: vec![limits::FIRST_FORBIDDEN_BYTE],
        });
        match transaction.commit().await {
            Ok(_) => return Ok(()),
            Err(error) => transaction.reset(error).await?,
        }
    }
}
