//! What processes of the API tell each other of rate limits.

use std::collections::BTreeMap;

use coditect_core::Version;
use coditect_registry::{
    operation::{NoteCounted, TrimCounted},
    record::{Count, Counted},
};
use uuid::Uuid;

use crate::support::{World, at};

/// What a process notes: one take of one bucket.
pub(crate) fn note(number: u64, second: i64) -> NoteCounted {
    let count = Count {
        bucket: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        times: 1,
        anew: false,
    };
    NoteCounted {
        counted: Counted {
            at: at(second),
            process: Uuid::from_u128(7),
            number,
            limits: BTreeMap::from([("credentials".to_owned(), vec![count])]),
        },
    }
}

#[tokio::test]
async fn notes_are_read_in_order_and_forgotten_when_they_are_old() {
    let world = World::new().await;
    let signal = world.view().await.counted_signal().await.unwrap();
    for number in 1..=3 {
        world.done(&note(number, number as i64 * 10)).await;
    }
    world.registry.counted(signal).await.unwrap();
    let numbers = async |after| {
        let page = world.view().await.counted_after(after, 10).await.unwrap();
        assert!(!page.more);
        let numbers: Vec<u64> = page.notes.iter().map(|note| note.number).collect();
        (numbers, page.until)
    };
    let (all, until) = numbers(Version(0)).await;
    assert_eq!(all, [1, 2, 3]);
    assert_eq!(numbers(until).await.0, [0_u64; 0]);
    let trim = |before| TrimCounted {
        before: at(before),
        limit: 10,
        at: at(100),
    };
    assert_eq!(world.done(&trim(10)).await, 0);
    assert_eq!(world.done(&trim(25)).await, 2);
    assert_eq!(numbers(Version(0)).await.0, [3]);
    // What was noted is not noted again, however late it is sent again.
    world.done(&note(2, 110)).await;
    assert_eq!(numbers(Version(0)).await.0, [3]);
    assert_eq!(world.done(&trim(31)).await, 1);
    assert_eq!(numbers(Version(0)).await.0, [0_u64; 0]);
    // A process that is gone is forgotten.
    world.done(&note(2, 110)).await;
    assert_eq!(numbers(Version(0)).await.0, [2]);
}
