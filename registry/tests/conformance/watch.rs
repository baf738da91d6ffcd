//! Waiting for a key to change.

use std::sync::Arc;

use coditect_registry::store::{Isolation::Snapshot, StoreError};

use crate::{access::range, bench::on_every_store};

on_every_store! {
    async fn a_value_that_differs_already_is_told_at_once(bench) {
        bench.put(&[("a", "2")]).await?;
        bench.store.changed(b"a", None).await?;
        bench.store.changed(b"a", Some(b"1")).await?;
        bench.store.changed(b"b", Some(b"1")).await?;
    }

    async fn set_clear_range_add_and_append_wake(bench) {
        let mut seen: Option<Vec<u8>> = None;
        for change in 0..4 {
            let store = Arc::clone(&bench.store);
            let before = seen.clone();
            let waits = tokio::spawn(async move { store.changed(b"key", before.as_deref()).await });
            bench.write(|transaction| match change {
                0 => transaction.set(b"key", b"12345678"),
                1 => transaction.add(b"key", 1),
                2 => transaction.clear_range(&range("k", "l")),
                _ => transaction.set(b"key", b"again"),
            })
            .await?;
            waits.await.unwrap()?;
            seen = bench.begin().await?.get(b"key", Snapshot).await?;
        }
    }

    /// A writer counts up as fast as it can; a watcher that re-reads after each wake must come to see the
    /// last value, however the two interleave.
    async fn no_change_is_missed(bench) {
        const LAST: u32 = 300;
        let store = Arc::clone(&bench.store);
        let watcher = tokio::spawn(async move {
            let mut seen: Option<Vec<u8>> = None;
            while seen.as_deref() != Some(&LAST.to_be_bytes()) {
                store.changed(b"n", seen.as_deref()).await?;
                seen = store.begin().await?.get(b"n", Snapshot).await?;
            }
            Ok::<_, StoreError>(())
        });
        for n in 0..=LAST {
            bench.write(|transaction| transaction.set(b"n", &n.to_be_bytes())).await?;
        }
        watcher.await.unwrap()?;
    }

    async fn many_wait_for_one_key(bench) {
        let waiters: Vec<_> = (0..50)
            .map(|_| {
                let store = Arc::clone(&bench.store);
                tokio::spawn(async move { store.changed(b"key", None).await })
            })
            .collect();
        tokio::task::yield_now().await;
        bench.put(&[("key", "1")]).await?;
        for waiter in waiters {
            waiter.await.unwrap()?;
        }
    }
}
