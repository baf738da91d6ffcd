//! A change of e-mail moves the unique index in one step; a forgotten password ends every sign-in.

use coditect_core::{AccountId, InvitationId, Kind, LoginId};
use coditect_registry::{
    operation::{
        ChangePassword, ConfirmEmail, Invite, OpenLogin, Register, RequestEmail,
        RequestPasswordReset, ResetPassword, Verification,
    },
    record::Role,
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

#[tokio::test]
async fn whoever_is_shut_out_by_a_new_password_has_nothing_left_to_prove() {
    for by_mail in [true, false] {
        let world = World::new().await;
        let ada = world.sign_up("ada@example.com").await;
        // Somebody in her session wants her address to be theirs, and gets a second letter on its way.
        world
            .done(&request(ada.account, "thief@example.com", "p1"))
            .await;
        let forgotten = |proof: &str| RequestPasswordReset {
            account: ada.account,
            proof_hash: proof.into(),
            expires_at: at(3_600),
            at: at(2),
        };
        world.done(&forgotten("p2")).await;
        if by_mail {
            world
                .done(&ResetPassword {
                    account: ada.account,
                    proof_hash: "p2".into(),
                    password_hash: "$argon2id$new".into(),
                    at: at(3),
                })
                .await;
        } else {
            world
                .done(&ChangePassword {
                    account: ada.account,
                    password_hash: "$argon2id$new".into(),
                    keep: LoginId::random(),
                    tenant: ada.tenant,
                    at: at(3),
                })
                .await;
            let reset = ResetPassword {
                account: ada.account,
                proof_hash: "p2".into(),
                password_hash: "$argon2id$thief".into(),
                at: at(4),
            };
            assert_eq!(world.refused(&reset).await, Kind::Forbidden);
        }
        assert_eq!(
            world.refused(&confirm(ada.account, "p1", 4)).await,
            Kind::Forbidden,
            "by mail: {by_mail}"
        );
        assert!(!holds(&world.bytes().await, "thief@example.com"));
    }
}

#[tokio::test]
async fn a_former_address_is_mentioned_nowhere() {
    let world = World::new().await;
    let host = world.sign_up("host@example.com").await;
    let pending = Register {
        verification: Verification::Email,
        ..World::register("old@example.com")
    };
    world.done(&pending).await;
    let ada = world.sign_up("old@example.com").await;
    world
        .done(&Invite {
            by: host.account,
            tenant: host.tenant,
            invitation: InvitationId::random(),
            email: "old@example.com".parse().unwrap(),
            role: Role::Member,
            proof_hash: "p".into(),
            expires_at: at(600_000),
            at: at(1),
        })
        .await;
    world
        .done(&request(ada.account, "new@example.com", "p1"))
        .await;
    world.done(&confirm(ada.account, "p1", 2)).await;
    assert!(!holds(&world.bytes().await, "old@example.com"));
}

#[tokio::test]
async fn nobody_makes_an_address_too_large_to_be_erased() {
    let world = World::new().await;
    let mut first = None;
    for seconds in 0..101 {
        let pending = Register {
            verification: Verification::Email,
            at: at(seconds),
            ..World::register("ada@example.com")
        };
        first.get_or_insert(pending.registration);
        world.apply(&pending).await;
    }
    let entries = world.entries().await;
    let mentions = entries
        .iter()
        .filter(|(key, _)| holds(key, "ada@example.com"));
    assert_eq!(mentions.count(), 100);
    let first = first.unwrap();
    assert_eq!(world.traces(first.as_uuid()).await, Vec::<String>::new());
}
