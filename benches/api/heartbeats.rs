//! The heartbeats of workspaces' gateways.

use std::{sync::Arc, time::Duration};

use coditect_core::sidecar;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    Size,
    cluster::Cluster,
    figures::{at, progress, raw_sync_rate, table, verdict},
    pace,
    program::{Client, Program, json_of},
};

/// 10,000 a minute.
const A_SECOND: u32 = 167;
const WORKSPACES: usize = 500;

pub(crate) async fn run(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("cell-keys");
    let cluster = Cluster::new("https://kubernetes.default.svc.cluster.local");
    cluster.publish(&keys, "local");
    let data = folder.path().join("data");
    let program = Program::start(&data, &["--cell-keys", keys.to_str().unwrap()]);
    let client = Client::new(&program.url);
    progress("signing people up");
    let mut credentials = Vec::new();
    for person in client.people(WORKSPACES).await {
        let me = json_of(client.get("/api/v5/me", &person.token)).await;
        let list = json_of(client.get("/api/v5/workspaces", &person.token)).await;
        let (user, workspace) = (me["user_id"].as_str(), list["items"][0]["id"].as_str());
        let claims = cluster.claims(user.unwrap(), workspace.unwrap(), Timestamp::now());
        let exchange = client.post(sidecar::CREDENTIAL_PATH, &json!({}));
        let answer = json_of(exchange.bearer_auth(cluster.sign(&claims))).await;
        credentials.push(answer["credential"].as_str().unwrap().to_owned());
    }
    let credentials = Arc::new(credentials);
    let syncs = raw_sync_rate(folder.path(), Duration::from_secs(2));
    progress("heartbeats");
    let sender = client.clone();
    let mut times = pace::times(A_SECOND, size.time * 2, move |number| {
        let body = json!({
            "used": "idle", "sockets": 1, "waiting": 0,
            "input_at": Timestamp::now().to_string(), "output_at": Timestamp::now().to_string(),
        });
        let request = sender
            .http
            .put(format!("{}{}", sender.url, sidecar::HEARTBEAT_PATH))
            .bearer_auth(&credentials[number % credentials.len()])
            .json(&body);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap());
        }
    })
    .await;
    let p50 = at(0.5, &mut times).as_secs_f64() * 1e3;
    let p99 = at(0.99, &mut times).as_secs_f64() * 1e3;
    let last = at(1.0, &mut times).as_secs_f64() * 1e3;
    table(
        &format!(
            "Heartbeats of {WORKSPACES} workspaces, {} a minute, each durable",
            A_SECOND * 60
        ),
        [
            "heartbeats",
            "p50",
            "p99",
            "longest",
            "one sync of this disk",
        ],
        vec![[
            times.len().to_string(),
            format!("{p50:.2} ms"),
            format!("{p99:.2} ms"),
            format!("{last:.2} ms"),
            format!("{:.2} ms", 1e3 / syncs),
        ]],
    );
    println!(
        "p99 of heartbeats: {p99:.2} ms (target: 50), {:.1} × one sync: {}",
        p99 * syncs / 1e3,
        verdict(p99 < 50.0)
    );
}
