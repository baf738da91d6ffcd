//! What expires is forgotten, what was prolonged is not, and nothing is left of either.

use coditect_core::{ApiKeyId, InvitationId, LoginId, SessionId};
use coditect_registry::{
    keys,
    operation::{
        ForgetExpired, Invite, IssueApiKey, OpenLogin, OpenSession, RequestEmail, TouchSession,
    },
    record::Role,
};

use crate::{
    cast,
    support::{World, at},
};

const DAY: i64 = 86_400;

async fn expiries(world: &World) -> usize {
    let entries = world.entries().await;
    entries
        .iter()
        .filter(|(key, _)| keys::parse(key).unwrap().kind.pattern.starts_with("expiry"))
        .count()
}

async fn forget(world: &World, seconds: i64) {
    let entries = world.keys_of(&keys::expiries_before(at(seconds))).await;
    for entries in entries.chunks(2) {
        let forget = ForgetExpired {
            entries: entries.to_vec(),
            at: at(seconds),
        };
        world.done(&forget).await;
    }
}

#[tokio::test]
async fn each_goes_in_its_time() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let (login, session, api_key, invitation) = (
        LoginId::random(),
        SessionId::random(),
        ApiKeyId::random(),
        InvitationId::random(),
    );
    world
        .done(&OpenLogin {
            account: ada.account,
            login,
            credential_of: None,
            from: None,
            at: at(0),
        })
        .await;
    world
        .done(&OpenSession {
            account: ada.account,
            session,
            workspace: ada.workspace,
            state: serde_json::Value::Null,
            at: at(0),
        })
        .await;
    world
        .done(&IssueApiKey {
            account: ada.account,
            user: ada.user,
            api_key,
            name: "laptop".into(),
            prefix: "cod".into(),
            hash: "ab".repeat(32),
            scopes: std::collections::BTreeSet::new(),
            expires_at: Some(at(DAY)),
            at: at(0),
        })
        .await;
    world
        .done(&Invite {
            by: ada.account,
            tenant: ada.tenant,
            invitation,
            email: "bob@example.com".parse().unwrap(),
            role: Role::Member,
            proof_hash: "p".into(),
            expires_at: at(7 * DAY),
            at: at(0),
        })
        .await;
    for (proof, until) in [("first", 3_000), ("second", 3 * DAY)] {
        world
            .done(&RequestEmail {
                account: ada.account,
                email: "new@example.com".parse().unwrap(),
                proof_hash: proof.into(),
                expires_at: at(until),
                at: at(0),
            })
            .await;
    }
    world
        .done(&TouchSession {
            account: ada.account,
            user: ada.user,
            session,
            at: at(20 * DAY),
        })
        .await;
    assert_eq!(
        expiries(&world).await,
        5,
        "one each; what was prolonged moved"
    );

    // Each row: by when, and whether API key, change of e-mail, invitation, sign-in and session are still there.
    for (seconds, there) in [
        (3_000 + 7_200, [true, true, true, true, true]),
        (DAY + 7_200, [false, true, true, true, true]),
        (3 * DAY + 7_200, [false, false, true, true, true]),
        (7 * DAY + 7_200, [false, false, false, true, true]),
        (30 * DAY + 7_200, [false, false, false, false, true]),
        (50 * DAY + 7_200, [false, false, false, false, false]),
    ] {
        forget(&world, seconds).await;
        let mut view = world.view().await;
        let seen = [
            !view.api_keys(ada.user).await.unwrap().is_empty(),
            view.email_change(ada.account).await.unwrap().is_some(),
            view.invitation(ada.tenant, invitation)
                .await
                .unwrap()
                .is_some(),
            !view.sign_ins(ada.account, at(0)).await.unwrap().is_empty(),
            !view.sessions(ada.user).await.unwrap().is_empty(),
        ];
        assert_eq!(seen, there, "after {seconds} s");
    }
    assert_eq!(expiries(&world).await, 0);
    for id in [
        login.as_uuid(),
        session.as_uuid(),
        api_key.as_uuid(),
        invitation.as_uuid(),
    ] {
        assert_eq!(world.traces(id).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_person_with_everything_expires_without_a_rest() {
    let world = World::new().await;
    cast::ada(&world).await;
    assert!(expiries(&world).await >= 6);
    forget(&world, 400 * DAY).await;
    assert_eq!(expiries(&world).await, 0);
}
