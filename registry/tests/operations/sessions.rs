//! Sessions: shared state with an entity tag, bounded, theirs alone.

use coditect_core::{Kind, SessionId};
use coditect_registry::{
    operation::{
        DeleteWorkspace, EndSession, OpenSession, Provisioned, TouchSession, UpdateSession,
    },
    record::Session,
};
use serde_json::json;

use crate::support::{World, at};

async fn open(world: &World, person: &Provisioned) -> SessionId {
    let session = SessionId::random();
    world.done(&opening(person, session)).await;
    session
}

fn opening(person: &Provisioned, session: SessionId) -> OpenSession {
    OpenSession {
        account: person.account,
        session,
        workspace: person.workspace,
        state: json!({"tabs": []}),
        at: at(0),
    }
}

#[tokio::test]
async fn tabs_share_a_session_and_do_not_overwrite_each_other() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let session = open(&world, &ada).await;
    let update = |expected, tab: &str, seconds| UpdateSession {
        account: ada.account,
        user: ada.user,
        session,
        expected,
        state: json!({"tabs": [tab]}),
        at: at(seconds),
    };
    assert_eq!(world.done(&update(Some(1), "a", 1)).await, 2);
    assert_eq!(
        world.refused(&update(Some(1), "b", 2)).await,
        Kind::Conflict
    );
    assert_eq!(world.done(&update(None, "c", 3)).await, 3);
    let huge = UpdateSession {
        state: json!("x".repeat(Session::LARGEST_STATE)),
        ..update(None, "", 4)
    };
    assert!(matches!(world.refused(&huge).await, Kind::Invalid { .. }));
    let kept = world
        .view()
        .await
        .session(ada.user, session)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.state, kept.seen_at), (json!({"tabs": ["c"]}), at(3)));
}

#[tokio::test]
async fn signs_of_life_are_kept_to_the_minute() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let session = open(&world, &ada).await;
    for (seconds, seen) in [(30, 0), (61, 61), (90, 61), (4_000, 4_000)] {
        world
            .done(&TouchSession {
                account: ada.account,
                user: ada.user,
                session,
                at: at(seconds),
            })
            .await;
        let kept = world
            .view()
            .await
            .session(ada.user, session)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(kept.seen_at, at(seen));
    }
}

#[tokio::test]
async fn sessions_are_the_users_own() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let session = open(&world, &ada).await;
    assert_eq!(world.refused(&opening(&ada, session)).await, Kind::Conflict);
    let foreign = OpenSession {
        account: bob.account,
        ..opening(&ada, SessionId::random())
    };
    assert_eq!(world.refused(&foreign).await, Kind::NotFound);
    let end = |account| EndSession {
        account,
        user: ada.user,
        session,
        at: at(1),
    };
    assert_eq!(world.refused(&end(bob.account)).await, Kind::NotFound);
    world.done(&end(ada.account)).await;
    assert!(
        world
            .view()
            .await
            .sessions(ada.user)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(world.traces(session.as_uuid()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_new_session_ends_the_one_that_was_left_longest_ago() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let mut opened = Vec::new();
    for seconds in 0..20 {
        let session = SessionId::random();
        world
            .apply(&OpenSession {
                at: at(seconds),
                ..opening(&ada, session)
            })
            .await;
        opened.push(session);
    }
    world
        .done(&TouchSession {
            account: ada.account,
            user: ada.user,
            session: opened[0],
            at: at(100),
        })
        .await;
    opened.push(open(&world, &ada).await);
    let left = world.view().await.sessions(ada.user).await.unwrap();
    let left: Vec<_> = left.into_iter().map(|(id, _)| id).collect();
    assert_eq!(left.len(), 20);
    assert!(left.contains(&opened[0]) && !left.contains(&opened[1]));
    assert_eq!(
        world.traces(opened[1].as_uuid()).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_workspace_takes_its_sessions_along() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let second = world.create(&ada, "second").await.unwrap();
    let kept = open(&world, &ada).await;
    let gone = open(
        &world,
        &Provisioned {
            workspace: second,
            ..ada
        },
    )
    .await;
    world
        .done(&DeleteWorkspace {
            account: ada.account,
            workspace: second,
            at: at(5),
        })
        .await;
    let left = world.view().await.sessions(ada.user).await.unwrap();
    assert_eq!(
        left.into_iter().map(|(id, _)| id).collect::<Vec<_>>(),
        [kept]
    );
    assert_eq!(world.traces(gone.as_uuid()).await, Vec::<String>::new());
}
