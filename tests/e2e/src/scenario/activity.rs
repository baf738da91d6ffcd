//! Who is suspended for want of use, and who is not: each part a workspace of its own, all at the same time, with a
//! minute of idle time instead of half an hour. Each stands for something that went wrong elsewhere.

use std::{cell::Cell, path::PathBuf, time::Duration};

use futures::{TryStreamExt, stream, stream::StreamExt};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    time::{MissedTickBehavior, interval},
    try_join,
};

use super::{
    looks::{self, LIMIT, Live},
    policy::Edit,
};
use crate::{
    Context, Failure, Length, Person, Result, Scenario, World, ensure, fail, lasts, say, until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "activity",
    purpose: "unknown is not idle, a knock wakes nobody, a scrape is no use, a build is; warned, kept, suspended",
    expected: Duration::from_secs(140),
    length: Length::Quick,
    run: |context| Box::pin(run(context)),
};

/// The idle time of the reviewed decision for these tenants, and what a decision may take beyond it.
const IDLE: Duration = Duration::from_secs(60);
const DECIDED: Duration = Duration::from_secs(20);
/// When silence is told: three minutes, and a decision.
const SILENCE: Duration = Duration::from_secs(3 * 60 + 60);

/// Of a request.
type Headers<'a> = &'a [(&'a str, &'a str)];

async fn run(context: &mut Context) -> Result {
    let full = context.full;
    let world = context.world().await?;
    let api = &world.product.api();
    let parts = [
        "silent", "blocked", "tab", "scraped", "build", "kept", "spent",
    ];
    let people: Vec<Person> = stream::iter(parts)
        .map(async |part| api.sign_up(&format!("activity-{part}@example.test")).await)
        .buffered(parts.len())
        .try_collect()
        .await?;
    let [silent, blocked, tab, scraped, build, kept, spent] = people.as_slice() else {
        fail!("{} people signed up", people.len());
    };
    for person in &people {
        looks::phase(person, "ready").await?;
    }
    let mut decided: Vec<_> = [silent, tab, scraped, build, kept]
        .map(|person| limited(person, "idleMinutes: 1"))
        .into();
    // Longer than a report is good for.
    decided.push(limited(blocked, "idleMinutes: 4"));
    decided.push(limited(spent, "hoursPerMonth: 0"));
    let edit = Edit::write_all(&world.product, decided).await?;
    let world = &*world;
    let blocks = async {
        if full {
            let what = "case 3: nor is a probe that is blocked";
            say::step(what, probe_blocked(blocked)).await?;
        }
        Ok(())
    };
    try_join!(
        say::step(
            "case 3: silence is not idleness",
            never_reported(silent, full)
        ),
        blocks,
        say::step(
            "case 4: a tab that reconnects wakes nobody",
            tab_reconnects(world, tab)
        ),
        say::step(
            "case 5: scrapes and polls are no use",
            scraped_every_second(world, scraped)
        ),
        say::step(
            "case 6: a build without a tab is use",
            long_build(build, full)
        ),
        say::step("a click keeps it, once", kept_once(kept)),
        say::step("no hours left", out_of_hours(spent)),
    )?;
    edit.undo(&world.product).await?;
    world.product.show_usage()
}

/// A reviewed decision about a person's tenant.
fn limited(person: &Person, limit: &str) -> (PathBuf, String) {
    let file = format!("tenants/orgs/{}.yaml", person.tenant);
    (PathBuf::from(file), format!("limits:\n  {limit}\n"))
}

fn notice<'a>(shown: &'a Value, kind: &str) -> Option<&'a Value> {
    let notices = shown["notices"].as_array()?;
    notices.iter().find(|notice| notice["kind"] == kind)
}

async fn told(person: &Person, kind: &str, limit: Duration) -> Result<Value> {
    until(format!("the notice {kind}"), limit, || async {
        let shown = person.shown().await?;
        let told = notice(&shown, kind).cloned();
        told.ok_or_else(|| Failure::new(shown.to_string()))
    })
    .await
}

/// It runs, and nobody says that it is about to be suspended.
async fn runs_untold(person: &Person) -> Result {
    let shown = person.shown().await?;
    ensure!(
        shown["phase"] == "ready" && shown["power"]["wanted"] == "on",
        "{shown}"
    );
    ensure!(notice(&shown, "idle").is_none(), "{}", shown["notices"]);
    Ok(())
}

/// What a gateway says.
async fn report(person: &Person, body: Value) -> Result {
    let path = format!("/api/v5/workspaces/{}/activity", person.workspace);
    person.must(Method::PUT, &path, Some(&body)).await.map(drop)
}

/// What a gateway says every few seconds while nobody is there, until the part beside it has ended.
async fn reports_beside(
    person: &Person,
    body: impl Fn() -> Value,
    part: impl Future<Output = Result>,
) -> Result {
    let reports = async {
        let mut tick = every(3);
        loop {
            tick.tick().await;
            report(person, body()).await?;
        }
    };
    tokio::select! {
        ended = part => ended,
        failed = reports => failed,
    }
}

fn every(seconds: u64) -> tokio::time::Interval {
    let mut tick = interval(Duration::from_secs(seconds));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

async fn suspended_for(person: &Person, cause: &str) -> Result<Value> {
    let shown = looks::phase(person, "suspended").await?;
    ensure!(
        shown["power"]["cause"] == cause && shown["power"]["wanted"] == "off",
        "{}",
        shown["power"]
    );
    Ok(shown)
}

/// Incident: cullers whose probe failed took an unknown answer for an idle one and stopped sessions (Theia Cloud,
/// Kubeflow). A gateway that was never heard of is not idle.
async fn never_reported(person: &Person, full: bool) -> Result {
    lasts("a workspace that never reports", IDLE + DECIDED, || {
        runs_untold(person)
    })
    .await?;
    if full {
        let told = told(person, "activity_unknown", SILENCE).await?;
        ensure!(
            told["detail"]
                .as_str()
                .is_some_and(|text| text.contains("cannot be read")),
            "{told}"
        );
        runs_untold(person).await?;
    }
    Ok(())
}

/// The same, where reports come and then end: what was known grows too old to decide by.
async fn probe_blocked(person: &Person) -> Result {
    report(person, json!({"input_at": Timestamp::now()})).await?;
    told(person, "activity_unknown", SILENCE).await?;
    lasts("a workspace whose probe was blocked", IDLE + IDLE, || {
        runs_untold(person)
    })
    .await
}

/// Incident: an open browser tab, reconnecting, woke pods or counted as their use (code-server#5008, agentbox#210,
/// devpod#864). Whatever a browser, a monitor or a stranger sends to the workspace's host, it stays suspended.
async fn tab_reconnects(world: &World, person: &Person) -> Result {
    let api = &world.product.api();
    let live = Live::of(&world.cluster, person);
    person.ask("stop").await?;
    let before = looks::phase(person, "suspended").await?;
    let url = before["url"].as_str().unwrap_or_default();
    let host = url
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let socket = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-fetch-mode", "websocket"),
    ];
    let call = [
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-site", "same-origin"),
    ];
    let navigation = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("accept", "text/html"),
    ];
    let knocks = Cell::new(0_u32);
    lasts("a suspended workspace", IDLE, || async {
        let requests: [(_, _, Headers<'_>); 6] = [
            (Method::GET, "/services", &socket),
            (Method::GET, "/coditect/ws", &socket),
            (Method::POST, "/socket.io/?EIO=4&transport=polling", &call),
            (Method::GET, "/", &navigation),
            (Method::GET, "/.coditect/wake", &call),
            (Method::GET, "/health", &[]),
        ];
        for (method, path, headers) in requests {
            let (status, said) = api.knock(method.clone(), host, path, headers).await?;
            ensure!(
                status == StatusCode::SERVICE_UNAVAILABLE && said == "suspended",
                "{method} {path}: {status} {said}"
            );
            knocks.set(knocks.get() + 1);
        }
        // A report that was on its way when the pod ended, and a click in a tab that knows no better.
        report(person, json!({"input_at": Timestamp::now()})).await?;
        let keep = format!("/api/v5/workspaces/{}/keep", person.workspace);
        let (status, _) = person.send(Method::POST, &keep, None).await?;
        ensure!(status == StatusCode::CONFLICT, "keep: {status}");
        let shown = person.shown().await?;
        ensure!(
            shown["phase"] == "suspended" && shown["power"] == before["power"],
            "{shown}"
        );
        Ok(())
    })
    .await?;
    ensure!(knocks.get() > 100, "only {} knocks", knocks.get());
    ensure!(live.scale(&person.objects()).await? == 0, "it was scaled");
    ensure!(live.pod_count().await? == 0, "it has a pod");
    Ok(())
}

/// Incident: health checks, metrics and the platform's own polls counted as use, and nothing was ever suspended
/// (agentbox#210, code-server#5008). The gateway says that it sees nobody; all else only looks.
async fn scraped_every_second(world: &World, person: &Person) -> Result {
    report(person, json!({"input_at": Timestamp::now()})).await?;
    let host = person.shown().await?["slug"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let host = format!("{host}.{}.workspaces.test", crate::CELL);
    let api = &world.product.api();
    let scrapes = async {
        let mut tick = every(1);
        loop {
            tick.tick().await;
            for address in world.product.monitored() {
                let status = reqwest::get(&address).await?.status();
                ensure!(status.is_success(), "{address}: {status}");
            }
            // The app that is open somewhere, and a monitor of the workspace's own address.
            person.get("/api/v5/workspaces").await?;
            person.get("/api/v5/me").await?;
            api.knock(Method::GET, &host, "/health", &[]).await?;
        }
    };
    let warned_and_suspended = async {
        let told = told(person, "idle", IDLE).await?;
        ensure!(told["until"].is_string(), "{told}");
        suspended_for(person, "idle").await.map(drop)
    };
    tokio::select! {
        ended = reports_beside(person, || json!({}), warned_and_suspended) => ended,
        failed = scrapes => failed,
    }
}

/// Incident: builds that ran on after their tab was closed were stopped halfway (a time-out counted from the last
/// click). What a terminal prints or a task does is use.
async fn long_build(person: &Person, full: bool) -> Result {
    let building = lasts("a workspace that builds", IDLE + DECIDED, || {
        runs_untold(person)
    });
    reports_beside(person, || json!({"output_at": Timestamp::now()}), building).await?;
    if full {
        let over = async {
            told(person, "idle", IDLE).await?;
            suspended_for(person, "idle").await.map(drop)
        };
        reports_beside(person, || json!({}), over).await?;
    }
    Ok(())
}

/// Incident: a warning that could not be answered in time, and work that was lost for it (gitpod#4671). A click
/// counts as use from then on, no longer.
async fn kept_once(person: &Person) -> Result {
    report(person, json!({"input_at": Timestamp::now()})).await?;
    let part = async {
        let first = told(person, "idle", IDLE).await?;
        person.ask("keep").await?;
        until("the warning to be over", LIMIT, || runs_untold(person)).await?;
        let second = told(person, "idle", IDLE).await?;
        let [first, second] = [&first, &second].map(|told| told["until"].as_str());
        ensure!(
            first.is_some() && first < second,
            "announced for {first:?}, then for {second:?}"
        );
        // Warned at the half, so that the end that was announced first has passed.
        let shown = person.shown().await?;
        ensure!(shown["power"]["wanted"] == "on", "{shown}");
        suspended_for(person, "idle").await.map(drop)
    };
    reports_beside(person, || json!({}), part).await
}

/// Incident: workspaces that ran on with no credit left (gitpod#12649, #15807). Started again by hand it ends
/// again, and says why.
async fn out_of_hours(person: &Person) -> Result {
    suspended_for(person, "hours").await?;
    person.ask("start").await?;
    until("it to be suspended again", LIMIT, || async {
        let shown = person.shown().await?;
        ensure!(
            shown["phase"] == "suspended" && shown["power"]["cause"] == "hours",
            "{shown}"
        );
        Ok(())
    })
    .await
}
