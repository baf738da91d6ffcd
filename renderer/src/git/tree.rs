//! A cell's tree in memory: which user's file is which blob. What a commit costs is what it touches.

use std::sync::Arc;

use coditect_core::{Shard, UserId};
use git2::{ObjectType, Oid, Repository, TreeEntry};

use super::{
    error::Result,
    object::{FILE, FOLDER, Kind, hash, push_tree_entry},
    pack::PackWriter,
};

/// The folder of all shards.
pub const SHARDS: &str = "shards";
/// The folder of the checkpoint.
pub const CHECKPOINT_FOLDER: &str = ".coditect";
/// The checkpoint's file in [`CHECKPOINT_FOLDER`].
pub const CHECKPOINT_FILE: &str = "state.yaml";
/// Keeps a shard without users in the tree: Argo CD refuses a path that does not exist.
const KEEP: &str = ".gitkeep";
/// How many foreign paths are named; more are counted only.
const NAMED: usize = 50;

/// Paths in a commit that the renderer did not make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// Inside the renderer's folders: the next commit removes them, since Argo CD would apply them.
    pub removed: Vec<String>,
    /// Beside them: kept as they are.
    pub kept: Vec<String>,
    /// How many there are in all; at most 50 of each kind are named.
    pub count: usize,
}

impl Foreign {
    fn remove(&mut self, path: String) {
        self.count += 1;
        if self.removed.len() < NAMED {
            self.removed.push(path);
        }
    }
}

/// Every user's file of a cell by shard. Cheap to clone: clones share the shards they have not changed.
#[derive(Clone, Debug)]
pub struct ShardTree {
    shards: Vec<Arc<Entries>>,
    /// What else is in the root: mode, name, object.
    beside: Arc<Vec<(u32, Vec<u8>, Oid)>>,
    foreign: Arc<Foreign>,
    /// The written object of the folder `shards`, if it is what this tree says.
    folder: Option<Oid>,
    /// The written root this tree was read from or published as.
    root: Option<Oid>,
}

/// One shard: 36 bytes a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entries {
    /// Sorted by user.
    users: Vec<(UserId, Oid)>,
    /// The written tree object, if it is exactly this.
    written: Option<Oid>,
}

impl Default for ShardTree {
    fn default() -> Self {
        Self::empty()
    }
}

impl ShardTree {
    /// All shards, no users, nothing written yet.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            shards: Shard::all().map(|_| Arc::default()).collect(),
            beside: Arc::default(),
            foreign: Arc::default(),
            folder: None,
            root: None,
        }
    }

    /// The blob of a user's file.
    #[must_use]
    pub fn get(&self, shard: Shard, user: UserId) -> Option<Oid> {
        let users = &self.shards[shard.index()].users;
        users
            .binary_search_by_key(&user, |&(user, _)| user)
            .ok()
            .map(|at| users[at].1)
    }

    /// The users of one shard with their blobs, by id.
    pub fn users(&self, shard: Shard) -> impl ExactSizeIterator<Item = (UserId, Oid)> + '_ {
        self.shards[shard.index()].users.iter().copied()
    }

    /// Every user with shard and blob.
    pub fn iter(&self) -> impl Iterator<Item = (Shard, UserId, Oid)> + '_ {
        Shard::all().flat_map(|shard| self.users(shard).map(move |(user, oid)| (shard, user, oid)))
    }

    /// Where a user's file is, whatever the registry says of the shard.
    #[must_use]
    pub fn find(&self, user: UserId) -> Option<(Shard, Oid)> {
        Shard::all().find_map(|shard| self.get(shard, user).map(|oid| (shard, oid)))
    }

    /// Everywhere the user has a file: one place, unless somebody copied it by hand.
    #[must_use]
    pub fn places(&self, user: UserId) -> Vec<(Shard, Oid)> {
        Shard::all()
            .filter_map(|shard| self.get(shard, user).map(|oid| (shard, oid)))
            .collect()
    }

    /// How many users there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.users.len()).sum()
    }

    /// True if there is no user.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.users.is_empty())
    }

    /// Paths in the commit this was read from that the renderer did not make.
    #[must_use]
    pub fn foreign(&self) -> &Foreign {
        &self.foreign
    }

    /// The object of the folder `shards`, if this tree is written.
    #[must_use]
    pub fn shards_oid(&self) -> Option<Oid> {
        self.folder
    }

    /// The commit's tree, if this tree is written.
    pub(super) fn root(&self) -> Option<Oid> {
        self.root
    }

    /// True if this says of every user what `published` says, and `published` stands in Git exactly so,
    /// with nothing to remove or complete.
    pub(super) fn same_files(&self, published: &Self) -> bool {
        let same = |(a, b): (&Arc<Entries>, &Arc<Entries>)| Arc::ptr_eq(a, b) || a.users == b.users;
        published.folder.is_some()
            && published.foreign.removed.is_empty()
            && self.shards.iter().zip(&published.shards).all(same)
    }

    pub(super) fn set(&mut self, shard: Shard, user: UserId, oid: Oid) {
        let entries = self.change(shard);
        match entries.users.binary_search_by_key(&user, |&(user, _)| user) {
            Ok(at) => entries.users[at].1 = oid,
            Err(at) => entries.users.insert(at, (user, oid)),
        }
    }

    /// True if the user was there.
    pub(super) fn remove(&mut self, shard: Shard, user: UserId) -> bool {
        if self.get(shard, user).is_none() {
            return false;
        }
        self.change(shard).users.retain(|&(other, _)| other != user);
        true
    }

    fn change(&mut self, shard: Shard) -> &mut Entries {
        self.folder = None;
        self.root = None;
        let entries = Arc::make_mut(&mut self.shards[shard.index()]);
        entries.written = None;
        entries
    }

    /// Reads the tree of a commit. Reading costs one object a shard and happens at start only.
    pub(super) fn load(repository: &Repository, commit: Oid) -> Result<Self, git2::Error> {
        let root = repository.find_commit(commit)?.tree()?;
        let mut tree = Self::empty();
        let mut foreign = Foreign::default();
        let mut beside = Vec::new();
        tree.root = Some(root.id());
        for entry in &root {
            match (entry.name_bytes(), entry.kind()) {
                (name, Some(ObjectType::Tree)) if name == SHARDS.as_bytes() => {
                    tree.load_shards(repository, entry.id(), &mut foreign)?
                }
                (name, Some(ObjectType::Tree)) if name == CHECKPOINT_FOLDER.as_bytes() => {
                    let folder = repository.find_tree(entry.id())?;
                    for entry in folder
                        .iter()
                        .filter(|entry| entry.name_bytes() != CHECKPOINT_FILE.as_bytes())
                    {
                        foreign.remove(format!("{CHECKPOINT_FOLDER}/{}", lossy(&entry)));
                    }
                }
                (name, _) if name == SHARDS.as_bytes() || name == CHECKPOINT_FOLDER.as_bytes() => {
                    foreign.remove(lossy(&entry))
                }
                (name, _) => {
                    foreign.count += 1;
                    if foreign.kept.len() < NAMED {
                        foreign.kept.push(lossy(&entry));
                    }
                    beside.push((
                        u32::try_from(entry.filemode_raw()).unwrap_or(FILE),
                        name.to_vec(),
                        entry.id(),
                    ));
                }
            }
        }
        tree.beside = Arc::new(beside);
        tree.foreign = Arc::new(foreign);
        Ok(tree)
    }

    fn load_shards(
        &mut self,
        repository: &Repository,
        folder: Oid,
        foreign: &mut Foreign,
    ) -> Result<(), git2::Error> {
        let mut whole = true;
        for entry in &repository.find_tree(folder)? {
            let shard = entry
                .name()
                .ok()
                .and_then(|name| name.parse::<Shard>().ok());
            match (shard, entry.kind()) {
                (Some(shard), Some(ObjectType::Tree)) => {
                    let entries = Entries::load(repository, shard, entry.id(), foreign)?;
                    self.shards[shard.index()] = Arc::new(entries);
                }
                _ => {
                    whole = false;
                    foreign.remove(format!("{SHARDS}/{}", lossy(&entry)));
                }
            }
        }
        whole &= self.shards.iter().all(|shard| shard.written.is_some());
        self.folder = whole.then_some(folder);
        Ok(())
    }

    /// Writes the tree objects that are not written yet, and returns the root's id. `checkpoint` is the
    /// blob of the state file.
    pub(super) fn write_root(&mut self, pack: &mut PackWriter, checkpoint: Oid) -> Result<Oid> {
        let folder = self.write_shards(pack)?;
        let mut body = Vec::new();
        push_tree_entry(&mut body, FILE, CHECKPOINT_FILE.as_bytes(), checkpoint);
        let checkpoint_folder = pack.tree(&body)?;
        let mut entries = self.beside.as_ref().clone();
        entries.push((FOLDER, CHECKPOINT_FOLDER.into(), checkpoint_folder));
        entries.push((FOLDER, SHARDS.into(), folder));
        // Git compares a folder's name as if it ended in a slash.
        let key = |(mode, name, _): &(u32, Vec<u8>, Oid)| {
            let mut key = name.clone();
            if *mode == FOLDER {
                key.push(b'/');
            }
            key
        };
        entries.sort_by_cached_key(key);
        body.clear();
        for (mode, name, oid) in &entries {
            push_tree_entry(&mut body, *mode, name, *oid);
        }
        let root = pack.tree(&body)?;
        self.root = Some(root);
        if !self.foreign.removed.is_empty() {
            self.foreign = Arc::new(Foreign {
                removed: Vec::new(),
                count: self.beside.len(),
                ..self.foreign.as_ref().clone()
            });
        }
        Ok(root)
    }

    /// Writes the shards that changed and the folder that holds them, and returns that folder's id.
    pub(super) fn write_shards(&mut self, pack: &mut PackWriter) -> Result<Oid> {
        if let Some(folder) = self.folder {
            return Ok(folder);
        }
        let keep = pack.blob(b"")?;
        let mut folder = Vec::with_capacity(usize::from(Shard::COUNT) * 29);
        let mut body = Vec::new();
        for shard in Shard::all() {
            let entries = &mut self.shards[shard.index()];
            let written = match entries.written {
                Some(written) => written,
                None => {
                    entries.encode(keep, &mut body);
                    let written = pack.tree(&body)?;
                    Arc::make_mut(entries).written = Some(written);
                    written
                }
            };
            push_tree_entry(&mut folder, FOLDER, shard.to_string().as_bytes(), written);
        }
        let folder = pack.tree(&folder)?;
        self.folder = Some(folder);
        Ok(folder)
    }
}

impl Entries {
    fn load(
        repository: &Repository,
        shard: Shard,
        oid: Oid,
        foreign: &mut Foreign,
    ) -> Result<Self, git2::Error> {
        let tree = repository.find_tree(oid)?;
        let empty = hash(Kind::Blob, b"")?;
        let mut users = Vec::with_capacity(tree.len());
        let mut canonical = false;
        let mut clean = true;
        for entry in &tree {
            let is_file = entry.filemode_raw() == i32::try_from(FILE).unwrap_or(0);
            if is_file && entry.name_bytes() == KEEP.as_bytes() && entry.id() == empty {
                canonical = true;
            } else if let Some(user) = user_of(&entry).filter(|_| is_file) {
                users.push((user, entry.id()));
            } else {
                clean = false;
                foreign.remove(format!("{SHARDS}/{shard}/{}", lossy(&entry)));
            }
        }
        users.sort_unstable();
        Ok(Self {
            users,
            written: (canonical && clean).then_some(oid),
        })
    }

    /// `.gitkeep` and the users' files; `.` sorts before every digit, so in the order Git wants.
    fn encode(&self, keep: Oid, body: &mut Vec<u8>) {
        body.clear();
        push_tree_entry(body, FILE, KEEP.as_bytes(), keep);
        for (user, oid) in &self.users {
            push_tree_entry(body, FILE, file_of(*user).as_bytes(), *oid);
        }
    }
}

fn user_of(entry: &TreeEntry<'_>) -> Option<UserId> {
    entry.name().ok()?.strip_suffix(".yaml")?.parse().ok()
}

fn lossy(entry: &TreeEntry<'_>) -> String {
    String::from_utf8_lossy(entry.name_bytes()).into_owned()
}

/// The name of a user's file in their shard.
pub(super) fn file_of(user: UserId) -> String {
    format!("{user}.yaml")
}

/// The path of a user's file in the tree.
#[must_use]
pub fn path_of(shard: Shard, user: UserId) -> String {
    format!("{SHARDS}/{shard}/{}", file_of(user))
}
