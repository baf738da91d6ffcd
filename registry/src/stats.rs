//! What a registry holds, in figures.

use std::{collections::BTreeMap, sync::Arc};

use coditect_core::{CellName, Result, Version};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    keys::{self, KeyPart, ParsedKey},
    reader::{Reader, everything},
    record::decode,
    store::Store,
};

/// Records of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How many.
    pub records: u64,
    /// Bytes of their keys.
    pub key_bytes: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
}

/// A cell's feeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Feed {
    /// Changes in the change feed.
    pub changes: u64,
    /// The version of the oldest.
    pub oldest: Option<Version>,
    /// Changes behind the newest commit that the renderer told of: what it still has to do, or does now.
    pub waiting: u64,
    /// The checkpoint of that commit.
    pub published: Version,
    /// Changes at or below this version are gone.
    pub floor: Version,
    /// Changes of power that the observer has not forgotten yet.
    pub power: u64,
}

/// What a registry holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// What the store says of itself.
    pub store: String,
    /// By pattern of the key.
    pub kinds: BTreeMap<&'static str, Count>,
    /// Keys of no known kind.
    pub unknown: u64,
    /// By cell.
    pub feeds: BTreeMap<String, Feed>,
    /// The hour in which the oldest request was made whose answer is still kept.
    pub oldest_request: Option<Timestamp>,
    /// The hour in which the oldest sign-up was begun that is still kept.
    pub oldest_registration: Option<Timestamp>,
    /// False if the registry changed while it was read.
    pub consistent: bool,
}

impl Stats {
    /// All kinds together.
    #[must_use]
    pub fn total(&self) -> Count {
        self.kinds
            .values()
            .fold(Count::default(), |sum, count| Count {
                records: sum.records + count.records,
                key_bytes: sum.key_bytes + count.key_bytes,
                value_bytes: sum.value_bytes + count.value_bytes,
            })
    }

    fn feed(&mut self, parsed: &ParsedKey) -> Option<&mut Feed> {
        match parsed.parts.get(1) {
            Some(KeyPart::Text(cell)) => Some(self.feeds.entry(cell.clone()).or_default()),
            _ => None,
        }
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        let Ok(parsed) = keys::parse(key) else {
            self.unknown += 1;
            return;
        };
        let count = self.kinds.entry(parsed.kind.pattern).or_default();
        count.records += 1;
        count.key_bytes += key.len() as u64;
        count.value_bytes += value.len() as u64;
        match parsed.kind.pattern {
            "change/{cell}/{version}" => {
                if let Some(feed) = self.feed(&parsed) {
                    feed.changes += 1;
                    feed.oldest = feed.oldest.or(keys::stamp_of(key));
                }
            }
            "power/{cell}/{version}" => {
                if let Some(feed) = self.feed(&parsed) {
                    feed.power += 1;
                }
            }
            "published/{cell}" | "feed_floor/{cell}" => {
                let version = decode(value).unwrap_or_default();
                let published = parsed.kind.pattern == "published/{cell}";
                if let Some(feed) = self.feed(&parsed) {
                    *(if published {
                        &mut feed.published
                    } else {
                        &mut feed.floor
                    }) = version;
                }
            }
            // The hour comes first in the key: the first of them is the oldest.
            "txn_age/{hour}/{request}" => {
                self.oldest_request = self.oldest_request.or(hour(&parsed));
            }
            "registration_age/{hour}/{registration}" => {
                self.oldest_registration = self.oldest_registration.or(hour(&parsed));
            }
            _ => {}
        }
    }
}

fn hour(parsed: &ParsedKey) -> Option<Timestamp> {
    match parsed.parts.get(1) {
        Some(KeyPart::Number(hour)) => {
            Timestamp::from_second(i64::try_from(*hour).ok()?.checked_mul(3600)?).ok()
        }
        _ => None,
    }
}

/// Counts everything in `store`. `progress` is called with the number of records counted.
///
/// # Errors
/// As the store.
pub async fn stats(
    store: &Arc<dyn Store>,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Stats> {
    let mut stats = Stats {
        store: store.description(),
        ..Stats::default()
    };
    let mut reader = Reader::new(Arc::clone(store));
    let mut rest = everything();
    let mut counted = 0;
    loop {
        let page = reader.page(&rest).await?;
        for (key, value) in &page.entries {
            stats.add(key, value);
        }
        counted += page.entries.len() as u64;
        progress(counted);
        match page.entries.last() {
            Some((last, _)) if page.more => rest = rest.after(last),
            _ => break,
        }
    }
    stats.consistent = reader.saw_one_version();
    let cells: Vec<(String, Version)> = stats
        .feeds
        .iter()
        .map(|(cell, feed)| (cell.clone(), feed.published))
        .collect();
    for (cell, published) in cells {
        let Ok(name) = cell.parse::<CellName>() else {
            continue;
        };
        let mut rest = keys::feed_after(&keys::change_feed(&name), published);
        let mut waiting = 0;
        loop {
            let page = reader.page(&rest).await?;
            waiting += page.entries.len() as u64;
            match page.entries.last() {
                Some((last, _)) if page.more => rest = rest.after(last),
                _ => break,
            }
        }
        stats.feeds.entry(cell).or_default().waiting = waiting;
    }
    Ok(stats)
}
