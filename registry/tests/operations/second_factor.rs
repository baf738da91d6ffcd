//! A second factor is asked for once it was shown, and a code is taken once.

use coditect_core::{AccountId, Kind, RequestId};
use coditect_registry::{
    operation::{
        ConfirmSecondFactor, OfferSecondFactor, RemoveSecondFactor, SecondProof, UseSecondFactor,
    },
    record::Action,
};

use crate::support::{World, at};

fn offer(account: AccountId, secret: &str) -> OfferSecondFactor {
    OfferSecondFactor {
        account,
        sealed_secret: secret.into(),
        at: at(1),
    }
}

fn confirm(account: AccountId, secret: &str) -> ConfirmSecondFactor {
    ConfirmSecondFactor {
        account,
        sealed_secret: secret.into(),
        step: 10,
        recovery: vec!["r1".into(), "r2".into()],
        at: at(2),
    }
}

#[tokio::test]
async fn a_code_is_taken_once_and_none_older() {
    let world = World::new().await;
    let account = world.sign_up("ada@example.com").await.account;
    let show = |proof| UseSecondFactor {
        account,
        proof,
        at: at(3),
    };
    world.done(&offer(account, "s1")).await;
    assert_eq!(
        world.refused(&show(SecondProof::Step(11))).await,
        Kind::NotFound,
        "not confirmed"
    );
    world.done(&offer(account, "s2")).await;
    assert_eq!(world.refused(&confirm(account, "s1")).await, Kind::Conflict);
    world.done(&confirm(account, "s2")).await;
    assert_eq!(world.refused(&offer(account, "s3")).await, Kind::Conflict);
    assert_eq!(world.refused(&confirm(account, "s2")).await, Kind::Conflict);

    for (proof, taken) in [
        (SecondProof::Step(10), false),
        (SecondProof::Step(12), true),
        (SecondProof::Step(12), false),
        (SecondProof::Step(11), false),
        (SecondProof::Recovery("r1".into()), true),
        (SecondProof::Recovery("r1".into()), false),
        (SecondProof::Recovery("r3".into()), false),
    ] {
        let said = format!("{proof:?}");
        assert_eq!(world.done(&show(proof)).await, taken, "{said}");
    }
    let left = world
        .view()
        .await
        .second_factor(account)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left.recovery, ["r2"]);
}

#[tokio::test]
async fn switching_it_off_is_noted() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    world.done(&offer(ada.account, "s")).await;
    world.done(&confirm(ada.account, "s")).await;
    let remove = RemoveSecondFactor {
        account: ada.account,
        at: at(4),
    };
    world.done(&remove).await;
    let mut view = world.view().await;
    assert!(view.second_factor(ada.account).await.unwrap().is_none());
    let audit = view.audit(ada.tenant, 10).await.unwrap();
    let said: Vec<_> = audit.into_iter().map(|entry| entry.action).collect();
    assert_eq!(
        said[..2],
        [Action::SecondFactorRemoved, Action::SecondFactorEnabled]
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_does_not_switch_off_a_newer_one() {
    let world = World::new().await;
    let account = world.sign_up("ada@example.com").await.account;
    world.done(&offer(account, "s1")).await;
    world.done(&confirm(account, "s1")).await;
    let (request, remove) = (
        RequestId::random(),
        RemoveSecondFactor { account, at: at(4) },
    );
    world.registry.apply(request, &remove).await.unwrap();
    world.done(&offer(account, "s2")).await;
    world.done(&confirm(account, "s2")).await;
    world.registry.apply(request, &remove).await.unwrap();
    let left = world.view().await.second_factor(account).await.unwrap();
    assert_eq!(left.unwrap().sealed_secret, "s2");
}
