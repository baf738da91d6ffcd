//! Two processes of the API over one registry: what one of them let through, the other counts.

use std::time::Duration;

use coditect_api::{ApiConfig, Rate, Rates};
use serde_json::json;
use tokio::time::sleep;

use crate::{answer::Answer, harness::App};

const BURST: u32 = 100;
/// How often a process is asked before it counts as having heard nothing: three seconds, and far fewer than the burst.
const TRIES: u32 = 40;

fn limited(config: &mut ApiConfig) {
    let rate = Rate {
        burst: BURST,
        per_minute: 1,
    };
    config.rates = Some(Rates {
        address: rate,
        credentials: rate,
        guesses: rate,
        account: rate,
        ..Rates::default()
    });
}

fn left(answer: &Answer) -> u32 {
    let header = answer.header("ratelimit");
    let left = header.split(';').find_map(|part| part.strip_prefix("r="));
    left.unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_one_let_through_is_gone_at_the_other() {
    let here = App::with(limited).await;
    let there = here.beside(limited).await;
    for asked in 1..=TRIES {
        let left_here = left(&here.get("/api/v5/plans").await.expect(200));
        let left_there = left(&there.get("/api/v5/plans").await.expect(200));
        // Each by itself would have given only what it was asked.
        let alone = BURST - asked;
        if left_here < alone && left_there < alone {
            return;
        }
        sleep(Duration::from_millis(75)).await;
    }
    panic!("each counts for itself");
}

#[tokio::test]
async fn wrong_guesses_are_counted_together_and_a_right_one_is_heard_too() {
    const FREE: usize = 5;
    let here = App::with(limited).await;
    let there = here.beside(limited).await;
    let ada = here.person("ada@example.com").await;
    let shared = async || {
        for asked in 1..=TRIES {
            let left_here = left(&here.call(&ada, "GET", "/api/v5/me", None).await.expect(200));
            let left_there = left(
                &there
                    .call(&ada, "GET", "/api/v5/me", None)
                    .await
                    .expect(200),
            );
            if left_here < BURST - asked && left_there < BURST - asked {
                return;
            }
            sleep(Duration::from_millis(75)).await;
        }
        panic!("each counts for itself");
    };
    shared().await;
    for _ in 0..FREE {
        here.login("ada@example.com", "wrong").await.expect(401);
    }
    // Of its own it has as many to give away.
    let mut refused = false;
    for _ in 0..FREE - 1 {
        sleep(Duration::from_millis(500)).await;
        let answer = there.login("ada@example.com", "wrong").await;
        refused |= answer.status == 429;
    }
    assert!(refused, "each counts wrong guesses for itself");

    here.advance(60);
    let body = json!({ "email": "ada@example.com", "password": crate::harness::PASSWORD });
    here.post("/api/v5/auth/login", &body).await.expect(200);
    for _ in 0..TRIES {
        let answer = there.login("ada@example.com", "wrong").await;
        // Two in a row without a wait: what was counted is forgotten.
        if answer.status == 401 && there.login("ada@example.com", "wrong").await.status == 401 {
            return;
        }
        sleep(Duration::from_millis(75)).await;
        here.advance(1);
    }
    panic!("a right guess is not heard");
}
