//! Export and import hold a page at a time, however much there is. A program of its own, because the peak memory that
//! the operating system counts is the process's.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    io::{BufReader, BufWriter},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use coditect_core::{AccountId, Version};
use coditect_registry::{
    dump, keys,
    store::{Isolation, Key, KeyRange, Page, Store, StoreError, Transaction, Value},
};

/// Records of a registry that is not there: 100 MB of lines.
const RECORDS: u64 = 50_000;
/// How much the process may grow over that: pages, batches under way, what the allocator keeps.
const GROWTH_MB: f64 = 24.0;

/// Makes up records as they are read, and forgets those that are written.
#[derive(Default)]
struct Endless {
    records: u64,
    written: Arc<Mutex<u64>>,
    /// What an import notes of itself.
    kept: Arc<Mutex<BTreeMap<Key, Value>>>,
}

struct Reading {
    records: u64,
    written: Arc<Mutex<u64>>,
    kept: Arc<Mutex<BTreeMap<Key, Value>>>,
    sets: Vec<(Key, Option<Value>)>,
    plain: u64,
}

#[async_trait]
impl Store for Endless {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(Reading {
            records: self.records,
            written: Arc::clone(&self.written),
            kept: Arc::clone(&self.kept),
            sets: Vec::new(),
            plain: 0,
        }))
    }

    async fn changed(&self, _: &[u8], _: Option<&[u8]>) -> Result<(), StoreError> {
        Ok(())
    }

    fn description(&self) -> String {
        "endless".to_owned()
    }
}

fn key(number: u64) -> Key {
    keys::credential(AccountId::from_bytes(u128::from(number).to_be_bytes()))
}

fn is_record(key: &[u8]) -> bool {
    keys::parse(key).is_ok_and(|parsed| parsed.kind.pattern == "account/{a}/credential")
}

#[async_trait]
impl Transaction for Reading {
    async fn read_version(&mut self) -> Result<Version, StoreError> {
        Ok(Version(1))
    }

    async fn get(&mut self, key: &[u8], _: Isolation) -> Result<Option<Value>, StoreError> {
        Ok(self.kept.lock().unwrap().get(key).cloned())
    }

    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
        _: bool,
        _: Isolation,
    ) -> Result<Page, StoreError> {
        // The reader goes on behind a key by appending a zero to it.
        let last = keys::parse(&range.begin[..range.begin.len() - 1]).ok();
        let next = last.map_or(0, |parsed| match parsed.parts.get(1) {
            Some(keys::KeyPart::Id(id)) => u64::try_from(id.as_u128()).unwrap() + 1,
            _ => 0,
        });
        let mut entries = Vec::new();
        for number in (next..self.records).take(limit) {
            if range.contains(&key(number)) {
                let value = format!("\x01{{\"hash\":\"{number:02000}\"}}");
                entries.push((key(number), value.into_bytes()));
            }
        }
        let more = entries.len() == limit;
        Ok(Page { entries, more })
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        if is_record(key) {
            self.plain += 1;
        } else {
            self.sets.push((key.to_vec(), Some(value.to_vec())));
        }
    }

    fn clear(&mut self, key: &[u8]) {
        self.sets.push((key.to_vec(), None));
    }

    fn clear_range(&mut self, _: &KeyRange) {}

    fn add(&mut self, _: &[u8], _: i64) {}

    fn append(&mut self, _: &[u8], _: &[u8]) {}

    async fn commit(&mut self) -> Result<Version, StoreError> {
        *self.written.lock().unwrap() += self.plain;
        let mut kept = self.kept.lock().unwrap();
        for (key, value) in self.sets.drain(..) {
            match value {
                Some(value) => kept.insert(key, value),
                None => kept.remove(&key),
            };
        }
        Ok(Version(1))
    }

    async fn reset(&mut self, after: StoreError) -> Result<(), StoreError> {
        Err(after)
    }
}

fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}

async fn there_and_back(records: u64) -> u64 {
    let mut file = tempfile::tempfile().unwrap();
    let source = Arc::new(Endless {
        records,
        ..Endless::default()
    }) as Arc<dyn Store>;
    let mut out = BufWriter::new(&mut file);
    let exported = dump::export(&source, &mut out, &|_| {}).await.unwrap();
    drop(out);
    assert_eq!(exported.records, records);
    std::io::Seek::rewind(&mut file).unwrap();
    let target = Arc::new(Endless::default());
    let store = Arc::clone(&target) as Arc<dyn Store>;
    dump::import(&store, &mut BufReader::new(file), &|_, _| {})
        .await
        .unwrap();
    assert_eq!(*target.written.lock().unwrap(), records);
    exported.bytes
}

#[tokio::test]
async fn memory_does_not_grow_with_the_registry() {
    // What a small one takes, everything takes.
    there_and_back(RECORDS / 20).await;
    let before = peak_mb();
    let bytes = there_and_back(RECORDS).await;
    let grown = peak_mb() - before;
    assert!(
        bytes as f64 / 1e6 > 3.0 * GROWTH_MB,
        "{bytes} bytes prove nothing"
    );
    assert!(grown < GROWTH_MB, "{grown:.0} MB more for {bytes} bytes");
}
