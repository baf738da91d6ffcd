//! Where a call goes and what it says: things that exist, in bodies that pass every check of form, so that nothing but
//! the door can refuse. Where a right one would change much, it fails behind the door (a wrong password, an empty name).

use serde_json::{Value, json};

use super::callers::{FILE, World, text};

/// The address of an operation, with what the world has in the place of names.
pub(super) async fn address(world: &World, path: &str) -> String {
    let named = &world.named;
    let id = match path {
        path if path.starts_with("/api/v5/auth/registrations/") => registration(world).await,
        path if path.starts_with("/api/v5/workspaces/{id}") => named.workspace.clone(),
        path if path.starts_with("/api/v5/sessions/{id}") => named.session.clone(),
        path if path.starts_with("/api/v5/tenants/{id}") => named.tenant.clone(),
        path if path.starts_with("/api/v5/tenant/members/{id}") => named.fellow.clone(),
        path if path.starts_with("/api/v5/admin/users/{id}") => named.user.clone(),
        path if path.contains("/invitations/{id}") => named.invitation.clone(),
        "/api/v5/me/logins/{id}" => named.login.clone(),
        "/api/v5/me/api-keys/{id}" => named.api_key.clone(),
        // Long polling would wait for news.
        "/api/v5/sidecar/access" => return format!("{path}?wait=0"),
        path => {
            assert!(!path.contains("{id}"), "say which id {path} names");
            String::new()
        }
    };
    path.replace("{id}", &id)
        .replace("{provider}", "google")
        .replace("{path}", FILE)
        .replace("{snapshot}", &named.snapshot)
        .replace("{restore}", &named.restore)
}

/// A sign-up that is complete and whose one sign-in nobody claimed.
async fn registration(world: &World) -> String {
    let email = format!("{}@example.com", uuid::Uuid::new_v4().simple());
    text(&world.cell.app.register(&email).await.expect(202).json()["id"])
}

/// The body of an operation, if it takes one.
pub(super) async fn body(world: &World, method: &str, path: &str) -> Option<Value> {
    match (method, path) {
        ("post", "/api/v5/sidecar/codes/redeem") => {
            Some(json!({ "code": world.cell.code(&world.owner).await }))
        }
        ("post", "/api/v5/sessions") => {
            Some(json!({ "workspace": world.named.workspace, "state": {} }))
        }
        _ => fixed(method, path),
    }
}

/// A body that names nothing of a world.
pub(super) fn fixed(method: &str, path: &str) -> Option<Value> {
    const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";
    let wrong = "wrong horse battery";
    let body = match (method, path) {
        // Refused for what they lack, behind whatever door there is.
        ("post", path) if path.starts_with("/api/v5/auth/") && !path.contains("{id}") => match path
        {
            "/api/v5/auth/refresh" | "/api/v5/auth/logout" => return None,
            _ => json!({}),
        },
        ("patch", "/api/v5/me") => json!({ "display_name": "" }),
        ("delete", "/api/v5/me") => json!({ "password": wrong, "mode": "now" }),
        ("put", "/api/v5/me/password") => {
            json!({ "current_password": wrong, "new_password": "staple staple staple" })
        }
        ("put", "/api/v5/me/email") => {
            json!({ "current_password": wrong, "email": "eve@example.org" })
        }
        ("post" | "delete", "/api/v5/me/second-factor")
        | ("post", "/api/v5/me/connections/{provider}" | "/api/v5/workspaces/{id}/erase") => {
            json!({ "password": wrong })
        }
        ("post", "/api/v5/me/second-factor/confirm") => json!({ "code": "123456" }),
        ("post", "/api/v5/me/api-keys") => json!({ "name": "" }),
        // Whoever it is to is asked for the code.
        ("post", "/api/v5/me/invitations/{id}/accept" | "/api/v5/me/invitations/{id}/decline") => {
            json!({})
        }
        ("patch", "/api/v5/tenant") => json!({ "name": "Physics" }),
        ("put", "/api/v5/tenant/plan") => json!({ "plan": "none" }),
        ("post", "/api/v5/tenant/invitations") => {
            json!({ "email": "carol@example.com", "role": "member" })
        }
        ("patch", "/api/v5/tenant/members/{id}") => json!({ "role": "admin" }),
        ("post", "/api/v5/tenant/members/{id}/hand-over") => json!({ "to": null }),
        ("post", "/api/v5/workspaces") => json!({ "name": "" }),
        ("patch", "/api/v5/workspaces/{id}") => json!({ "name": "x" }),
        ("put", "/api/v5/workspaces/{id}/activity") => {
            json!({ "input_at": "2026-01-01T00:00:00Z" })
        }
        ("post", "/api/v5/sessions") => json!({ "workspace": NOBODYS, "state": {} }),
        ("put", "/api/v5/sessions/{id}") => json!({ "state": {} }),
        ("post", "/api/v5/sidecar/codes/redeem") => json!({ "code": "A".repeat(107) }),
        ("put", "/api/v5/sidecar/heartbeat") => {
            json!({ "used": "idle", "sockets": 0, "waiting": 0 })
        }
        ("post", "/api/v5/sidecar/files") => json!({ "queue": NOBODYS, "number": 1, "events": [] }),
        ("post", "/api/v5/sidecar/files/wanted") => json!({ "contents": [] }),
        ("post", "/api/v5/sidecar/restores/{restore}") => {
            json!({ "outcome": "done", "beside": null })
        }
        ("put", "/api/v5/sidecar/state") => json!({ "revision": 2, "values": {} }),
        _ => return None,
    };
    Some(body)
}
