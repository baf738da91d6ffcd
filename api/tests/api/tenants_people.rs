//! Members of a tenant: listed, given roles, removed, restored, and what they leave behind.

use serde_json::{Value, json};

use crate::{
    harness::{App, Person},
    tenants::{answer, invite, join, switch},
};

const MEMBERS: &str = "/api/v5/tenant/members";

async fn members(app: &App, person: &Person) -> Vec<Value> {
    let listed = app.call(person, "GET", MEMBERS, None).await.expect(200);
    listed.json()["items"].as_array().unwrap().clone()
}

/// The path of the caller's own user.
async fn me(app: &App, person: &Person) -> String {
    let all = members(app, person).await;
    let me = all.iter().find(|member| member["you"] == true).unwrap();
    format!("{MEMBERS}/{}", me["user"].as_str().unwrap())
}

#[tokio::test]
async fn members_see_each_other_and_who_manages_them_their_addresses() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = join(&app, &ada, "bob@example.com", "member").await;
    let eve = app.person("eve@example.com").await;
    for (person, sees) in [(&ada, true), (&bob, false)] {
        let all = members(&app, person).await;
        assert_eq!(all.len(), 2);
        for member in &all {
            assert_eq!(member["email"].is_string(), sees);
            assert_eq!(member["display_name"], "Ada");
        }
    }
    assert_eq!(members(&app, &eve).await.len(), 1);
    let mut users = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let path = format!("{MEMBERS}{query}");
        let page = app.call(&bob, "GET", &path, None).await.expect(200).json();
        users.push(page["items"][0]["user"].clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=1&cursor={cursor}"),
            None => break,
        }
    }
    let all: Vec<_> = members(&app, &bob).await;
    assert_eq!(
        users,
        all.iter()
            .map(|member| member["user"].clone())
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn roles_change_within_the_callers_own() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = join(&app, &ada, "bob@example.com", "admin").await;
    let carol = join(&app, &ada, "carol@example.com", "member").await;
    let (ada_path, carol_path) = (me(&app, &ada).await, me(&app, &carol).await);
    let set = async |by: &Person, path: &str, role: &str| {
        app.call(by, "PATCH", path, Some(json!({ "role": role })))
            .await
    };
    set(&carol, &carol_path, "admin")
        .await
        .expect_problem(403, "forbidden");
    set(&bob, &carol_path, "owner")
        .await
        .expect_problem(403, "forbidden");
    set(&bob, &ada_path, "member")
        .await
        .expect_problem(403, "forbidden");
    let changed = set(&bob, &carol_path, "admin").await.expect(200).json();
    assert_eq!(changed["role"], "admin");
    set(&ada, &ada_path, "member")
        .await
        .expect_problem(409, "conflict");
    set(&ada, &carol_path, "owner").await.expect(200);
    set(&ada, &ada_path, "member").await.expect(200);
    set(&ada, &carol_path, "member")
        .await
        .expect_problem(403, "forbidden");
    let problem = set(&ada, &carol_path, "king").await;
    assert_eq!(
        problem.expect_problem(422, "invalid-input")["field"],
        "role"
    );
}

#[tokio::test]
async fn a_member_is_removed_restored_and_handed_over() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = join(&app, &ada, "bob@example.com", "member").await;
    let workspace = app.workspace(&bob).await;
    let path = me(&app, &bob).await;
    app.call(&ada, "POST", &format!("{path}/hand-over"), Some(json!({})))
        .await
        .expect_problem(409, "conflict");
    let own = me(&app, &ada).await;
    app.call(&ada, "DELETE", &own, None)
        .await
        .expect_problem(409, "conflict");

    let removed = app.call(&ada, "DELETE", &path, None).await.expect(200);
    assert!(removed.json()["deletes_at"].is_string());
    app.call(&bob, "POST", &format!("{workspace}/start"), None)
        .await
        .expect_problem(409, "conflict");
    app.call(&bob, "GET", MEMBERS, None)
        .await
        .expect_problem(403, "forbidden");
    app.call(&bob, "POST", &format!("{path}/restore"), None)
        .await
        .expect_problem(403, "forbidden");
    let restored = app
        .call(&ada, "POST", &format!("{path}/restore"), None)
        .await
        .expect(200);
    assert_eq!(restored.json()["deletes_at"], Value::Null);
    app.call(&bob, "POST", &format!("{workspace}/start"), None)
        .await
        .expect(202);

    app.call(&bob, "POST", "/api/v5/tenant/leave", None)
        .await
        .expect(204);
    let body = Some(json!({ "to": null }));
    let left = app
        .call(&ada, "POST", &format!("{path}/hand-over"), body)
        .await
        .expect(200)
        .json();
    assert_eq!(left["left_behind"]["organisation"], true);
    assert_eq!(
        (&left["deletes_at"], &left["you"]),
        (&Value::Null, &json!(false))
    );
    // Its workspaces are the heir's now, and nobody's of before.
    app.call(&ada, "GET", &workspace, None).await.expect(200);
    for (person, count) in [(&ada, 1), (&bob, 0)] {
        let listed = app
            .call(person, "GET", "/api/v5/me/left-behind?limit=1", None)
            .await
            .expect(200)
            .json();
        let items = listed["items"].as_array().unwrap();
        assert_eq!((items.len(), &listed["next_cursor"]), (count, &Value::Null));
        for item in items {
            assert!(path.ends_with(item["user"].as_str().unwrap()));
            let shown = item["workspaces"][0]["id"].as_str().unwrap();
            assert!(workspace.ends_with(shown));
        }
    }
    app.call(&bob, "GET", &workspace, None)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn what_was_decided_is_told_by_pages_and_by_ids() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = join(&app, &ada, "bob@example.com", "member").await;
    let path = me(&app, &bob).await;
    app.call(&ada, "PATCH", &path, Some(json!({ "role": "admin" })))
        .await
        .expect(200);
    let (mut actions, mut text, mut query) = (Vec::new(), String::new(), "?limit=2".to_owned());
    loop {
        let path = format!("/api/v5/tenant/audit{query}");
        let page = app.call(&bob, "GET", &path, None).await.expect(200);
        text.push_str(&page.text);
        let page = page.json();
        actions.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let changed = &actions[0];
    assert_eq!(
        (&changed["action"], &changed["details"]["role"]),
        (&json!("role_changed"), &json!("admin"))
    );
    let by = me(&app, &ada).await;
    assert!(by.ends_with(changed["actor_user"].as_str().unwrap()));
    let names: Vec<_> = actions.iter().map(|item| item["action"].as_str()).collect();
    for name in ["member_joined", "member_invited", "signed_up"] {
        assert_eq!(
            names.iter().filter(|other| **other == Some(name)).count(),
            1
        );
    }
    assert!(!text.contains('@') && !text.contains("Ada"), "{text}");
    for bad in ["?cursor=AAAA", "?limit=0"] {
        app.call(&bob, "GET", &format!("/api/v5/tenant/audit{bad}"), None)
            .await
            .expect_problem(422, "invalid-input");
    }
}

#[tokio::test]
async fn a_tenant_is_called_as_its_managers_say_and_only_its_own_people_are_told() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let name = |name: Value| Some(json!({ "name": name }));
    let path = "/api/v5/tenant";
    assert_eq!(app.me(&ada).await["tenant"]["name"], Value::Null);
    let named = app
        .call(&ada, "PATCH", path, name(json!("Physics, group 4")))
        .await;
    assert_eq!(named.expect(200).json()["name"], "Physics, group 4");
    assert_eq!(app.me(&ada).await["tenant"]["name"], "Physics, group 4");

    let bob = app.person("bob@example.com").await;
    let invitation = invite(&app, &ada, "bob@example.com", "member").await;
    let mine = app.call(&bob, "GET", "/api/v5/me/invitations", None).await;
    assert_eq!(
        mine.expect(200).json()["items"][0]["name"],
        "Physics, group 4"
    );
    // Tenants are listed in the order in which one joined.
    app.advance(1);
    let joined = answer(&app, &bob, &invitation, "accept").await;
    let bob = switch(&app, &bob, &joined["tenant"]).await;
    let all = app
        .call(&bob, "GET", "/api/v5/tenants", None)
        .await
        .expect(200)
        .json();
    let names: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, [&Value::Null, &json!("Physics, group 4")]);

    app.call(&bob, "PATCH", path, name(json!("Mine")))
        .await
        .expect_problem(403, "forbidden");
    for wrong in [json!(""), json!(7), json!("a\u{202e}b")] {
        let refused = app.call(&ada, "PATCH", path, name(wrong)).await;
        refused.expect_problem(422, "invalid-input");
    }
    app.call(&ada, "PATCH", path, Some(json!({})))
        .await
        .expect_problem(422, "invalid-input");
    app.call(&ada, "PATCH", path, name(Value::Null))
        .await
        .expect(200);
    assert_eq!(app.me(&ada).await["tenant"]["name"], Value::Null);
}
