//! When a workspace was last used, as its reporters say.

use coditect_core::Activity;
use coditect_registry::{
    operation::{Keep, NoteActivity},
    record::Action,
};

use crate::{
    observer::local,
    support::{World, at},
};
#[tokio::test]
async fn activity_never_goes_back_nor_into_the_future() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let report = |input: Option<i64>, output: Option<i64>, reported, now| NoteActivity {
        cell: local(),
        workspace: ada.workspace,
        activity: Activity {
            input_at: input.map(at),
            output_at: output.map(at),
            reported_at: at(reported),
        },
        at: at(now),
    };
    let known = async || {
        let mut view = world.registry.view().await.unwrap();
        view.activities(&local())
            .await
            .unwrap()
            .get(&ada.workspace)
            .copied()
    };
    assert_eq!(known().await, None, "nothing reported is not idle");
    assert!(world.apply(&report(Some(100), None, 100, 100)).await);
    assert!(world.apply(&report(Some(50), Some(60), 90, 110)).await);
    assert!(world.apply(&report(None, Some(9_999), 9_999, 120)).await);
    assert_eq!(
        known().await,
        Some(Activity {
            input_at: Some(at(100)),
            output_at: Some(at(120)),
            reported_at: at(120),
        })
    );
    let unknown = NoteActivity {
        workspace: coditect_core::WorkspaceId::random(),
        ..report(Some(1), None, 1, 1)
    };
    assert!(!world.apply(&unknown).await);
    let elsewhere = NoteActivity {
        cell: "other".parse().unwrap(),
        ..report(Some(1), None, 1, 1)
    };
    assert!(!world.apply(&elsewhere).await);

    for seconds in [200, 210, 300] {
        let keep = Keep {
            account: ada.account,
            workspace: ada.workspace,
            at: at(seconds),
        };
        world.apply(&keep).await;
    }
    let known = known().await.unwrap();
    assert_eq!(
        (known.input_at, known.output_at, known.reported_at),
        (Some(at(300)), Some(at(120)), at(300))
    );
    let kept = Action::WorkspaceKept {
        workspace: ada.workspace,
    };
    let actions = world.actions(&ada).await;
    assert_eq!(
        actions.iter().filter(|action| **action == kept).count(),
        2,
        "clicks within a minute are one decision"
    );
}
