use std::{collections::BTreeSet, time::Duration};

use coditect_core::{CellName, Fence, Kind, LoginId, RequestId, UserId, Version};
use coditect_registry::{
    keys,
    operation::{
        Acquire, AcquireLease, ForgetRequests, NoteCommitted, OpenLogin, ReleaseLease,
        RotateRefresh, Rotation, TrimFeed,
    },
    store::faulty::Fault,
};
use jiff::Timestamp;

use crate::support::{World, at};

fn local() -> CellName {
    "local".parse().unwrap()
}

#[tokio::test]
async fn a_feed_read_in_pieces_gives_everyone_once_and_in_order() {
    let world = World::new().await;
    let mut expected = BTreeSet::new();
    for n in 0..25 {
        expected.insert(world.sign_up(&format!("p{n}@example.com")).await.user);
    }
    for limit in [1, 2, 7, 100] {
        let (mut seen, mut version) = (BTreeSet::<UserId>::new(), Version(0));
        loop {
            let changes = world
                .registry
                .view()
                .await
                .unwrap()
                .changes_after(&local(), version, limit)
                .await
                .unwrap();
            assert!(changes.users.is_disjoint(&seen));
            assert!(changes.until > version || !changes.more);
            seen.extend(changes.users);
            version = changes.until;
            if !changes.more {
                break;
            }
        }
        assert_eq!(seen, expected, "limit {limit}");
    }
}

#[tokio::test]
async fn trimming_keeps_what_lies_behind_the_checkpoint() {
    let world = World::new().await;
    world.sign_up("early@example.com").await;
    let checkpoint = world
        .registry
        .view()
        .await
        .unwrap()
        .version()
        .await
        .unwrap();
    let late = world.sign_up("late@example.com").await;
    // More than any commit covers: nobody was told of one yet, and then of one before the late change.
    let trim = TrimFeed {
        cell: local(),
        until: Version(u64::MAX),
        at: at(1),
    };
    world.done(&trim).await;
    let floor = world.view().await.feed_floor(&local()).await.unwrap();
    assert_eq!(floor, Version(0));
    world
        .done(&NoteCommitted {
            cell: local(),
            commit: "0".repeat(40),
            rows: vec![],
            checkpoint: Some(checkpoint),
            at: at(1),
        })
        .await;
    world.done(&trim).await;
    let older = TrimFeed {
        until: Version(0),
        ..trim
    };
    world
        .registry
        .apply(RequestId::random(), &older)
        .await
        .unwrap();
    let mut view = world.registry.view().await.unwrap();
    assert_eq!(
        view.feed_floor(&local()).await.unwrap(),
        checkpoint,
        "a floor never sinks"
    );
    let left = view
        .changes_after(&local(), Version(0), 10)
        .await
        .unwrap()
        .users;
    assert_eq!(left.into_iter().collect::<Vec<_>>(), [late.user]);
}

#[tokio::test]
async fn a_change_wakes_whoever_waits() {
    let world = World::new().await;
    let seen = world
        .registry
        .view()
        .await
        .unwrap()
        .change_signal(&local())
        .await
        .unwrap();
    let registry = world.registry.clone();
    let waiting = tokio::spawn(async move { registry.changed(&local(), seen).await });
    world.sign_up("ada@example.com").await;
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_short_read_is_an_error_not_an_empty_cell() {
    let world = World::new().await;
    for n in 0..5 {
        world.sign_up(&format!("p{n}@example.com")).await;
    }
    for limit in [0, 3] {
        world.store.inject(Fault::ShortRange(limit), 1);
        let error = world
            .registry
            .view()
            .await
            .unwrap()
            .intents(&local())
            .await
            .unwrap_err();
        assert_eq!(*error.kind(), Kind::Unavailable);
        assert!(
            error
                .message()
                .contains(&format!("gave {limit} of cell local's 5 users")),
            "{error}"
        );
    }
    assert_eq!(
        world
            .registry
            .view()
            .await
            .unwrap()
            .intents(&local())
            .await
            .unwrap()
            .rows
            .len(),
        5
    );
}

#[tokio::test]
async fn a_lease_has_one_holder_and_a_growing_fence() {
    let world = World::new().await;
    let (first, second) = (RequestId::random().as_uuid(), RequestId::random().as_uuid());
    let acquire = async |holder, seconds, above| {
        let acquire = AcquireLease {
            cell: local(),
            holder,
            above: Fence(above),
            duration: Duration::from_secs(10),
            at: at(seconds),
        };
        world
            .registry
            .apply(RequestId::random(), &acquire)
            .await
            .unwrap()
    };
    assert_eq!(
        acquire(first, 0, 0).await,
        Acquire::Held { fence: Fence(1) }
    );
    assert_eq!(
        acquire(first, 5, 0).await,
        Acquire::Held { fence: Fence(1) },
        "renewed"
    );
    assert_eq!(
        acquire(second, 14, 0).await,
        Acquire::Busy { until: at(15) }
    );
    assert_eq!(
        acquire(second, 15, 0).await,
        Acquire::Held { fence: Fence(2) }
    );
    assert_eq!(acquire(first, 16, 0).await, Acquire::Busy { until: at(25) });
    assert_eq!(
        acquire(second, 17, 9).await,
        Acquire::Held { fence: Fence(10) },
        "above what a repository has seen"
    );
    world
        .registry
        .apply(
            RequestId::random(),
            &ReleaseLease {
                cell: local(),
                holder: second,
                at: at(18),
            },
        )
        .await
        .unwrap();
    assert_eq!(
        acquire(first, 19, 0).await,
        Acquire::Held { fence: Fence(11) },
        "given back, and still growing"
    );
}

#[tokio::test]
async fn a_refresh_token_rotates_forgives_once_and_ends_on_reuse() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let login = LoginId::random();
    let rotate = async |counter, seconds: Timestamp| {
        let rotate = RotateRefresh {
            account: ada.account,
            login,
            counter,
            at: seconds,
        };
        world
            .registry
            .apply(RequestId::random(), &rotate)
            .await
            .unwrap()
    };
    world
        .registry
        .apply(
            RequestId::random(),
            &OpenLogin {
                account: ada.account,
                login,
                credential_of: None,
                from: None,
                at: at(0),
            },
        )
        .await
        .unwrap();
    assert_eq!(rotate(0, at(100)).await, Rotation::Current(1));
    assert_eq!(
        rotate(0, at(105)).await,
        Rotation::Current(1),
        "the other tab gets the same successor"
    );
    assert_eq!(rotate(1, at(200)).await, Rotation::Current(2));
    assert_eq!(rotate(1, at(211)).await, Rotation::Reused);
    assert_eq!(rotate(2, at(212)).await, Rotation::Ended);

    world
        .registry
        .apply(
            RequestId::random(),
            &OpenLogin {
                account: ada.account,
                login,
                credential_of: None,
                from: None,
                at: at(0),
            },
        )
        .await
        .unwrap();
    assert_eq!(
        rotate(0, at(25 * 3_600)).await,
        Rotation::Ended,
        "a day without use"
    );
}

#[tokio::test]
async fn old_requests_are_forgotten_and_young_ones_are_not() {
    let world = World::new().await;
    for n in 0..5 {
        world.sign_up(&format!("p{n}@example.com")).await;
    }
    for (before, due) in [(at(0), 0), (at(7_200), 5)] {
        let entries = world.keys_of(&keys::transactions_before(before)).await;
        assert_eq!(entries.len(), due);
        let forget = ForgetRequests { entries, at: at(0) };
        assert_eq!(world.done(&forget).await, due);
    }
    let left = world.entries().await;
    assert!(
        left.iter()
            .all(|(key, _)| !keys::parse(key).unwrap().kind.pattern.starts_with("txn"))
    );
}
