//! Linked identities: unique, and never the last way to sign in.

use coditect_core::{AccountId, Kind};
use coditect_registry::{
    keys,
    operation::{
        CompleteRegistration, EnterByIdentity, Entered, LinkIdentity, Register, UnlinkIdentity,
        Verification,
    },
};

use crate::{
    cast::{ada, external},
    support::{World, at, placement},
};

fn link(account: AccountId, provider: &str, subject: &str) -> LinkIdentity {
    LinkIdentity {
        account,
        provider: provider.parse().unwrap(),
        subject: external(subject),
        at: at(1),
    }
}

fn unlink(account: AccountId, provider: &str) -> UnlinkIdentity {
    UnlinkIdentity {
        account,
        provider: provider.parse().unwrap(),
        at: at(2),
    }
}

fn enter(subject: &str, email: &str) -> EnterByIdentity {
    EnterByIdentity {
        provider: "google".parse().unwrap(),
        subject: external(subject),
        email: email.parse().unwrap(),
        display_name: "Ada".parse().unwrap(),
        terms: Some("2026-11-01".parse().unwrap()),
        placement: Some(placement()),
        at: at(3),
    }
}

#[tokio::test]
async fn an_identity_belongs_to_one_account() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    world.done(&link(ada.account, "google", "s1")).await;
    world.done(&link(ada.account, "google", "s1")).await;
    assert_eq!(
        world.refused(&link(bob.account, "google", "s1")).await,
        Kind::Conflict
    );
    assert_eq!(
        world.refused(&link(ada.account, "google", "s2")).await,
        Kind::Conflict,
        "one of a provider"
    );
    // The same subject of another provider is somebody else.
    world.done(&link(bob.account, "github", "s1")).await;
    let mut view = world.view().await;
    let google = "google".parse().unwrap();
    assert_eq!(
        view.account_by_identity(&google, &external("s1"))
            .await
            .unwrap(),
        Some(ada.account)
    );
    let linked = view.identities(ada.account).await.unwrap();
    assert_eq!(linked.len(), 1);
    assert_eq!(
        (&linked[0].0, &linked[0].1.subject),
        (&google, &external("s1"))
    );

    world.done(&unlink(ada.account, "google")).await;
    world.done(&link(bob.account, "google", "s1")).await;
    assert_eq!(
        world.refused(&unlink(ada.account, "google")).await,
        Kind::NotFound
    );
}

#[tokio::test]
async fn the_last_way_to_sign_in_stays() {
    let world = World::new().await;
    let Entered::Made(made) = world.done(&enter("s1", "ada@example.com")).await else {
        panic!("nobody had that identity");
    };
    assert_eq!(
        world.done(&enter("s1", "elsewhere@example.com")).await,
        Entered::Known(made.account),
        "the subject counts, not the address"
    );
    assert!(
        world
            .view()
            .await
            .credential(made.account)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        world.refused(&unlink(made.account, "google")).await,
        Kind::Conflict
    );
    world.done(&link(made.account, "github", "s9")).await;
    world.done(&unlink(made.account, "google")).await;
    assert_eq!(
        world.refused(&unlink(made.account, "github")).await,
        Kind::Conflict
    );
}

/// Somebody who signed up with the address and proved it.
async fn verified(world: &World, email: &str) -> AccountId {
    let asked = Register {
        verification: Verification::Email,
        ..World::register(email)
    };
    world.done(&asked).await;
    let complete = CompleteRegistration {
        registration: asked.registration,
        placement: placement(),
        at: at(1),
    };
    world.done(&complete).await.account
}

#[tokio::test]
async fn an_address_is_not_taken_over_by_a_provider_nor_from_one() {
    let world = World::new().await;
    let ada = verified(&world, "ada@example.com").await;
    assert_eq!(
        world.done(&enter("s1", "ada@example.com")).await,
        Entered::AddressTaken
    );
    let mut view = world.view().await;
    assert!(view.identities(ada).await.unwrap().is_empty());
    assert!(view.credential(ada).await.unwrap().is_some());

    // A sign-up that waits for its proof when the person comes by a provider: its password is nobody's.
    let planted = Register {
        verification: Verification::Email,
        ..World::register("victim@example.com")
    };
    world.done(&planted).await;
    let Entered::Made(victim) = world.done(&enter("s2", "victim@example.com")).await else {
        panic!("nobody had that identity");
    };
    let complete = CompleteRegistration {
        registration: planted.registration,
        placement: placement(),
        at: at(4),
    };
    assert_eq!(world.refused(&complete).await, Kind::Conflict);
    assert!(
        world
            .view()
            .await
            .credential(victim.account)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn whoever_lay_in_wait_in_an_unproved_account_is_shut_out_by_its_owner() {
    let world = World::new().await;
    let planted = ada(&world).await;
    let account = planted.person.account;
    let entered = enter("subject-of-the-owner", "ada@ada.example");
    assert_eq!(world.done(&entered).await, Entered::Reclaimed(account));

    let mut view = world.view().await;
    assert!(view.credential(account).await.unwrap().is_none());
    assert!(
        view.login(account, planted.login, at(50))
            .await
            .unwrap()
            .is_none()
    );
    let linked = view.identities(account).await.unwrap();
    assert_eq!(linked.len(), 1);
    assert_eq!(linked[0].1.subject, external("subject-of-the-owner"));
    let google = "google".parse().unwrap();
    let former = external("subject-of-ada");
    assert_eq!(
        view.account_by_identity(&google, &former).await.unwrap(),
        None
    );
    for of in [
        keys::api_key_hash(&planted.api_key_hash),
        keys::second_factor(account),
        keys::email_change(account),
        keys::password_reset(account),
    ] {
        assert!(!world.entries().await.iter().any(|(key, _)| *key == of));
    }
    assert!(
        world
            .keys_of(&keys::account_registrations(account))
            .await
            .is_empty()
    );
    let record = view.account(account).await.unwrap().unwrap();
    assert_eq!(record.email_verified_at, Some(at(3)));
    assert_eq!(record.terms.unwrap().version.as_str(), "2026-11-01");
    assert_eq!(record.display_name.as_str(), "Ada");

    // From now on it is proved, and taken from nobody.
    let another = enter("subject-of-another", "ada@ada.example");
    assert_eq!(world.done(&another).await, Entered::AddressTaken);
    assert_eq!(world.done(&entered).await, Entered::Known(account));
}

#[tokio::test]
async fn where_no_account_is_to_be_made_a_stranger_stays_one() {
    let world = World::new().await;
    let stranger = EnterByIdentity {
        placement: None,
        ..enter("s1", "ada@example.com")
    };
    assert_eq!(world.done(&stranger).await, Entered::Unknown);
    let mut view = world.view().await;
    let email = "ada@example.com".parse().unwrap();
    assert!(view.account_by_email(&email).await.unwrap().is_none());
    let made = world.done(&enter("s1", "ada@example.com")).await;
    assert!(matches!(made, Entered::Made(_)), "{made:?}");
    let known = world.done(&stranger).await;
    assert!(matches!(known, Entered::Known(_)), "{known:?}");
}
