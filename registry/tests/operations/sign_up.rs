use coditect_core::{Kind, RequestId};
use coditect_registry::{
    operation::{ClaimSignIn, CompleteRegistration, Placement, Register, Verification},
    record::RegistrationState,
    store::{StoreError, faulty::Fault},
};

use crate::support::{World, at, cell, holds, placement};

#[tokio::test]
async fn one_transaction_makes_everything() {
    let world = World::new().await;
    let made = world.sign_up("ada@example.com").await;
    let mut view = world.registry.view().await.unwrap();
    assert_eq!(
        view.account_by_email(&"ada@example.com".parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .0,
        made.account
    );
    let workspace = view.workspace(made.account, made.workspace).await.unwrap();
    assert_eq!(workspace.profile.name.as_str(), "default");
    assert_eq!(workspace.phase(), coditect_core::Phase::Requested);
    let changes = view
        .changes_after(&"local".parse().unwrap(), coditect_core::Version(0), 10)
        .await
        .unwrap();
    assert_eq!(changes.users.into_iter().collect::<Vec<_>>(), [made.user]);
    assert_eq!(view.cell_load(&"local".parse().unwrap()).await.unwrap(), 1);
    assert_eq!(view.audit(made.tenant, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_taken_address_is_answered_alike_and_changes_nothing() {
    let world = World::new().await;
    world.sign_up("ada@example.com").await;
    let again = World::register("ADA@example.com");
    world
        .registry
        .apply(RequestId::random(), &again)
        .await
        .unwrap();
    let mut view = world.registry.view().await.unwrap();
    assert_eq!(
        view.registration(again.registration)
            .await
            .unwrap()
            .unwrap()
            .state,
        RegistrationState::Void
    );
    assert_eq!(view.cell_load(&"local".parse().unwrap()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_retried_sign_up_does_not_find_its_own_address_taken() {
    let world = World::new().await;
    let (register, request) = (World::register("ada@example.com"), RequestId::random());
    // The commit happens, and its answer is lost: the operation runs again under the same request.
    world.store.inject(Fault::CommitThenUnknown, 1);
    world.registry.apply(request, &register).await.unwrap();
    assert!(world.store.is_spent());
    let first = world.provisioned(register.registration).await.unwrap();
    world.registry.apply(request, &register).await.unwrap();
    assert_eq!(
        world.provisioned(register.registration).await.unwrap(),
        first
    );
    assert_eq!(
        world
            .registry
            .view()
            .await
            .unwrap()
            .cell_load(&"local".parse().unwrap())
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn nothing_is_provisioned_before_the_address_is_proved() {
    let world = World::new().await;
    let register = Register {
        verification: Verification::Email,
        terms: Some("2026-11-01".parse().unwrap()),
        ..World::register("ada@example.com")
    };
    world
        .registry
        .apply(RequestId::random(), &register)
        .await
        .unwrap();
    let mut view = world.registry.view().await.unwrap();
    assert!(
        view.account_by_email(&register.email)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        view.changes_after(&"local".parse().unwrap(), coditect_core::Version(0), 10)
            .await
            .unwrap()
            .users
            .is_empty()
    );

    let complete = CompleteRegistration {
        registration: register.registration,
        placement: placement(),
        at: at(5),
    };
    let made = world
        .registry
        .apply(RequestId::random(), &complete)
        .await
        .unwrap();
    assert_eq!(
        world
            .registry
            .apply(RequestId::random(), &complete)
            .await
            .unwrap(),
        made,
        "a second click changes nothing"
    );
    assert_eq!(
        world.provisioned(register.registration).await.unwrap(),
        made
    );
    let mut view = world.registry.view().await.unwrap();
    let terms = view.account(made.account).await.unwrap().unwrap().terms;
    let terms = terms.expect("what was agreed to is kept over the proof");
    assert_eq!(
        (terms.version, terms.at),
        (register.terms.unwrap(), register.at)
    );
}

#[tokio::test]
async fn the_emptiest_open_cell_with_room_is_chosen() {
    let world = World::new().await;
    let mut closed = cell("closed", 1_000);
    closed.closed = true;
    let cells = vec![cell("small", 1), cell("large", 1_000), closed];
    let mut chosen = Vec::new();
    for n in 0..3 {
        let register = Register {
            placement: Placement {
                cells: cells.clone(),
                ..placement()
            },
            ..World::register(&format!("p{n}@example.com"))
        };
        world
            .registry
            .apply(RequestId::random(), &register)
            .await
            .unwrap();
        let made = world.provisioned(register.registration).await.unwrap();
        chosen.push(
            world
                .registry
                .view()
                .await
                .unwrap()
                .user(made.user)
                .await
                .unwrap()
                .unwrap()
                .1
                .cell
                .to_string(),
        );
    }
    assert_eq!(chosen, ["small", "large", "large"]);

    let full = Register {
        placement: Placement {
            cells: vec![cell("small", 1)],
            ..placement()
        },
        ..World::register("late@example.com")
    };
    let error = world
        .registry
        .apply(RequestId::random(), &full)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), Kind::Unavailable);
    assert!(
        !holds(&world.bytes().await, "late@example.com"),
        "a refused sign-up writes nothing"
    );
}

#[tokio::test]
async fn a_fresh_sign_up_signs_in_once() {
    let world = World::new().await;
    let register = World::register("ada@example.com");
    world
        .registry
        .apply(RequestId::random(), &register)
        .await
        .unwrap();
    let claim = |seconds| ClaimSignIn {
        registration: register.registration,
        at: at(seconds),
    };
    assert!(
        world
            .registry
            .apply(RequestId::random(), &claim(3_600))
            .await
            .is_err(),
        "not after an hour"
    );
    world
        .registry
        .apply(RequestId::random(), &claim(5))
        .await
        .unwrap();
    assert!(
        world
            .registry
            .apply(RequestId::random(), &claim(6))
            .await
            .is_err(),
        "not twice"
    );
}

#[tokio::test]
async fn one_request_id_is_never_taken_for_two_operations() {
    let world = World::new().await;
    let request = RequestId::random();
    let register = World::register("ada@example.com");
    world.registry.apply(request, &register).await.unwrap();
    let claim = ClaimSignIn {
        registration: register.registration,
        at: at(1),
    };
    assert_eq!(
        *world
            .registry
            .apply(request, &claim)
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_said_so() {
    let world = World::new().await;
    world.store.inject(
        Fault::Commit(StoreError::Unavailable("disk full".into())),
        1,
    );
    let error = world
        .registry
        .apply(RequestId::random(), &World::register("ada@example.com"))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), Kind::Unavailable);
    world.sign_up("ada@example.com").await;
}
