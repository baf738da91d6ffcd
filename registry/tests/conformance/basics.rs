//! Reads, writes, ranges, and what a transaction sees of its own.

use coditect_registry::store::{Isolation::Serializable, Key, Value};

use crate::{
    access::{everything, number, pages, range, text, value},
    bench::on_every_store,
};

on_every_store! {
    async fn an_empty_store_is_empty(bench) {
        let mut transaction = bench.begin().await?;
        assert_eq!(value(&mut *transaction, "a").await?, None);
        let page = transaction.range(&everything(), 10, false, Serializable).await?;
        assert!(page.entries.is_empty() && !page.more);
        let version = transaction.read_version().await?;
        assert_eq!(transaction.commit().await?, version, "without writes, the version read");
    }

    async fn committed_writes_are_seen_by_whoever_begins_later(bench) {
        let mut before = bench.begin().await?;
        let version = bench.put(&[("a", "1"), ("b", "2")]).await?;
        let mut after = bench.begin().await?;
        assert!(after.read_version().await? >= version);
        assert_eq!(value(&mut *after, "a").await?.as_deref(), Some("1"));
        assert_eq!(value(&mut *before, "a").await?, None, "an open transaction keeps its version");
        assert!(before.read_version().await? < version);
    }

    async fn a_transaction_sees_its_own_writes(bench) {
        bench.put(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]).await?;
        let mut transaction = bench.begin().await?;
        transaction.set(b"a", b"new");
        transaction.clear(b"b");
        transaction.clear_range(&range("c", "e"));
        transaction.set(b"d", b"again");
        transaction.set(b"e", b"5");
        assert_eq!(value(&mut *transaction, "a").await?.as_deref(), Some("new"));
        assert_eq!(value(&mut *transaction, "b").await?, None);
        assert_eq!(value(&mut *transaction, "c").await?, None);
        assert_eq!(value(&mut *transaction, "d").await?.as_deref(), Some("again"));
        for limit in 1..5 {
            let forward = pages(&mut *transaction, &everything(), limit, false, Serializable).await?;
            assert_eq!(text(&forward), "a=new d=again e=5");
            let reverse = pages(&mut *transaction, &everything(), limit, true, Serializable).await?;
            assert_eq!(text(&reverse), "e=5 d=again a=new");
        }
        assert_eq!(text(&bench.all().await?), "a=1 b=2 c=3 d=4", "others see nothing of it yet");
        transaction.commit().await?;
        assert_eq!(text(&bench.all().await?), "a=new d=again e=5");
    }

    async fn without_commit_nothing_happens(bench) {
        let mut transaction = bench.begin().await?;
        transaction.set(b"a", b"1");
        transaction.append(b"feed", b"1");
        drop(transaction);
        assert!(bench.all().await?.is_empty());
    }

    async fn ranges_begin_inclusive_and_end_exclusive(bench) {
        bench.put(&[("a", "1"), ("b", "2"), ("c", "3")]).await?;
        let mut transaction = bench.begin().await?;
        for (begin, end, found) in [("a", "c", "a=1 b=2"), ("a\0", "c\0", "b=2 c=3"), ("b", "b", ""), ("c", "a", ""), ("d", "z", "")] {
            for reverse in [false, true] {
                let mut entries = pages(&mut *transaction, &range(begin, end), 10, reverse, Serializable).await?;
                if reverse {
                    entries.reverse();
                }
                assert_eq!(text(&entries), found, "{begin:?}..{end:?}");
            }
        }
    }

    async fn a_limit_keeps_the_near_end(bench) {
        bench.put(&[("a", "1"), ("b", "2"), ("c", "3")]).await?;
        let mut transaction = bench.begin().await?;
        let first = transaction.range(&everything(), 1, false, Serializable).await?;
        assert_eq!((text(&first.entries).as_str(), first.more), ("a=1", true));
        let last = transaction.range(&everything(), 2, true, Serializable).await?;
        assert!(["c=3 b=2", "c=3"].contains(&text(&last.entries).as_str()) && last.more, "{last:?}");
    }

    async fn large_ranges_come_in_pages(bench) {
        let expected: Vec<(Key, Value)> = (0..60_u8).map(|n| (vec![b'k', n], vec![n; 50_000])).collect();
        bench.write(|transaction| expected.iter().for_each(|(key, value)| transaction.set(key, value))).await?;
        let mut transaction = bench.begin().await?;
        let mut found = pages(&mut *transaction, &everything(), 1_000, false, Serializable).await?;
        assert_eq!(found, expected);
        found = pages(&mut *transaction, &everything(), 1_000, true, Serializable).await?;
        found.reverse();
        assert_eq!(found, expected);
    }

    async fn cleared_ranges_melt_together_and_later_writes_stand(bench) {
        bench.put(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")]).await?;
        let mut transaction = bench.begin().await?;
        transaction.clear_range(&range("b", "c"));
        transaction.clear_range(&range("d", "e"));
        transaction.set(b"c", b"x");
        transaction.clear_range(&range("c", "d"));
        transaction.clear_range(&range("z", "b"));
        transaction.set(b"bb", b"y");
        assert_eq!(text(&pages(&mut *transaction, &everything(), 2, false, Serializable).await?), "a=1 bb=y e=5");
        assert_eq!(text(&pages(&mut *transaction, &everything(), 1, true, Serializable).await?), "e=5 bb=y a=1");
        transaction.commit().await?;
        assert_eq!(text(&bench.all().await?), "a=1 bb=y e=5");
    }

    async fn additions_add_up_and_are_seen_within(bench) {
        bench.write(|transaction| transaction.add(b"n", 40)).await?;
        let mut transaction = bench.begin().await?;
        transaction.add(b"n", 3);
        transaction.add(b"n", -1);
        assert_eq!(number(&mut *transaction, "n").await?, 42);
        transaction.set(b"m", &7_i64.to_le_bytes());
        transaction.add(b"m", -8);
        transaction.clear(b"n");
        transaction.add(b"n", 5);
        assert_eq!(number(&mut *transaction, "n").await?, 5);
        transaction.add(b"fresh", 1);
        let all = pages(&mut *transaction, &everything(), 1, true, Serializable).await?;
        let numbers: Vec<i64> = all.iter().map(|(_, value)| i64::from_le_bytes(value.clone().try_into().unwrap())).collect();
        assert_eq!(numbers, [5, -1, 1]);
        transaction.commit().await?;
        assert_eq!(bench.all().await?, all.into_iter().rev().collect::<Vec<_>>());
    }

    async fn a_snapshot_does_not_move(bench) {
        bench.put(&[("a", "1"), ("b", "1"), ("c", "1")]).await?;
        let mut transaction = bench.begin().await?;
        let version = transaction.read_version().await?;
        for round in 0..20 {
            bench.put(&[("a", "2"), ("d", "2")]).await?;
            bench.write(|transaction| transaction.clear(b"b")).await?;
            assert_eq!(text(&pages(&mut *transaction, &everything(), 2, false, Serializable).await?), "a=1 b=1 c=1", "round {round}");
        }
        assert_eq!(value(&mut *transaction, "d").await?, None);
        assert_eq!(transaction.read_version().await?, version);
    }

    async fn versions_rise_with_every_commit(bench) {
        let mut last = bench.begin().await?.read_version().await?;
        for n in 0..50 {
            let version = bench.put(&[("a", &n.to_string())]).await?;
            assert!(version > last);
            last = version;
            assert_eq!(bench.value("a").await?, Some(n.to_string()));
        }
    }
}
