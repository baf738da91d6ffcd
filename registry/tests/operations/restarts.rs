//! Restarting a cell's pods within a window.

use coditect_core::Kind;
use coditect_registry::{
    operation::{NoteRestart, StartRestart, StopRestart},
    record::Restart,
};
use uuid::Uuid;

use crate::{
    observer::local,
    support::{World, at},
};
fn window(id: Uuid) -> Restart {
    Restart {
        id,
        of: Vec::new(),
        outdated_before: at(0),
        not_before: at(100),
        not_after: at(200),
        at_once: 2,
        stopped: None,
        done: 0,
        failed: 0,
        left: None,
        started_at: at(10),
    }
}

#[tokio::test]
async fn a_cell_has_one_restart_at_a_time() {
    let world = World::new().await;
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let start = |restart, seconds| StartRestart {
        cell: local(),
        restart,
        at: at(seconds),
    };
    let progress = |id, done, failed, stopped: Option<&str>| NoteRestart {
        cell: local(),
        id,
        done,
        failed,
        left: 7,
        stopped: stopped.map(str::to_owned),
        at: at(110),
    };
    let stop = |seconds| StopRestart {
        cell: local(),
        id: None,
        why: "an operator stopped it".into(),
        at: at(seconds),
    };
    assert!(!world.apply(&stop(10)).await);
    for wrong in [
        Restart {
            at_once: 0,
            ..window(first)
        },
        Restart {
            not_after: at(100),
            ..window(first)
        },
        Restart {
            not_before: at(1),
            not_after: at(9),
            ..window(first)
        },
    ] {
        let kind = world.refused(&start(wrong, 10)).await;
        assert!(matches!(kind, Kind::Invalid { .. }));
    }
    world.apply(&start(window(first), 10)).await;
    assert_eq!(
        world.refused(&start(window(second), 11)).await,
        Kind::Conflict
    );
    for (done, failed) in [(3, 1), (2, 0), (3, 1)] {
        assert!(world.apply(&progress(first, done, failed, None)).await);
    }
    assert!(!world.apply(&progress(second, 9, 9, None)).await);
    let other = StopRestart {
        id: Some(second),
        ..stop(119)
    };
    assert!(!world.apply(&other).await, "that one is not under way");
    assert!(world.apply(&stop(120)).await);
    assert!(!world.apply(&stop(121)).await);
    assert!(world.apply(&progress(first, 4, 1, Some("done"))).await);
    let mut view = world.registry.view().await.unwrap();
    let stopped = view.restart(&local()).await.unwrap().unwrap();
    assert_eq!((stopped.done, stopped.failed), (4, 1), "no count sinks");
    assert_eq!(stopped.stopped.as_deref(), Some("an operator stopped it"));

    world.apply(&start(window(second), 130)).await;
    let third = Restart {
        not_before: at(300),
        not_after: at(400),
        ..window(Uuid::from_u128(3))
    };
    assert_eq!(
        world.refused(&start(third.clone(), 199)).await,
        Kind::Conflict
    );
    world.apply(&start(third, 200)).await;
}
