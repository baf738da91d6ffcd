use std::sync::Arc;

use coditect_core::Result;
use coditect_registry::{
    stats::{self, Stats},
    store::{
        Store,
        embedded::{self, EmbeddedStore},
    },
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{cli::Output, data::Data, exit::Exit, output, progress};

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    stats: Stats,
    file: Option<FileUse>,
}

/// How the embedded store's file is used, in bytes.
#[derive(Serialize)]
struct FileUse {
    bytes: u64,
    log_bytes: u64,
    /// Not known while another process has the file.
    unused_bytes: Option<u64>,
}

pub(super) async fn run(data: &Data, output: Output) -> Result<Exit> {
    let (store, owned) = open(data).await?;
    let spinner = progress::spinner(output, "counts".to_owned());
    let told = spinner.clone();
    let stats = stats::stats(&store, &move |records| {
        told.set_message(format!("{records} records"));
    })
    .await;
    spinner.finish_and_clear();
    let file = if data.store().is_cluster() {
        None
    } else {
        let on_disk = embedded::disk_use(&data.registry());
        Some(FileUse {
            bytes: on_disk.file,
            log_bytes: on_disk.log,
            unused_bytes: match &owned {
                Some(store) => Some(store.figures()?.unused_bytes),
                None => None,
            },
        })
    };
    let answer = Answer {
        stats: stats?,
        file,
    };
    match output {
        Output::Json => output::json(&answer)?,
        Output::Text => print(&answer),
    }
    Ok(Exit::Done)
}

/// The store, and the file itself if nobody else has it.
async fn open(data: &Data) -> Result<(Arc<dyn Store>, Option<Arc<EmbeddedStore>>)> {
    if !data.store().is_cluster()
        && data.registry().exists()
        && let Ok(owned) = data.own()
    {
        return Ok((Arc::clone(&owned) as Arc<dyn Store>, Some(owned)));
    }
    Ok((Arc::clone(data.open().await?.store()), None))
}

fn print(answer: &Answer) {
    let stats = &answer.stats;
    let total = stats.total();
    let mut rows: Vec<[String; 4]> = stats
        .kinds
        .iter()
        .map(|(kind, count)| {
            [
                (*kind).to_owned(),
                count.records.to_string(),
                count.key_bytes.to_string(),
                count.value_bytes.to_string(),
            ]
        })
        .collect();
    rows.push([
        "all".to_owned(),
        total.records.to_string(),
        total.key_bytes.to_string(),
        total.value_bytes.to_string(),
    ]);
    output::line(&stats.store);
    output::table(["kind", "records", "bytes of keys", "of values"], rows);
    if !stats.feeds.is_empty() {
        output::table(
            [
                "cell",
                "changes kept",
                "oldest",
                "published",
                "waiting",
                "changes of power kept",
            ],
            stats.feeds.iter().map(|(cell, feed)| {
                [
                    cell.clone(),
                    feed.changes.to_string(),
                    feed.oldest
                        .map(|version| version.to_string())
                        .unwrap_or_default(),
                    feed.published.to_string(),
                    feed.waiting.to_string(),
                    feed.power.to_string(),
                ]
            }),
        );
    }
    let now = Timestamp::now();
    for (what, oldest) in [
        ("answers of requests", stats.oldest_request),
        ("sign-ups", stats.oldest_registration),
    ] {
        if let Some(oldest) = oldest {
            let hours = now.duration_since(oldest).as_hours();
            output::line(&format!(
                "oldest of the {what}: {hours} hours, by whole hours"
            ));
        }
    }
    if let Some(file) = &answer.file {
        let FileUse {
            bytes, log_bytes, ..
        } = file;
        match file.unused_bytes {
            Some(unused) => output::line(&format!(
                "the file has {bytes} bytes, of which {unused} are unused (`coditect registry compact` gives them back), and \
                 its log {log_bytes}"
            )),
            None => output::line(&format!(
                "the file has {bytes} bytes, and its log {log_bytes}; how many are unused is known when nobody else has it"
            )),
        }
    }
    if stats.unknown > 0 {
        output::line(&format!(
            "! {} keys are of no known kind; `coditect registry check` names them",
            stats.unknown
        ));
    }
    if !stats.consistent {
        output::line(
            "The registry changed while it was counted: the figures are of several moments.",
        );
    }
}
