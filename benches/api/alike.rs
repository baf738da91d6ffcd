//! Whether an answer or its time tells if an address has an account.
//!
//! Each question is asked for an address with an account and for one without, one after the other, which first by chance,
//! and beside the answer's own time that of a small request right after it, which would wait for what the first left
//! behind. The bodies may differ in ids and in nothing else.
//!
//! What counts is the program as it is delivered. With hashing made cheap one sees what else there is to an answer: what is
//! told apart there is what the time of a hash, which varies by more, has to hide.

use std::{path::Path, sync::Arc, time::Instant};

use coditect_api::{
    ApiConfig, ApiState, Delivery, Hashing, KeyRing, Verification, metrics_builder, serve,
};
use coditect_core::health::Health;
use coditect_registry::{Registry, store::embedded::EmbeddedStore};
use coditect_renderer::{git::PolicyRepository, inputs::Inputs};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Size,
    figures::{median, micros, progress, table, verdict},
    program::{Client, Program, new_email},
    statistics::{ALPHA, POWER, difference, smallest_seen},
};

/// Addresses with an account.
const KNOWN: usize = 200;

#[derive(Clone, Copy)]
enum Question {
    Login,
    Register,
    Forgot,
}

const QUESTIONS: [(Question, &str); 3] = [
    (Question::Login, "sign-in with a wrong password"),
    (Question::Register, "sign-up"),
    (Question::Forgot, "forgotten password"),
];

impl Question {
    fn ask(self, client: &Client, email: &str) -> reqwest::RequestBuilder {
        match self {
            Self::Login => client.login(email, "a wrong password, surely"),
            Self::Register => client.register(email),
            Self::Forgot => client.post("/api/v5/auth/forgot-password", &json!({ "email": email })),
        }
    }
}

pub(crate) async fn run(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let known: Vec<String> = {
        let program = Program::start(folder.path(), &["--verification", "none"]);
        progress("signing people up");
        let people = Client::new(&program.url).people(KNOWN).await;
        people.into_iter().map(|person| person.email).collect()
    };
    let program = Program::start(folder.path(), &["--verification", "email"]);
    let client = Client::new(&program.url);
    let apart = compare("as it is delivered", &client, &known, size.pairs).await;
    println!(
        "told apart at p < {ALPHA}: {apart} (target: 0); the delay of one kind that is named would have been seen with probability {POWER}: {}",
        verdict(apart == 0)
    );
    drop(program);

    let (client, known, stop) = cheap_hashing(folder.path()).await;
    let cheap = "with hashing made cheap (64 KiB)";
    let apart = compare(cheap, &client, &known, size.sharp_pairs).await;
    println!("told apart: {apart}, by what stands between the two columns; no target");
    stop.cancel();
}

/// Prints what was found, and gives how much was told apart.
async fn compare(how: &str, client: &Client, known: &[String], pairs: usize) -> u32 {
    let mut rows = Vec::new();
    let mut apart = 0;
    for (question, name) in QUESTIONS {
        progress(&format!("{name}, {how}"));
        let times = ask(question, client, known, pairs).await;
        for (what, [with, without]) in [(name, &times.answer), ("  right after it", &times.next)] {
            let p = difference(with, without);
            apart += u32::from(p < ALPHA);
            rows.push([
                what.to_owned(),
                format!("{:.1} µs", median(with.clone())),
                format!("{:.1} µs", median(without.clone())),
                format!("{p:.3}"),
                format!("{:.1} µs", smallest_seen(with, without)),
                if p >= ALPHA { "yes" } else { "no" }.to_owned(),
            ]);
        }
    }
    table(
        &format!("Is there an account? {pairs} pairs of requests, {how}"),
        [
            "request",
            "with an account",
            "without",
            "p",
            "would have been seen",
            "alike",
        ],
        rows,
    );
    apart
}

/// Times in microseconds, of addresses with an account and without.
#[derive(Default)]
struct Times {
    answer: [Vec<f64>; 2],
    next: [Vec<f64>; 2],
}

async fn ask(question: Question, client: &Client, known: &[String], pairs: usize) -> Times {
    let mut times = Times::default();
    // Asked as often as those with an account: letters to one address are capped, whoever has it. Whoever signs up with one
    // comes for the first time.
    let nobodys: Vec<String> = known.iter().map(|_| new_email()).collect();
    for pair in 0..pairs {
        let mut heads = Vec::new();
        let first = usize::from(rand::random::<bool>());
        for kind in [first, 1 - first] {
            let email = match kind {
                0 => known[pair % known.len()].clone(),
                _ if matches!(question, Question::Register) => new_email(),
                _ => nobodys[pair % nobodys.len()].clone(),
            };
            let request = question.ask(client, &email).build().unwrap();
            let began = Instant::now();
            let answer = client.http.execute(request).await.unwrap();
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = answer.text().await.unwrap();
            times.answer[kind].push(micros(began.elapsed()));
            let request = client.get("/health", "").build().unwrap();
            let began = Instant::now();
            let answer = client.http.execute(request).await.unwrap();
            answer.bytes().await.unwrap();
            times.next[kind].push(micros(began.elapsed()));
            let names: Vec<String> = headers.keys().map(ToString::to_string).collect();
            heads.push((status, names, body.len()));
        }
        assert_eq!(
            heads[0], heads[1],
            "an answer tells whether there is an account"
        );
    }
    times
}

/// The API over an embedded store, in threads of its own, with hashing that takes next to no time: what else there is to
/// an answer is seen more sharply.
async fn cheap_hashing(folder: &Path) -> (Client, Vec<String>, CancellationToken) {
    let store = EmbeddedStore::open(folder.join("sharp.redb")).unwrap();
    let registry = Registry::open(store).await.unwrap();
    let policy = PolicyRepository::open_or_init(folder.join("policy")).unwrap();
    let commit = policy.head().unwrap().unwrap();
    let inputs = Inputs::at(&policy, commit).unwrap();
    let catalogue = Arc::new(inputs.policy.catalogue());
    let (keys, metrics) = (
        KeyRing::ephemeral().unwrap(),
        metrics_builder().install_recorder().unwrap(),
    );
    let stop = CancellationToken::new();
    let start = |verification: Verification| {
        let (registry, keys, metrics) = (registry.clone(), keys.clone(), metrics.clone());
        let (stop, catalogue) = (stop.clone(), Arc::clone(&catalogue));
        async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let mut config = ApiConfig::new(&url);
            config.verification = verification;
            config.mail = Delivery::Mailbox;
            config.rates = None;
            config.hashing = Hashing {
                memory_kib: 64,
                passes: 1,
                ..Hashing::default()
            };
            let (_, policy) = watch::channel(catalogue);
            let health = Health::default();
            let state = ApiState::new(registry, config, policy, health, keys, metrics).unwrap();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let listener = listener.into_std().unwrap();
                let served = runtime.block_on(async {
                    let listener = TcpListener::from_std(listener).unwrap();
                    serve(listener, state, stop).await
                });
                served.unwrap();
            });
            Client::new(&url)
        }
    };
    let people = start(Verification::None).await.people(KNOWN).await;
    let known = people.into_iter().map(|person| person.email).collect();
    (start(Verification::Email).await, known, stop)
}
