//! A change of e-mail moves the unique index in one step; a forgotten password ends every sign-in.

use coditect_core::{AccountId, Kind, LoginId};
use coditect_registry::operation::{
    ConfirmEmail, OpenLogin, RequestEmail, RequestPasswordReset, ResetPassword,
};

use crate::support::{World, at, holds};

fn request(account: AccountId, email: &str, proof: &str) -> RequestEmail {
    RequestEmail {
        account,
        email: email.parse().unwrap(),
        proof_hash: proof.into(),
        expires_at: at(3_600),
        at: at(1),
    }
}

fn confirm(account: AccountId, proof: &str, seconds: i64) -> ConfirmEmail {
    ConfirmEmail {
        account,
        proof_hash: proof.into(),
        at: at(seconds),
    }
}

#[tokio::test]
async fn the_address_moves_when_it_is_proved_and_the_old_one_is_free() {
    let world = World::new().await;
    let ada = world.sign_up("old@example.com").await;
    world
        .done(&request(ada.account, "first@example.com", "p1"))
        .await;
    assert!(
        world
            .done(&request(ada.account, "new@example.com", "p2"))
            .await
    );
    assert!(
        !holds(&world.bytes().await, "first@example.com"),
        "replaced"
    );
    for (proof, seconds) in [("p1", 2), ("wrong", 2), ("p2", 3_600)] {
        assert_eq!(
            world.refused(&confirm(ada.account, proof, seconds)).await,
            Kind::Forbidden,
            "{proof} at {seconds}"
        );
    }
    world.done(&confirm(ada.account, "p2", 2)).await;
    let mut view = world.view().await;
    let account = view.account(ada.account).await.unwrap().unwrap();
    assert_eq!(
        (account.email.as_str(), account.revision),
        ("new@example.com", 2)
    );
    let found = view
        .account_by_email(&"new@example.com".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(found.unwrap().0, ada.account);
    assert!(view.email_change(ada.account).await.unwrap().is_none());
    assert_eq!(
        world.refused(&confirm(ada.account, "p2", 3)).await,
        Kind::Forbidden,
        "a proof is used once"
    );
    world.sign_up("old@example.com").await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_not_noted_and_not_taken_later() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    world.sign_up("bob@example.com").await;
    assert!(
        !world
            .done(&request(ada.account, "bob@example.com", "p1"))
            .await
    );
    assert_eq!(
        world.refused(&confirm(ada.account, "p1", 2)).await,
        Kind::Forbidden
    );
    world
        .done(&request(ada.account, "late@example.com", "p2"))
        .await;
    world.sign_up("late@example.com").await;
    assert_eq!(
        world.refused(&confirm(ada.account, "p2", 2)).await,
        Kind::Conflict
    );
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_ends_every_sign_in() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let login = LoginId::random();
    world
        .done(&OpenLogin {
            account: ada.account,
            login,
            credential_of: None,
            from: None,
            at: at(1),
        })
        .await;
    world
        .done(&RequestPasswordReset {
            account: ada.account,
            proof_hash: "p".into(),
            expires_at: at(600),
            at: at(2),
        })
        .await;
    let reset = |proof: &str, seconds| ResetPassword {
        account: ada.account,
        proof_hash: proof.into(),
        password_hash: "$argon2id$new".into(),
        at: at(seconds),
    };
    assert_eq!(world.refused(&reset("q", 3)).await, Kind::Forbidden);
    assert_eq!(world.refused(&reset("p", 600)).await, Kind::Forbidden);
    assert_eq!(world.done(&reset("p", 4)).await, [login]);
    assert_eq!(world.refused(&reset("p", 5)).await, Kind::Forbidden);
    let mut view = world.view().await;
    let credential = view.credential(ada.account).await.unwrap().unwrap();
    assert_eq!(credential.password_hash, "$argon2id$new");
    assert!(
        view.login(ada.account, login, at(5))
            .await
            .unwrap()
            .is_none()
    );
}
