//! Two renderers of one cell, paused and killed at random for a minute: one winner at a time, nobody lost.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use support::{Api, Process, World, git, is_linear, random, users_in};
use tokio::time::sleep;

const SPAN: Duration = Duration::from_secs(60);

fn renderer(world: &World) -> Process {
    let mut command = world.command("renderer");
    command.args(["--listen", "127.0.0.1:0", "--lease-seconds", "2"]);
    Process::start(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_renderer_never_publishes_after_its_successor() {
    let world = World::new();
    let mut command = world.command("api");
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--no-rate-limits",
        "--verification",
        "none",
    ]);
    let owner = Process::start(command);
    let api = Api::of(&owner);
    let mut renderers = [renderer(&world), renderer(&world)];

    let signing_up = tokio::spawn(async move {
        let started = Instant::now();
        let mut count = 0;
        while started.elapsed() < SPAN {
            api.register(&format!("p{count}@example.com"), "Ada")
                .await
                .unwrap();
            count += 1;
        }
        count
    });
    let started = Instant::now();
    while started.elapsed() < SPAN {
        let chosen = &mut renderers[usize::from(random(2) == 1)];
        if random(4) == 0 {
            let successor = renderer(&world);
            std::mem::replace(chosen, successor).kill();
        } else {
            // Longer than a lease as often as not, so that the other one takes over.
            chosen.signal("-STOP");
            sleep(Duration::from_millis(random(5_000))).await;
            chosen.signal("-CONT");
        }
        sleep(Duration::from_millis(random(500))).await;
    }
    let people: usize = signing_up.await.unwrap();
    world.assert_verified();
    assert_eq!(users_in(&world.clone()).len(), people);
    assert!(is_linear(&world.repository()));

    let log = git(
        &world.repository(),
        &[
            "log",
            "--reverse",
            "--format=%(trailers:key=Coditect-Fence,valueonly,separator=%x20)",
            "main",
        ],
    );
    let fences: Vec<u64> = log
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.trim().parse().unwrap())
        .collect();
    assert!(
        fences.is_sorted(),
        "a commit of an old holder stands behind its successor's: {fences:?}"
    );
    let holders = fences.last().unwrap() - fences[0] + 1;
    assert!(
        holders >= 4,
        "only {holders} holders in a minute: the test does not test"
    );
    git(&world.repository(), &["fsck", "--strict", "--no-dangling"]);
    for renderer in renderers {
        renderer.stop();
    }
    owner.stop();
}
