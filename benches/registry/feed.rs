//! From the commit of a change to whoever follows the feed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use coditect_core::{RequestId, UserId, Version};
use coditect_registry::{
    Registry,
    record::RegistrationState,
    store::{Store, embedded::EmbeddedStore, remote},
};

use crate::{
    figures::{at, progress, table, verdict},
    people,
};

/// Between two sign-ups of who is timed.
const PACE: Duration = Duration::from_millis(4);

pub(crate) fn run(samples: usize) {
    progress("feed latency");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut rows = Vec::new();
    let mut worst = Duration::ZERO;
    for (what, beside, through_socket) in [
        ("alone", 0, false),
        ("beside 8 clients that sign up without pause", 8, false),
        ("alone, followed from another process's socket", 0, true),
    ] {
        let mut times = runtime.block_on(latencies(samples, beside, through_socket));
        let p99 = at(0.99, &mut times);
        worst = worst.max(p99);
        rows.push([
            what.to_owned(),
            format!("{:.2} ms", at(0.5, &mut times).as_secs_f64() * 1e3),
            format!("{:.2} ms", p99.as_secs_f64() * 1e3),
            format!("{:.2} ms", at(1.0, &mut times).as_secs_f64() * 1e3),
        ]);
    }
    table(
        "From the acknowledged commit of a sign-up until a follower of its cell has read whose it is",
        ["who signs up", "p50", "p99", "longest"],
        rows,
    );
    println!(
        "the worst p99: {:.2} ms (target: 10): {}",
        worst.as_secs_f64() * 1e3,
        verdict(worst < Duration::from_millis(10))
    );
}

async fn latencies(samples: usize, beside: usize, through_socket: bool) -> Vec<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path().join("registry.redb")).unwrap();
    let socket = folder.path().join("registry.sock");
    let server = remote::serve(store.engine(), &socket).await.unwrap();
    let registry = Registry::open(store as Arc<dyn Store>).await.unwrap();
    let follower = if through_socket {
        let remote = remote::RemoteStore::connect(&socket).await.unwrap();
        Registry::open(remote as Arc<dyn Store>).await.unwrap()
    } else {
        registry.clone()
    };
    let stop = Arc::new(AtomicBool::new(false));
    let seen: Arc<Mutex<HashMap<UserId, Instant>>> = Arc::default();
    let following = tokio::spawn(follow(follower, Arc::clone(&seen), Arc::clone(&stop)));
    let others: Vec<_> = (0..beside)
        .map(|_| {
            let (registry, stop) = (registry.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    people::sign_up(&registry).await;
                }
            })
        })
        .collect();
    let mut committed = Vec::with_capacity(samples);
    for _ in 0..samples {
        let register = people::register();
        registry
            .apply(RequestId::random(), &register)
            .await
            .unwrap();
        let at = Instant::now();
        committed.push((register.registration, at));
        tokio::time::sleep(PACE).await;
    }
    let mut times = Vec::with_capacity(samples);
    for (registration, at) in committed {
        let mut view = registry.view().await.unwrap();
        let made = view.registration(registration).await.unwrap().unwrap();
        let RegistrationState::Complete { user, .. } = made.state else {
            panic!("a sign-up that is not complete");
        };
        let patience = Instant::now();
        let seen_at = loop {
            if let Some(seen_at) = seen.lock().unwrap().get(&user) {
                break *seen_at;
            }
            assert!(patience.elapsed() < Duration::from_secs(10), "never seen");
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        // The follower may be told before the client.
        times.push(seen_at.saturating_duration_since(at));
    }
    stop.store(true, Ordering::Relaxed);
    for other in others {
        other.await.unwrap();
    }
    following.abort();
    server.shutdown().await;
    times
}

async fn follow(
    registry: Registry,
    seen: Arc<Mutex<HashMap<UserId, Instant>>>,
    stop: Arc<AtomicBool>,
) {
    let cell = people::cell();
    let mut after = Version::default();
    while !stop.load(Ordering::Relaxed) {
        let mut view = registry.view().await.unwrap();
        let signal = view.change_signal(&cell).await.unwrap();
        let changes = view.changes_after(&cell, after, 1_000).await.unwrap();
        let now = Instant::now();
        {
            let mut seen = seen.lock().unwrap();
            for user in &changes.users {
                seen.entry(*user).or_insert(now);
            }
        }
        after = changes.until;
        if !changes.more {
            registry.changed(&cell, signal).await.unwrap();
        }
    }
}
