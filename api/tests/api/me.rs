//! What a person does about themselves.

use std::sync::Arc;

use coditect_api::PlanChanges;
use coditect_core::{LimitsOverride, catalogue::Override};
use serde_json::json;

use crate::harness::{App, PASSWORD, Person};

#[tokio::test]
async fn a_name_changes_only_from_the_state_it_was_based_on() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let before = app
        .call(&person, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    let tag = before.header("etag").to_owned();
    app.call_with(&person, "GET", "/api/v5/me", ("if-none-match", &tag), None)
        .await
        .expect(304);

    let change = |name: &str| Some(json!({ "display_name": name }));
    let after = app
        .call_with(
            &person,
            "PATCH",
            "/api/v5/me",
            ("if-match", &tag),
            change("  Ada L. "),
        )
        .await
        .expect(200);
    assert_eq!(after.json()["display_name"], "Ada L.");
    assert_ne!(after.header("etag"), tag);
    app.call_with(
        &person,
        "PATCH",
        "/api/v5/me",
        ("if-match", &tag),
        change("Eve"),
    )
    .await
    .expect_problem(412, "precondition-failed");
    app.call_with(
        &person,
        "PATCH",
        "/api/v5/me",
        ("if-match", "nonsense"),
        change("Eve"),
    )
    .await
    .expect_problem(412, "precondition-failed");
    assert_eq!(
        app.call(&person, "GET", "/api/v5/me", None)
            .await
            .expect(200)
            .json()["display_name"],
        "Ada L."
    );
    app.call(&person, "PATCH", "/api/v5/me", change("Countess"))
        .await
        .expect(200);
    app.call_with(
        &person,
        "PATCH",
        "/api/v5/me",
        ("if-match", "*"),
        change("Ada"),
    )
    .await
    .expect(200);
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_ends_other_logins() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let other = Person::of(&app.login("ada@example.com", PASSWORD).await.expect(200));
    let change = |current: &str, new: &str| {
        Some(json!({ "current_password": current, "new_password": new }))
    };
    let path = "/api/v5/me/password";

    let body = app
        .call(
            &person,
            "PUT",
            path,
            change("wrong horse battery", "staple staple staple"),
        )
        .await
        .expect_problem(422, "invalid-input");
    assert_eq!(body["field"], "current_password");
    for new in ["short", "ada@example.com", &"x".repeat(129)] {
        let body = app
            .call(&person, "PUT", path, change(PASSWORD, new))
            .await
            .expect_problem(422, "invalid-input");
        assert_eq!(body["field"], "new_password");
    }
    app.call(&other, "GET", "/api/v5/me", None)
        .await
        .expect(200);

    app.call(
        &person,
        "PUT",
        path,
        change(PASSWORD, "staple staple staple"),
    )
    .await
    .expect(204);
    app.call(&person, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    app.call(&other, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
    app.login("ada@example.com", PASSWORD)
        .await
        .expect_problem(401, "unauthenticated");
    app.login("ada@example.com", "staple staple staple")
        .await
        .expect(200);
}

#[tokio::test]
async fn an_account_is_marked_and_can_be_restored_until_the_grace_period_ends() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let body = app
        .call(
            &person,
            "DELETE",
            "/api/v5/me",
            Some(json!({ "password": "wrong horse battery" })),
        )
        .await;
    assert_eq!(
        body.expect_problem(422, "invalid-input")["field"],
        "password"
    );

    let marked = app
        .call(
            &person,
            "DELETE",
            "/api/v5/me",
            Some(json!({ "password": PASSWORD })),
        )
        .await
        .expect(202)
        .json();
    let until: jiff::Timestamp = marked["deletes_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(until.duration_since(app.now()).as_hours(), 7 * 24);
    let workspace = app
        .call(&person, "GET", &path, None)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (
            workspace["phase"].as_str(),
            workspace["power"]["wanted"].as_str()
        ),
        (Some("deleting"), Some("off"))
    );
    app.call(&person, "POST", &format!("{path}/start"), None)
        .await
        .expect_problem(409, "conflict");
    app.call(
        &person,
        "POST",
        "/api/v5/workspaces",
        Some(json!({ "name": "more" })),
    )
    .await
    .expect_problem(409, "conflict");

    let restored = app
        .call(&person, "POST", "/api/v5/me/restore", None)
        .await
        .expect(200)
        .json();
    assert_eq!(restored["deletes_at"], json!(null));
    let workspace = app
        .call(&person, "POST", &format!("{path}/start"), None)
        .await
        .expect(202)
        .json();
    assert_eq!(workspace["power"]["wanted"], "on");
}

#[tokio::test]
async fn erasing_leaves_nothing_and_frees_the_address() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let me = app.call(&person, "GET", "/api/v5/me", None).await;
    let me = me.expect(200).json();
    let answer = app
        .call(
            &person,
            "DELETE",
            "/api/v5/me",
            Some(json!({ "password": PASSWORD, "mode": "now" })),
        )
        .await
        .expect(200);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    let receipt = answer.json();
    assert_eq!(receipt["account_id"], me["id"]);
    assert_eq!(receipt["users"][0]["user_id"], me["user_id"]);
    let workspace = path.rsplit('/').next().unwrap();
    assert_eq!(receipt["users"][0]["workspaces"], json!([workspace]));
    let kept = receipt["kept"].as_array().unwrap();
    assert!(
        kept.iter()
            .any(|kept| kept["what"] == "tombstone/{cell}/{id}" && kept["count"] == 2),
        "{receipt}"
    );
    assert!(!answer.text.contains("ada@"), "{receipt}");
    app.call(&person, "GET", &path, None)
        .await
        .expect_problem(401, "unauthenticated");
    app.refresh(&person.cookie)
        .await
        .expect_problem(401, "unauthenticated");
    app.login("ada@example.com", PASSWORD)
        .await
        .expect_problem(401, "unauthenticated");
    let again = app.person("ada@example.com").await;
    app.call(&again, "GET", &path, None)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn an_owner_chooses_a_plan_where_no_payment_is_needed() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let choose = |plan: &str| {
        app.call(
            &person,
            "PUT",
            "/api/v5/tenant/plan",
            Some(json!({ "plan": plan })),
        )
    };
    let body = choose("platinum")
        .await
        .expect_problem(422, "invalid-input");
    assert_eq!(body["field"], "plan");
    assert!(
        body["detail"]
            .as_str()
            .unwrap()
            .contains("free, pro, starter"),
        "{body}"
    );
    let tenant = choose("starter").await.expect(200).json();
    assert_eq!(
        (
            tenant["plan"].as_str(),
            tenant["limits"]["workspaces"].as_u64()
        ),
        (Some("starter"), Some(5))
    );
    let workspace = app
        .call(&person, "GET", &path, None)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (
            workspace["plan"].as_str(),
            workspace["storage"]["gib"].as_u64()
        ),
        (Some("starter"), Some(10))
    );
    // A volume never shrinks.
    choose("free").await.expect(200);
    assert_eq!(
        app.call(&person, "GET", &path, None)
            .await
            .expect(200)
            .json()["storage"]["gib"],
        10
    );

    let tenant = tenant["id"].as_str().unwrap();
    app.set_override(
        tenant,
        Override {
            limits: LimitsOverride {
                workspaces: Some(9),
                ..LimitsOverride::default()
            },
            ..Override::default()
        },
    );
    let me = app
        .call(&person, "GET", "/api/v5/me", None)
        .await
        .expect(200)
        .json();
    assert_eq!(me["tenant"]["limits"]["workspaces"], 9);
}

#[tokio::test]
async fn plans_are_public_and_change_by_billing_alone_by_default() {
    let app = App::with(|config| config.plan_changes = PlanChanges::Billing).await;
    let plans = app.get("/api/v5/plans").await.expect(200).json();
    let names: Vec<_> = plans["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plan| plan["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        (names, plans["default_plan"].as_str()),
        (vec!["free", "starter", "pro"], Some("free"))
    );
    let person = app.person("ada@example.com").await;
    app.call(
        &person,
        "PUT",
        "/api/v5/tenant/plan",
        Some(json!({ "plan": "pro" })),
    )
    .await
    .expect_problem(403, "billing-required");
    // The newest policy is in force at once.
    app.policy
        .send_modify(|policy| Arc::make_mut(policy).plans.clear());
    assert_eq!(
        app.get("/api/v5/plans").await.expect(200).json()["items"],
        json!([])
    );
}
