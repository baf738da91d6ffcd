//! API keys: found by hash alone, until they are revoked, expire, or their user leaves.

use coditect_core::{ApiKeyId, Kind, RequestId};
use coditect_registry::operation::{
    IssueApiKey, MarkAccount, Provisioned, RevokeApiKey, TouchApiKey,
};

use crate::support::{World, at};

fn issue(person: &Provisioned, byte: u8) -> IssueApiKey {
    IssueApiKey {
        account: person.account,
        user: person.user,
        api_key: ApiKeyId::random(),
        name: "laptop".into(),
        prefix: "cod_1234".into(),
        hash: format!("{byte:02x}").repeat(32),
        scopes: ["workspaces:read".to_owned()].into(),
        expires_at: Some(at(10_000)),
        at: at(0),
    }
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_until_it_is_revoked() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let key = issue(&ada, 1);
    world.done(&key).await;
    let same_hash = IssueApiKey {
        api_key: ApiKeyId::random(),
        ..issue(&bob, 1)
    };
    assert_eq!(world.refused(&same_hash).await, Kind::Conflict);
    let found = async |seconds| {
        world
            .view()
            .await
            .api_key_by_hash(&key.hash, at(seconds))
            .await
            .unwrap()
    };
    let (place, record, user) = found(1).await.unwrap();
    assert_eq!((place.api_key, place.account), (key.api_key, ada.account));
    assert_eq!((record.used_at, user.account), (None, ada.account));
    assert!(found(10_000).await.is_none(), "it has an end");

    for (seconds, used) in [(10, 10), (3_609, 10), (3_610, 3_610)] {
        assert!(
            world
                .done(&TouchApiKey {
                    place,
                    at: at(seconds)
                })
                .await
        );
        assert_eq!(found(3_700).await.unwrap().1.used_at, Some(at(used)));
    }
    let revoke = |person: &Provisioned| RevokeApiKey {
        account: person.account,
        user: ada.user,
        api_key: key.api_key,
        at: at(3_800),
    };
    assert_eq!(world.refused(&revoke(&bob)).await, Kind::NotFound);
    world.done(&revoke(&ada)).await;
    assert!(found(3_801).await.is_none());
    assert!(
        !world
            .done(&TouchApiKey {
                place,
                at: at(3_802)
            })
            .await
    );
    assert!(
        world
            .view()
            .await
            .api_keys(ada.user)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_key_of_somebody_on_the_way_out_is_none() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let key = issue(&ada, 1);
    world.done(&key).await;
    world
        .done(&MarkAccount {
            account: ada.account,
            until: at(500),
            at: at(1),
        })
        .await;
    let mut view = world.view().await;
    assert!(
        view.api_key_by_hash(&key.hash, at(2))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(world.refused(&issue(&ada, 2)).await, Kind::Conflict);
}

#[tokio::test]
async fn keys_are_bounded_and_named() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    for name in ["", &"x".repeat(65)] {
        let odd = IssueApiKey {
            name: name.into(),
            ..issue(&ada, 0)
        };
        assert!(matches!(world.refused(&odd).await, Kind::Invalid { .. }));
    }
    let plain = IssueApiKey {
        hash: "cod_1234_the_key_itself".into(),
        ..issue(&ada, 0)
    };
    assert_eq!(
        world.refused(&plain).await,
        Kind::Internal,
        "never the key itself"
    );
    for byte in 0..50 {
        world
            .registry
            .apply(RequestId::random(), &issue(&ada, byte))
            .await
            .unwrap();
    }
    assert!(matches!(
        world.refused(&issue(&ada, 50)).await,
        Kind::LimitReached { .. }
    ));
}
