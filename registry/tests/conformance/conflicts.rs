//! Which transactions may not both commit.

use std::sync::Arc;

use coditect_registry::store::{
    Isolation::{Serializable, Snapshot},
    StoreError, Transaction,
};
use futures::future::join_all;

use crate::bench::{number, on_every_store, range, text, transact, value, value_with};

async fn conflicts(transaction: &mut dyn Transaction) -> bool {
    match transaction.commit().await {
        Ok(_) => false,
        Err(StoreError::Conflict) => true,
        Err(other) => panic!("{other}"),
    }
}

on_every_store! {
    async fn what_was_read_must_be_unchanged(bench) {
        bench.put(&[("a", "1")]).await;
        let mut transaction = bench.begin().await;
        value(&mut *transaction, "a").await;
        transaction.set(b"b", b"1");
        bench.put(&[("a", "1")]).await;
        assert!(conflicts(&mut *transaction).await);
        assert_eq!(bench.value("b").await, None);

        transaction.reset(StoreError::Conflict).await.unwrap();
        assert_eq!(value(&mut *transaction, "b").await, None, "the writes of the attempt before are gone");
        value(&mut *transaction, "a").await;
        transaction.set(b"b", b"2");
        transaction.commit().await.unwrap();
        assert_eq!(bench.value("b").await.as_deref(), Some("2"));
    }

    async fn write_skew_is_found_unless_asked_otherwise(bench) {
        for (isolation, found) in [(Serializable, true), (Snapshot, false)] {
            bench.put(&[("a", "on call"), ("b", "on call")]).await;
            let (mut one, mut other) = (bench.begin().await, bench.begin().await);
            value_with(&mut *one, "b", isolation).await;
            value_with(&mut *other, "a", isolation).await;
            one.set(b"a", b"off");
            other.set(b"b", b"off");
            one.commit().await.unwrap();
            assert_eq!(conflicts(&mut *other).await, found);
        }
    }

    async fn blind_writes_do_not_conflict(bench) {
        let (mut one, mut other) = (bench.begin().await, bench.begin().await);
        one.set(b"a", b"1");
        other.set(b"a", b"2");
        one.commit().await.unwrap();
        other.commit().await.unwrap();
        assert_eq!(bench.value("a").await.as_deref(), Some("2"));
    }

    async fn a_read_only_transaction_never_conflicts(bench) {
        let mut transaction = bench.begin().await;
        value(&mut *transaction, "a").await;
        bench.put(&[("a", "1")]).await;
        transaction.commit().await.unwrap();
    }

    async fn phantoms_conflict(bench) {
        bench.put(&[("b", "1"), ("d", "1")]).await;
        for (what, phantom) in [("insert", true), ("remove", false)] {
            let mut transaction = bench.begin().await;
            transaction.range(&range("a", "e"), 10, false, Serializable).await.unwrap();
            transaction.set(b"sum", b"2");
            bench.write(|other| if phantom { other.set(b"c", b"") } else { other.clear(b"c") }).await;
            assert!(conflicts(&mut *transaction).await, "{what}");
        }
        let mut transaction = bench.begin().await;
        transaction.range(&range("a", "e"), 10, false, Snapshot).await.unwrap();
        transaction.set(b"sum", b"2");
        bench.put(&[("c", "")]).await;
        transaction.commit().await.unwrap();
    }

    async fn a_cleared_range_conflicts_with_its_readers(bench) {
        bench.put(&[("b", "1"), ("d", "1")]).await;
        let mut reads_inside = bench.begin().await;
        value(&mut *reads_inside, "b").await;
        reads_inside.set(b"x", b"1");
        let mut reads_beside = bench.begin().await;
        value(&mut *reads_beside, "d").await;
        reads_beside.set(b"y", b"1");
        bench.write(|transaction| transaction.clear_range(&range("a", "d"))).await;
        assert!(conflicts(&mut *reads_inside).await);
        assert!(!conflicts(&mut *reads_beside).await);
    }

    async fn only_the_part_that_was_read_conflicts(bench) {
        bench.put(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")]).await;
        for (reverse, changed, found) in [(false, "b", true), (false, "d", false), (true, "d", true), (true, "b", false)] {
            let mut transaction = bench.begin().await;
            let page = transaction.range(&range("a", "f"), 2, reverse, Serializable).await.unwrap();
            assert!(page.more);
            transaction.set(b"x", b"1");
            bench.put(&[(changed, "2")]).await;
            assert_eq!(conflicts(&mut *transaction).await, found, "reverse {reverse}, changed {changed}");
        }
    }

    async fn own_writes_are_not_reads(bench) {
        bench.put(&[("a", "1"), ("b", "1")]).await;
        let mut transaction = bench.begin().await;
        transaction.set(b"a", b"2");
        transaction.clear_range(&range("k", "p"));
        value(&mut *transaction, "a").await;
        value(&mut *transaction, "l").await;
        let page = transaction.range(&range("a", "b"), 10, false, Serializable).await.unwrap();
        assert_eq!(text(&page.entries), "a=2");
        transaction.range(&range("k", "p"), 10, false, Serializable).await.unwrap();
        bench.put(&[("a", "3"), ("m", "3")]).await;
        assert!(!conflicts(&mut *transaction).await);
        assert_eq!(bench.value("a").await.as_deref(), Some("2"));
        assert_eq!(bench.value("m").await, None);
    }

    async fn additions_do_not_conflict_but_reading_a_sum_does(bench) {
        let (mut one, mut other) = (bench.begin().await, bench.begin().await);
        one.add(b"n", 1);
        other.add(b"n", 2);
        one.commit().await.unwrap();
        other.commit().await.unwrap();
        assert_eq!(number(&mut *bench.begin().await, "n").await, 3);

        for by_range in [false, true] {
            let mut reader = bench.begin().await;
            reader.add(b"n", 1);
            if by_range {
                reader.range(&range("a", "z"), 10, false, Serializable).await.unwrap();
            } else {
                number(&mut *reader, "n").await;
            }
            bench.write(|transaction| transaction.add(b"n", 1)).await;
            assert!(conflicts(&mut *reader).await, "by range: {by_range}");
        }
    }

    async fn of_a_hundred_racing_inserts_one_wins(bench) {
        let claims = (0..100).map(|n| {
            let store = Arc::clone(&bench.store);
            tokio::spawn(async move {
                let (won, _) = transact(&*store, |transaction| {
                    Box::pin(async move {
                        if transaction.get(b"email/ada@example.org", Serializable).await?.is_some() {
                            return Ok(false);
                        }
                        transaction.set(b"email/ada@example.org", n.to_string().as_bytes());
                        transaction.add(b"accounts", 1);
                        Ok(true)
                    })
                })
                .await;
                (n, won)
            })
        });
        let winners: Vec<i32> = join_all(claims).await.into_iter().map(Result::unwrap).filter(|(_, won)| *won).map(|(n, _)| n).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(bench.value("email/ada@example.org").await, Some(winners[0].to_string()));
        assert_eq!(number(&mut *bench.begin().await, "accounts").await, 1);
    }

    async fn counters_read_and_written_by_many_lose_nothing(bench) {
        let increments = (0..16).map(|_| {
            let store = Arc::clone(&bench.store);
            tokio::spawn(async move {
                for _ in 0..8 {
                    transact(&*store, |transaction| {
                        Box::pin(async move {
                            let next = number(transaction, "n").await + 1;
                            transaction.set(b"n", &next.to_le_bytes());
                            transaction.add(b"blind", 1);
                            Ok(())
                        })
                    })
                    .await;
                }
            })
        });
        join_all(increments).await.into_iter().for_each(Result::unwrap);
        assert_eq!(number(&mut *bench.begin().await, "n").await, 128);
        assert_eq!(number(&mut *bench.begin().await, "blind").await, 128);
    }
}
