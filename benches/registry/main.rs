//! `make bench`: the registry on one machine, beside the disk below it and SQLite on the same disk.
//!
//! Everything is on disk and durable where it says so. `--quick` takes smaller sizes; `--only NAME` one part
//! (`sign-ups`, `reads`, `feed`, `growth`, `moving`).

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a program that prints figures or fails"
)]

mod feed;
mod figures;
mod growth;
mod moving;
mod people;
mod reads;
mod recording;
mod sign_ups;
mod sqlite;

use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == "moving"
    {
        return moving::step(rest);
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let only = arguments
        .iter()
        .position(|argument| argument == "--only")
        .map(|at| arguments[at + 1].as_str());
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    if wanted("sign-ups") {
        let (rounds, seconds) = if quick { (1, 1) } else { (3, 3) };
        sign_ups::run(rounds, Duration::from_secs(seconds));
    }
    if wanted("reads") {
        reads::run(if quick { 1_000 } else { 10_000 }, 20_000);
    }
    if wanted("feed") {
        feed::run(if quick { 100 } else { 1_000 });
    }
    if wanted("growth") {
        let (small, large) = if quick {
            (1_000, 20_000)
        } else {
            (10_000, 1_000_000)
        };
        growth::run(small, large, if quick { 4 } else { 20 });
    }
    if wanted("moving") {
        let (small, large) = if quick {
            (2_000, 10_000)
        } else {
            (20_000, 100_000)
        };
        moving::run(small, large);
    }
    if quick {
        println!("\n--quick: smaller sizes; the targets are about the full ones.");
    }
}
