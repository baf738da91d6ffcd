//! `cargo bench --bench api`: the HTTP API under load, as the program that is delivered serves it.
//!
//! - sign-ins a second beside raw Argon2id on as many cores, and how long others wait meanwhile;
//! - authenticated reads at a thousand a second, with sign-ins that end in between;
//! - the heartbeats of ten thousand workspaces a minute;
//! - whether the time of an answer tells if an address has an account.
//!
//! `--quick` takes smaller sizes; a word (`logins`, `reads`, `heartbeats`, `alike`) runs one part.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a program that prints figures or fails"
)]

mod alike;
#[allow(dead_code, reason = "the API's tests use more of it")]
#[path = "../../api/tests/api/cluster.rs"]
mod cluster;
#[allow(dead_code, reason = "the registry's benchmark uses more of it")]
#[path = "../registry/figures.rs"]
mod figures;
mod heartbeats;
mod logins;
mod pace;
mod program;
mod reads;
mod statistics;

use std::time::Duration;

/// How much is done.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// How long each load lasts.
    pub(crate) time: Duration,
    /// Pairs of requests for an address with an account and one without, with hashing as it is delivered.
    pub(crate) pairs: usize,
    /// The same with hashing made cheap, so that what remains is seen more sharply.
    pub(crate) sharp_pairs: usize,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let parts: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    let size = if quick {
        Size {
            time: Duration::from_secs(3),
            pairs: 60,
            sharp_pairs: 500,
        }
    } else {
        Size {
            time: Duration::from_secs(20),
            pairs: 1_000,
            sharp_pairs: 10_000,
        }
    };
    if wanted("logins") {
        logins::run(size).await;
    }
    if wanted("reads") {
        reads::run(size).await;
    }
    if wanted("heartbeats") {
        heartbeats::run(size).await;
    }
    if wanted("alike") {
        alike::run(size).await;
    }
    if quick {
        println!("\n--quick: smaller sizes; the targets are about the full ones.");
    }
}
