//! What workspaces' gateways call, and how people come in.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::sidecar::{self, ENTRY_TOKEN_TYPE, Entry, EntryClaims, entry_audience};
use coditect_registry::store::{StoreError, faulty::Fault};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    gateway::{Cell, Pod},
    harness::{App, Person},
};

#[tokio::test]
async fn a_pods_token_becomes_a_credential_of_five_minutes() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let credential = cell.credential(&pod).await;
    let lasts = SignedDuration::from_mins(5);
    assert_eq!(credential.expires_at, cell.app.now() + lasts);
    assert_eq!(credential.issuer, cell.app.base);
    assert_eq!(credential.web_app, cell.app.base);
    let answer = cell.call(&pod, "GET", sidecar::STATE_PATH, None).await;
    answer.expect_problem(404, "not-found");
    // It renews nothing.
    cell.exchange(&pod.credential)
        .await
        .expect_problem(401, "unauthenticated");
    cell.app.advance(300);
    let answer = cell.call(&pod, "GET", sidecar::STATE_PATH, None).await;
    answer.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_that_is_not_the_pods_gives_nothing() {
    let cell = Cell::start().await;
    let (pod, eve) = (
        cell.pod("ada@example.com").await,
        cell.pod("eve@example.com").await,
    );
    let good = cell.claims(&pod);
    let now = cell.app.now().as_second();
    let changed = |pointer: &str, value: Value| {
        let mut claims = good.clone();
        *claims.pointer_mut(pointer).unwrap() = value;
        claims
    };
    let bound = |name: &str| format!("/kubernetes.io/{name}");
    let nobodys = "00000000-0000-4000-8000-000000000000";
    let mut tokens: Vec<String> = [
        changed("/iss", json!("https://elsewhere.example")),
        changed("/aud", json!(["https://kubernetes.default.svc"])),
        changed("/aud", json!("coditect")),
        changed("/exp", json!(now)),
        changed("/nbf", json!(now + 61)),
        changed(&bound("namespace"), json!(format!("user-{}", eve.user))),
        changed(&bound("namespace"), json!(pod.user)),
        changed(&bound("namespace"), json!("kube-system")),
        changed(&bound("serviceaccount/name"), json!("default")),
        changed(
            &bound("pod/name"),
            json!(format!("workspace-{}-0", eve.workspace)),
        ),
        changed(&bound("pod/name"), json!(format!("workspace-{nobodys}-0"))),
        changed(
            &bound("pod/name"),
            json!(format!("workspace-{}-1", pod.workspace)),
        ),
        changed(&bound("pod"), Value::Null),
        changed("/kubernetes.io", Value::Null),
    ]
    .iter()
    .map(|claims| cell.cluster.sign(claims))
    .collect();
    let stranger = Cluster::new("https://kubernetes.default.svc.cluster.local");
    tokens.push(stranger.sign(&good));
    tokens.push(stranger.sign_as(cell.cluster.name(), &good));
    tokens.push(pod.person.token.clone());
    tokens.push("x.y.z".to_owned());
    tokens.push(String::new());
    let version = cell.app.version().await;
    for token in tokens {
        cell.exchange(&token)
            .await
            .expect_problem(401, "unauthenticated");
    }
    let unsigned = cell.app.request("POST", sidecar::CREDENTIAL_PATH);
    cell.app
        .send(unsigned)
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(cell.app.version().await, version, "something was written");
    cell.exchange(&cell.cluster.sign(&good)).await.expect(200);
}

#[tokio::test]
async fn another_cells_cluster_vouches_for_its_own_pods_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (
        Cluster::new("https://a.example"),
        Cluster::new("https://b.example"),
    );
    ours.publish(folder.path(), "local");
    other.publish(folder.path(), "other");
    let app = App::with(|config| config.cell_keys = Some(folder.path().to_owned())).await;
    let person = app.person("ada@example.com").await;
    let me = app
        .call(&person, "GET", "/api/v5/me", None)
        .await
        .expect(200)
        .json();
    let path = app.workspace(&person).await;
    let (user, workspace) = (
        me["user_id"].as_str().unwrap(),
        path.rsplit('/').next().unwrap(),
    );
    for (cluster, status) in [(&other, 401), (&ours, 200)] {
        let token = cluster.sign(&cluster.claims(user, workspace, app.now()));
        let request = app
            .request("POST", sidecar::CREDENTIAL_PATH)
            .bearer_auth(token);
        app.send(request).await.expect(status);
    }
}

#[tokio::test]
async fn a_workspace_that_is_off_gets_no_credential_and_may_still_hand_over_what_it_has() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    cell.power(&pod, "stop").await;
    let token = cell.cluster.sign(&cell.claims(&pod));
    cell.exchange(&token).await.expect_problem(403, "forbidden");
    let state = json!({"revision": 1, "values": {}});
    cell.call(&pod, "PUT", sidecar::STATE_PATH, Some(state))
        .await
        .expect(204);
    cell.power(&pod, "start").await;
    cell.exchange(&token).await.expect(200);
}

#[tokio::test]
async fn a_workspace_that_is_gone_has_no_gateway() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let body = json!({ "password": crate::harness::PASSWORD });
    let path = format!("{}/erase", pod.path);
    let erased = cell.app.call(&pod.person, "POST", &path, Some(body)).await;
    assert!(erased.status < 300, "{erased:?}");
    let answer = cell.call(&pod, "GET", sidecar::STATE_PATH, None).await;
    answer.expect_problem(401, "unauthenticated");
    let token = cell.cluster.sign(&cell.claims(&pod));
    cell.exchange(&token)
        .await
        .expect_problem(401, "unauthenticated");
}

/// What the token in an answer says, checked as a gateway checks it.
async fn entered(cell: &Cell, pod: &Pod, answer: &str) -> EntryClaims {
    let entry: Entry = serde_json::from_str(answer).unwrap();
    let header = jsonwebtoken::decode_header(&entry.token).unwrap();
    assert_eq!(header.typ.as_deref(), Some(ENTRY_TOKEN_TYPE));
    let set = cell.app.get(sidecar::KEYS_PATH).await.expect(200);
    let set: JwkSet = serde_json::from_str(&set.text).unwrap();
    let key = DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[&cell.app.base]);
    rules.set_audience(&[entry_audience(pod.workspace)]);
    rules.validate_exp = false;
    let decoded = jsonwebtoken::decode::<EntryClaims>(&entry.token, &key, &rules);
    decoded.unwrap().claims
}

#[tokio::test]
async fn a_code_lets_its_person_in_once() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let path = format!("{}/connect", pod.path);
    let made = cell
        .app
        .call(&pod.person, "POST", &path, None)
        .await
        .expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.json();
    let url = cell.app.workspaces(&pod.person).await[0]["url"].clone();
    assert_eq!(made["origin"], url);
    let code = made["code"].as_str().unwrap();
    assert!((20..=128).contains(&code.len()));
    assert!(BASE64_URL_SAFE_NO_PAD.decode(code).is_ok());

    let answer = cell.redeem(&pod, code).await.expect(200);
    let claims = entered(&cell, &pod, &answer.text).await;
    let now = cell.app.now().as_second();
    assert_eq!((claims.iat, claims.exp), (now, now + 15 * 60));
    let me = cell.app.call(&pod.person, "GET", "/api/v5/me", None).await;
    assert_eq!(me.json()["id"], claims.sub.to_string());

    cell.redeem(&pod, code)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn of_many_who_send_one_code_one_comes_in() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let code = cell.code(&pod).await;
    let answers = join_all((0..10).map(|_| cell.redeem(&pod, &code))).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 404).count();
    assert_eq!((good, refused), (1, 9), "{answers:?}");
}

#[tokio::test]
async fn a_code_is_worth_nothing_elsewhere_later_or_after_the_login() {
    let cell = Cell::start().await;
    let (pod, eve) = (
        cell.pod("ada@example.com").await,
        cell.pod("eve@example.com").await,
    );
    let code = cell.code(&pod).await;
    cell.redeem(&eve, &code)
        .await
        .expect_problem(404, "not-found");
    for wrong in ["", "x", &code[1..], &"A".repeat(107)] {
        cell.redeem(&pod, wrong)
            .await
            .expect_problem(404, "not-found");
    }
    cell.app.advance(30);
    cell.redeem(&pod, &code)
        .await
        .expect_problem(404, "not-found");

    let code = cell.code(&pod).await;
    cell.power(&pod, "stop").await;
    cell.redeem(&pod, &code)
        .await
        .expect_problem(404, "not-found");
    let path = format!("{}/connect", pod.path);
    let refused = cell.app.call(&pod.person, "POST", &path, None).await;
    refused.expect_problem(409, "conflict");
    cell.power(&pod, "start").await;
    cell.redeem(&pod, &code).await.expect(200);

    let code = cell.code(&pod).await;
    let logout = cell.app.request("POST", "/api/v5/auth/logout");
    let out = cell
        .app
        .send(logout.header("cookie", &pod.person.cookie))
        .await;
    assert!(out.status < 300, "{out:?}");
    cell.redeem(&pod, &code)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn nobody_is_in_for_longer_than_their_login_lasts() {
    let cell = Cell::start().await;
    let mut pod = cell.pod("ada@example.com").await;
    // Ten minutes before the longest time that a login lasts.
    for _ in 0..30 {
        cell.app.advance(24 * 3_600 - 20);
        let again = cell.app.refresh(&pod.person.cookie).await.expect(200);
        pod.person = Person::of(&again);
    }
    let code = cell.code(&pod).await;
    pod.credential = cell.credential(&pod).await.credential;
    let answer = cell.redeem(&pod, &code).await.expect(200);
    let claims = entered(&cell, &pod, &answer.text).await;
    assert_eq!(claims.exp - claims.iat, 10 * 60);
}

#[tokio::test]
async fn who_ends_their_login_is_told_at_once_and_to_their_workspaces_alone() {
    let cell = Cell::start().await;
    let (pod, eve) = (
        cell.pod("ada@example.com").await,
        cell.pod("eve@example.com").await,
    );
    let (first, eves) = (cell.access(&pod, "").await, cell.access(&eve, "").await);
    assert!(first.ended_logins.is_empty() && first.revoked_keys.is_empty());
    let published = cell.app.get(sidecar::KEYS_PATH).await.json();
    assert_eq!(published["keys"][0]["kid"], json!(first.keys[0]));
    assert_eq!(first.keys.len(), 1);

    // At once if there is something new, or nothing to wait for.
    assert_eq!(cell.access(&pod, "?after=x&wait=25").await, first);
    let after = format!("?after={}&wait=0", first.version);
    assert_eq!(cell.access(&pod, &after).await, first);

    let claims = entered(
        &cell,
        &pod,
        &cell.redeem(&pod, &cell.code(&pod).await).await.text,
    )
    .await;
    let asked = format!("?after={}&wait=25", first.version);
    let logout = async {
        let request = cell.app.request("POST", "/api/v5/auth/logout");
        cell.app
            .send(request.header("cookie", &pod.person.cookie))
            .await
    };
    let (told, _) = tokio::join!(cell.access(&pod, &asked), logout);
    assert_eq!(told.ended_logins, [claims.sid]);
    assert_ne!(told.version, first.version);
    assert_eq!(cell.access(&eve, "").await, eves);

    for query in ["?wait=26", "?wait=x", "?since=1"] {
        let path = format!("{}{query}", sidecar::ACCESS_PATH);
        let answer = cell.call(&pod, "GET", &path, None).await;
        answer.expect_problem(422, "invalid-input");
    }
}

#[tokio::test]
async fn a_new_key_is_told_before_it_signs() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let first = cell.access(&pod, "").await;
    let asked = format!("?after={}&wait=25", first.version);
    let rotate = async {
        let lead = std::time::Duration::from_secs(600);
        cell.app.keys.rotate(cell.app.now(), lead).unwrap();
    };
    let (told, ()) = tokio::join!(cell.access(&pod, &asked), rotate);
    assert_eq!(told.keys.len(), 2);
    assert!(told.keys.contains(&first.keys[0]));
}

#[tokio::test]
async fn who_may_be_in_is_not_guessed_while_the_registry_is_away() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let first = cell.access(&pod, "").await;
    let away = Fault::Range(StoreError::Unavailable("disk".into()));
    cell.app.store.inject_always(away);
    let asked = format!("{}?after={}&wait=25", sidecar::ACCESS_PATH, first.version);
    let answer = cell.call(&pod, "GET", &asked, None).await;
    answer.expect_problem(503, "unavailable");
    cell.app.store.heal();
}

fn beat(used: &str, input: Option<Timestamp>, output: Option<Timestamp>) -> Value {
    json!({"used": used, "input_at": input, "output_at": output, "sockets": 1,
        "volume": {"used_bytes": 5, "size_bytes": 10}, "waiting": 0})
}

#[tokio::test]
async fn a_heartbeat_says_no_more_than_can_be_true() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let send = async |body| {
        let sent = cell.call(&pod, "PUT", sidecar::HEARTBEAT_PATH, Some(body));
        sent.await.expect(204)
    };
    let now = cell.app.now();
    let ahead = now + SignedDuration::from_hours(1);
    // Nobody was ever in, so nobody typed; what lies ahead is now.
    send(beat("active", Some(ahead), Some(ahead))).await;
    assert_eq!(cell.activity(&pod).await, Some((None, Some(now), now)));
    cell.redeem(&pod, &cell.code(&pod).await).await.expect(200);
    send(beat("active", Some(ahead), None)).await;
    assert_eq!(cell.activity(&pod).await, Some((Some(now), Some(now), now)));
    // Whoever came in is out after 15 minutes, unless they came again.
    cell.app.advance(200);
    let later = cell.app.now();
    send(beat("unknown", Some(later), None)).await;
    assert_eq!(
        cell.activity(&pod).await,
        Some((Some(later), Some(now), now))
    );
    send(beat("idle", None, None)).await;
    assert_eq!(
        cell.activity(&pod).await,
        Some((Some(later), Some(now), later))
    );

    for bad in [
        json!({}),
        json!({"used": "busy", "sockets": 0, "waiting": 0}),
        json!({"used": "idle", "sockets": -1, "waiting": 0}),
        json!({"used": "idle", "sockets": 0, "waiting": 0, "workspace": pod.workspace}),
    ] {
        let answer = cell
            .call(&pod, "PUT", sidecar::HEARTBEAT_PATH, Some(bad))
            .await;
        answer.expect_problem(422, "invalid-input");
    }
}

#[tokio::test]
async fn what_tabs_share_is_kept_by_revision() {
    let cell = Cell::start().await;
    let (pod, eve) = (
        cell.pod("ada@example.com").await,
        cell.pod("eve@example.com").await,
    );
    let put = async |body: Value| {
        cell.call(&pod, "PUT", sidecar::STATE_PATH, Some(body))
            .await
    };
    let get = async || cell.call(&pod, "GET", sidecar::STATE_PATH, None).await;
    get().await.expect_problem(404, "not-found");
    let state = |revision: u64, value: &str| json!({"revision": revision, "values": {"layout": {"version": 1, "value": value}}});
    put(state(3, "{\"left\": 1.0}")).await.expect(204);
    assert_eq!(get().await.expect(200).json(), state(3, "{\"left\": 1.0}"));
    // The answer to it was lost.
    put(state(3, "{\"left\": 1.0}")).await.expect(204);
    put(state(3, "2")).await.expect_problem(409, "conflict");
    put(state(2, "2")).await.expect_problem(409, "conflict");
    put(state(4, "2")).await.expect(204);
    // As much as a gateway holds, in the longest spelling.
    put(state(5, &"\"".repeat(32 * 1024))).await.expect(204);
    put(state(6, &"\"".repeat(64 * 1024)))
        .await
        .expect_problem(422, "invalid-input");
    put(json!({"revision": 7, "values": {"a".repeat(2_000_000): null}}))
        .await
        .expect_problem(413, "payload-too-large");
    let others = cell.call(&eve, "GET", sidecar::STATE_PATH, None).await;
    others.expect_problem(404, "not-found");
}

#[tokio::test]
async fn there_are_no_models() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let body = json!({"model": "any", "messages": []});
    let answer = cell.call(&pod, "POST", sidecar::LLM_PATH, Some(body)).await;
    answer.expect_problem(404, "no-models");
}

#[tokio::test]
async fn each_workspace_has_its_own_rate() {
    let cell = Cell::with(|config| {
        let rate = coditect_api::Rate {
            burst: 3,
            per_minute: 1,
        };
        config.rates = Some(coditect_api::Rates {
            gateway: rate,
            ..coditect_api::Rates::default()
        });
    })
    .await;
    let (pod, eve) = (
        cell.pod("ada@example.com").await,
        cell.pod("eve@example.com").await,
    );
    for _ in 0..3 {
        cell.call(&pod, "GET", sidecar::STATE_PATH, None)
            .await
            .expect(404);
    }
    let refused = cell.call(&pod, "GET", sidecar::STATE_PATH, None).await;
    refused.expect_problem(429, "too-many-requests");
    cell.call(&eve, "GET", sidecar::STATE_PATH, None)
        .await
        .expect(404);
}

#[tokio::test]
async fn what_a_revoked_key_signed_is_worth_nothing_and_gateways_are_told_its_name() {
    let cell = Cell::start().await;
    let mut pod = cell.pod("ada@example.com").await;
    let before = cell.access(&pod, "").await;
    let key = &before.keys[0];
    cell.app.keys.revoke(key, cell.app.now()).unwrap();

    let of_person = cell.app.call(&pod.person, "GET", "/api/v5/me", None).await;
    of_person.expect_problem(401, "unauthenticated");
    let of_pod = cell.call(&pod, "GET", sidecar::ACCESS_PATH, None).await;
    of_pod.expect_problem(401, "unauthenticated");
    // Nobody has to sign in again: what the browser keeps is no token of that key.
    cell.app.refresh(&pod.person.cookie).await.expect(200);

    pod.credential = cell.credential(&pod).await.credential;
    let after = format!("?after={}&wait=25", before.version);
    let told = cell.access(&pod, &after).await;
    assert_eq!(&told.revoked_keys, std::slice::from_ref(key));
    assert!(!told.keys.contains(key) && told.keys.len() == 1, "{told:?}");
    cell.app.advance(24 * 3_600);
    pod.credential = cell.credential(&pod).await.credential;
    assert!(cell.access(&pod, "").await.revoked_keys.is_empty());
}
