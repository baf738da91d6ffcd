//! What waits for approval is told to the person whose change it is, and to administrators.

use coditect_core::{ApprovalReason, CellName, ChangeId, RequestId, UserId};
use coditect_registry::{
    operation::{LeaveApproval, MoveApproval, OpenApproval},
    record::{ApprovalState, ApprovalUser},
};
use serde_json::{Value, json};

use crate::{admin::administered, harness::App};

const APPROVALS: &str = "/api/v5/admin/approvals";

#[tokio::test]
async fn a_person_sees_what_waits_and_an_administrator_sees_all_of_it() {
    let app = App::start().await;
    let (root, ada) = (
        app.person("root@example.com").await,
        app.person("ada@example.com").await,
    );
    let app = administered(&app, &root).await;
    let workspaces = app.shown(&ada, "/api/v5/workspaces").await;
    let id = workspaces["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v5/workspaces/{id}");
    assert_eq!(app.shown(&ada, &path).await["approval"], Value::Null);
    assert_eq!(app.shown(&root, APPROVALS).await, json!({"items": []}));

    let me = app.shown(&ada, "/api/v5/me").await;
    let user: UserId = me["user_id"].as_str().unwrap().parse().unwrap();
    let cell: CellName = "local".parse().unwrap();
    let row = app.registry.view().await.unwrap().intent(&cell, user).await;
    let intent = row.unwrap().unwrap().intent;
    let open = OpenApproval {
        cell: cell.clone(),
        tenant: intent.tenant,
        change: ChangeId::random(),
        asked: vec![(
            ApprovalUser {
                user,
                generation: intent.generation,
                intent_hash: "0123".into(),
                reasons: vec![ApprovalReason::Plan {
                    plan: "pro".parse().unwrap(),
                }],
            },
            None,
        )],
        at: app.now(),
    };
    let request = RequestId::random;
    app.registry.apply(request(), &open).await.unwrap();
    let shown = app.shown(&ada, &path).await;
    assert_eq!(
        shown["approval"],
        json!({
            "change": open.change, "state": "waiting", "since": app.now(), "first": true,
            "reasons": ["the plan becomes pro"], "url": null,
        })
    );
    let proposed = MoveApproval {
        cell: cell.clone(),
        change: open.change,
        expected: 1,
        to: ApprovalState::Proposed {
            branch: "approvals/x".into(),
            url: Some("https://git.example/1".into()),
        },
        at: app.now(),
    };
    app.registry.apply(request(), &proposed).await.unwrap();
    let shown = app.shown(&ada, &path).await;
    assert_eq!(shown["approval"]["url"], "https://git.example/1");
    let listed = app.shown(&root, &format!("{APPROVALS}?cell=local")).await;
    let item = &listed["items"][0];
    assert_eq!(item["state"], "proposed");
    assert_eq!(item["url"], "https://git.example/1");
    assert_eq!(item["users"][0]["user"], json!(user));
    assert!(!listed.to_string().contains('@'), "a list names nobody");

    let declined = MoveApproval {
        expected: 2,
        to: ApprovalState::Rejected { at: app.now() },
        ..proposed
    };
    app.registry.apply(request(), &declined).await.unwrap();
    let shown = app.shown(&ada, &path).await;
    assert_eq!(shown["approval"]["state"], "rejected");

    let leave = LeaveApproval {
        cell,
        users: vec![(user, open.change)],
        approved: Some("c0ffee".into()),
        at: app.now(),
    };
    app.registry.apply(request(), &leave).await.unwrap();
    assert_eq!(app.shown(&ada, &path).await["approval"], Value::Null);
    let listed = app.shown(&root, APPROVALS).await;
    assert_eq!(listed["items"][0]["commit"], "c0ffee");
    app.call(&root, "GET", &format!("{APPROVALS}?cell=X"), None)
        .await
        .expect_problem(422, "invalid-input");
}
