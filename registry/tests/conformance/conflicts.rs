//! Which transactions may not both commit.

use std::sync::Arc;

use coditect_registry::store::{
    Isolation::{Serializable, Snapshot},
    StoreError, Transaction,
};
use futures::future::join_all;

use crate::{
    access::{number, pages, range, text, transact, value, value_with},
    bench::on_every_store,
};

/// Commits what must conflict, or must not.
async fn commits(transaction: &mut dyn Transaction, conflicts: bool) -> Result<(), StoreError> {
    match transaction.commit().await {
        Ok(version) if conflicts => panic!("it committed at {version} and should have conflicted"),
        Err(StoreError::Conflict) if conflicts => Ok(()),
        // A conflict that has no reason is no defect, unless there is never an attempt without one.
        committed => committed.map(drop),
    }
}

on_every_store! {
    async fn what_was_read_must_be_unchanged(bench) {
        bench.put(&[("a", "1")]).await?;
        let mut transaction = bench.begin().await?;
        value(&mut *transaction, "a").await?;
        transaction.set(b"b", b"1");
        bench.put(&[("a", "1")]).await?;
        commits(&mut *transaction, true).await?;
        assert_eq!(bench.value("b").await?, None);

        transaction.reset(StoreError::Conflict).await?;
        assert_eq!(value(&mut *transaction, "b").await?, None, "the writes of the attempt before are gone");
        value(&mut *transaction, "a").await?;
        transaction.set(b"b", b"2");
        transaction.commit().await?;
        assert_eq!(bench.value("b").await?.as_deref(), Some("2"));
    }

    async fn write_skew_is_found_unless_asked_otherwise(bench) {
        for (isolation, found) in [(Serializable, true), (Snapshot, false)] {
            bench.put(&[("a", "on call"), ("b", "on call")]).await?;
            let (mut one, mut other) = (bench.begin().await?, bench.begin().await?);
            value_with(&mut *one, "b", isolation).await?;
            value_with(&mut *other, "a", isolation).await?;
            one.set(b"a", b"off");
            other.set(b"b", b"off");
            one.commit().await?;
            commits(&mut *other, found).await?;
        }
    }

    async fn blind_writes_do_not_conflict(bench) {
        let (mut one, mut other) = (bench.begin().await?, bench.begin().await?);
        one.set(b"a", b"1");
        other.set(b"a", b"2");
        one.commit().await?;
        other.commit().await?;
        assert_eq!(bench.value("a").await?.as_deref(), Some("2"));
    }

    async fn a_read_only_transaction_never_conflicts(bench) {
        let mut transaction = bench.begin().await?;
        value(&mut *transaction, "a").await?;
        bench.put(&[("a", "1")]).await?;
        transaction.commit().await?;
    }

    async fn phantoms_conflict(bench) {
        bench.put(&[("b", "1"), ("d", "1")]).await?;
        for phantom in [true, false] {
            let mut transaction = bench.begin().await?;
            pages(&mut *transaction, &range("a", "e"), 10, false, Serializable).await?;
            transaction.set(b"sum", b"2");
            bench.write(|other| if phantom { other.set(b"c", b"") } else { other.clear(b"c") }).await?;
            commits(&mut *transaction, true).await?;
        }
        let mut transaction = bench.begin().await?;
        pages(&mut *transaction, &range("a", "e"), 10, false, Snapshot).await?;
        transaction.set(b"sum", b"2");
        bench.put(&[("c", "")]).await?;
        transaction.commit().await?;
    }

    async fn a_cleared_range_conflicts_with_its_readers(bench) {
        bench.put(&[("b", "1"), ("d", "1")]).await?;
        let mut reads_inside = bench.begin().await?;
        value(&mut *reads_inside, "b").await?;
        reads_inside.set(b"x", b"1");
        let mut reads_beside = bench.begin().await?;
        value(&mut *reads_beside, "d").await?;
        reads_beside.set(b"y", b"1");
        bench.write(|transaction| transaction.clear_range(&range("a", "d"))).await?;
        commits(&mut *reads_inside, true).await?;
        commits(&mut *reads_beside, false).await?;
    }

    async fn only_the_part_that_was_read_conflicts(bench) {
        bench.put(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")]).await?;
        for (reverse, changed) in [(false, "b"), (false, "d"), (true, "d"), (true, "b")] {
            let mut transaction = bench.begin().await?;
            let page = transaction.range(&range("a", "f"), 2, reverse, Serializable).await?;
            assert!(page.more);
            let read = page.entries.iter().any(|(key, _)| key == changed.as_bytes());
            transaction.set(b"x", b"1");
            bench.put(&[(changed, "2")]).await?;
            commits(&mut *transaction, read).await?;
        }
    }

    async fn own_writes_are_not_reads(bench) {
        bench.put(&[("a", "1"), ("b", "1")]).await?;
        let mut transaction = bench.begin().await?;
        transaction.set(b"a", b"2");
        transaction.clear_range(&range("k", "p"));
        value(&mut *transaction, "a").await?;
        value(&mut *transaction, "l").await?;
        let page = transaction.range(&range("a", "b"), 10, false, Serializable).await?;
        assert_eq!(text(&page.entries), "a=2");
        transaction.range(&range("k", "p"), 10, false, Serializable).await?;
        bench.put(&[("a", "3"), ("m", "3")]).await?;
        commits(&mut *transaction, false).await?;
        assert_eq!(bench.value("a").await?.as_deref(), Some("2"));
        assert_eq!(bench.value("m").await?, None);
    }

    async fn additions_do_not_conflict_but_reading_a_sum_does(bench) {
        let (mut one, mut other) = (bench.begin().await?, bench.begin().await?);
        one.add(b"n", 1);
        other.add(b"n", 2);
        one.commit().await?;
        other.commit().await?;
        assert_eq!(number(&mut *bench.begin().await?, "n").await?, 3);

        for by_range in [false, true] {
            let mut reader = bench.begin().await?;
            reader.add(b"n", 1);
            if by_range {
                reader.range(&range("a", "z"), 10, false, Serializable).await?;
            } else {
                number(&mut *reader, "n").await?;
            }
            bench.write(|transaction| transaction.add(b"n", 1)).await?;
            commits(&mut *reader, true).await?;
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
                .await?;
                Ok::<_, StoreError>((n, won))
            })
        });
        let mut winners: Vec<i32> = vec![];
        for claim in join_all(claims).await {
            let (n, won) = claim.unwrap()?;
            winners.extend(won.then_some(n));
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(bench.value("email/ada@example.org").await?, Some(winners[0].to_string()));
        assert_eq!(number(&mut *bench.begin().await?, "accounts").await?, 1);
    }

    async fn counters_read_and_written_by_many_lose_nothing(bench) {
        let increments = (0..16).map(|_| {
            let store = Arc::clone(&bench.store);
            tokio::spawn(async move {
                for _ in 0..8 {
                    transact(&*store, |transaction| {
                        Box::pin(async move {
                            let next = number(transaction, "n").await? + 1;
                            transaction.set(b"n", &next.to_le_bytes());
                            transaction.add(b"blind", 1);
                            Ok(())
                        })
                    })
                    .await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        for done in join_all(increments).await {
            done.unwrap()?;
        }
        assert_eq!(number(&mut *bench.begin().await?, "n").await?, 128);
        assert_eq!(number(&mut *bench.begin().await?, "blind").await?, 128);
    }
}
