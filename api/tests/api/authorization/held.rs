//! Every operation, called as everybody.

use serde_json::Value;

use super::{
    bodies::{address, body},
    callers::{Caller, Who, World},
    needed,
    table::{Row, TABLE},
};

/// How a call was answered: refused at a door, or let in.
#[derive(Debug)]
struct Answered {
    status: u16,
    refusal: Option<String>,
}

async fn call(world: &World, caller: &Caller, (method, path, ..): &Row) -> (Answered, bool) {
    let app = &world.cell.app;
    let (address, body) = (address(world, path).await, body(world, method, path).await);
    let version = app.version().await;
    let mut request = app.request(&method.to_uppercase(), &address);
    if let Some(token) = &caller.token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    // Only a refusal is read to its end: some of the others are streams.
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let refusal = match status {
        401 | 403 | 404 => {
            let problem: Value = answer.json().await.unwrap();
            let slug = problem["type"].as_str().unwrap().to_owned();
            let doors = ["unauthenticated", "forbidden", "not-found"];
            let of_door = |slug: &String| {
                doors
                    .iter()
                    .any(|door| slug == &format!("/problems/{door}"))
            };
            Some(slug).filter(of_door)
        }
        _ => None,
    };
    (Answered { status, refusal }, app.version().await != version)
}

/// Calls every operation of these as everybody. A world in which something was changed is left for a new one, so that no
/// call meets what another did.
async fn hold(is_of: impl Fn(&str) -> bool) {
    let (mut world, mut tried) = (World::start().await, 0);
    for row in TABLE.iter().filter(|row| is_of(row.1)) {
        for at in 0..world.callers.len() {
            let caller = &world.callers[at];
            let (answered, changed) = call(&world, caller, row).await;
            let context = format!(
                "{:?} {:?}: {} {}: {answered:?}",
                caller.who, caller.scope, row.0, row.1
            );
            let let_in = caller.is_let_in(row);
            assert_eq!(answered.refusal.is_none(), let_in, "{context}");
            assert!(answered.status < 500 || answered.status == 503, "{context}");
            if !let_in {
                // Who is not known learns nothing else; a key that lacks a scope is told so before anything is looked at.
                let expected: &[u16] = match caller.who {
                    Who::Nobody | Who::Pod | Who::Gateway | Who::OtherGateway
                        if needed(row.1) != "gateway_credential" =>
                    {
                        &[401]
                    }
                    Who::Nobody | Who::Pod => &[401],
                    Who::Gateway | Who::OtherGateway => &[404],
                    _ if needed(row.1) != "access_token" => &[401],
                    Who::Key => &[403],
                    _ => &[403, 404],
                };
                assert!(expected.contains(&answered.status), "{context}");
                assert!(!changed, "something was written: {context}");
            }
            if changed {
                world = World::start().await;
            }
            tried += 1;
        }
    }
    assert!(tried >= 100, "{tried}");
}

const TENANTS: &str = "/api/v5/tenant";
const ME: &str = "/api/v5/me";
const WORKSPACES: &str = "/api/v5/workspaces";

#[tokio::test]
async fn of_their_account_everybody_reaches_their_own_alone() {
    hold(|path| path.starts_with(ME)).await;
}

#[tokio::test]
async fn in_a_tenant_everybody_reaches_what_their_role_lets_them() {
    hold(|path| path.starts_with(TENANTS)).await;
}

#[tokio::test]
async fn of_workspaces_everybody_reaches_their_own_alone() {
    hold(|path| path.starts_with(WORKSPACES)).await;
}

#[tokio::test]
async fn everything_else_lets_in_whom_the_table_names() {
    hold(|path| {
        ![ME, TENANTS, WORKSPACES]
            .iter()
            .any(|start| path.starts_with(start))
    })
    .await;
}
