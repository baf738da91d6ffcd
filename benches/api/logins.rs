//! Sign-ins: what the hashing of passwords leaves of a machine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use coditect_api::Hashing;
use tokio::task::JoinSet;

use crate::{
    Size,
    figures::{at, progress, table, verdict},
    pace,
    program::{Client, PASSWORD, Program},
};

/// Who signs in at a time.
const AT_A_TIME: usize = 32;
/// Requests a second of people who are in.
const OTHERS: u32 = 100;

pub(crate) async fn run(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), &[]);
    let client = Client::new(&program.url);
    progress("signing people up");
    let people = Arc::new(client.people(AT_A_TIME).await);
    let hashing = Hashing::default();

    let idle = others(&client, &people[0].token, size.time).await;
    // Before and after, because a machine's speed changes while one looks at it.
    progress("raw Argon2id");
    let before = raw(&hashing, size.time / 4).await;
    progress("sign-ins");
    let hashed = hashes(&client).await;
    let token = people[0].token.clone();
    let (count, took, busy) = {
        let others = others(&client, &token, size.time);
        let ((count, took), busy) = tokio::join!(logins(&client, &people, size.time), others);
        (count, took, busy)
    };
    let hashed = hashes(&client).await - hashed;
    let after = raw(&hashing, size.time / 4).await;

    // Of each second, what the program's threads spent in hashing.
    let hashing_share = hashed / took.as_secs_f64() / hashing.workers as f64;
    let (ours, raw) = (count as f64 / took.as_secs_f64(), before.midpoint(after));
    let milliseconds = |times: &mut Vec<Duration>, share| {
        format!("{:.1} ms", at(share, times).as_secs_f64() * 1e3)
    };
    let (mut idle, mut busy) = (idle, busy);
    table(
        &format!(
            "Sign-ins of {AT_A_TIME} people at a time; Argon2id with {} KiB and {} passes, {} at a time",
            hashing.memory_kib, hashing.passes, hashing.workers
        ),
        ["what", "a second", "others: p50", "others: p99"],
        vec![
            [
                "raw Argon2id, nothing else running".into(),
                format!("{raw:.1} ({before:.1} before, {after:.1} after)"),
                String::new(),
                String::new(),
            ],
            [
                "nobody signs in".into(),
                String::new(),
                milliseconds(&mut idle, 0.5),
                milliseconds(&mut idle, 0.99),
            ],
            [
                "sign-ins".into(),
                format!("{ours:.1}"),
                milliseconds(&mut busy, 0.5),
                milliseconds(&mut busy, 0.99),
            ],
        ],
    );
    let ratio = ours / raw;
    println!(
        "sign-ins beside raw Argon2id: {ratio:.2} × (target: 0.9), hashing {:.1} % of the time: {}",
        hashing_share * 100.0,
        verdict(ratio >= 0.9)
    );
    let p99 = at(0.99, &mut busy).as_secs_f64() * 1e3;
    println!(
        "p99 of {OTHERS} other requests a second meanwhile: {p99:.1} ms (target: 50): {}",
        verdict(p99 < 50.0)
    );
}

/// Hashes a second of the library alone, on as many threads as the program hashes on, in memory that is there already.
async fn raw(hashing: &Hashing, time: Duration) -> f64 {
    let params = Params::new(hashing.memory_kib, hashing.passes, 1, None).unwrap();
    let began = Instant::now();
    let mut threads = Vec::new();
    for _ in 0..hashing.workers {
        let params = params.clone();
        threads.push(std::thread::spawn(move || {
            let mut blocks = vec![Block::default(); params.block_count()];
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let mut output = [0; 32];
            let mut count = 0_u32;
            while began.elapsed() < time {
                argon2
                    .hash_password_into_with_memory(
                        PASSWORD.as_bytes(),
                        &[7; 16],
                        &mut output,
                        &mut blocks,
                    )
                    .unwrap();
                count += 1;
            }
            count
        }));
    }
    let joined = tokio::task::spawn_blocking(move || {
        let counts = threads.into_iter().map(|thread| thread.join().unwrap());
        counts.map(f64::from).sum::<f64>()
    });
    joined.await.unwrap() / began.elapsed().as_secs_f64()
}

/// Seconds that the program has spent in hashing, by its own metrics.
async fn hashes(client: &Client) -> f64 {
    let answer = client.get("/metrics", "").send().await.unwrap();
    let text = answer.text().await.unwrap();
    let mut lines = text.lines();
    let sum = lines.find_map(|line| line.strip_prefix("coditect_api_password_hash_seconds_sum "));
    sum.unwrap().parse().unwrap()
}

async fn logins(
    client: &Client,
    people: &Arc<Vec<crate::program::Person>>,
    time: Duration,
) -> (usize, Duration) {
    let began = Instant::now();
    let count = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for at in 0..AT_A_TIME {
        let (client, people, count) = (client.clone(), Arc::clone(people), Arc::clone(&count));
        tasks.spawn(async move {
            while began.elapsed() < time {
                let answer = client.login(&people[at].email, PASSWORD).send().await;
                assert_eq!(answer.unwrap().status(), 200);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tasks.join_all().await;
    (count.load(Ordering::Relaxed), began.elapsed())
}

/// How long others wait for what is theirs.
async fn others(client: &Client, token: &str, time: Duration) -> Vec<Duration> {
    let (client, token) = (client.clone(), token.to_owned());
    pace::times(OTHERS, time, move |_| {
        let request = client.get("/api/v5/workspaces", &token);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.bytes().await.unwrap();
        }
    })
    .await
}
