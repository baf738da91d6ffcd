//! Linked identities: unique, and never the last way to sign in.

use coditect_core::{AccountId, Kind};
use coditect_registry::operation::{
    CompleteRegistration, EnterByIdentity, Entered, LinkIdentity, Register, UnlinkIdentity,
    Verification,
};

use crate::{
    cast::external,
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
        placement: placement(),
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

#[tokio::test]
async fn an_address_is_not_taken_over_by_a_provider_nor_from_one() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    assert_eq!(
        world.done(&enter("s1", "ada@example.com")).await,
        Entered::AddressTaken
    );
    assert!(
        world
            .view()
            .await
            .identities(ada.account)
            .await
            .unwrap()
            .is_empty()
    );

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
