//! What is seen of a workspace reaches the person: phase, reason, notices, steps; and what the person says
//! of its use reaches the registry.

use coditect_core::{
    Activity, Cause, Notice, NoticeKind, Phase, Reason, RequestId, Step, UserId, WorkspaceId,
};
use coditect_registry::{
    operation::{NoteStatus, Suspend},
    record::{Action, PowerCause, Status},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{App, Person};

impl App {
    /// A time, in seconds from now by the API's clock.
    fn after(&self, seconds: i64) -> Timestamp {
        self.now() + SignedDuration::from_secs(seconds)
    }

    pub(crate) async fn shown(&self, person: &Person, path: &str) -> Value {
        self.call(person, "GET", path, None)
            .await
            .expect(200)
            .json()
    }

    /// Does what an observer does once it has seen this.
    pub(crate) async fn observe(&self, path: &str, status: Status) {
        let workspace = id_of(path);
        let mut view = self.registry.view().await.unwrap();
        let user: UserId = view.place_of(workspace).await.unwrap().unwrap().user;
        let noted = NoteStatus {
            cell: "local".parse().unwrap(),
            statuses: vec![(user, workspace, status)],
            at: self.now(),
        };
        self.registry
            .apply(RequestId::random(), &noted)
            .await
            .unwrap();
    }

    async fn activity(&self, path: &str) -> Option<Activity> {
        let mut view = self.registry.view().await.unwrap();
        let all = view.activities(&"local".parse().unwrap()).await.unwrap();
        all.get(&id_of(path)).copied()
    }

    async fn actions(&self, path: &str) -> Vec<Action> {
        let mut view = self.registry.view().await.unwrap();
        let place = view.place_of(id_of(path)).await.unwrap().unwrap();
        let entries = view.audit(place.tenant, 100).await.unwrap();
        entries.into_iter().map(|entry| entry.action).collect()
    }
}

fn id_of(path: &str) -> WorkspaceId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

fn time(shown: &Value) -> Timestamp {
    shown.as_str().unwrap().parse().unwrap()
}

pub(crate) fn status(phase: Phase, at: Timestamp) -> Status {
    Status {
        phase,
        since: at,
        reason: None,
        generation: 1,
        steps: Vec::new(),
        notices: Vec::new(),
    }
}

fn steps(begin: Timestamp, steps: &[(Phase, i64)]) -> Vec<Step> {
    steps
        .iter()
        .map(|(phase, millis)| Step {
            phase: *phase,
            at: begin + SignedDuration::from_millis(*millis),
        })
        .collect()
}

fn road(shown: &Value) -> Vec<(&str, u64)> {
    shown["timeline"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            (
                step["phase"].as_str().unwrap(),
                step["took_ms"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn each_step_of_a_sign_up_is_shown_with_its_time() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let began = app.now();
    let shown = app.shown(&person, &path).await;
    assert_eq!(road(&shown), [("requested", 0)]);
    assert_eq!(shown["power"]["cause"], "sign_up");
    assert_eq!(
        (&shown["reason"], &shown["notices"]),
        (&json!(null), &json!([]))
    );

    app.advance(2);
    app.commit(&person, &path, "c0ffee").await;
    let shown = app.shown(&person, &path).await;
    assert_eq!(road(&shown), [("requested", 0), ("committed", 2_000)]);

    let seen = Status {
        steps: steps(
            began,
            &[
                (Phase::Requested, 0),
                (Phase::Committed, 2_000),
                (Phase::Synced, 2_500),
                (Phase::Starting, 2_600),
                (Phase::Ready, 4_000),
            ],
        ),
        ..status(Phase::Ready, app.after(2))
    };
    app.observe(&path, seen).await;
    let shown = app.shown(&person, &path).await;
    assert_eq!(shown["phase"], "ready");
    assert_eq!(
        road(&shown),
        [
            ("requested", 0),
            ("committed", 2_000),
            ("synced", 500),
            ("starting", 100),
            ("ready", 1_400)
        ]
    );
    assert_eq!(time(&shown["timeline"]["began_at"]), began);
    assert_eq!(shown["timeline"]["request_to_commit_ms"], 2_000);
}

#[tokio::test]
async fn a_change_of_power_begins_a_road_of_its_own() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    app.commit(&person, &path, "c0ffee").await;
    let first = Status {
        steps: steps(app.now(), &[(Phase::Requested, 0), (Phase::Ready, 900)]),
        ..status(Phase::Ready, app.now())
    };
    app.observe(&path, first).await;
    app.advance(60);
    app.call(&person, "POST", &format!("{path}/stop"), None)
        .await
        .expect(202);
    let shown = app.shown(&person, &path).await;
    assert_eq!(
        (road(&shown), time(&shown["timeline"]["began_at"])),
        (vec![], app.now()),
        "the road before is over"
    );
    assert_eq!(shown["power"]["cause"], "person");
    let asleep = Status {
        steps: steps(
            app.now(),
            &[(Phase::Suspending, 0), (Phase::Suspended, 1_200)],
        ),
        ..status(Phase::Suspended, app.now())
    };
    app.observe(&path, asleep).await;
    let shown = app.shown(&person, &path).await;
    assert_eq!(road(&shown), [("suspending", 0), ("suspended", 1_200)]);
}

#[tokio::test]
async fn a_change_of_what_runs_goes_its_way_beside_it() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    app.commit(&person, &path, "c0ffee").await;
    app.observe(&path, status(Phase::Ready, app.now())).await;
    app.advance(60);
    app.call(
        &person,
        "PUT",
        "/api/v5/tenant/plan",
        Some(json!({ "plan": "pro" })),
    )
    .await
    .expect(200);
    let shown = app.shown(&person, &path).await;
    assert_eq!(
        (shown["phase"].as_str(), &shown["commit"], road(&shown)),
        (Some("ready"), &json!(null), vec![("requested", 0)])
    );
    app.advance(1);
    app.commit(&person, &path, "beef").await;
    let shown = app.shown(&person, &path).await;
    assert_eq!(shown["phase"], "ready");
    assert_eq!(shown["commit"], "beef");
    assert_eq!(road(&shown), [("requested", 0), ("committed", 1_000)]);
}

#[tokio::test]
async fn a_reason_comes_with_its_remedy_and_notices_travel() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let seen = Status {
        reason: Some(Reason::new(Cause::Quota, "exceeded quota: pods=1")),
        notices: vec![
            Notice {
                kind: NoticeKind::Idle,
                at: app.now(),
                until: Some(app.after(300)),
                detail: String::new(),
            },
            Notice {
                kind: NoticeKind::ActivityUnknown,
                at: app.now(),
                until: None,
                detail: "not reported".into(),
            },
        ],
        ..status(Phase::Failed, app.now())
    };
    app.observe(&path, seen).await;
    let shown = app.shown(&person, &path).await;
    assert_eq!(
        (&shown["phase"], &shown["reason"]),
        (
            &json!("failed"),
            &json!({
                "cause": "quota",
                "detail": "exceeded quota: pods=1",
                "remedy": Cause::Quota.remedy(),
            })
        )
    );
    let (idle, unknown) = (&shown["notices"][0], &shown["notices"][1]);
    assert_eq!(
        (idle["kind"].as_str(), time(&idle["until"])),
        (Some("idle"), app.after(300))
    );
    assert_eq!(
        (
            unknown["kind"].as_str(),
            &unknown["until"],
            unknown["detail"].as_str()
        ),
        (Some("activity_unknown"), &json!(null), Some("not reported"))
    );
    // What is marked is on its way out, whatever stood in its way.
    let marked = app
        .call(&person, "DELETE", &path, None)
        .await
        .expect(202)
        .json();
    assert_eq!(
        (
            marked["phase"].as_str(),
            &marked["reason"],
            marked["power"]["cause"].as_str()
        ),
        (Some("deleting"), &json!(null), Some("deletion"))
    );
}

#[tokio::test]
async fn a_click_keeps_what_runs_and_nothing_else() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let keep = format!("{path}/keep");
    app.advance(100);
    app.call(&person, "POST", &keep, None).await.expect(204);
    assert_eq!(
        app.activity(&path).await,
        Some(Activity {
            input_at: Some(app.now()),
            output_at: None,
            reported_at: app.now(),
        })
    );
    let kept = Action::WorkspaceKept {
        workspace: id_of(&path),
    };
    assert!(app.actions(&path).await.contains(&kept));

    let mut view = app.registry.view().await.unwrap();
    let runtime = view.place_of(id_of(&path)).await.unwrap().unwrap();
    let user = view.runtime(&runtime.cell, runtime.user).await.unwrap();
    let suspend = Suspend {
        cell: runtime.cell,
        workspace: id_of(&path),
        seen: user.unwrap().workspaces[0].power.since,
        cause: PowerCause::Idle,
        at: app.after(150),
    };
    assert!(
        app.registry
            .apply(RequestId::random(), &suspend)
            .await
            .unwrap()
    );
    let shown = app.shown(&person, &path).await;
    assert_eq!(
        (&shown["power"]["wanted"], &shown["power"]["cause"]),
        (&json!("off"), &json!("idle"))
    );
    app.advance(150);
    let problem = app
        .call(&person, "POST", &keep, None)
        .await
        .expect_problem(409, "conflict");
    assert!(problem["detail"].as_str().unwrap().contains("start it"));
    assert_eq!(
        app.shown(&person, &path).await["power"]["wanted"],
        "off",
        "nothing but a start wakes"
    );
}

#[tokio::test]
async fn activity_is_bounded_by_what_the_api_knows() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let address = format!("{path}/activity");
    let put = async |body: Value| app.call(&person, "PUT", &address, Some(body)).await;
    let (before, ahead) = (app.after(-60), app.after(3_600));
    put(json!({ "output_at": before.to_string() }))
        .await
        .expect(204);
    put(json!({ "input_at": ahead.to_string() }))
        .await
        .expect(204);
    let now = app.now();
    app.advance(30);
    put(json!({})).await.expect(204);
    assert_eq!(
        app.activity(&path).await,
        Some(Activity {
            input_at: Some(now),
            output_at: Some(before),
            reported_at: app.now(),
        }),
        "what lies ahead is now, and nothing goes back"
    );
    for (body, field) in [
        (json!({ "input_at": "yesterday" }), "input_at"),
        (json!({ "output_at": 5 }), "output_at"),
        (json!({ "ping_at": null }), "ping_at"),
    ] {
        let problem = put(body).await.expect_problem(422, "invalid-input");
        assert_eq!(problem["field"], field);
    }
}
