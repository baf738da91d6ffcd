//! What a tenant's people, and whoever got hold of a key, can not do however often they ask.

use coditect_api::{Rate, Rates};
use serde_json::json;

use crate::{
    api_keys::{make, program},
    harness::App,
    tenants::{INVITATIONS, join},
};

#[tokio::test]
async fn a_tenant_writes_to_no_more_than_so_many_strangers_an_hour() {
    let app = App::with(|config| {
        let plenty = Rate {
            burst: 1_000,
            per_minute: 1_000,
        };
        config.rates = Some(Rates {
            account: plenty,
            ..Rates::default()
        });
    })
    .await;
    let ada = app.person("ada@example.com").await;
    let invite = async |number: u32| {
        let body = json!({ "email": format!("p{number}@example.com"), "role": "member" });
        app.call(&ada, "POST", INVITATIONS, Some(body)).await
    };
    for number in 0..50 {
        let made = invite(number).await.expect(201).json();
        let path = format!("{INVITATIONS}/{}", made["id"].as_str().unwrap());
        app.call(&ada, "DELETE", &path, None).await.expect(204);
    }
    invite(50).await.expect_problem(429, "too-many-requests");
    // Others are none the worse for it.
    let bob = app.person("bob@example.com").await;
    let body = json!({ "email": "p50@example.com", "role": "member" });
    app.call(&bob, "POST", INVITATIONS, Some(body))
        .await
        .expect(201);
}

#[tokio::test]
async fn no_key_makes_an_owner() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = join(&app, &ada, "bob@example.com", "member").await;
    let bob = app.me(&bob).await["user_id"].as_str().unwrap().to_owned();
    let script = program(&make(&app, &ada, &["tenant:write"]).await);
    let member = format!("/api/v5/tenant/members/{bob}");
    let invitation = |role| json!({ "email": "eve@example.com", "role": role });
    for (method, path, body) in [
        ("POST", INVITATIONS, invitation("owner")),
        ("PATCH", &member, json!({ "role": "owner" })),
    ] {
        app.call(&script, method, path, Some(body))
            .await
            .expect_problem(403, "forbidden");
    }
    let body = Some(invitation("admin"));
    app.call(&script, "POST", INVITATIONS, body)
        .await
        .expect(201);
    for by in [&script, &ada] {
        let role = if by.token == ada.token {
            "owner"
        } else {
            "admin"
        };
        let changed = app
            .call(by, "PATCH", &member, Some(json!({ "role": role })))
            .await;
        assert_eq!(changed.expect(200).json()["role"], role);
    }
}
