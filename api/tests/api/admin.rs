//! What administrators of the platform see and do, and that it is told.

use serde_json::{Value, json};

use crate::{
    api_keys,
    harness::{App, Person},
};

const USERS: &str = "/api/v5/admin/users";

/// An API in which this person is an administrator, over the same registry.
pub(crate) async fn administered(app: &App, person: &Person) -> App {
    let me = app.call(person, "GET", "/api/v5/me", None).await;
    let account = me.expect(200).json()["id"].as_str().unwrap().to_owned();
    app.beside(|config| {
        config.administrators.insert(account.parse().unwrap());
    })
    .await
}

async fn user_of(app: &App, person: &Person) -> String {
    let me = app.call(person, "GET", "/api/v5/me", None).await;
    me.expect(200).json()["user_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn pages(app: &App, person: &Person, path: &str) -> Vec<Value> {
    let (mut items, mut query) = (Vec::new(), "?limit=1".to_owned());
    loop {
        let address = format!("{path}{query}");
        let page = app.call(person, "GET", &address, None).await.expect(200);
        let page = page.json();
        items.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=1&cursor={cursor}"),
            None => return items,
        }
    }
}

#[tokio::test]
async fn an_administrator_finds_everybody_and_is_seen_looking() {
    let app = App::start().await;
    let (root, ada) = (
        app.person("root@example.com").await,
        app.person("ada@example.com").await,
    );
    let app = administered(&app, &root).await;
    let user = user_of(&app, &ada).await;
    let all = pages(&app, &root, USERS).await;
    assert_eq!(all.len(), 2);
    let listed = app.call(&root, "GET", USERS, None).await.expect(200);
    assert!(!listed.text.contains('@'), "a list names nobody");

    let by_address = format!("{USERS}?email=ada@example.com");
    let found = app.call(&root, "GET", &by_address, None).await.expect(200);
    let found = found.json()["items"].as_array().unwrap().clone();
    assert_eq!((found.len(), &found[0]["user"]), (1, &json!(user)));
    let tenant = found[0]["tenant"].as_str().unwrap();
    let by_tenant = format!("{USERS}?tenant={tenant}");
    let same = app.call(&root, "GET", &by_tenant, None).await.expect(200);
    assert_eq!(same.json()["items"], json!(found));
    let nobody = format!("{USERS}?email=nobody@example.com");
    let nobody = app.call(&root, "GET", &nobody, None).await.expect(200);
    assert_eq!(nobody.json()["items"], json!([]));
    for bad in [
        "?email=x",
        "?tenant=x",
        "?limit=0",
        "?cursor=x",
        "?email=a@b.example&tenant=00000000-0000-4000-8000-000000000000",
    ] {
        app.call(&root, "GET", &format!("{USERS}{bad}"), None)
            .await
            .expect_problem(422, "invalid-input");
    }

    let path = format!("{USERS}/{user}");
    let seen = app.call(&root, "GET", &path, None).await.expect(200).json();
    assert_eq!(seen["email"], "ada@example.com");
    let workspace = &seen["workspaces"][0];
    let audit = app.call(&ada, "GET", "/api/v5/tenant/audit", None).await;
    let told = audit.expect(200).json()["items"][0].clone();
    assert_eq!(
        (&told["action"], &told["details"]["user"]),
        (&json!("user_looked_at"), &json!(user))
    );
    assert_eq!(told["actor_user"], Value::Null);

    let workspaces = pages(&app, &root, "/api/v5/admin/workspaces").await;
    assert_eq!(workspaces.len(), 2);
    let slug = workspace["slug"].as_str().unwrap();
    let by_slug = format!("/api/v5/admin/workspaces?slug={slug}");
    let found = app.call(&root, "GET", &by_slug, None).await.expect(200);
    let found = found.json()["items"].as_array().unwrap().clone();
    assert_eq!(
        (&found[0]["workspace"], &found[0]["user"]),
        (&workspace["workspace"], &json!(user))
    );
}

#[tokio::test]
async fn who_abuses_the_platform_is_held_until_they_are_let_go() {
    let app = App::start().await;
    let (root, ada) = (
        app.person("root@example.com").await,
        app.person("ada@example.com").await,
    );
    let app = administered(&app, &root).await;
    let path = format!("{USERS}/{}", user_of(&app, &ada).await);
    let workspace = app.workspace(&ada).await;
    let held = app.call(&root, "POST", &format!("{path}/hold"), None).await;
    let held = held.expect(200).json();
    assert!(held["held_at"].is_string());
    assert_eq!(held["workspaces"][0]["power"], "off");
    let me = app.call(&ada, "GET", "/api/v5/me", None).await.expect(200);
    assert_eq!(me.json()["held_at"], held["held_at"]);
    app.call(&ada, "POST", &format!("{workspace}/start"), None)
        .await
        .expect_problem(409, "conflict");
    let body = Some(json!({ "name": "another" }));
    app.call(&ada, "POST", "/api/v5/workspaces", body)
        .await
        .expect_problem(409, "conflict");
    let shown = app.call(&ada, "GET", &workspace, None).await.expect(200);
    assert_eq!(shown.json()["power"]["cause"], "held");

    let free = app
        .call(&root, "POST", &format!("{path}/let-go"), None)
        .await
        .expect(200);
    assert_eq!(free.json()["held_at"], Value::Null);
    app.call(&ada, "POST", &format!("{workspace}/start"), None)
        .await
        .expect(202);

    let names = |items: &[Value]| -> Vec<String> {
        let actions = items.iter().map(|item| item["action"].as_str().unwrap());
        actions.map(str::to_owned).collect()
    };
    let done = pages(&app, &root, "/api/v5/admin/audit").await;
    assert_eq!(names(&done), ["user_let_go", "user_held"]);
    let line = pages(&app, &root, &format!("{path}/audit")).await;
    assert_eq!(
        names(&line)[..4],
        [
            "user_looked_at",
            "workspace_started",
            "user_let_go",
            "user_held"
        ]
    );
    // Each page was a look, which the person's own tenant is told of.
    let told = pages(&app, &ada, "/api/v5/tenant/audit").await;
    let looks = names(&told)
        .into_iter()
        .take_while(|name| name == "user_looked_at");
    assert_eq!(looks.count(), line.len());
    assert!(names(&line).contains(&"signed_up".to_owned()));
    let tenant = done[0]["details"]["user"].as_str().unwrap();
    assert!(path.ends_with(tenant));
}

#[tokio::test]
async fn administration_is_for_administrators_who_signed_in() {
    let app = App::start().await;
    let (root, ada) = (
        app.person("root@example.com").await,
        app.person("ada@example.com").await,
    );
    let user = user_of(&app, &ada).await;
    let app = administered(&app, &root).await;
    let made = app
        .call(
            &root,
            "POST",
            "/api/v5/me/api-keys",
            Some(json!({ "name": "all" })),
        )
        .await;
    let script = api_keys::program(&made.expect(201).json());
    let document = app.get("/openapi.json").await.expect(200).json();
    let version = app.version().await;
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/v5/admin/") {
            continue;
        }
        for method in item.as_object().unwrap().keys() {
            let address = path.replace("{id}", &user);
            app.call(&ada, &method.to_uppercase(), &address, None)
                .await
                .expect_problem(403, "forbidden");
            let by_key = app
                .call(&script, &method.to_uppercase(), &address, None)
                .await;
            by_key.expect_problem(403, "forbidden");
            seen += 1;
        }
    }
    assert!(seen >= 7, "{seen}");
    // But for the note that the key was used.
    assert!(app.version().await <= version + 1, "something was written");
    let nobody = format!("{USERS}/00000000-0000-4000-8000-000000000000");
    for (method, path) in [
        ("GET", nobody.clone()),
        ("GET", format!("{nobody}/audit")),
        ("POST", format!("{nobody}/hold")),
        ("POST", format!("{nobody}/let-go")),
    ] {
        app.call(&root, method, &path, None)
            .await
            .expect_problem(404, "not-found");
    }
}
