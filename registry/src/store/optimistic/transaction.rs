//! One transaction over an [`Engine`].

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use coditect_core::Version;
use tokio::time::Instant;

use super::{
    super::{Isolation, Key, KeyRange, Page, StoreError, Value, limits},
    CommitRequest, Engine, Snapshot, add,
    overlay::{Overlay, Own, successor},
};

/// How often [`super::super::Transaction::reset`] gives another attempt. With the pauses below, a
/// transaction in the midst of heavy contention gets about five seconds.
const ATTEMPTS: u32 = 64;
/// The longest pause before another attempt.
const LONGEST_PAUSE_MILLIS: u64 = 150;

/// A transaction: reads at a snapshot, keeps its writes until commit.
pub struct Transaction {
    engine: Arc<dyn Engine>,
    snapshot: Arc<dyn Snapshot>,
    began: Instant,
    overlay: Overlay,
    reads: Vec<KeyRange>,
    /// Size so far, as [`limits::TRANSACTION_BYTES`] counts.
    bytes: usize,
    /// The first rule that a write broke; told at commit.
    broken: Option<String>,
    /// True once what was read takes more than [`limits::TRANSACTION_BYTES`] to name: no commit of writes.
    read_too_much: bool,
    committed: bool,
    attempts: u32,
}

impl Transaction {
    /// Begins at the engine's newest version.
    ///
    /// # Errors
    /// `Unavailable` if the engine does not answer.
    pub async fn begin(engine: Arc<dyn Engine>) -> Result<Self, StoreError> {
        let snapshot = engine.snapshot().await?;
        Ok(Self {
            engine,
            snapshot,
            // Its age is its snapshot's: a store that takes long to give one leaves the whole time to use it.
            began: Instant::now(),
            overlay: Overlay::default(),
            reads: Vec::new(),
            bytes: 0,
            broken: None,
            read_too_much: false,
            committed: false,
            attempts: 0,
        })
    }

    fn check_age(&self) -> Result<(), StoreError> {
        if self.began.elapsed() > limits::TRANSACTION_AGE {
            Err(StoreError::TooOld)
        } else {
            Ok(())
        }
    }

    fn has_read(&mut self, range: KeyRange) {
        if self.read_too_much {
            return;
        }
        self.bytes += limits::read_bytes(&range);
        self.reads.push(range);
        if self.bytes > limits::TRANSACTION_BYTES {
            // A loop over the same keys takes no more than they do.
            self.bytes -= self.reads.iter().map(limits::read_bytes).sum::<usize>();
            self.reads = disjoint(std::mem::take(&mut self.reads));
            self.bytes += self.reads.iter().map(limits::read_bytes).sum::<usize>();
            self.read_too_much = self.bytes > limits::TRANSACTION_BYTES;
        }
    }

    /// Counts a write and checks it. False if the write must not be kept.
    fn may_write(&mut self, key: usize, first: Option<&u8>, value: usize) -> bool {
        let what = if key > limits::KEY_BYTES {
            format!("a key of {key} bytes is longer than {}", limits::KEY_BYTES)
        } else if value > limits::VALUE_BYTES {
            format!(
                "a value of {value} bytes is longer than {}",
                limits::VALUE_BYTES
            )
        } else if first == Some(&limits::FIRST_FORBIDDEN_BYTE) {
            "keys that begin with 0xff belong to the store itself".to_owned()
        } else {
            self.bytes = self.bytes.saturating_add(limits::write_bytes(key, value));
            if self.bytes <= limits::TRANSACTION_BYTES {
                return true;
            }
            format!(
                "a transaction of {} bytes is larger than {}",
                self.bytes,
                limits::TRANSACTION_BYTES
            )
        };
        self.broken.get_or_insert(what);
        false
    }
}

#[async_trait]
impl super::super::Transaction for Transaction {
    async fn read_version(&mut self) -> Result<Version, StoreError> {
        self.check_age()?;
        Ok(self.snapshot.version())
    }

    async fn get(&mut self, key: &[u8], isolation: Isolation) -> Result<Option<Value>, StoreError> {
        self.check_age()?;
        let plus = match self.overlay.of(key) {
            Own::Is(value) => return Ok(value.map(<[u8]>::to_vec)),
            Own::Plus(delta) => Some(delta),
            Own::Unwritten => None,
        };
        let stored = self.snapshot.get(key).await?;
        if isolation == Isolation::Serializable {
            self.has_read(KeyRange {
                begin: key.to_vec(),
                end: successor(key),
            });
        }
        Ok(match plus {
            Some(delta) => Some(add(stored.as_deref(), delta)),
            None => stored,
        })
    }

    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
        isolation: Isolation,
    ) -> Result<Page, StoreError> {
        self.check_age()?;
        let limit = limit.clamp(1, limits::PAGE_ENTRIES);
        let mut entries: Vec<(Key, Value)> = Vec::new();
        let mut bytes = 0;
        let mut rest = range.clone();
        let more = 'reading: loop {
            rest = self.overlay.skip_cleared(&rest, reverse);
            if rest.begin >= rest.end {
                break false;
            }
            let page = self
                .snapshot
                .range(&rest, limit - entries.len(), reverse)
                .await?;
            let (covered, left) = cover(&rest, &page, reverse)?;
            let mut merged = self
                .overlay
                .lay_over(&covered, page.entries, reverse)
                .into_iter();
            while let Some((key, value)) = merged.next() {
                bytes += key.len() + value.len();
                entries.push((key, value));
                if entries.len() == limit || bytes >= limits::PAGE_BYTES {
                    break 'reading left.is_some() || merged.next().is_some();
                }
            }
            match left {
                Some(left) => rest = left,
                None => break false,
            }
        };
        if isolation == Isolation::Serializable && range.begin < range.end {
            let seen = match entries.last() {
                Some((last, _)) if more && reverse => KeyRange {
                    begin: last.clone(),
                    end: range.end.clone(),
                },
                Some((last, _)) if more => KeyRange {
                    begin: range.begin.clone(),
                    end: successor(last),
                },
                _ => range.clone(),
            };
            for part in self.overlay.unwritten(&seen) {
                self.has_read(part);
            }
        }
        Ok(Page { entries, more })
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        if self.may_write(key.len(), key.first(), value.len()) {
            self.overlay.set(key, value);
        }
    }

    fn clear(&mut self, key: &[u8]) {
        if self.may_write(key.len(), key.first(), 0) {
            self.overlay.clear(key);
        }
    }

    fn clear_range(&mut self, range: &KeyRange) {
        // The end is not itself cleared, so it may be the first forbidden key.
        let end = if range.end == [limits::FIRST_FORBIDDEN_BYTE] {
            None
        } else {
            range.end.first()
        };
        if self.may_write(
            range.begin.len().max(range.end.len()),
            end.max(range.begin.first()),
            range.begin.len(),
        ) {
            self.overlay.clear_range(range);
        }
    }

    fn add(&mut self, key: &[u8], delta: i64) {
        if self.may_write(key.len(), key.first(), 8) {
            self.overlay.add(key, delta);
        }
    }

    fn append(&mut self, prefix: &[u8], value: &[u8]) {
        if self.overlay.appends() > usize::from(u16::MAX) {
            self.broken.get_or_insert_with(|| {
                format!(
                    "a transaction holds at most {} appends",
                    u32::from(u16::MAX) + 1
                )
            });
        } else if self.may_write(
            prefix.len() + limits::VERSIONSTAMP_BYTES,
            prefix.first(),
            value.len(),
        ) {
            self.overlay.append(prefix, value);
        }
    }

    async fn commit(&mut self) -> Result<Version, StoreError> {
        if self.committed {
            return Err(StoreError::TooLarge(
                "a transaction commits once; reset it to begin another".to_owned(),
            ));
        }
        self.committed = true;
        if let Some(broken) = self.broken.take() {
            return Err(StoreError::TooLarge(broken));
        }
        let mutations = std::mem::take(&mut self.overlay).into_mutations();
        let read_version = self.snapshot.version();
        if mutations.is_empty() {
            return Ok(read_version);
        }
        if self.read_too_much {
            return Err(StoreError::TooLarge(format!(
                "a transaction that writes names at most {} bytes of keys",
                limits::TRANSACTION_BYTES
            )));
        }
        self.check_age()?;
        let reads = disjoint(std::mem::take(&mut self.reads));
        self.engine
            .commit(CommitRequest {
                read_version,
                reads,
                mutations,
            })
            .await
    }

    async fn reset(&mut self, after: StoreError) -> Result<(), StoreError> {
        if !after.is_retryable() || self.attempts >= ATTEMPTS {
            return Err(after);
        }
        self.attempts += 1;
        // Full jitter over an exponentially growing bound: those who collided do not meet again.
        let bound = (1_u64 << self.attempts.min(10)).min(LONGEST_PAUSE_MILLIS);
        tokio::time::sleep(Duration::from_micros(rand::random_range(0..=bound * 1000))).await;
        let attempts = self.attempts;
        *self = Self {
            attempts,
            ..Self::begin(Arc::clone(&self.engine)).await?
        };
        Ok(())
    }
}

/// What of `rest` the page has told everything about, and what is left to read.
fn cover(
    rest: &KeyRange,
    page: &Page,
    reverse: bool,
) -> Result<(KeyRange, Option<KeyRange>), StoreError> {
    if !page.more {
        return Ok((rest.clone(), None));
    }
    let Some((last, _)) = page.entries.last() else {
        return Err(StoreError::Corrupt(
            "an empty page says that there is more".to_owned(),
        ));
    };
    let (low, high) = if reverse {
        (
            KeyRange {
                begin: rest.begin.clone(),
                end: last.clone(),
            },
            KeyRange {
                begin: last.clone(),
                end: rest.end.clone(),
            },
        )
    } else {
        (
            KeyRange {
                begin: rest.begin.clone(),
                end: successor(last),
            },
            rest.after(last),
        )
    };
    Ok(if reverse {
        (high, Some(low))
    } else {
        (low, Some(high))
    })
}

/// The same keys as sorted ranges that neither overlap nor touch.
fn disjoint(mut ranges: Vec<KeyRange>) -> Vec<KeyRange> {
    ranges.sort_by(|one, other| one.begin.cmp(&other.begin));
    let mut merged: Vec<KeyRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.begin <= last.end => {
                if range.end > last.end {
                    last.end = range.end;
                }
            }
            _ => merged.push(range),
        }
    }
    merged
}
