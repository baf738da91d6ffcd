//! The contents of a workspace's files: which are kept, and how their bytes come into object storage.
//!
//! In this order, always: the registry's list of what is to be removed holds the object, the bytes are put, the registry's
//! snapshot refers to them and takes them off the list. Whoever dies between two of these leaves nothing that is not found
//! and removed, and no snapshot without its bytes.

use axum::body::Bytes;
use base64::{Engine, prelude::BASE64_STANDARD};
use coditect_core::{FilePath, RequestId, Result};
use coditect_registry::{
    View,
    operation::{BeginUploads, FileReport},
    record::{Upload, object_name},
};
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use crate::{gateway::Gateway, objects::Objects, state::ApiState};

/// Largest content that is kept, in bytes: what gateways send by their own default.
const LARGEST: u64 = 256 * 1024;
/// How many bytes of earlier contents are kept for each GiB of the workspace's volume: a sixteenth of it.
const BYTES_A_GIB: u64 = 64 * 1024 * 1024;
/// How many objects of a batch are put at a time.
const AT_ONCE: usize = 8;

/// How many bytes of contents a workspace may keep, by the size of its volume, and how many more it may.
#[derive(Default)]
pub(super) struct Share {
    pub(super) most: u64,
    pub(super) left: u64,
}

impl Share {
    pub(super) async fn of(state: &ApiState, gateway: &Gateway, view: &mut View) -> Result<Self> {
        if state.objects().is_none() {
            return Ok(Self::default());
        }
        let place = &gateway.place;
        let row = view.intent(&place.cell, place.user).await?;
        let workspace = row.and_then(|row| row.intent.workspace(gateway.workspace).cloned());
        let gib = workspace.map_or(0, |workspace| workspace.storage_gib);
        let most = u64::from(gib) * BYTES_A_GIB;
        let held = view.snapshot_bytes(place, gateway.workspace).await?;
        Ok(Self {
            most,
            left: most.saturating_sub(held),
        })
    }
}

/// The hash of a file's newest version.
pub(super) async fn newest(
    gateway: &Gateway,
    view: &mut View,
    path: &FilePath,
) -> Result<Option<String>> {
    let kept = view
        .snapshots(&gateway.place, gateway.workspace, path)
        .await?;
    Ok(kept
        .into_iter()
        .next_back()
        .map(|(_, snapshot)| snapshot.hash))
}

/// The content of a file, if it is kept: text that is not too large. Fails if it is not what its hash says.
pub(super) fn text(content: &str, hash: &str) -> Result<Option<Bytes>, &'static str> {
    let bytes = BASE64_STANDARD
        .decode(content)
        .map_err(|_| "must be base64 (RFC 4648 section 4)")?;
    let is = Sha256::digest(&bytes);
    let is_same = hash.len() == 64
        && is
            .iter()
            .zip(0..)
            .all(|(byte, at)| hash.get(2 * at..2 * at + 2) == Some(&format!("{byte:02x}")));
    if !is_same {
        return Err("must have the hash that sha256 says");
    }
    let is_text = !bytes.contains(&0) && std::str::from_utf8(&bytes).is_ok();
    Ok((is_text && bytes.len() as u64 <= LARGEST).then(|| bytes.into()))
}

/// Puts those contents into object storage that are not the newest version of their file already and for which there is
/// room, and gives the reports with their uploads. The snapshots' sizes are those of the bytes, whatever was said.
pub(super) async fn upload(
    state: &ApiState,
    gateway: &Gateway,
    view: &mut View,
    share: &Share,
    files: Vec<(FileReport, Option<Bytes>)>,
) -> Result<Vec<FileReport>> {
    let mut left = share.left;
    let (mut reports, mut uploads) = (Vec::with_capacity(files.len()), Vec::new());
    for (mut report, text) in files {
        if let Some((content, text)) = report.content.as_mut().zip(text) {
            let size = text.len() as u64;
            if size > left {
                metrics::counter!("coditect_api_snapshots_refused_total").increment(1);
            } else if newest(gateway, view, &report.path).await?.as_ref() != Some(&content.hash) {
                left -= size;
                let upload = Upload::begun(state.now());
                (content.size, content.upload) = (size, Some(upload));
                uploads.push((upload, text));
            }
        }
        reports.push(report);
    }
    if let Some(objects) = state.objects()
        && !uploads.is_empty()
    {
        put(state, gateway, objects, uploads).await?;
    }
    Ok(reports)
}

async fn put(
    state: &ApiState,
    gateway: &Gateway,
    objects: &Objects,
    uploads: Vec<(Upload, Bytes)>,
) -> Result<()> {
    let begin = BeginUploads {
        cell: gateway.cell(),
        workspace: gateway.workspace,
        uploads: uploads.iter().map(|(upload, _)| *upload).collect(),
        at: state.now(),
    };
    state.registry.apply(RequestId::random(), &begin).await?;
    let puts = uploads.into_iter().map(|(upload, text)| {
        let name = object_name(gateway.user(), gateway.workspace, upload.id);
        async move { objects.put(&name, text).await }
    });
    stream::iter(puts)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn a_content_is_what_its_hash_says() {
        assert_eq!(text("dGVzdA==", HASH).unwrap().unwrap(), "test");
        for (content, hash) in [
            ("dGVzdA", HASH),
            ("dGVzdB==", HASH),
            ("dGVzdDE=", HASH),
            ("dGVzdA==", ""),
            ("dGVzdA==", &HASH[..62]),
        ] {
            assert!(text(content, hash).is_err(), "{content} {hash}");
        }
    }

    #[test]
    fn only_text_that_is_small_is_kept() {
        let kept = |bytes: &[u8]| {
            let hash = Sha256::digest(bytes);
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let content = BASE64_STANDARD.encode(bytes);
            text(&content, &hash).unwrap().is_some()
        };
        assert!(kept("fn main() {} // ü".as_bytes()) && kept(b""));
        assert!(!kept(b"a\0b") && !kept(&[0xff, 0xfe, b'a']));
        let most = vec![b'a'; LARGEST as usize];
        assert!(kept(&most) && !kept(&[&most[..], b"a"].concat()));
    }
}
