//! Whether everything in a registry that belongs together is there: each index with its record, each record with its
//! index. Transactions keep that true; a check is for what stands outside of them, such as an export of a registry
//! in use, a defect of an older program, or a hand that wrote to the store.
//!
//! Everything is read in pages, each with its counterparts at one version, so that a registry in use gives no
//! false alarm. A repair is a transaction that reads the entry again before it writes.

mod load;
mod rules;

use std::sync::Arc;

use coditect_core::Result;
use jiff::Timestamp;
use serde::Serialize;

use self::rules::{Entry, Fix, Found};
use crate::{
    keys,
    keyspace::{readable, subject},
    reader::everything,
    record::{Action, PLATFORM},
    store::{Isolation, Key, KeyRange, Store, StoreError},
    tx::Tx,
};

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// It points to something that is not there, or not its.
    Dangling,
    /// Something that must point to it does not.
    Missing,
    /// It and its counterpart contradict each other.
    Differs,
    /// Its value is none that this program can read.
    Unreadable,
    /// Its key is of no kind that this program knows.
    Unknown,
}

impl Problem {
    /// As it is written in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dangling => "dangling",
            Self::Missing => "missing",
            Self::Differs => "differs",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }
}

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What sort it is.
    pub problem: Problem,
    /// The entry that was looked at. May hold an address: for an operator's eyes, never for a log.
    pub key: String,
    /// Its counterpart.
    pub other: String,
    /// What is wrong, in a sentence.
    pub why: String,
    /// What a repair does, or who has to decide instead.
    pub remedy: String,
    /// True if a repair knows what to do.
    pub repairable: bool,
    /// True if it was repaired now.
    pub repaired: bool,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many entries were looked at.
    pub entries: u64,
    /// What does not agree; at most [`MOST_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many there were, those beyond the list included.
    pub found: u64,
    /// How many were repaired.
    pub repaired: u64,
    /// Cells too large for their users to be counted in one transaction: whether their number is right is not known.
    pub not_counted: Vec<String>,
}

/// Most findings that are named: with more, something else is wrong.
pub const MOST_FINDINGS: usize = 10_000;

/// How many entries are checked in one transaction. With a few reads each, far below its longest age.
const PAGE: usize = 200;
/// How often a page is begun anew.
const ATTEMPTS: u32 = 10;

/// Checks everything in `store`, and repairs what it knows how to if `repair` says when that is. `progress` is called
/// with the number of entries looked at.
///
/// # Errors
/// As the store.
pub async fn check(
    store: &Arc<dyn Store>,
    repair: Option<Timestamp>,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Report> {
    let mut report = Report::default();
    let mut rest = everything();
    loop {
        let page = look(store, &rest).await?;
        report.entries += page.entries;
        for (key, found) in page.found {
            let repaired = match repair {
                Some(at) if found.fix.repairs() => mend(store, &key, &found, at).await?,
                _ => false,
            };
            report.add(&key, found, repaired);
        }
        progress(report.entries);
        match page.last {
            Some(last) => rest = rest.after(&last),
            None => break,
        }
    }
    let (wrong, not_counted) = load::check(store).await?;
    report.not_counted = not_counted;
    for (key, found) in wrong {
        let repaired = match repair {
            Some(at) => load::mend(store, &key, at).await?,
            None => false,
        };
        report.add(&key, found, repaired);
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, key: &[u8], found: Found, repaired: bool) {
        self.found += 1;
        self.repaired += u64::from(repaired);
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(Finding {
                problem: found.problem,
                key: readable(key),
                other: found.other.as_deref().map(readable).unwrap_or_default(),
                why: found.why.into_owned(),
                remedy: found.fix.remedy(),
                repairable: found.fix.repairs(),
                repaired,
            });
        }
    }
}

struct Looked {
    entries: u64,
    found: Vec<(Key, Found)>,
    /// Where the next page begins; none behind the last.
    last: Option<Key>,
}

async fn look(store: &Arc<dyn Store>, rest: &KeyRange) -> Result<Looked, StoreError> {
    let mut attempt = 0;
    loop {
        let done = async {
            let mut tx = Tx::new(store.begin().await?, Isolation::Snapshot);
            // A store that answers slowly gets less to answer in one transaction.
            let page = tx.page_bytes(rest, (PAGE >> attempt).max(1)).await?;
            let mut found = Vec::new();
            for (key, value) in &page.entries {
                for each in rules::look(&mut tx, Entry { key, value }).await? {
                    found.push((key.clone(), each));
                }
            }
            Ok(Looked {
                entries: page.entries.len() as u64,
                found,
                last: page
                    .more
                    .then(|| page.entries.last().map(|(key, _)| key.clone()))
                    .flatten(),
            })
        }
        .await;
        match done {
            Err::<_, StoreError>(error) if error.is_retryable() && attempt < ATTEMPTS => {
                attempt += 1
            }
            done => return done,
        }
    }
}

/// Repairs one entry if it still needs it. Says whether it did.
async fn mend(store: &Arc<dyn Store>, key: &[u8], found: &Found, at: Timestamp) -> Result<bool> {
    let mut tx = Tx::new(store.begin().await?, Isolation::Serializable);
    loop {
        let attempt = async {
            let Some(value) = tx.get_bytes(key).await? else {
                return Ok(false);
            };
            let entry = Entry { key, value: &value };
            // The same finding, of what is there now.
            let Some(now) = rules::look(&mut tx, entry)
                .await?
                .into_iter()
                .find(|now| now.other == found.other && now.problem == found.problem)
            else {
                return Ok(false);
            };
            let written = match now.fix {
                Fix::Clear(key) => {
                    tx.clear(&key);
                    key
                }
                Fix::Put(key, value) => {
                    tx.put_bytes(&key, &value);
                    key
                }
                Fix::ByHand(_) => return Ok(false),
            };
            audit(&mut tx, &written, at)?;
            tx.commit().await?;
            Ok(true)
        }
        .await;
        match attempt {
            Ok(done) => {
                if done {
                    metrics::counter!("coditect_registry_repairs_total").increment(1);
                }
                return Ok(done);
            }
            Err::<bool, StoreError>(error) => tx.reset(error).await?,
        }
    }
}

/// Notes a repair: the kind of key and the id it is about, never a name. What belongs to no tenant is noted under
/// the id of zeros.
pub(crate) fn audit(tx: &mut Tx, written: &[u8], at: Timestamp) -> Result<(), StoreError> {
    let Ok(parsed) = keys::parse(written) else {
        return Ok(());
    };
    let tenant = rules::tenant_of(&parsed).unwrap_or(PLATFORM);
    let action = Action::IndexRepaired {
        kind: parsed.kind.pattern.to_owned(),
        id: subject(&parsed),
    };
    tx.audit(tenant, at, None, action)
}
