//! `make bench`: the door of a workspace's pod beside nginx, which hands the same requests on to the same upstream.
//!
//! Upstream and load are in this process, the two gateways in processes of their own, each with two workers. Both get
//! the same bytes over the same number of connections, in turns, so that what else the machine does meets both; the
//! ratio is the median of each turn's. nginx asks nobody who comes; the sidecar checks cookie, origin and login of
//! every request. `--quick` takes shorter turns; `--only NAME` one part (`small`, `large`, `time`,
//! `100`, `1000`).

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a program that prints figures or fails"
)]

#[path = "../../sidecar/tests/gateway/api.rs"]
#[allow(dead_code, reason = "tests use all of it")]
mod api;
#[path = "../registry/figures.rs"]
#[allow(dead_code, reason = "the registry's bench uses all of it")]
mod figures;
mod load;
mod peers;
mod upstream;

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::{
    figures::{at, median, progress, table, verdict},
    load::Sockets,
    peers::Peers,
    upstream::Upstream,
};

/// Connections of the load with requests.
const CONNECTIONS: usize = 32;
/// Requests a second at which the time of one is measured: far below what either can do.
const PACE: u32 = 1_000;
/// Sockets in one run.
const SOCKETS: [usize; 2] = [100, 1_000];
/// Least share of nginx's throughput.
const SHARE: f64 = 0.8;
/// Most that the slowest request in a hundred may take longer than nginx's, in milliseconds.
const LONGER: f64 = 0.5;
/// Largest program, and most resident memory with the first number of sockets, in MB.
const PROGRAM: f64 = 15.0;
const MEMORY: f64 = 20.0;

/// What one part found: both figures as they are printed, how they compare, what was aimed at, and whether it is met.
type Row = [String; 6];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let only = arguments
        .iter()
        .position(|argument| argument == "--only")
        .map(|at| arguments[at + 1].as_str());
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let (turns, time) = if quick { (3, 1) } else { (7, 3) };
    let time = Duration::from_secs(time);
    // A thousand sockets have two ends here.
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();

    let upstream = Upstream::start().await;
    let peers = Peers::start(upstream.address).await;
    let mut rows = Vec::new();
    for (path, what, part) in [("/small", "1 KiB", "small"), ("/large", "100 KiB", "large")] {
        if wanted(part) {
            rows.extend(throughput(&peers, path, what, turns, time).await);
        }
    }
    if wanted("time") {
        rows.push(latency(&peers, turns, time).await);
    }
    for sockets in SOCKETS {
        if wanted(&sockets.to_string()) {
            rows.extend(echoes(&peers, sockets, turns, time).await);
        }
    }
    rows.push(size());
    table(
        "The sidecar beside nginx, same machine, same upstream",
        ["", "sidecar", "nginx", "compared", "aim", ""],
        rows,
    );
    if quick {
        println!("\n--quick: shorter turns; the aims are about the full ones.");
    }
}

/// Both in turns: their medians, and the median of the ratios.
fn ratio(turns: &[[f64; 2]]) -> (f64, f64, f64) {
    let all = |of: fn(&[f64; 2]) -> f64| median(turns.iter().map(of).collect());
    (
        all(|turn| turn[0]),
        all(|turn| turn[1]),
        all(|turn| turn[0] / turn[1]),
    )
}

fn row_of_ratio(what: String, turns: &[[f64; 2]]) -> Row {
    let (ours, theirs, ratio) = ratio(turns);
    [
        what,
        format!("{ours:.0}"),
        format!("{theirs:.0}"),
        format!("{ratio:.2}"),
        format!("≥ {SHARE}"),
        verdict(ratio >= SHARE).to_owned(),
    ]
}

async fn throughput(
    peers: &Peers,
    path: &str,
    what: &str,
    turns: usize,
    time: Duration,
) -> [Row; 2] {
    progress(&format!("requests for {what}"));
    let request = peers.request(path);
    // The first turn warms up.
    let (mut found, mut cost) = (Vec::new(), Vec::new());
    for turn in 0..=turns {
        let (mut rate, mut each) = ([0.0; 2], [0.0; 2]);
        for (at, address) in peers.addresses().into_iter().enumerate() {
            let before = peers.busy()[at];
            let requests = load::requests(address, &request, CONNECTIONS, time).await;
            each[at] = (peers.busy()[at] - before).as_secs_f64() * 1e6 / requests.count;
            rate[at] = requests.count / requests.time.as_secs_f64();
        }
        if turn > 0 {
            found.push(rate);
            cost.push(each);
        }
    }
    let (ours, theirs, ratio) = ratio(&cost);
    [
        row_of_ratio(
            format!("requests a second, {what}, {CONNECTIONS} connections"),
            &found,
        ),
        [
            "  processor time of each".to_owned(),
            format!("{ours:.0} µs"),
            format!("{theirs:.0} µs"),
            format!("{ratio:.2}"),
            String::new(),
            String::new(),
        ],
    ]
}

async fn latency(peers: &Peers, turns: usize, time: Duration) -> Row {
    progress("the time of a request");
    let request = peers.request("/small");
    let mut found = [Vec::new(), Vec::new()];
    for _ in 0..turns {
        for (found, address) in found.iter_mut().zip(peers.addresses()) {
            found.extend(load::times(address, &request, PACE, time).await);
        }
    }
    let [ours, theirs] = found.map(|mut times| at(0.99, &mut times).as_secs_f64() * 1e3);
    [
        format!("p99 of a request at {PACE} a second"),
        format!("{ours:.2} ms"),
        format!("{theirs:.2} ms"),
        format!("{:+.2} ms", ours - theirs),
        format!("≤ +{LONGER} ms"),
        verdict(ours - theirs <= LONGER).to_owned(),
    ]
}

async fn echoes(peers: &Peers, sockets: usize, turns: usize, time: Duration) -> [Row; 2] {
    progress(&format!("{sockets} sockets"));
    let handshake = peers.handshake("/socket");
    let mut found = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..turns {
        let mut turn = [0.0; 2];
        let mut held = [0.0; 2];
        for (at, address) in peers.addresses().into_iter().enumerate() {
            let mut open = Sockets::open(address, &handshake, sockets).await;
            turn[at] = open.echoes_a_second(time).await;
            held[at] = peers.memory()[at];
        }
        found.push(turn);
        memory.push(held);
    }
    let (ours, theirs, ratio) = ratio(&memory);
    let (aim, met) = if sockets == SOCKETS[0] {
        (format!("< {MEMORY} MB"), verdict(ours < MEMORY))
    } else {
        (String::new(), "")
    };
    [
        row_of_ratio(
            format!("echoes a second of 1 KiB, {sockets} sockets"),
            &found,
        ),
        [
            format!("resident memory, {sockets} sockets"),
            format!("{ours:.1} MB"),
            format!("{theirs:.1} MB"),
            format!("{ratio:.2}"),
            aim,
            met.to_owned(),
        ],
    ]
}

/// The program's size, without symbols.
fn size() -> Row {
    let size = std::fs::metadata(peers::PROGRAM).unwrap().len() as f64 / 1e6;
    [
        "program, without symbols".to_owned(),
        format!("{size:.1} MB"),
        String::new(),
        String::new(),
        format!("< {PROGRAM} MB"),
        verdict(size < PROGRAM).to_owned(),
    ]
}
