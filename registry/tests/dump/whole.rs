//! What comes out goes in, and comes out the same.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use coditect_core::{CellName, Version};
use coditect_registry::{
    Registry,
    keys::{self, Export},
    store::{
        Isolation, KeyRange, Page, Store, StoreError, Transaction, Value, embedded::EmbeddedStore,
        remote,
    },
};

use crate::support::{a_key_of, content, export, import, memory, people};

/// A registry with a record of every kind, small ones and large ones, counters, and bytes that are neither.
async fn of_everything(store: &Arc<dyn Store>) {
    Registry::open(Arc::clone(store)).await.unwrap();
    for (number, kind) in keys::layout().iter().enumerate() {
        if kind.pattern.starts_with("import") || kind.pattern == "epoch" {
            continue;
        }
        for seed in [1_u8, 7, 200] {
            let key = a_key_of(kind, seed);
            let value = match (number + usize::from(seed)) % 4 {
                0 => {
                    b"\x01{\"name\":\"Ada \\\"L\\\"\\u0000\",\"n\":1.50,\"list\":[ 1,2 ]}".to_vec()
                }
                1 => i64::from(seed).wrapping_neg().to_le_bytes().to_vec(),
                2 => vec![0xfe; 99_999],
                _ => b"\x02 {\"spaced\":\n1} ".to_vec(),
            };
            let mut transaction = store.begin().await.unwrap();
            if kind.export == Export::AsSequence {
                for order in 0..3 {
                    transaction.append(&key[..key.len() - 13], format!("\x01{order}").as_bytes());
                }
            } else {
                transaction.set(&key, &value);
            }
            transaction.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_record_of_every_kind_comes_back_as_it_was_on_every_back_end() {
    let folder = tempfile::tempdir().unwrap();
    let source = memory();
    of_everything(&source).await;
    let (lines, exported) = export(&source).await;
    assert!(exported.consistent);

    let owner = EmbeddedStore::open(folder.path().join("registry.redb")).unwrap();
    let embedded = Arc::clone(&owner) as Arc<dyn Store>;
    let imported = import(&embedded, &lines).await.unwrap();
    assert_eq!(
        (imported.content.records, imported.content.sha256),
        (exported.records, exported.sha256)
    );
    assert_eq!(content(&embedded).await, content(&source).await);

    // Through the socket of the process that has the file, as from the file itself, and back into memory.
    let socket = folder.path().join("registry.sock");
    let server = remote::serve(owner.engine(), &socket).await.unwrap();
    let remote = remote::RemoteStore::connect(&socket).await.unwrap() as Arc<dyn Store>;
    assert_eq!(export(&remote).await.0, lines);
    let back = memory();
    import(&back, &export(&embedded).await.0).await.unwrap();
    assert_eq!(export(&back).await.0, lines);
    drop(server);
}

#[tokio::test]
async fn an_export_holds_no_version_and_nothing_that_is_made_anew() {
    let store = memory();
    of_everything(&store).await;
    let text = String::from_utf8(export(&store).await.0).unwrap();
    for kind in keys::layout() {
        let line = format!("{{\"kind\":\"{}\"", kind.pattern);
        assert_eq!(
            text.contains(&line),
            kind.export != Export::No,
            "{}",
            kind.pattern
        );
    }
    assert!(!text.contains("@"), "no stamp stands in a key");
}

#[tokio::test]
async fn people_keep_their_audit_in_order_and_the_registry_begins_a_new_life() {
    let source = memory();
    people(&source, 30).await;
    let before = Registry::open(Arc::clone(&source)).await.unwrap().epoch();
    let (lines, _) = export(&source).await;
    let target = memory();
    let imported = import(&target, &lines).await.unwrap();
    assert_eq!(content(&target).await, content(&source).await);
    let registry = Registry::open(Arc::clone(&target)).await.unwrap();
    assert_eq!(registry.epoch(), imported.epoch);
    assert_ne!(registry.epoch(), before);
    // Whoever waits for the cell is woken, and its feed is empty: it reads everything anew.
    let cell: CellName = "local".parse().unwrap();
    let mut view = registry.view().await.unwrap();
    assert_ne!(view.change_signal(&cell).await.unwrap(), 0);
    assert_ne!(view.power_signal(&cell).await.unwrap(), 0);
    assert_eq!(export(&target).await.0, lines);
}

#[tokio::test]
async fn an_empty_registry_can_be_moved_too() {
    let source = memory();
    Registry::open(Arc::clone(&source)).await.unwrap();
    let (lines, exported) = export(&source).await;
    assert_eq!(exported.records, 0);
    import(&memory(), &lines).await.unwrap();
}

/// A store whose transactions give one page each, and in which `between` happens before the third.
struct ShortLived {
    below: Arc<dyn Store>,
    begun: AtomicU32,
    between: (Vec<u8>, Vec<u8>),
}

#[async_trait]
impl Store for ShortLived {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        if self.begun.fetch_add(1, Ordering::SeqCst) == 2 {
            let mut transaction = self.below.begin().await?;
            transaction.set(&self.between.0, &self.between.1);
            transaction.commit().await?;
        }
        Ok(Box::new(OnePage(self.below.begin().await?, false)))
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.below.changed(key, seen).await
    }

    fn description(&self) -> String {
        self.below.description()
    }
}

struct OnePage(Box<dyn Transaction>, bool);

#[async_trait]
impl Transaction for OnePage {
    async fn read_version(&mut self) -> Result<Version, StoreError> {
        self.0.read_version().await
    }

    async fn get(&mut self, key: &[u8], isolation: Isolation) -> Result<Option<Value>, StoreError> {
        self.0.get(key, isolation).await
    }

    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
        isolation: Isolation,
    ) -> Result<Page, StoreError> {
        if std::mem::replace(&mut self.1, true) {
            return Err(StoreError::TooOld);
        }
        self.0.range(range, limit, reverse, isolation).await
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.set(key, value);
    }

    fn clear(&mut self, key: &[u8]) {
        self.0.clear(key);
    }

    fn clear_range(&mut self, range: &KeyRange) {
        self.0.clear_range(range);
    }

    fn add(&mut self, key: &[u8], delta: i64) {
        self.0.add(key, delta);
    }

    fn append(&mut self, prefix: &[u8], value: &[u8]) {
        self.0.append(prefix, value);
    }

    async fn commit(&mut self) -> Result<Version, StoreError> {
        self.0.commit().await
    }

    async fn reset(&mut self, after: StoreError) -> Result<(), StoreError> {
        self.0.reset(after).await
    }
}

async fn exported_while(between: (Vec<u8>, Vec<u8>)) -> bool {
    let below = memory();
    people(&below, 3).await;
    let store = Arc::new(ShortLived {
        below,
        begun: AtomicU32::new(0),
        between,
    }) as Arc<dyn Store>;
    export(&store).await.1.consistent
}

#[tokio::test]
async fn a_change_meanwhile_is_noticed_if_it_is_of_what_is_exported() {
    let cell: CellName = "local".parse().unwrap();
    // A new version, and the same content: two looks find the same.
    assert!(exported_while((keys::lease(&cell), b"\x01{}".to_vec())).await);
    // A record that was read before it changed.
    assert!(
        !exported_while((
            keys::account(coditect_core::AccountId::from_bytes([0; 16])),
            b"\x01{}".to_vec()
        ))
        .await
    );
}
