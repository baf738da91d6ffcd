//! A commit on its way: `Batch` collects, `Prepared` is on the disk, `Published` is the head. Each step
//! consumes the one before, so that a commit whose objects are not synced cannot become the head.

use std::sync::Arc;

use coditect_core::{Shard, UserId};
use git2::Oid;
use jiff::Timestamp;

use super::{
    error::{PublishError, Result},
    message::Message,
    object::{self, Kind},
    pack::{PackWriter, SyncedPack},
    reference::NextRef,
    repository::Inner,
    state::{Checkpoint, State},
    tree::ShardTree,
};

/// Changes that are to become one commit. Thrown away, it leaves nothing.
///
/// ```compile_fail
/// # fn f(batch: coditect_renderer::git::Batch) {
/// let published = batch.publish(); // nothing is synced yet: only `finish` gives something to publish
/// # }
/// ```
pub struct Batch {
    inner: Arc<Inner>,
    expected: Option<Oid>,
    base: ShardTree,
    tree: ShardTree,
    pack: PackWriter,
}

/// A commit whose objects are synced to the disk while the branch is still what it was.
pub struct Prepared {
    inner: Arc<Inner>,
    expected: Option<Oid>,
    next: NextRef,
    commit: Oid,
    tree: ShardTree,
    pack: SyncedPack,
}

/// A commit that became the head, durably.
#[derive(Clone, Debug)]
pub struct Published {
    /// The commit.
    pub commit: Oid,
    /// Its files; the tree the next batch begins with.
    pub tree: ShardTree,
    /// How many objects were written.
    pub objects: usize,
    /// How many bytes they take on the disk.
    pub bytes: u64,
}

impl Batch {
    pub(super) fn new(inner: Arc<Inner>, expected: Option<Oid>, tree: &ShardTree) -> Self {
        let pack = PackWriter::new(inner.path().join("objects/pack"));
        Self {
            inner,
            expected,
            base: tree.clone(),
            tree: tree.clone(),
            pack,
        }
    }

    /// Sets a user's file. True if that changes anything; if not, nothing is written.
    ///
    /// # Errors
    /// If the disk cannot take it.
    pub fn put(&mut self, shard: Shard, user: UserId, bytes: &[u8]) -> Result<bool> {
        let oid = object::hash(Kind::Blob, bytes)
            .map_err(|error| super::Error::git(self.inner.path(), error))?;
        if self.tree.get(shard, user) == Some(oid) {
            return Ok(false);
        }
        self.pack.add(Kind::Blob, oid, bytes)?;
        self.tree.set(shard, user, oid);
        Ok(true)
    }

    /// Puts back a file that an earlier commit of this repository holds, such as a user's last good one.
    /// True if that changes anything.
    ///
    /// # Errors
    /// If the blob cannot be read or the disk cannot take it.
    pub fn put_blob(&mut self, shard: Shard, user: UserId, oid: Oid) -> Result<bool> {
        if self.tree.get(shard, user) == Some(oid) {
            return Ok(false);
        }
        let bytes = self
            .inner
            .read(|repository| Ok(repository.find_blob(oid)?.content().to_vec()))?;
        self.put(shard, user, &bytes)
    }

    /// Removes a user's file. True if there was one.
    pub fn remove(&mut self, shard: Shard, user: UserId) -> bool {
        self.tree.remove(shard, user)
    }

    /// The files as they would be committed.
    #[must_use]
    pub fn tree(&self) -> &ShardTree {
        &self.tree
    }

    /// True if a commit would hold the same files as the one it is made on. A batch on no commit, or on one
    /// that has foreign paths in the renderer's folders, is never empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expected.is_some() && self.tree.same_files(&self.base)
    }

    /// Writes and syncs everything but the branch: files, trees, the checkpoint and the commit, as one
    /// pack. `time` is the commit's; it has no part in rendering. `None` if the commit would hold the same
    /// tree, checkpoint included, and is no take-over: there is nothing to say.
    ///
    /// # Errors
    /// If the disk cannot take it. The branch is untouched.
    pub fn finish(
        mut self,
        checkpoint: Checkpoint,
        message: &Message,
        time: Timestamp,
    ) -> Result<Option<Prepared>> {
        let shards = self.tree.write_shards(&mut self.pack)?;
        let text = message.text(&checkpoint);
        let state = State::of(checkpoint, &self.tree, shards);
        let file = self.pack.blob(state.to_yaml().as_bytes())?;
        let root = self.tree.write_root(&mut self.pack, file)?;
        if self.expected.is_some() && self.base.root() == Some(root) && !message.is_take_over() {
            return Ok(None);
        }
        let commit = self
            .pack
            .commit(&object::commit(root, self.expected, time, &text))?;
        let next = NextRef::write(self.inner.path(), commit)?;
        let pack = self.pack.finish(Some(next.as_file()))?;
        Ok(Some(Prepared {
            inner: self.inner,
            expected: self.expected,
            next,
            commit,
            tree: self.tree,
            pack,
        }))
    }
}

impl Prepared {
    /// The commit that is ready.
    #[must_use]
    pub fn commit(&self) -> Oid {
        self.commit
    }

    /// Makes the commit the head, if the head is still the one the batch was begun on.
    ///
    /// # Errors
    /// `Moved` if it is not: the commit's objects stay unreferenced. `Storage` if the disk fails.
    pub fn publish(self) -> Result<Published, PublishError> {
        self.next.publish(&self.inner, self.expected, &self.pack)?;
        let SyncedPack { objects, bytes, .. } = self.pack;
        metrics::counter!("coditect_renderer_git_commits_total").increment(1);
        metrics::counter!("coditect_renderer_git_objects_total").increment(objects as u64);
        metrics::counter!("coditect_renderer_git_written_bytes").increment(bytes);
        Ok(Published {
            commit: self.commit,
            tree: self.tree,
            objects,
            bytes,
        })
    }
}
