//! Reading more than one transaction can: pages of transactions that are let go well before they grow too old.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::Version;

use crate::store::{Isolation, KeyRange, Page, Store, StoreError, Transaction, limits};

/// How long one transaction is read before the next is begun: what is left of [`limits::TRANSACTION_AGE`] is
/// for the page under way.
const READ_FOR: Duration = Duration::from_secs(3);
/// How often a page is tried anew before the reader gives up.
const ATTEMPTS: u32 = 10;

/// Reads pages, each of one version, and knows whether all were of the same.
pub(crate) struct Reader {
    store: Arc<dyn Store>,
    open: Option<(Box<dyn Transaction>, Instant)>,
    first: Option<Version>,
    one_version: bool,
}

impl Reader {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            open: None,
            first: None,
            one_version: true,
        }
    }

    /// The next page of `range`, without conflicts.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` if the store says so; `TooOld` if it gives no page in time, again and again.
    pub(crate) async fn page(&mut self, range: &KeyRange) -> Result<Page, StoreError> {
        let mut attempt = 0;
        loop {
            match self.attempt(range).await {
                Err(error) if error.is_retryable() && attempt < ATTEMPTS => {
                    attempt += 1;
                    self.open = None;
                }
                done => return done,
            }
        }
    }

    async fn attempt(&mut self, range: &KeyRange) -> Result<Page, StoreError> {
        if self
            .open
            .as_ref()
            .is_some_and(|(_, began)| began.elapsed() > READ_FOR)
        {
            self.open = None;
        }
        let (transaction, _) = match &mut self.open {
            Some(open) => open,
            none => {
                let mut transaction = self.store.begin().await?;
                let version = transaction.read_version().await?;
                self.one_version &= *self.first.get_or_insert(version) == version;
                none.insert((transaction, Instant::now()))
            }
        };
        transaction
            .range(range, limits::PAGE_ENTRIES, false, Isolation::Snapshot)
            .await
    }

    /// True if every page so far was of one version: nothing changed between them.
    pub(crate) const fn saw_one_version(&self) -> bool {
        self.one_version
    }
}

/// Everything a registry may hold.
pub(crate) fn everything() -> KeyRange {
    KeyRange {
        begin: vec![0x00],
        end: vec![limits::FIRST_FORBIDDEN_BYTE],
    }
}
