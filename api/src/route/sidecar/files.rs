//! What happened to a workspace's files.

use std::collections::BTreeSet;

use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use coditect_core::{
    Error, FilePath, RequestId, Result,
    sidecar::{Contents, FileBatch, FileEvent, Wanted},
};
use coditect_registry::{
    operation::{FILES_AT_ONCE, FileContent, FileReport, PutFiles, TakeBatch},
    record::TakenBatch,
};
use jiff::Timestamp;

use super::{
    body::{ContentsBody, FileBatchBody, WantedBody},
    contents::{self, Share},
};
use crate::{extract::GatewayBody, gateway::Gateway, problem::Answer, state::ApiState};

/// Most events of a batch. Gateways send 100.
const MOST_EVENTS: usize = 200;
/// Of how many files of a workspace something is known: as many as its gateway follows. Of more, nothing is.
const MOST_FILES: u64 = 50_000;
/// How many snapshots of a file are kept.
const SNAPSHOTS: usize = 10;
/// How many files are read at a time where a folder was removed.
const PAGE: usize = 500;
/// How many known files one batch may make us look at: all of a workspace's once, and not once for each event of a pod
/// that says it without end.
const MOST_LOOKED_AT: usize = MOST_FILES as usize + PAGE;

/// Takes what happened to the workspace's files.
///
/// A batch whose number is not above the last one taken of its queue changes nothing. Files above 50,000 are let go.
#[utoipa::path(
    post, path = "/api/v5/sidecar/files", tag = "sidecar", request_body = FileBatchBody,
    responses(
        (status = 204, description = "Taken"),
        (status = 409, description = "A content arrived too late to be kept: send the batch again"),
        (status = 422, description = "A path or a hash is none, a content is not what its hash says, or there are too many events: sent again, it is refused again"),
    ),
)]
pub(in crate::route) async fn files(
    State(state): State<ApiState>,
    gateway: Gateway,
    GatewayBody(batch): GatewayBody<FileBatch>,
) -> Answer<StatusCode> {
    if batch.events.len() > MOST_EVENTS {
        return Err(Error::invalid("events", format!("holds more than {MOST_EVENTS}")).into());
    }
    let changes = changes(&batch.events, state.now())?;
    let mut view = state.registry.view().await?;
    let known = view.gateway(&gateway.place, gateway.workspace).await?.taken;
    if known.is_some_and(|taken| taken.queue == batch.queue && taken.number >= batch.number) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let mut taker = Taker {
        state,
        gateway,
        looked_at: 0,
    };
    let mut pending = Pending::default();
    for change in changes {
        if let Change::Removed(path, at) = &change {
            for path in taker.below(path).await? {
                let gone = report(path, None, *at);
                taker.add(&mut pending, gone, None).await?;
            }
        }
        let (report, text) = match change {
            Change::Written(report, text) => (report, text),
            Change::Removed(path, at) => (report(path, None, at), None),
        };
        taker.add(&mut pending, report, text).await?;
    }
    taker.put(&mut pending).await?;
    let taken = TakeBatch {
        cell: taker.gateway.cell(),
        user: taker.gateway.user(),
        workspace: taker.gateway.workspace,
        batch: TakenBatch {
            queue: batch.queue,
            number: batch.number,
        },
        at: taker.state.now(),
    };
    taker
        .state
        .registry
        .apply(RequestId::random(), &taken)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which contents are wanted: those that are not the newest version of their file already, and for which there is room.
///
/// A gateway that asks before it sends does not send the same bytes twice: a new pod looks at every file anew.
#[utoipa::path(
    post, path = "/api/v5/sidecar/files/wanted", tag = "sidecar", request_body = ContentsBody,
    responses((status = 200, description = "Which of them, in the same order", body = WantedBody)),
)]
pub(in crate::route) async fn wanted(
    State(state): State<ApiState>,
    gateway: Gateway,
    GatewayBody(Contents { contents }): GatewayBody<Contents>,
) -> Answer<Json<Wanted>> {
    if contents.len() > MOST_EVENTS {
        return Err(Error::invalid("contents", format!("holds more than {MOST_EVENTS}")).into());
    }
    let mut view = state.registry.view().await?;
    let share = Share::of(&state, &gateway, &mut view).await?;
    let mut wanted = Vec::with_capacity(contents.len());
    for content in contents {
        wanted.push(match content.path.parse() {
            Ok(path) if share.left > 0 => {
                let newest = contents::newest(&gateway, &mut view, &path).await?;
                newest.as_deref() != Some(&content.sha256)
            }
            _ => false,
        });
    }
    Ok(Json(Wanted { wanted }))
}

/// An event that was understood.
enum Change {
    Written(FileReport, Option<Bytes>),
    Removed(FilePath, Timestamp),
}

fn report(path: FilePath, content: Option<FileContent>, modified_at: Timestamp) -> FileReport {
    FileReport {
        path,
        content,
        modified_at,
    }
}

/// Reads every event before anything is written: a batch is taken whole or refused.
fn changes(events: &[FileEvent], now: Timestamp) -> Result<Vec<Change>> {
    let mut changes = Vec::with_capacity(events.len());
    for (index, event) in events.iter().enumerate() {
        let named =
            |field: &str, why: &str| Error::invalid(format!("events[{index}].{field}"), why);
        let path = |text: &str| {
            text.parse::<FilePath>()
                .map_err(|error| named("path", error.message()))
        };
        match event {
            FileEvent::Lost { events } => {
                metrics::counter!("coditect_api_file_events_lost_total").increment(*events);
            }
            FileEvent::Removed { path: text, at } => {
                changes.push(Change::Removed(path(text)?, (*at).min(now)));
            }
            FileEvent::Written {
                path: text,
                at,
                size,
                sha256,
                content,
            } => {
                let hash = sha256.clone().unwrap_or_default();
                let is_hash = hash
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                if !is_hash || !matches!(hash.len(), 0 | 64) {
                    return Err(named("sha256", "must be 64 lower-case hexadecimal digits"));
                }
                let text_of = content.as_deref().map_or(Ok(None), |content| {
                    contents::text(content, &hash).map_err(|why| named("content", why))
                })?;
                let content = FileContent {
                    size: *size,
                    hash,
                    upload: None,
                };
                let report = report(path(text)?, Some(content), (*at).min(now));
                changes.push(Change::Written(report, text_of));
            }
        }
    }
    Ok(changes)
}

/// What goes into the registry with the next operation: each path once.
#[derive(Default)]
struct Pending {
    paths: BTreeSet<FilePath>,
    files: Vec<(FileReport, Option<Bytes>)>,
}

struct Taker {
    state: ApiState,
    gateway: Gateway,
    /// How many known files were read because folders were removed.
    looked_at: usize,
}

impl Taker {
    async fn add(
        &self,
        pending: &mut Pending,
        report: FileReport,
        text: Option<Bytes>,
    ) -> Result<()> {
        if pending.files.len() == FILES_AT_ONCE || pending.paths.contains(&report.path) {
            self.put(pending).await?;
        }
        pending.paths.insert(report.path.clone());
        pending.files.push((report, text));
        Ok(())
    }

    async fn put(&self, pending: &mut Pending) -> Result<()> {
        let mut files = std::mem::take(pending).files;
        let (place, workspace) = (&self.gateway.place, self.gateway.workspace);
        let mut view = self.state.registry.view().await?;
        let have = view.file_count(place, workspace).await?;
        if have + files.len() as u64 > MOST_FILES {
            let mut known = Vec::with_capacity(files.len());
            for file in files {
                if view.file(place, workspace, &file.0.path).await?.is_some() {
                    known.push(file);
                }
            }
            files = known;
        }
        if files.is_empty() {
            return Ok(());
        }
        let share = match files.iter().any(|(_, text)| text.is_some()) {
            true => Share::of(&self.state, &self.gateway, &mut view).await?,
            false => Share::default(),
        };
        let operation = PutFiles {
            cell: self.gateway.cell(),
            workspace,
            files: contents::upload(&self.state, &self.gateway, &mut view, &share, files).await?,
            keep: SNAPSHOTS,
            most: MOST_FILES,
            most_bytes: share.most,
            at: self.state.now(),
        };
        self.state
            .registry
            .apply(RequestId::random(), &operation)
            .await
    }

    /// The files that are known below a folder and are there; of a batch that makes us look at too many, some.
    async fn below(&mut self, folder: &FilePath) -> Result<Vec<FilePath>> {
        let prefix = format!("{folder}/");
        let mut found = Vec::new();
        let mut after = folder.clone();
        loop {
            if self.looked_at >= MOST_LOOKED_AT {
                metrics::counter!("coditect_api_file_looks_refused_total").increment(1);
                return Ok(found);
            }
            let mut view = self.state.registry.view().await?;
            let (page, more) = view
                .files_after(
                    &self.gateway.place,
                    self.gateway.workspace,
                    Some(&after),
                    PAGE,
                )
                .await?;
            self.looked_at += page.len().max(1);
            let last = page.last().map(|(path, _)| path.clone());
            let is_past = last
                .as_ref()
                .is_none_or(|last| !last.as_str().starts_with(folder.as_str()));
            found.extend(
                page.into_iter()
                    .filter(|(path, file)| path.as_str().starts_with(&prefix) && !file.deleted)
                    .map(|(path, _)| path),
            );
            match last {
                Some(last) if more && !is_past => after = last,
                _ => return Ok(found),
            }
        }
    }
}
