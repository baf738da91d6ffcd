//! A workspace's files.

use coditect_core::{FilePath, Result, WorkspaceId};
use jiff::Timestamp;

use crate::{
    keys::{self, KeyPart, WorkspacePart},
    record::{Discard, FileMetadata, FileRestore, FileRestores, Snapshot, WorkspacePlace, decode},
    registry::View,
};

/// How many entries are read at a time: files with all their snapshots.
const PAGE: usize = 1_000;

impl View {
    /// At most `limit` files of a workspace behind `after`, in order of path, and whether there may be more.
    ///
    /// # Errors
    /// As the store.
    pub async fn files_after(
        &mut self,
        place: &WorkspacePlace,
        workspace: WorkspaceId,
        after: Option<&FilePath>,
        limit: usize,
    ) -> Result<(Vec<(FilePath, FileMetadata)>, bool)> {
        let (tenant, user) = (place.tenant, place.user);
        let mut range = match after {
            Some(path) => keys::files_after(tenant, user, workspace, path),
            None => keys::files(tenant, user, workspace),
        };
        let mut files = Vec::new();
        loop {
            let (entries, more) = self.tx.scan_raw(&range, PAGE).await?;
            for (key, value) in &entries {
                let parts = keys::parse(key).map(|parsed| parsed.parts);
                let Ok([.., KeyPart::Text(path), KeyPart::Text(last)]) = parts.as_deref() else {
                    continue;
                };
                if last == "metadata" {
                    if files.len() == limit {
                        return Ok((files, true));
                    }
                    files.push((path.parse()?, decode(value)?));
                }
            }
            match entries.last() {
                Some((last, _)) if more => range = range.after(last),
                _ => return Ok((files, false)),
            }
        }
    }

    /// One file.
    ///
    /// # Errors
    /// As the store.
    pub async fn file(
        &mut self,
        place: &WorkspacePlace,
        workspace: WorkspaceId,
        path: &FilePath,
    ) -> Result<Option<FileMetadata>> {
        let key = keys::file(place.tenant, place.user, workspace, path);
        Ok(self.tx.get(&key).await?)
    }

    /// A file's snapshots, oldest first.
    ///
    /// # Errors
    /// As the store.
    pub async fn snapshots(
        &mut self,
        place: &WorkspacePlace,
        workspace: WorkspaceId,
        path: &FilePath,
    ) -> Result<Vec<(Timestamp, Snapshot)>> {
        let range = keys::snapshots(place.tenant, place.user, workspace, path);
        let found = self.tx.scan_all(&range).await?;
        Ok(found
            .into_iter()
            .filter_map(|(key, snapshot)| Some((keys::snapshot_time(&key)?, snapshot)))
            .collect())
    }

    /// How many files of a workspace have metadata.
    ///
    /// # Errors
    /// As the store.
    pub async fn file_count(
        &mut self,
        place: &WorkspacePlace,
        workspace: WorkspaceId,
    ) -> Result<u64> {
        let key = keys::file_count(place.tenant, place.user, workspace);
        Ok(u64::try_from(self.tx.number(&key).await?).unwrap_or(0))
    }

    /// How many bytes the snapshots of a workspace's files hold.
    ///
    /// # Errors
    /// As the store.
    pub async fn snapshot_bytes(
        &mut self,
        place: &WorkspacePlace,
        workspace: WorkspaceId,
    ) -> Result<u64> {
        let key = keys::snapshot_bytes(place.tenant, place.user, workspace);
        Ok(u64::try_from(self.tx.number(&key).await?).unwrap_or(0))
    }

    /// What somebody wants back in a workspace, the oldest first, and what became of it lately.
    ///
    /// # Errors
    /// As the store.
    pub async fn restores(
        &mut self,
        place: &WorkspacePlace,
        workspace: WorkspaceId,
    ) -> Result<Vec<FileRestore>> {
        let key = keys::workspace(place.tenant, place.user, workspace, WorkspacePart::Restores);
        let kept: Option<FileRestores> = self.tx.get(&key).await?;
        Ok(kept.unwrap_or_default().asked)
    }

    /// At most `limit` entries of what may be removed from object storage by now.
    ///
    /// # Errors
    /// As the store.
    pub async fn discards(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Discard>> {
        let (found, _) = self.tx.scan(&keys::discards_until(now), limit).await?;
        Ok(found.into_iter().map(|(_, discard)| discard).collect())
    }
}
