//! The measured phases, each a process of its own.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::health::Health;
use coditect_renderer::service::{Beside, Service, Settings};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::seed::Installation;

/// Longest a published commit is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(arguments: &[String]) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let figures = runtime.block_on(async {
        let number = |at: usize| arguments[at].parse::<usize>().unwrap();
        match arguments[0].as_str() {
            "latency" => latency(number(1), number(2), number(3)).await,
            "full" => full(number(1), Path::new(&arguments[2])).await,
            "no-op" => no_op(number(1), Path::new(&arguments[2])).await,
            other => panic!("no phase {other}"),
        }
    });
    println!("{figures}");
}

/// Seeds, renders everything, then signs people up one after the other and times each until its commit is
/// published.
async fn latency(users: usize, cells: usize, samples: usize) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let installation = Installation::open(folder.path(), cells).await;
    installation.fill(users).await;
    let stop = CancellationToken::new();
    let (_sender, inputs) = watch::channel(Arc::clone(&installation.inputs));
    let mut services = Vec::new();
    let (told, mut published) = mpsc::unbounded_channel();
    for (number, cell) in installation.cells.iter().enumerate() {
        let settings = Settings::new(
            cell.name.clone(),
            Installation::repository(folder.path(), &cell.name),
        );
        let health = Health::default();
        let told = told.clone();
        let service = Service::new(
            installation.registry.clone(),
            settings,
            inputs.clone(),
            health.clone(),
        )
        .beside(Beside {
            told: Some(Box::new(move || {
                // Nobody listens any more once the phase is over.
                let _ = told.send((number, Instant::now()));
            })),
            ..Beside::default()
        });
        services.push(tokio::spawn(service.run(stop.clone())));
        // One after the other, so that the peak is that of serving and not of twenty starts at once.
        let part = format!("renderer/{}", cell.name);
        let started = Instant::now();
        while !matches!(health.snapshot().get(&part), Some(coditect_core::health::State::Ok { detail }) if detail.starts_with("leads under"))
        {
            assert!(started.elapsed() < PATIENCE, "{:?}", health.snapshot());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let mut times = Vec::with_capacity(samples);
    for sample in 0..samples + 20 {
        let cell = sample % installation.cells.len();
        while published.try_recv().is_ok() {}
        let started = Instant::now();
        installation.sign_up(&installation.cells[cell]).await;
        let done = loop {
            let (number, at) = tokio::time::timeout(PATIENCE, published.recv())
                .await
                .unwrap()
                .unwrap();
            if number == cell {
                break at;
            }
        };
        // The first ones warm caches.
        if sample >= 20 {
            times.push(done - started);
        }
        // The renderer notes the commit and waits again before the next one comes: idle, as at a real sign-up.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    for service in services {
        service.await.unwrap();
    }
    times.sort();
    let at =
        |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    json!({"p50_ms": at(0.5), "p99_ms": at(0.99), "fsync_ms": fsync(folder.path()), "peak_mb": peak_mb()})
}

/// Renders and commits a whole cell for the first time.
async fn full(users: usize, folder: &Path) -> Value {
    let installation = Installation::open(folder, 1).await;
    installation.fill(users).await;
    let seeded = peak_mb();
    let summary = reconcile(&installation, folder).await;
    assert_eq!(summary.files, users as u64);
    let mut figures = figures(&summary, seeded);
    figures["repository_mb"] = json!(size_mb(&folder.join("cells/local.git")));
    figures
}

/// The same again, with nothing to do.
async fn no_op(users: usize, folder: &Path) -> Value {
    let installation = Installation::open(folder, 1).await;
    let summary = reconcile(&installation, folder).await;
    assert_eq!((summary.users, summary.files), (users, 0));
    figures(&summary, 0.0)
}

async fn reconcile(
    installation: &Installation,
    folder: &Path,
) -> coditect_renderer::service::Summary {
    let cell = installation.cells[0].name.clone();
    let (_sender, inputs) = watch::channel(Arc::clone(&installation.inputs));
    let settings = Settings::new(cell.clone(), Installation::repository(folder, &cell));
    let service = Service::new(
        installation.registry.clone(),
        settings,
        inputs,
        Health::default(),
    );
    service.once().await.unwrap().unwrap()
}

fn figures(summary: &coditect_renderer::service::Summary, seeded: f64) -> Value {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    json!({
        "load_ms": milliseconds(summary.load),
        "commit_ms": milliseconds(summary.commits),
        "total_ms": milliseconds(summary.total),
        "seeded_mb": seeded,
        "peak_mb": peak_mb(),
    })
}

/// The process's largest resident size so far, in MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}

/// What one small write with fsync costs on this disk, in milliseconds: the median of a hundred.
fn fsync(folder: &Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("fsync")).unwrap();
    let mut times: Vec<Duration> = (0..100)
        .map(|_| {
            let started = Instant::now();
            file.write_all(&[0; 4096]).unwrap();
            file.sync_all().unwrap();
            started.elapsed()
        })
        .collect();
    times.sort();
    times[50].as_secs_f64() * 1e3
}

fn size_mb(path: &Path) -> f64 {
    let mut folders = vec![PathBuf::from(path)];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.metadata().unwrap() {
                about if about.is_dir() => folders.push(entry.path()),
                about => bytes += about.len(),
            }
        }
    }
    bytes as f64 / 1e6
}
