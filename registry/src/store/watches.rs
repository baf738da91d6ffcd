//! Who waits for a key to change.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{Key, StoreError, Value, conflicts::Written};

/// Waiters by key.
#[derive(Default)]
pub(super) struct Watches(Mutex<BTreeMap<Key, Arc<Notify>>>);

impl Watches {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `key` is written, unless `read` says that its value is not `seen` already.
    ///
    /// Whoever publishes a version makes it readable first and wakes second; here the waiter is
    /// registered first and reads second. So no change falls between. (A `Notified` is woken by
    /// `notify_waiters` from its making on, polled or not, says tokio.)
    pub(super) async fn changed<F>(
        &self,
        key: &[u8],
        seen: Option<&[u8]>,
        read: impl FnOnce() -> F + Send,
    ) -> Result<(), StoreError>
    where
        F: Future<Output = Result<Option<Value>, StoreError>> + Send,
    {
        let waiter = Waiter {
            watches: self,
            key,
            notify: Arc::clone(self.lock().entry(key.to_vec()).or_default()),
        };
        let woken = waiter.notify.notified();
        if read().await?.as_deref() == seen {
            woken.await;
        }
        Ok(())
    }

    /// Wakes those who wait for any of the keys.
    pub(super) fn wake(&self, written: &Written) {
        let waiting = self.lock();
        if waiting.is_empty() {
            return;
        }
        for key in &written.keys {
            if let Some(notify) = waiting.get(key) {
                notify.notify_waiters();
            }
        }
        for range in written
            .ranges
            .iter()
            .filter(|range| range.begin < range.end)
        {
            for (_, notify) in waiting.range::<Key, _>(&range.begin..&range.end) {
                notify.notify_waiters();
            }
        }
    }

    /// Wakes everyone, when nobody can tell what has changed.
    pub(super) fn wake_all(&self) {
        for notify in self.lock().values() {
            notify.notify_waiters();
        }
    }

    /// How many keys are waited for.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

/// Takes the key off the list with its last waiter.
struct Waiter<'a> {
    watches: &'a Watches,
    key: &'a [u8],
    notify: Arc<Notify>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.watches.lock();
        // The list's and our own: nobody can take another while the list is locked.
        if Arc::strong_count(&self.notify) == 2 {
            waiting.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiter_is_woken_and_leaves_nothing_behind() {
        let watches = Watches::default();
        let unchanged = || async { Ok(None) };
        watches.changed(b"k", Some(b"1"), unchanged).await.unwrap();
        assert_eq!(watches.len(), 0);

        let wakes = async {
            assert_eq!(watches.len(), 1);
            watches.wake(&Written {
                keys: vec![b"other".to_vec()],
                ranges: vec![],
            });
            tokio::task::yield_now().await;
            assert_eq!(watches.len(), 1, "woken by another key");
            watches.wake(&Written {
                keys: vec![b"k".to_vec()],
                ranges: vec![],
            });
        };
        let (waited, ()) = tokio::join!(watches.changed(b"k", None, unchanged), wakes);
        waited.unwrap();
        assert_eq!(watches.len(), 0);

        let dropped = tokio::select! {
            biased;
            _ = watches.changed(b"k", None, unchanged) => false,
            () = tokio::task::yield_now() => true,
        };
        assert!(dropped);
        assert_eq!(watches.len(), 0);
    }
}
