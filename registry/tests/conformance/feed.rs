//! Versionstamped appends: the order of the feed is the order of the commits.

use std::sync::Arc;

use coditect_registry::store::{
    Isolation::{Serializable, Snapshot},
    Key, KeyRange, StoreError,
};
use foundationdb_tuple::{Element, pack, unpack};

use crate::{
    access::{pages, transact},
    bench::on_every_store,
};

fn feed() -> Key {
    pack(&("change", "cell"))
}

/// The versionstamp at the end of an appended key, as the tuple encoding reads it.
fn stamp(key: &[u8]) -> [u8; 12] {
    match unpack::<Vec<Element<'_>>>(key).unwrap().last() {
        Some(Element::Versionstamp(stamp)) => *stamp.as_bytes(),
        other => panic!("{other:?} is no versionstamp"),
    }
}

on_every_store! {
    async fn appends_get_rising_stamps_and_keep_their_order_within(bench) {
        let mut versions = Vec::new();
        for n in 0..5_u8 {
            let mut transaction = bench.begin().await?;
            (0..3).for_each(|place| transaction.append(&feed(), &[n, place]));
            versions.push(transaction.commit().await?);
        }
        let entries = pages(&mut *bench.begin().await?, &KeyRange::below(&feed()), 2, false, Serializable).await?;
        let values: Vec<&[u8]> = entries.iter().map(|(_, value)| value.as_slice()).collect();
        let expected: Vec<[u8; 2]> = (0..5).flat_map(|n| (0..3).map(move |place| [n, place])).collect();
        assert_eq!(values, expected);
        for ((key, value), stamps) in entries.iter().zip(entries.iter().map(|(key, _)| stamp(key))) {
            let version = u64::from_be_bytes(stamps[..8].try_into().unwrap());
            assert_eq!(version, versions[usize::from(value[0])].0, "the stamp holds the commit's version");
            assert_eq!(stamps[10..], [0, value[1]], "and the place in the transaction");
            assert!(key.starts_with(&feed()));
        }
    }

    async fn an_append_is_not_seen_before_its_commit(bench) {
        let mut transaction = bench.begin().await?;
        transaction.append(b"feed", b"1");
        transaction.set(b"fees", b"1");
        let seen = pages(&mut *transaction, &KeyRange { begin: b"fees".into(), end: b"z".into() }, 10, false, Snapshot).await?;
        assert_eq!(seen.len(), 1);
        transaction.commit().await?;
        assert_eq!(bench.all().await?.len(), 2);
    }

    async fn appends_conflict_with_readers_of_the_feed_and_not_with_each_other(bench) {
        let mut reader = bench.begin().await?;
        pages(&mut *reader, &KeyRange::below(&feed()), 10, false, Serializable).await?;
        reader.set(b"checkpoint", b"0");
        let (mut one, mut other) = (bench.begin().await?, bench.begin().await?);
        one.append(&feed(), b"1");
        other.append(&feed(), b"2");
        other.commit().await?;
        one.commit().await?;
        match reader.commit().await {
            Err(StoreError::Conflict) => {}
            committed => panic!("the feed that was read has grown: {:?}", committed?),
        }
        let values: Vec<Vec<u8>> = bench.all().await?.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [b"2", b"1"]);
    }

    /// Eight writers append; a follower reads only what lies behind the last stamp it has seen. If anything
    /// ever appeared before that, the follower would miss it.
    async fn a_follower_misses_nothing(bench) {
        const WRITERS: u32 = 8;
        const EACH: u32 = 40;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = Arc::clone(&bench.store);
                tokio::spawn(async move {
                    for n in 0..EACH {
                        transact(&*store, |transaction| {
                            Box::pin(async move {
                                // Some conflict on the way and try again; each append must still appear once.
                                transaction.get(b"shared", Serializable).await?;
                                if n % 5 == 0 {
                                    transaction.set(b"shared", &writer.to_le_bytes());
                                }
                                transaction.append(&feed(), &pack(&(writer, n)));
                                Ok(())
                            })
                        })
                        .await?;
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .collect();
        let mut seen: Vec<(u32, u32)> = Vec::new();
        let mut rest = KeyRange::below(&feed());
        while seen.len() < (WRITERS * EACH) as usize {
            let finished = writers.iter().all(tokio::task::JoinHandle::is_finished);
            let mut transaction = bench.begin().await?;
            let news = pages(&mut *transaction, &rest, 7, false, Snapshot).await?;
            if let Some((last, _)) = news.last() {
                rest = rest.after(last);
            }
            assert!(!(finished && news.is_empty()), "{} of {} seen and no more come", seen.len(), WRITERS * EACH);
            seen.extend(news.iter().map(|(_, value)| unpack::<(u32, u32)>(value).unwrap()));
            tokio::task::yield_now().await;
        }
        for writer in 0..WRITERS {
            let own: Vec<u32> = seen.iter().filter(|(by, _)| *by == writer).map(|(_, n)| *n).collect();
            assert_eq!(own, (0..EACH).collect::<Vec<_>>(), "writer {writer}: each once, in its order");
        }
        for writer in writers {
            writer.await.unwrap()?;
        }
    }
}
