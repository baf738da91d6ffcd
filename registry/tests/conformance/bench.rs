//! The stores under test, and small helpers over the contract.

use std::{any::Any, sync::Arc};

use coditect_core::Version;
use coditect_registry::store::{
    Isolation::{self, Serializable},
    Key, KeyRange, Store, StoreError, Transaction, Value,
    embedded::EmbeddedStore,
    memory::MemoryStore,
    remote::{self, RemoteStore},
};
use futures::future::BoxFuture;

/// A store, and what it lives on.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    _home: Vec<Box<dyn Any + Send + Sync>>,
}

impl Bench {
    pub(crate) async fn memory() -> Self {
        Self {
            store: MemoryStore::new(),
            _home: vec![],
        }
    }

    pub(crate) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path().join("registry")).unwrap();
        Self {
            store,
            _home: vec![Box::new(folder)],
        }
    }

    pub(crate) async fn remote() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let embedded = EmbeddedStore::open(folder.path().join("registry")).unwrap();
        let socket = folder.path().join("socket");
        let server = remote::serve(embedded.engine(), &socket).await.unwrap();
        let store = RemoteStore::connect(&socket).await.unwrap();
        Self {
            store,
            _home: vec![Box::new(server), Box::new(embedded), Box::new(folder)],
        }
    }

    pub(crate) async fn begin(&self) -> Box<dyn Transaction> {
        self.store.begin().await.unwrap()
    }

    /// Writes in a transaction of its own.
    pub(crate) async fn write(&self, write: impl Fn(&mut dyn Transaction)) -> Version {
        let mut transaction = self.begin().await;
        write(&mut *transaction);
        transaction.commit().await.unwrap()
    }

    /// Sets keys to values in a transaction of its own.
    pub(crate) async fn put(&self, entries: &[(&str, &str)]) -> Version {
        self.write(|transaction| {
            entries
                .iter()
                .for_each(|(key, value)| transaction.set(key.as_bytes(), value.as_bytes()))
        })
        .await
    }

    /// A value, read in a transaction of its own.
    pub(crate) async fn value(&self, key: &str) -> Option<String> {
        value(&mut *self.begin().await, key).await
    }

    /// Everything, read in a transaction of its own.
    pub(crate) async fn all(&self) -> Vec<(Key, Value)> {
        pages(
            &mut *self.begin().await,
            &everything(),
            1_000,
            false,
            Serializable,
        )
        .await
    }
}

/// Runs each check for every back end; its argument is the store's [`Bench`].
macro_rules! on_every_store {
    ($($(#[$meta:meta])* async fn $check:ident($bench:ident) $body:block)*) => {$(
        $(#[$meta])*
        async fn $check($bench: &$crate::bench::Bench) $body

        mod $check {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory() {
                super::$check(&$crate::bench::Bench::memory().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                super::$check(&$crate::bench::Bench::embedded().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn remote() {
                super::$check(&$crate::bench::Bench::remote().await).await;
            }
        }
    )*};
}
pub(crate) use on_every_store;

/// Every key there may be.
pub(crate) fn everything() -> KeyRange {
    KeyRange {
        begin: vec![],
        end: vec![0xff],
    }
}

pub(crate) fn range(begin: &str, end: &str) -> KeyRange {
    KeyRange {
        begin: begin.into(),
        end: end.into(),
    }
}

pub(crate) async fn value(transaction: &mut dyn Transaction, key: &str) -> Option<String> {
    value_with(transaction, key, Serializable).await
}

pub(crate) async fn value_with(
    transaction: &mut dyn Transaction,
    key: &str,
    isolation: Isolation,
) -> Option<String> {
    transaction
        .get(key.as_bytes(), isolation)
        .await
        .unwrap()
        .map(|value| String::from_utf8(value).unwrap())
}

/// The number at a key, 0 if there is none.
pub(crate) async fn number(transaction: &mut dyn Transaction, key: &str) -> i64 {
    let stored = transaction.get(key.as_bytes(), Serializable).await.unwrap();
    stored.map_or(0, |bytes| i64::from_le_bytes(bytes.try_into().unwrap()))
}

/// All entries of a range, read page by page.
pub(crate) async fn pages(
    transaction: &mut dyn Transaction,
    range: &KeyRange,
    limit: usize,
    reverse: bool,
    isolation: Isolation,
) -> Vec<(Key, Value)> {
    let mut all = Vec::new();
    let mut rest = range.clone();
    loop {
        let page = transaction
            .range(&rest, limit, reverse, isolation)
            .await
            .unwrap();
        assert!(
            page.entries.len() <= limit,
            "{} entries, asked for {limit}",
            page.entries.len()
        );
        all.extend(page.entries);
        if !page.more {
            return all;
        }
        let (last, _) = all.last().expect("a page that says more has an entry");
        if reverse {
            rest.end = last.clone();
        } else {
            rest = rest.after(last);
        }
    }
}

/// Keys and values as text, to compare with.
pub(crate) fn text(entries: &[(Key, Value)]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    entries
        .iter()
        .map(|(key, value)| format!("{}={}", text(key), text(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Does the work until it commits, whatever conflicts.
pub(crate) async fn transact<T>(
    store: &dyn Store,
    work: impl for<'a> Fn(&'a mut dyn Transaction) -> BoxFuture<'a, Result<T, StoreError>>,
) -> (T, Version) {
    let mut transaction = store.begin().await.unwrap();
    loop {
        let error = match work(&mut *transaction).await {
            Ok(answer) => match transaction.commit().await {
                Ok(version) => return (answer, version),
                Err(error) => error,
            },
            Err(error) => error,
        };
        transaction.reset(error).await.unwrap();
    }
}
