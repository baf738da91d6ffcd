//! Reads of people who are signed in, while sign-ins end.

use std::{sync::Arc, time::Duration};

use crate::{
    Size,
    figures::{at, progress, table, verdict},
    pace,
    program::{Client, PASSWORD, Person, Program, json_of},
};

const A_SECOND: u32 = 1_000;
const PEOPLE: usize = 200;
/// Between two sign-ins that end.
const BETWEEN: Duration = Duration::from_millis(200);

pub(crate) async fn run(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), &[]);
    let client = Client::new(&program.url);
    progress("signing people up");
    let people = Arc::new(client.people(PEOPLE).await);

    progress("a page that reads nothing");
    let mut floor = load(&client, &people, "/health", size.time).await;
    progress("authenticated reads");
    let (mut reads, (ended, late)) = tokio::join!(
        load(&client, &people, "/api/v5/workspaces", size.time),
        revocations(&client, &people[0], size.time)
    );
    let row = |what: &str, times: &mut Vec<Duration>| {
        let milliseconds =
            |share, times: &mut Vec<_>| format!("{:.2} ms", at(share, times).as_secs_f64() * 1e3);
        [
            what.to_owned(),
            times.len().to_string(),
            milliseconds(0.5, times),
            milliseconds(0.99, times),
            milliseconds(0.999, times),
        ]
    };
    table(
        &format!("{A_SECOND} requests a second of {PEOPLE} people"),
        ["what", "requests", "p50", "p99", "p99.9"],
        vec![
            row("GET /health: the server and this client alone", &mut floor),
            row(
                "GET /api/v5/workspaces: token, login, membership, workspaces",
                &mut reads,
            ),
        ],
    );
    let p99 = at(0.99, &mut reads).as_secs_f64() * 1e3;
    println!(
        "p99 of authenticated reads: {p99:.2} ms (target: 10), {:.2} × that of a page that reads nothing: {}",
        p99 / (at(0.99, &mut floor).as_secs_f64() * 1e3),
        verdict(p99 < 10.0)
    );
    println!(
        "{ended} sign-ins ended meanwhile, {late} of them good for one more request (target: 0): {}",
        verdict(ended > 0 && late == 0)
    );
}

async fn load(
    client: &Client,
    people: &Arc<Vec<Person>>,
    path: &'static str,
    time: Duration,
) -> Vec<Duration> {
    let (client, people) = (client.clone(), Arc::clone(people));
    pace::times(A_SECOND, time, move |number| {
        let request = client.get(path, &people[number % people.len()].token);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.bytes().await.unwrap();
        }
    })
    .await
}

/// Signs in, ends that sign-in from another one, and calls with it again at once. How many ended, and how many of them
/// still opened something.
async fn revocations(client: &Client, person: &Person, time: Duration) -> (u32, u32) {
    let began = std::time::Instant::now();
    let (mut ended, mut late) = (0, 0);
    while began.elapsed() < time {
        let answer = json_of(client.login(&person.email, PASSWORD)).await;
        let token = answer["access_token"].as_str().unwrap().to_owned();
        let logins = json_of(client.get("/api/v5/me/logins", &token)).await;
        let items = logins["items"].as_array().unwrap();
        let own = items.iter().find(|login| login["present"] == true);
        let id = own.unwrap()["id"].as_str().unwrap();
        let path = format!("{}/api/v5/me/logins/{id}", client.url);
        let delete = client.http.delete(path).bearer_auth(&person.token);
        assert!(delete.send().await.unwrap().status().is_success());
        let next = client.get("/api/v5/workspaces", &token).send().await;
        late += u32::from(next.unwrap().status() != 401);
        ended += 1;
        tokio::time::sleep(BETWEEN).await;
    }
    (ended, late)
}
