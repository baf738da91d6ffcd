//! A small world in which everybody is who may call, and everything that a path may name.

use base64::{Engine, prelude::BASE64_STANDARD};
use coditect_core::{RequestId, sidecar};
use coditect_registry::operation::LinkIdentity;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::table::Row;
use crate::{
    api_keys::{make, program},
    gateway::{Cell, Pod},
    harness::{PASSWORD, Person},
    tenants::{invite, join},
};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Nobody,
    /// The owner of another tenant.
    Other,
    Member,
    Admin,
    Owner,
    /// An administrator of the installation, of no tenant but their own.
    Platform,
    /// The pod of the owner's workspace, with what its cluster gave it.
    Pod,
    /// The gateway of the owner's workspace.
    Gateway,
    /// The gateway of the other's workspace.
    OtherGateway,
    /// A program with a key of the owner's.
    Key,
}

/// Who calls, with which scope if it is a program, and what they show.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) who: Who,
    pub(super) scope: Option<&'static str>,
    pub(super) token: Option<String>,
}

impl Caller {
    /// Whether the table lets them in.
    pub(super) fn is_let_in(&self, (_, _, who, scope, _): &Row) -> bool {
        who.contains(&self.who) || (self.scope.is_some() && self.scope == *scope)
    }
}

/// Every scope there is.
pub(super) const SCOPES: &[&str] = &[
    "profile:read",
    "workspaces:read",
    "workspaces:write",
    "sessions:read",
    "sessions:write",
    "files:read",
    "files:write",
    "tenant:read",
    "tenant:write",
];

/// What paths and bodies name.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) tenant: String,
    /// The owner's user in it.
    pub(super) user: String,
    /// A plain member's user.
    pub(super) fellow: String,
    pub(super) workspace: String,
    pub(super) session: String,
    pub(super) login: String,
    pub(super) api_key: String,
    /// To the other's address.
    pub(super) invitation: String,
    pub(super) snapshot: String,
    pub(super) restore: String,
}

pub(super) struct World {
    pub(super) cell: Cell,
    pub(super) owner: Pod,
    pub(super) callers: Vec<Caller>,
    pub(super) named: Named,
}

/// The file that the owner's workspace holds.
pub(super) const FILE: &str = "a.rs";

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl World {
    pub(super) async fn start() -> Self {
        let mut cell = Cell::start().await;
        let platform = cell.app.person("platform@example.com").await;
        let account = text(&cell.app.me(&platform).await["id"]);
        let folder = cell.folder.path().to_owned();
        cell.app = cell
            .app
            .beside(|config| {
                config.administrators.insert(account.parse().unwrap());
                config.cell_keys = Some(folder);
            })
            .await;
        let owner = cell.pod("owner@example.com").await;
        let other = cell.pod("other@example.com").await;
        let app = &cell.app;
        let member = join(app, &owner.person, "member@example.com", "member").await;
        let admin = join(app, &owner.person, "admin@example.com", "admin").await;
        let fellow = join(app, &owner.person, "fellow@example.com", "member").await;
        let named = Named {
            fellow: text(&app.me(&fellow).await["user_id"]),
            ..names(&cell, &owner).await
        };
        shares(&cell, &other).await;
        let person = |who, person: &Person| Caller {
            who,
            scope: None,
            token: Some(person.token.clone()),
        };
        let mut callers = vec![
            Caller {
                who: Who::Nobody,
                scope: None,
                token: None,
            },
            person(Who::Other, &other.person),
            person(Who::Member, &member),
            person(Who::Admin, &admin),
            person(Who::Owner, &owner.person),
            person(Who::Platform, &platform),
        ];
        for (who, token) in [
            (Who::Pod, cell.cluster.sign(&cell.claims(&owner))),
            (Who::Gateway, owner.credential.clone()),
            (Who::OtherGateway, other.credential.clone()),
        ] {
            callers.push(Caller {
                who,
                scope: None,
                token: Some(token),
            });
        }
        for scope in SCOPES {
            let program = program(&make(app, &owner.person, &[scope]).await);
            // Its first use is noted, which is a change that no other call is to be taken for.
            app.call(&program, "GET", "/api/v5/me", None).await;
            callers.push(Caller {
                who: Who::Key,
                scope: Some(scope),
                token: Some(program.token),
            });
        }
        Self {
            cell,
            owner,
            callers,
            named,
        }
    }
}

/// Makes one of each thing that the owner may have.
async fn names(cell: &Cell, owner: &Pod) -> Named {
    let (app, person) = (&cell.app, &owner.person);
    let me = app.me(person).await;
    let workspace = owner.workspace.to_string();
    app.login("owner@example.com", PASSWORD).await.expect(200);
    let logins = app.call(person, "GET", "/api/v5/me/logins", None).await;
    let logins = logins.expect(200).json();
    let mut logins = logins["items"].as_array().unwrap().iter();
    let login = logins.find(|login| login["present"] == false).unwrap();
    let opened = json!({ "workspace": workspace, "state": {} });
    let session = app
        .call(person, "POST", "/api/v5/sessions", Some(opened))
        .await;
    let link = LinkIdentity {
        account: text(&me["id"]).parse().unwrap(),
        provider: "google".parse().unwrap(),
        subject: "1".parse().unwrap(),
        at: app.now(),
    };
    app.registry
        .apply(RequestId::random(), &link)
        .await
        .unwrap();
    shares(cell, owner).await;
    let (snapshot, restore) = versions(cell, owner).await;
    Named {
        tenant: text(&me["tenant"]["id"]),
        user: text(&me["user_id"]),
        fellow: String::new(),
        workspace,
        session: text(&session.expect(201).json()["id"]),
        login: text(&login["id"]),
        api_key: text(&make(app, person, &["profile:read"]).await["id"]),
        invitation: text(&invite(app, person, "other@example.com", "member").await["id"]),
        snapshot,
        restore,
    }
}

/// The tabs of the workspace share something.
async fn shares(cell: &Cell, pod: &Pod) {
    let shared = json!({ "revision": 1, "values": {} });
    cell.call(pod, "PUT", "/api/v5/sidecar/state", Some(shared))
        .await
        .expect(204);
}

/// A version of the file, and that the owner wants it back.
async fn versions(cell: &Cell, owner: &Pod) -> (String, String) {
    let content = b"fn main() {}\n";
    let digest = Sha256::digest(content);
    let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let event = json!({
        "kind": "written", "path": FILE, "at": "2026-01-01T00:00:00Z", "size": content.len(), "sha256": sha256,
        "content": BASE64_STANDARD.encode(content),
    });
    let queue = "00000000-0000-4000-8000-000000000001";
    let batch = json!({ "queue": queue, "number": 1, "events": [event] });
    cell.call(owner, "POST", sidecar::FILES_PATH, Some(batch))
        .await
        .expect(204);
    let path = format!("{}/files/{FILE}/snapshots", owner.path);
    let kept = cell.app.call(&owner.person, "GET", &path, None).await;
    let snapshot = text(&kept.expect(200).json()["items"][0]["id"]);
    let path = format!("{path}/{snapshot}/restore");
    let asked = cell.app.call(&owner.person, "POST", &path, None).await;
    let restore = text(&asked.expect(202).json()["id"]);
    (snapshot, restore)
}
