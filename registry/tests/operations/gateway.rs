//! What a workspace's gateway does in the registry.

use coditect_core::{
    AccountId, Kind, LoginId, RequestId, UserId,
    sidecar::{Use, VolumeUse},
};
use coditect_registry::{
    operation::{
        Beat, EndLogin, Enter, KeepState, OpenLogin, Provisioned, TakeBatch, shared_session,
    },
    record::{Gateway, Session, TakenBatch},
};
use jiff::SignedDuration;
use serde_json::json;
use uuid::Uuid;

use crate::{
    observer::local,
    support::{World, at},
};

async fn sign_in(world: &World, account: AccountId) -> LoginId {
    let login = LoginId::random();
    let open = OpenLogin {
        account,
        login,
        credential_of: None,
        from: None,
        at: at(0),
    };
    world.done(&open).await;
    login
}

fn entering(person: &Provisioned, login: LoginId, seconds: i64) -> Enter {
    Enter {
        login,
        workspace: person.workspace,
        attempt: Uuid::new_v4(),
        at: at(seconds),
    }
}

async fn known(world: &World, person: &Provisioned) -> Gateway {
    let mut view = world.view().await;
    let place = view.place_of(person.workspace).await.unwrap().unwrap();
    view.gateway(&place, person.workspace).await.unwrap()
}

#[tokio::test]
async fn a_person_comes_in_by_a_login_of_their_own_that_lasts() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let (login, bobs) = (
        sign_in(&world, ada.account).await,
        sign_in(&world, bob.account).await,
    );
    let admitted = world.done(&entering(&ada, login, 10)).await;
    assert_eq!((admitted.account, admitted.until), (ada.account, at(910)));
    assert_eq!(known(&world, &ada).await.entered_until, Some(at(910)));
    // Not for longer than the login lasts without a refresh.
    let late = world.done(&entering(&ada, login, 86_000)).await;
    assert_eq!(late.until, at(86_400));
    assert_eq!(
        world.refused(&entering(&ada, login, 86_400)).await,
        Kind::NotFound
    );
    assert_eq!(
        world.refused(&entering(&ada, bobs, 20)).await,
        Kind::NotFound
    );
    let end = EndLogin {
        account: ada.account,
        login,
        at: at(30),
    };
    world.done(&end).await;
    assert_eq!(
        world.refused(&entering(&ada, login, 31)).await,
        Kind::NotFound
    );
}

#[tokio::test]
async fn the_same_request_admits_the_first_attempt_alone() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let login = sign_in(&world, ada.account).await;
    let (request, first) = (RequestId::random(), entering(&ada, login, 1));
    let admitted = world.registry.apply(request, &first).await.unwrap();
    assert_eq!(admitted.attempt, first.attempt);
    let second = entering(&ada, login, 2);
    let again = world.registry.apply(request, &second).await.unwrap();
    assert_eq!(again, admitted);
}

fn beat(person: &Provisioned, seconds: i64) -> Beat {
    Beat {
        cell: local(),
        user: person.user,
        workspace: person.workspace,
        used: Use::Active,
        input_at: Some(at(seconds)),
        output_at: None,
        volume: None,
        at: at(seconds),
    }
}

#[tokio::test]
async fn nobody_types_once_the_last_who_came_in_is_out() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let input = async || {
        let activities = world.view().await.activities(&local()).await.unwrap();
        activities[&ada.workspace].input_at
    };
    world.done(&beat(&ada, 5)).await;
    assert_eq!(input().await, None);
    let login = sign_in(&world, ada.account).await;
    world.done(&entering(&ada, login, 10)).await;
    world.done(&beat(&ada, 20)).await;
    assert_eq!(input().await, Some(at(20)));
    world.done(&beat(&ada, 50_000)).await;
    assert_eq!(input().await, Some(at(910)));
    let volume = VolumeUse {
        used_bytes: 1,
        size_bytes: 2,
    };
    let measured = Beat {
        volume: Some(volume),
        ..beat(&ada, 50_030)
    };
    world.done(&measured).await;
    world.done(&beat(&ada, 50_060)).await;
    assert_eq!(known(&world, &ada).await.volume, Some(volume));
    let elses = Beat {
        user: UserId::random(),
        ..beat(&ada, 1)
    };
    assert_eq!(world.refused(&elses).await, Kind::NotFound);
}

#[tokio::test]
async fn a_batch_is_known_by_its_queue_and_number() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let (old, new) = (Uuid::new_v4(), Uuid::new_v4());
    for (queue, number, last) in [(old, 3, (old, 3)), (old, 2, (old, 3)), (new, 1, (new, 1))] {
        let take = TakeBatch {
            cell: local(),
            user: ada.user,
            workspace: ada.workspace,
            batch: TakenBatch { queue, number },
            at: at(1),
        };
        world.done(&take).await;
        let taken = known(&world, &ada).await.taken.unwrap();
        assert_eq!((taken.queue, taken.number), last);
    }
}

#[tokio::test]
async fn what_tabs_share_is_one_session_that_is_forgotten_like_others() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let keep = |revision, text: &str, seconds| KeepState {
        cell: local(),
        user: ada.user,
        workspace: ada.workspace,
        revision,
        state: json!({ "layout": text }),
        at: at(seconds),
    };
    world.done(&keep(7, "a", 1)).await;
    world.done(&keep(7, "a", 2)).await;
    assert_eq!(world.refused(&keep(7, "b", 3)).await, Kind::Conflict);
    assert_eq!(world.refused(&keep(6, "b", 3)).await, Kind::Conflict);
    world.done(&keep(8, "b", 4)).await;
    let session = shared_session(ada.workspace);
    let kept = world.view().await.session(ada.user, session).await;
    let kept = kept.unwrap().unwrap();
    assert_eq!((kept.revision, kept.seen_at), (8, at(4)));
    assert_eq!(
        kept.expires_at(),
        at(4) + SignedDuration::from_hours(30 * 24)
    );
    let huge = "x".repeat(Session::LARGEST_SHARED);
    let refused = world.refused(&keep(9, &huge, 5)).await;
    assert!(matches!(refused, Kind::Invalid { .. }));
}
