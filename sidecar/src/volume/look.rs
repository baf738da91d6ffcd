//! Looks at what changed, and puts it into the queue. Everything here has an end: files, folders and bytes are counted.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use coditect_core::{Error, FilePath, Result, sidecar::FileEvent};
use jiff::{SignedDuration, Timestamp};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};

use super::{
    beneath::{Fingerprint, Found, Root},
    pending::{Pending, Work},
    queue::Queue,
    rules::Rules,
};
use crate::{config::Config, socket::protocol::FileChange};

/// Largest file that is read.
const LARGEST: u64 = 16 * 1024 * 1024;
/// Most bytes that are read in one round.
const MOST_READ: u64 = 256 * 1024 * 1024;
/// Most files that are looked at in one round, most in one folder, and most folders that are followed: the kernel's own
/// limit of watches is for all pods of a node.
const MOST_FILES: usize = 100_000;
const MOST_IN_FOLDER: usize = 20_000;
const MOST_FOLDERS: usize = 4_096;
/// Most files whose state is remembered; a forgotten one is reported once too often. Not fewer than are looked at in
/// one round, or a look that goes on in several would have no end.
const MOST_KNOWN: usize = MOST_FILES;
/// A file that changes all the time is reported as often as this.
const AGAIN: Duration = Duration::from_secs(10);
/// Events and bytes of a batch.
const BATCH_EVENTS: usize = 100;
const BATCH_BYTES: usize = 512 * 1024;
/// Changes of one round that tabs are told one by one.
const MOST_TOLD: usize = 200;

/// Looks at a volume.
pub(super) struct Looker {
    root: Root,
    rules: Rules,
    queue: Arc<Queue>,
    watcher: RecommendedWatcher,
    volume: PathBuf,
    largest_snapshot: u64,
    /// What was seen last of each file, by its path's hash, and when it was reported.
    known: HashMap<u64, (Fingerprint, Option<Instant>)>,
    folders: HashSet<PathBuf>,
}

/// What a round found.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// For the tabs; none if there were too many to name.
    pub(super) changes: Option<Vec<FileChange>>,
    /// What changed so soon again that it waits.
    pub(super) later: BTreeSet<PathBuf>,
    /// Whether it was broken off and can go on already; otherwise it goes on once nothing waits for the API.
    pub(super) goes_on: bool,
}

/// What a round has found so far.
struct Finding {
    events: Vec<FileEvent>,
    bytes: usize,
    changes: Vec<FileChange>,
    changed: usize,
    later: BTreeSet<PathBuf>,
    files_left: usize,
    bytes_left: u64,
    /// Whether there is no room for more.
    is_full: bool,
    /// Whether nothing may wait.
    at_once: bool,
    /// Files that have not changed since then were looked at before we began.
    until: Option<i64>,
}

impl Looker {
    /// # Errors
    /// `Invalid` if the volume cannot be read; `Unavailable` if it cannot be followed.
    pub(super) fn new(config: &Config, queue: Arc<Queue>, pending: Arc<Pending>) -> Result<Self> {
        let shown = config.volume.display();
        let root = Root::open(&config.volume).map_err(|error| {
            Error::invalid("volume", format!("{shown} cannot be opened")).because(error)
        })?;
        let volume = config.volume.clone();
        let options = notify::Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(move |event| pending.hear(&volume, event), options)
            .map_err(|error| {
            Error::unavailable(format!("{shown} cannot be followed")).because(error)
        })?;
        Ok(Self {
            root,
            rules: Rules::new(),
            queue,
            watcher,
            volume: config.volume.clone(),
            // Several have room in the queue, or each would push the other out without end.
            largest_snapshot: config
                .snapshot_kib
                .saturating_mul(1024)
                .min(LARGEST)
                .min(config.queue_mib.saturating_mul(1024 * 1024) / 4),
            known: HashMap::new(),
            folders: HashSet::new(),
        })
    }

    /// Looks. `at_once`: nothing may wait for its turn.
    pub(super) fn look(&mut self, work: &Work, at_once: bool) -> Round {
        let began = Timestamp::now();
        let mut finding = Finding {
            events: Vec::new(),
            bytes: 0,
            changes: Vec::new(),
            changed: 0,
            later: BTreeSet::new(),
            files_left: MOST_FILES,
            bytes_left: MOST_READ,
            is_full: false,
            at_once,
            until: self.queue.until().map(Timestamp::as_second),
        };
        if work.everything {
            if self.queue.begin_look() {
                self.known.clear();
                finding.until = None;
            }
            self.scan(PathBuf::new(), &mut finding);
        }
        // What is gone first: a folder that was moved is followed by its new name only once it is not by its old one.
        let (gone, there): (Vec<&PathBuf>, Vec<&PathBuf>) = work
            .paths
            .iter()
            .partition(|path| matches!(self.root.find(path), Ok(Found::Missing)));
        for path in gone.into_iter().chain(there) {
            self.path(path, &mut finding);
        }
        self.queue.push(finding.events);
        if finding.is_full {
            self.queue.break_off();
        } else {
            let is_whole = work.everything || !self.queue.has_to_look_again();
            if is_whole && finding.later.is_empty() && finding.files_left > 0 {
                // Clocks of file systems tick some milliseconds behind.
                self.queue.set_until(began - SignedDuration::from_secs(2));
            }
            if work.everything {
                self.queue.end_look();
            }
        }
        Round {
            changes: (finding.changed <= MOST_TOLD).then_some(finding.changes),
            later: finding.later,
            goes_on: finding.is_full && self.queue.is_empty(),
        }
    }

    /// One path of which something was heard: it counts as changed whenever its file did.
    fn path(&mut self, path: &Path, finding: &mut Finding) {
        if path.file_name().is_some_and(|name| name == ".gitignore")
            && let Some(folder) = path.parent()
        {
            self.rules.forget(folder);
        }
        match self.root.find(path) {
            Ok(Found::Folder) => {
                if !self.rules.ignores(&self.root, path, true) {
                    // Its files may be older than what was looked at: moved here as they were.
                    let until = finding.until.take();
                    self.scan(path.to_owned(), finding);
                    finding.until = until;
                }
            }
            Ok(Found::File(file, print)) => {
                if !self.rules.ignores(&self.root, path, false) {
                    self.file(path, file, print, true, finding);
                }
            }
            Ok(Found::Missing) => self.missing(path, finding),
            Ok(Found::Other) => {}
            Err(error) => tracing::debug!(%error, "a path cannot be looked at"),
        }
    }

    /// Everything below a folder, which is followed from now on.
    fn scan(&mut self, folder: PathBuf, finding: &mut Finding) {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            if !self.follow(&folder) {
                continue;
            }
            let Ok(names) = self.root.names(&folder, MOST_IN_FOLDER) else {
                continue;
            };
            for name in names {
                if finding.is_full {
                    return;
                }
                let path = folder.join(name);
                // By its name alone first: what is none of ours is not even opened.
                if self.rules.ignores(&self.root, &path, false) {
                    continue;
                }
                if finding.files_left == 0 {
                    tracing::warn!(
                        most = MOST_FILES,
                        "the volume holds too many files to look at"
                    );
                    return;
                }
                finding.files_left -= 1;
                match self.root.find(&path) {
                    Ok(Found::Folder)
                        if folders.len() < MOST_FOLDERS
                            && !self.rules.ignores(&self.root, &path, true) =>
                    {
                        folders.push(path);
                    }
                    Ok(Found::File(file, print)) => self.file(&path, file, print, false, finding),
                    _ => {}
                }
            }
        }
    }

    fn file(
        &mut self,
        path: &Path,
        file: File,
        print: Fingerprint,
        heard: bool,
        finding: &mut Finding,
    ) {
        let Some(text) = name(path) else { return };
        let hash = hash(path);
        let known = self.known.get(&hash);
        if known.is_some_and(|(before, _)| *before == print) {
            return;
        }
        let (is_new, reported) = (known.is_none(), known.and_then(|(_, at)| *at));
        if !finding.at_once && reported.is_some_and(|at| at.elapsed() < AGAIN) {
            finding.later.insert(path.to_owned());
            return;
        }
        let is_old = !heard && is_new && finding.until.is_some_and(|until| print.changed < until);
        if !heard && !is_old && self.queue.is_half_full() {
            finding.is_full = true;
            return;
        }
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known
            .insert(hash, (print, (!is_old).then(Instant::now)));
        if is_old {
            return;
        }
        let read = if print.size <= LARGEST && print.size <= finding.bytes_left {
            finding.bytes_left -= print.size;
            read(file, self.largest_snapshot)
        } else {
            Content::default()
        };
        finding.add(
            FileEvent::Written {
                path: text.clone(),
                at: Timestamp::now(),
                size: print.size,
                sha256: read.sha256,
                content: read.content,
            },
            FileChange {
                path: text,
                removed: false,
            },
            &self.queue,
        );
    }

    /// Something is gone. Whether it was ever known is not asked: whoever hears of it knows what they know.
    fn missing(&mut self, path: &Path, finding: &mut Finding) {
        let was_folder = self.folders.contains(path);
        if was_folder {
            let gone: Vec<PathBuf> = self
                .folders
                .iter()
                .filter(|folder| folder.starts_with(path))
                .cloned()
                .collect();
            for folder in gone {
                self.unfollow(&folder);
            }
            // Its files look as before when it is moved back.
            self.known.clear();
        }
        self.known.remove(&hash(path));
        let is_ours = !self.rules.ignores(&self.root, path, was_folder);
        if let Some(text) = name(path).filter(|_| is_ours) {
            let change = FileChange {
                path: text.clone(),
                removed: true,
            };
            let event = FileEvent::Removed {
                path: text,
                at: Timestamp::now(),
            };
            finding.add(event, change, &self.queue);
        }
    }

    /// Follows a folder. False if there are too many.
    fn follow(&mut self, folder: &Path) -> bool {
        if self.folders.contains(folder) {
            return true;
        }
        if self.folders.len() >= MOST_FOLDERS {
            tracing::warn!(most = MOST_FOLDERS, "too many folders to follow");
            return false;
        }
        let path = self.volume.join(folder);
        if let Err(error) = self.watcher.watch(&path, RecursiveMode::NonRecursive) {
            // Still looked at, with everything, from time to time.
            tracing::warn!(%error, "a folder cannot be followed");
        }
        self.folders.insert(folder.to_owned());
        true
    }

    fn unfollow(&mut self, folder: &Path) {
        self.folders.remove(folder);
        // The kernel has forgotten it with the folder; this forgets it here.
        let _ = self.watcher.unwatch(&self.volume.join(folder));
    }
}

impl Finding {
    fn add(&mut self, event: FileEvent, change: FileChange, queue: &Queue) {
        self.changed += 1;
        if self.changed <= MOST_TOLD {
            self.changes.push(change);
        }
        if let FileEvent::Written {
            content: Some(content),
            ..
        } = &event
        {
            self.bytes += content.len();
        }
        self.events.push(event);
        if self.events.len() >= BATCH_EVENTS || self.bytes >= BATCH_BYTES {
            queue.push(std::mem::take(&mut self.events));
            self.bytes = 0;
        }
    }
}

/// What was read of a file.
#[derive(Default)]
struct Content {
    sha256: Option<String>,
    content: Option<String>,
}

/// Reads a file, no further than is allowed however much it grows meanwhile.
fn read(file: File, largest_snapshot: u64) -> Content {
    let mut hasher = Sha256::new();
    let mut content = Vec::new();
    let mut length = 0_u64;
    let mut file = file.take(LARGEST);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return Content::default(),
        };
        length += read as u64;
        hasher.update(&buffer[..read]);
        if length <= largest_snapshot {
            content.extend(&buffer[..read]);
        }
    }
    let hex = hasher
        .finalize()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            hex.push_str(&format!("{byte:02x}"));
            hex
        });
    Content {
        sha256: Some(hex),
        content: (length <= largest_snapshot && is_text(&content))
            .then(|| BASE64_STANDARD.encode(&content)),
    }
}

/// Whether a person could read the difference between two of these.
fn is_text(content: &[u8]) -> bool {
    !content.contains(&0) && std::str::from_utf8(content).is_ok()
}

/// The path as it is reported; none if it cannot be.
fn name(path: &Path) -> Option<String> {
    let path: FilePath = path.to_str()?.parse().ok()?;
    Some(path.into())
}

fn hash(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
