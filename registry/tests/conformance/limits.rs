//! The limits, which are the same everywhere.

use std::time::Duration;

use coditect_registry::store::{
    Isolation::{Serializable, Snapshot},
    KeyRange, StoreError, limits,
};

use crate::{
    access::everything,
    bench::{Bench, Kind, on_every_store},
};

on_every_store! {
    async fn what_is_too_large_is_refused_whole(bench) {
        let long = vec![b'k'; limits::KEY_BYTES + 1];
        let large = vec![0; limits::VALUE_BYTES + 1];
        for write in 0..8 {
            let mut transaction = bench.begin().await?;
            transaction.set(b"also", b"1");
            match write {
                0 => transaction.set(&long, b""),
                1 => transaction.set(b"k", &large),
                2 => transaction.clear(&long),
                3 => transaction.add(&long, 1),
                4 => transaction.append(&long[..limits::KEY_BYTES - 12], b""),
                5 => transaction.append(b"k", &large),
                6 => transaction.set(&[0xff, 1], b""),
                _ => (0..101_u8).for_each(|n| transaction.set(&[b'k', n], &large[1..])),
            }
            let refused = transaction.commit().await.unwrap_err();
            assert!(matches!(refused, StoreError::TooLarge(_)), "{write}: {refused}");
            assert!(transaction.reset(refused).await.is_err(), "trying again does not help");
        }
        assert!(bench.all().await?.is_empty());
    }

    async fn what_just_fits_is_taken(bench) {
        let long = vec![b'k'; limits::KEY_BYTES];
        let large = vec![7; limits::VALUE_BYTES];
        bench.write(|transaction| {
            transaction.set(&long, &large);
            transaction.append(&long[..limits::KEY_BYTES - limits::VERSIONSTAMP_BYTES], &large);
            transaction.clear_range(&KeyRange { begin: vec![b'x'], end: vec![0xff] });
        })
        .await?;
        assert_eq!(bench.begin().await?.get(&long, Snapshot).await?, Some(large));
        assert_eq!(bench.all().await?.len(), 2);
    }

    async fn a_page_has_a_largest_size(bench) {
        bench.write(|transaction| (0..1_500_u16).for_each(|n| transaction.set(&n.to_be_bytes(), b""))).await?;
        let page = bench.begin().await?.range(&everything(), usize::MAX, false, Snapshot).await?;
        assert!((1..=limits::PAGE_ENTRIES).contains(&page.entries.len()) && page.more);
    }

    async fn a_transaction_commits_once(bench) {
        let mut transaction = bench.begin().await?;
        transaction.add(b"n", 1);
        transaction.commit().await?;
        assert!(transaction.commit().await.is_err());
    }
}

/// The transaction's own clock is moved, not slept through.
async fn a_transaction_grows_too_old(kind: Kind) -> Result<(), StoreError> {
    tokio::time::pause();
    let bench = Bench::new(kind, 0).await;
    bench.put(&[("a", "1")]).await?;
    let mut reader = bench.begin().await?;
    let mut writer = bench.begin().await?;
    writer.set(b"a", b"2");
    tokio::time::advance(limits::TRANSACTION_AGE).await;
    reader.get(b"a", Snapshot).await?;
    tokio::time::advance(Duration::from_millis(1)).await;
    for error in [
        reader.get(b"a", Serializable).await.unwrap_err(),
        reader
            .range(&everything(), 1, false, Snapshot)
            .await
            .unwrap_err(),
        reader.read_version().await.unwrap_err(),
        writer.commit().await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::TooOld), "{error}");
    }
    reader.reset(StoreError::TooOld).await?;
    assert_eq!(
        reader.get(b"a", Serializable).await?,
        Some(b"1".to_vec()),
        "begun anew"
    );
    Ok(())
}

#[tokio::test]
async fn a_transaction_grows_too_old_in_memory() {
    a_transaction_grows_too_old(Kind::Memory).await.unwrap();
}

#[tokio::test]
async fn a_transaction_grows_too_old_embedded() {
    a_transaction_grows_too_old(Kind::Embedded).await.unwrap();
}

#[tokio::test]
async fn a_transaction_grows_too_old_remote() {
    a_transaction_grows_too_old(Kind::Remote).await.unwrap();
}

#[cfg(feature = "fdb")]
#[tokio::test]
async fn a_transaction_grows_too_old_fdb() {
    a_transaction_grows_too_old(Kind::Fdb).await.unwrap();
}
