//! What limits let through since the other processes of the API were last told.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{AccountId, Email, TenantId, WorkspaceId};
use coditect_registry::record::{Count, Counted};
use tokio::sync::Notify;

use super::Caller;
use crate::{key_ring::KeyRing, mail::Purpose};

/// Most buckets that wait to be told, at about a hundred bytes each; what goes beyond is counted here alone.
const MOST: usize = 100_000;

/// Whom a limit counts, without saying who it is: the same in every process of an installation, and of no use to
/// whoever reads the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Bucket([u8; 16]);

/// What limits count by.
pub(crate) trait Key {
    /// Gives the parts that tell this one from every other.
    fn parts<T>(&self, with: impl FnOnce(&[&[u8]]) -> T) -> T;
}

impl Key for Caller {
    fn parts<T>(&self, with: impl FnOnce(&[&[u8]]) -> T) -> T {
        match self {
            Self::Address(IpAddr::V4(address)) => with(&[b"address", &address.octets()]),
            Self::Address(IpAddr::V6(address)) => with(&[b"address", &address.octets()]),
            Self::Account(account) => with(&[b"account", account.as_bytes()]),
        }
    }
}

macro_rules! ids {
    ($($id:ty),*) => { $(impl Key for $id {
        fn parts<T>(&self, with: impl FnOnce(&[&[u8]]) -> T) -> T {
            with(&[self.as_bytes()])
        }
    })* };
}
ids!(AccountId, TenantId, WorkspaceId);

impl Key for [u8; 32] {
    fn parts<T>(&self, with: impl FnOnce(&[&[u8]]) -> T) -> T {
        with(&[self])
    }
}

impl Key for ([u8; 32], Caller) {
    fn parts<T>(&self, with: impl FnOnce(&[&[u8]]) -> T) -> T {
        self.1.parts(|rest| {
            let mut all: Vec<&[u8]> = vec![&self.0];
            all.extend(rest);
            with(&all)
        })
    }
}

impl Key for (Purpose, Email) {
    fn parts<T>(&self, with: impl FnOnce(&[&[u8]]) -> T) -> T {
        with(&[self.0.name().as_bytes(), self.1.as_str().as_bytes()])
    }
}

/// Gathers what limits let through, while there is another process to tell.
#[derive(Debug)]
pub(crate) struct Tally {
    keys: KeyRing,
    sharing: AtomicBool,
    untold: Mutex<HashMap<(&'static str, Bucket), Untold>>,
    news: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct Untold {
    times: u32,
    anew: bool,
}

impl Tally {
    /// A tally that gathers nothing before [`Tally::share`].
    pub(crate) fn new(keys: KeyRing) -> Self {
        Self {
            keys,
            sharing: AtomicBool::new(false),
            untold: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// One of an installation of its own.
    #[cfg(test)]
    pub(crate) fn of_a_test() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self::new(KeyRing::ephemeral().unwrap()))
    }

    /// Whose bucket it is under the limit of that name.
    pub(crate) fn bucket(&self, limit: &str, key: &impl Key) -> Bucket {
        let hash = key.parts(|parts| {
            let mut all: Vec<&[u8]> = vec![limit.as_bytes()];
            all.extend(parts);
            self.keys.derive("limits", &all)
        });
        let mut bucket = Bucket([0; 16]);
        bucket.0.copy_from_slice(&hash[..16]);
        bucket
    }

    /// Whether there is another process to tell.
    pub(super) fn share(&self, sharing: bool) {
        self.sharing.store(sharing, Ordering::Relaxed);
    }

    /// Notes that one more was let through.
    pub(crate) fn took(&self, limit: &'static str, bucket: Bucket) {
        self.note(limit, bucket, |untold| {
            untold.times = untold.times.saturating_add(1);
        });
    }

    /// Notes that what was counted is forgotten.
    pub(crate) fn anew(&self, limit: &'static str, bucket: Bucket) {
        self.note(limit, bucket, |untold| {
            *untold = Untold {
                times: 0,
                anew: true,
            };
        });
    }

    fn note(&self, limit: &'static str, bucket: Bucket, change: impl FnOnce(&mut Untold)) {
        if !self.sharing.load(Ordering::Relaxed) {
            return;
        }
        let mut all = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        let full = all.len() >= MOST;
        match all.entry((limit, bucket)) {
            Entry::Occupied(mut entry) => change(entry.get_mut()),
            Entry::Vacant(_) if full => {
                metrics::counter!("coditect_api_limits_untold_total").increment(1);
            }
            Entry::Vacant(entry) => change(entry.insert(Untold::default())),
        }
        drop(all);
        self.news.notify_one();
    }

    /// Returns when there is something to tell.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Everything to tell, in notes of at most [`Counted::MOST`] buckets.
    pub(super) fn drain(&self) -> Vec<BTreeMap<String, Vec<Count>>> {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<_> = untold.drain().collect();
        drop(untold);
        let mut notes = Vec::new();
        for part in all.chunks(Counted::MOST) {
            let mut note: BTreeMap<String, Vec<Count>> = BTreeMap::new();
            for ((limit, bucket), untold) in part {
                note.entry((*limit).to_owned()).or_default().push(Count {
                    bucket: BASE64_URL_SAFE_NO_PAD.encode(bucket.0),
                    times: untold.times,
                    anew: untold.anew,
                });
            }
            notes.push(note);
        }
        notes
    }

    /// The bucket of a note, if it names one.
    pub(crate) fn named(name: &str) -> Option<Bucket> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(name).ok()?;
        bytes.try_into().ok().map(Bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_want_to_know_is_gathered() {
        let tally = Tally::of_a_test();
        let ada = tally.bucket("test", &AccountId::from_bytes([1; 16]));
        tally.took("test", ada);
        assert!(tally.drain().is_empty(), "nobody is there to be told");
        tally.share(true);
        tally.took("test", ada);
        tally.took("test", ada);
        let told = tally.drain();
        assert_eq!(told.len(), 1);
        let [count] = told[0]["test"].as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!((count.times, count.anew), (2, false));
        assert_eq!(Tally::named(&count.bucket), Some(ada));
        assert!(tally.drain().is_empty(), "told once");
        tally.took("test", ada);
        tally.anew("test", ada);
        tally.took("test", ada);
        let told = tally.drain();
        assert_eq!(
            (told[0]["test"][0].times, told[0]["test"][0].anew),
            (1, true)
        );
    }

    #[test]
    fn notes_stay_small() {
        let tally = Tally::of_a_test();
        tally.share(true);
        for number in 0..2_500_u32 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_be_bytes());
            tally.took("test", tally.bucket("test", &id));
        }
        let sizes: Vec<_> = tally
            .drain()
            .iter()
            .map(|note| note["test"].len())
            .collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
    }

    #[test]
    fn a_bucket_tells_apart_who_and_what_and_installations() {
        let (here, there) = (KeyRing::ephemeral().unwrap(), KeyRing::ephemeral().unwrap());
        let (here, there) = (Tally::new(here), Tally::new(there));
        let address = |text: &str| Caller::from_address(text.parse().unwrap());
        let buckets = [
            here.bucket("one", &address("192.0.2.1")),
            here.bucket("one", &address("192.0.2.2")),
            here.bucket("two", &address("192.0.2.1")),
            here.bucket("one", &([0; 32], address("192.0.2.1"))),
            here.bucket("one", &AccountId::from_bytes([1; 16])),
            here.bucket("one", &Caller::Account(AccountId::from_bytes([1; 16]))),
            there.bucket("one", &address("192.0.2.1")),
        ];
        let different: std::collections::BTreeSet<_> = buckets.into_iter().collect();
        assert_eq!(different.len(), buckets.len());
    }
}
