use coditect_core::{Kind, Phase, Power, RequestId, Version};
use coditect_registry::{
    operation::{NoteCommitted, Raise, RenameWorkspace, SetPlan, SetPower},
    record::IntentRow,
};

use crate::support::{LIMITS, World, at};

#[tokio::test]
async fn the_plan_limits_how_many() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    world.create(&ada, "second").await.unwrap();
    let error = world.create(&ada, "third").await.unwrap_err();
    assert_eq!(
        *error.kind(),
        Kind::LimitReached {
            limit: "workspaces"
        }
    );
    assert!(
        error.message().contains("the free plan allows 2"),
        "{error}"
    );
}

#[tokio::test]
async fn power_does_not_travel_the_road_of_commits() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let cell = "local".parse().unwrap();
    let before = world
        .registry
        .view()
        .await
        .unwrap()
        .version()
        .await
        .unwrap();
    for (power, seconds) in [(Power::Off, 1), (Power::On, 2), (Power::On, 3)] {
        let set = SetPower {
            account: ada.account,
            workspace: ada.workspace,
            power,
            at: at(seconds),
        };
        world
            .registry
            .apply(RequestId::random(), &set)
            .await
            .unwrap();
    }
    let mut view = world.registry.view().await.unwrap();
    assert!(
        view.changes_after(&cell, before, 10)
            .await
            .unwrap()
            .users
            .is_empty()
    );
    let workspace = view.workspace(ada.account, ada.workspace).await.unwrap();
    assert_eq!(
        (workspace.power.power, workspace.power.since),
        (Power::On, at(2)),
        "asked twice, changed once"
    );
    assert_eq!(
        view.audit(ada.tenant, 10).await.unwrap().len(),
        3,
        "signed up, stopped, started"
    );
}

#[tokio::test]
async fn somebody_elses_workspace_does_not_exist() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let set = SetPower {
        account: bob.account,
        workspace: ada.workspace,
        power: Power::Off,
        at: at(1),
    };
    assert_eq!(
        *world
            .registry
            .apply(RequestId::random(), &set)
            .await
            .unwrap_err()
            .kind(),
        Kind::NotFound
    );
    assert!(
        world
            .registry
            .view()
            .await
            .unwrap()
            .workspace(bob.account, ada.workspace)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_stale_rename_is_refused() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let rename = |expected| RenameWorkspace {
        account: ada.account,
        workspace: ada.workspace,
        name: "thesis".parse().unwrap(),
        expected: Some(expected),
        at: at(1),
    };
    world
        .registry
        .apply(RequestId::random(), &rename(1))
        .await
        .unwrap();
    assert_eq!(
        *world
            .registry
            .apply(RequestId::random(), &rename(1))
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
}

#[tokio::test]
async fn each_workspace_shows_the_commit_of_its_own_newest_change() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let cell: coditect_core::CellName = "local".parse().unwrap();
    let note = async |commit: &str, rows: Vec<IntentRow>, seconds| {
        let note = NoteCommitted {
            cell: cell.clone(),
            commit: commit.into(),
            rows,
            checkpoint: None,
            at: at(seconds),
        };
        world
            .registry
            .apply(RequestId::random(), &note)
            .await
            .unwrap();
    };
    let row = async || {
        world
            .registry
            .view()
            .await
            .unwrap()
            .intent(&cell, ada.user)
            .await
            .unwrap()
            .unwrap()
    };

    let first = row().await;
    note("aaaa", vec![first.clone()], 1).await;
    let second = world.create(&ada, "second").await.unwrap();
    let mut view = world.registry.view().await.unwrap();
    assert_eq!(
        view.workspace(ada.account, ada.workspace)
            .await
            .unwrap()
            .phase(),
        Phase::Committed
    );
    assert_eq!(
        view.workspace(ada.account, second).await.unwrap().phase(),
        Phase::Requested
    );

    note("bbbb", vec![row().await], 3).await;
    // A renderer that was paused notes an older generation late: it changes nothing.
    note("late", vec![first], 4).await;
    let mut view = world.registry.view().await.unwrap();
    let landed = |view: coditect_registry::WorkspaceView| view.landed.unwrap().commit;
    assert_eq!(
        landed(view.workspace(ada.account, ada.workspace).await.unwrap()),
        "aaaa"
    );
    assert_eq!(
        landed(view.workspace(ada.account, second).await.unwrap()),
        "bbbb"
    );
}

#[tokio::test]
async fn volumes_grow_with_the_plan_and_never_shrink() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    for (plan, storage_gib, expected) in [("pro", 100, 100), ("free", 1, 100)] {
        let limits = coditect_core::Limits {
            storage_gib,
            ..LIMITS
        };
        let set = SetPlan {
            actor: None,
            tenant: ada.tenant,
            plan: plan.parse().unwrap(),
            limits,
            at: at(1),
        };
        world
            .registry
            .apply(RequestId::random(), &set)
            .await
            .unwrap();
        let workspace = world
            .registry
            .view()
            .await
            .unwrap()
            .workspace(ada.account, ada.workspace)
            .await
            .unwrap();
        assert_eq!(
            (
                workspace.intent.storage_gib,
                workspace.row.intent.plan.as_str()
            ),
            (expected, plan)
        );
    }
}

#[tokio::test]
async fn what_git_has_seen_is_never_undercut() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let raise = |gib, above_generation| Raise {
        cell: "local".parse().unwrap(),
        user: ada.user,
        sizes: vec![(ada.workspace, gib)],
        above_generation,
        at: at(1),
    };
    let row = world
        .registry
        .apply(RequestId::random(), &raise(10, 41))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.intent.generation, row.intent.workspaces[0].storage_gib),
        (42, 10)
    );
    let before = world
        .registry
        .view()
        .await
        .unwrap()
        .version()
        .await
        .unwrap();
    let row = world
        .registry
        .apply(RequestId::random(), &raise(5, 41))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.intent.generation, row.intent.workspaces[0].storage_gib),
        (42, 10)
    );
    let changes = world
        .registry
        .view()
        .await
        .unwrap()
        .changes_after(&"local".parse().unwrap(), before, 10)
        .await
        .unwrap();
    assert!(
        changes.users.is_empty(),
        "nothing to raise, nothing to render: {before:?}"
    );
    assert_ne!(before, Version(0));
}
