use coditect_core::{CellName, Phase, Power, RequestId, Standing};
use coditect_registry::operation::{
    BuryMissing, ChangePassword, DeleteAccount, DeleteUser, DeleteWorkspace, MarkAccount,
    MarkWorkspace, OpenLogin, RestoreAccount, RestoreWorkspace, SetPower,
};

use crate::support::{World, at, holds};

fn local() -> CellName {
    "local".parse().unwrap()
}

#[tokio::test]
async fn a_mark_suspends_and_can_be_undone_until_it_is_due() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let mark = MarkWorkspace {
        account: ada.account,
        workspace: ada.workspace,
        until: at(100),
        at: at(1),
    };
    world
        .registry
        .apply(RequestId::random(), &mark)
        .await
        .unwrap();
    let marked = world
        .registry
        .view()
        .await
        .unwrap()
        .workspace(ada.account, ada.workspace)
        .await
        .unwrap();
    assert_eq!(
        (marked.phase(), marked.power.power, marked.intent.standing),
        (Phase::Deleting, Power::Off, Standing::Marked)
    );
    let start = SetPower {
        account: ada.account,
        workspace: ada.workspace,
        power: Power::On,
        at: at(2),
    };
    assert!(
        world
            .registry
            .apply(RequestId::random(), &start)
            .await
            .is_err(),
        "a marked workspace does not start"
    );

    let restore = RestoreWorkspace {
        account: ada.account,
        workspace: ada.workspace,
        at: at(3),
    };
    world
        .registry
        .apply(RequestId::random(), &restore)
        .await
        .unwrap();
    assert_eq!(world.bury_due(1_000).await, 0);
    assert_eq!(
        world
            .registry
            .view()
            .await
            .unwrap()
            .workspaces(ada.user)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn what_is_due_is_buried_and_only_that() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let second = world.create(&ada, "second").await.unwrap();
    let mark = MarkWorkspace {
        account: ada.account,
        workspace: second,
        until: at(100),
        at: at(1),
    };
    world
        .registry
        .apply(RequestId::random(), &mark)
        .await
        .unwrap();
    world
        .registry
        .apply(
            RequestId::random(),
            &MarkAccount {
                account: bob.account,
                until: at(200),
                at: at(1),
            },
        )
        .await
        .unwrap();

    assert_eq!(world.bury_due(99).await, 0);
    assert_eq!(world.bury_due(100).await, 1);
    let mut view = world.registry.view().await.unwrap();
    assert_eq!(view.workspaces(ada.user).await.unwrap().len(), 1);
    assert!(
        view.workspace_tombstone(&local(), second)
            .await
            .unwrap()
            .unwrap()
            .requested
    );
    assert!(view.user(bob.user).await.unwrap().is_some());

    assert_eq!(world.bury_due(200).await, 2, "the user and the account");
    let mut view = world.registry.view().await.unwrap();
    assert!(view.user(bob.user).await.unwrap().is_none());
    assert!(
        view.user_tombstone(&local(), bob.user)
            .await
            .unwrap()
            .is_some()
    );
    assert!(!holds(&world.bytes().await, "bob@example.com"));
}

#[tokio::test]
async fn an_account_comes_back_within_its_grace() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    world
        .registry
        .apply(
            RequestId::random(),
            &MarkAccount {
                account: ada.account,
                until: at(100),
                at: at(1),
            },
        )
        .await
        .unwrap();
    assert!(
        world.create(&ada, "second").await.is_err(),
        "a marked account makes nothing new"
    );
    world
        .registry
        .apply(
            RequestId::random(),
            &RestoreAccount {
                account: ada.account,
                at: at(2),
            },
        )
        .await
        .unwrap();
    assert_eq!(world.bury_due(500).await, 0);
    world.create(&ada, "second").await.unwrap();
}

#[tokio::test]
async fn erasure_leaves_nothing_of_the_person() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let login = coditect_core::LoginId::random();
    world
        .registry
        .apply(
            RequestId::random(),
            &OpenLogin {
                account: ada.account,
                login,
                credential_of: None,
                from: None,
                at: at(1),
            },
        )
        .await
        .unwrap();
    world.create(&ada, "my secret project").await.unwrap();
    let before = world.bytes().await;
    for trace in ["ada@example.com", "my secret project"] {
        assert!(holds(&before, trace), "{trace} is there to be erased");
    }
    let slug = world
        .registry
        .view()
        .await
        .unwrap()
        .workspaces(ada.user)
        .await
        .unwrap()[0]
        .intent
        .slug
        .clone();

    world
        .registry
        .apply(
            RequestId::random(),
            &DeleteAccount {
                account: ada.account,
                at: at(9),
            },
        )
        .await
        .unwrap();
    let heap = world.bytes().await;
    for trace in ["ada@example.com", "my secret project"] {
        assert!(!holds(&heap, trace), "{trace} is left");
    }
    assert!(
        holds(&heap, "bob@example.com") && holds(&heap, "Ada Lovelace"),
        "the neighbour, of the same name, is untouched"
    );
    assert!(
        holds(&heap, slug.as_str()),
        "the slug is never given out again"
    );
    let mut view = world.registry.view().await.unwrap();
    assert!(
        view.user_tombstone(&local(), ada.user)
            .await
            .unwrap()
            .unwrap()
            .requested
    );
    assert!(
        view.workspace_tombstone(&local(), ada.workspace)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(view.cell_load(&local()).await.unwrap(), 1);
    assert!(
        view.login(ada.account, login, at(10))
            .await
            .unwrap()
            .is_none()
    );
    assert!(view.user(bob.user).await.unwrap().is_some());
    world.sign_up("ada@example.com").await;
}

#[tokio::test]
async fn a_deleted_workspace_leaves_a_tombstone_and_its_user() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let generation = world.generation(ada.user).await;
    let delete = DeleteWorkspace {
        account: ada.account,
        workspace: ada.workspace,
        at: at(1),
    };
    let request = RequestId::random();
    world.registry.apply(request, &delete).await.unwrap();
    world.registry.apply(request, &delete).await.unwrap();
    assert!(
        world
            .registry
            .apply(RequestId::random(), &delete)
            .await
            .is_err(),
        "there is nothing left to delete"
    );
    assert_eq!(world.generation(ada.user).await, generation + 1);
    assert!(
        world
            .registry
            .view()
            .await
            .unwrap()
            .workspace_tombstone(&local(), ada.workspace)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn whoever_deletes_for_another_is_not_the_person() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    world
        .registry
        .apply(
            RequestId::random(),
            &DeleteUser {
                user: ada.user,
                at: at(1),
            },
        )
        .await
        .unwrap();
    let tombstone = world
        .registry
        .view()
        .await
        .unwrap()
        .user_tombstone(&local(), ada.user)
        .await
        .unwrap()
        .unwrap();
    assert!(!tombstone.requested);
}

#[tokio::test]
async fn a_restored_registry_buries_whom_git_remembers() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let stranger = coditect_core::UserId::random();
    let bury = BuryMissing {
        cell: local(),
        users: vec![ada.user, stranger],
        workspaces: vec![(bob.user, bob.workspace)],
        requested: true,
        at: at(1),
    };
    for _ in 0..2 {
        world
            .registry
            .apply(RequestId::random(), &bury)
            .await
            .unwrap();
    }
    let mut view = world.registry.view().await.unwrap();
    assert!(view.user(ada.user).await.unwrap().is_none());
    for user in [ada.user, stranger] {
        assert!(view.user_tombstone(&local(), user).await.unwrap().is_some());
    }
    assert!(view.workspaces(bob.user).await.unwrap().is_empty());
    assert_eq!(view.cell_load(&local()).await.unwrap(), 1);
    assert!(!holds(&world.bytes().await, "ada@example.com"));
}

#[tokio::test]
async fn a_password_that_was_replaced_while_it_was_checked_signs_nobody_in() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let open = |credential_of| OpenLogin {
        account: ada.account,
        login: coditect_core::LoginId::random(),
        credential_of,
        from: None,
        at: at(20),
    };
    let checked = open(Some(at(0)));
    let change = ChangePassword {
        account: ada.account,
        password_hash: "another".into(),
        keep: coditect_core::LoginId::random(),
        tenant: ada.tenant,
        at: at(10),
    };
    world
        .registry
        .apply(RequestId::random(), &change)
        .await
        .unwrap();
    let error = world
        .registry
        .apply(RequestId::random(), &checked)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), coditect_core::Kind::Unauthenticated);
    world
        .registry
        .apply(RequestId::random(), &open(Some(at(10))))
        .await
        .unwrap();

    // And an account that was erased meanwhile does not come back as a hash.
    let erase = DeleteAccount {
        account: ada.account,
        at: at(30),
    };
    world
        .registry
        .apply(RequestId::random(), &erase)
        .await
        .unwrap();
    assert!(
        world
            .registry
            .apply(
                RequestId::random(),
                &ChangePassword {
                    at: at(31),
                    ..change
                }
            )
            .await
            .is_err()
    );
    assert!(!holds(&world.bytes().await, "another"));
}
