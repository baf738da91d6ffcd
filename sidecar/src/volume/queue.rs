//! What the API has not taken yet: one file a batch in a folder of bounded size. It outlives a restart of this program;
//! with the pod goes the folder, and the next pod looks at everything anew.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use coditect_core::sidecar::{FileBatch, FileEvent};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

const STATE: &str = "state.json";
const ENDING: &str = "batch";

/// What waits for the API.
#[derive(Debug)]
pub(crate) struct Queue {
    folder: PathBuf,
    most_bytes: u64,
    state: Mutex<State>,
    /// Something was put in or taken out.
    pub(crate) changed: Notify,
}

#[derive(Debug)]
struct State {
    saved: Saved,
    waiting: VecDeque<Waiting>,
    bytes: u64,
    /// Whether a look was broken off because there was too little room for what it found, or one anew goes on.
    broken_off: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    queue: Uuid,
    /// Number of the next batch.
    next: u64,
    /// Events that were let go and of which the API does not know.
    lost: u64,
    /// Whether to look at everything anew once there is room.
    look_again: bool,
    /// Everything until then has been looked at.
    until: Option<Timestamp>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    bytes: u64,
    events: u64,
}

impl Queue {
    /// The queue in this folder, with what was in it before.
    ///
    /// # Errors
    /// If the folder cannot be read or written.
    pub(crate) fn open(folder: &Path, most_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        // What cannot be read begins anew: everything is looked at again.
        let saved = fs::read(folder.join(STATE))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        let mut saved = saved.unwrap_or_else(|| Saved {
            queue: Uuid::new_v4(),
            next: 1,
            lost: 0,
            look_again: false,
            until: None,
        });
        let mut waiting = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let number = stem.and_then(|stem| stem.parse().ok());
            match (number, path.extension()) {
                (Some(number), Some(ending)) if ending == ENDING => waiting.push(Waiting {
                    number,
                    bytes: entry.metadata()?.len(),
                    // Counted when it is read; until then it is one at least.
                    events: 1,
                }),
                // Half written when we ended.
                _ if path.extension().is_some_and(|ending| ending == "new") => {
                    fs::remove_file(&path)?;
                }
                _ => {}
            }
        }
        waiting.sort_by_key(|waiting| waiting.number);
        if let Some(last) = waiting.last() {
            saved.next = saved.next.max(last.number + 1);
        }
        let bytes = waiting.iter().map(|waiting| waiting.bytes).sum();
        let queue = Self {
            folder: folder.to_owned(),
            most_bytes,
            state: Mutex::new(State {
                saved,
                waiting: waiting.into(),
                bytes,
                broken_off: false,
            }),
            changed: Notify::new(),
        };
        queue.save(&queue.lock())?;
        Ok(queue)
    }

    /// Puts events in. What there is no room for is let go, the oldest first; that it was is remembered.
    pub(crate) fn push(&self, events: Vec<FileEvent>) {
        if events.is_empty() {
            return;
        }
        let mut state = self.lock();
        let count = events.len() as u64;
        let batch = FileBatch {
            queue: state.saved.queue,
            number: state.saved.next,
            events,
        };
        if let Err(error) = self.put(&mut state, &batch) {
            tracing::warn!(%error, events = count, "the queue cannot be written; events are let go");
            state.lose(count);
        }
        while state.bytes > self.most_bytes {
            let Some(oldest) = state.waiting.pop_front() else {
                break;
            };
            state.bytes = state.bytes.saturating_sub(oldest.bytes);
            state.lose(oldest.events);
            self.remove(oldest.number);
        }
        if let Err(error) = self.save(&state) {
            tracing::warn!(%error, "the queue's state cannot be written");
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The oldest batch, and what was let go before it. None if nothing waits.
    pub(crate) fn oldest(&self) -> Option<FileBatch> {
        let mut state = self.lock();
        loop {
            let number = state.waiting.front()?.number;
            let read = fs::read(self.path(number))
                .ok()
                .and_then(|text| serde_json::from_slice::<FileBatch>(&text).ok());
            match read {
                Some(mut batch) => {
                    if let Some(front) = state.waiting.front_mut() {
                        front.events = batch.events.len() as u64;
                    }
                    if state.saved.lost > 0 {
                        let lost = FileEvent::Lost {
                            events: state.saved.lost,
                        };
                        batch.events.insert(0, lost);
                    }
                    return Some(batch);
                }
                None => {
                    tracing::warn!(number, "a batch of the queue cannot be read and is let go");
                    state.lose(1);
                    self.forget(&mut state, number);
                }
            }
        }
    }

    /// A batch was taken, with what it said of losses.
    pub(crate) fn taken(&self, batch: &FileBatch) {
        let mut state = self.lock();
        if let Some(FileEvent::Lost { events }) = batch.events.first() {
            state.saved.lost = state.saved.lost.saturating_sub(*events);
        }
        self.forget(&mut state, batch.number);
        drop(state);
        self.changed.notify_waiters();
    }

    /// A batch will never be taken.
    pub(crate) fn refused(&self, batch: &FileBatch) {
        let mut state = self.lock();
        let events = batch.events.iter();
        let events = events.filter(|event| !matches!(event, FileEvent::Lost { .. }));
        // Not looked at again: it would be refused again.
        state.saved.lost += events.count() as u64;
        self.forget(&mut state, batch.number);
        drop(state);
        self.changed.notify_waiters();
    }

    /// How many events wait, those let go among them.
    pub(crate) fn waiting(&self) -> u64 {
        let state = self.lock();
        let waiting: u64 = state.waiting.iter().map(|waiting| waiting.events).sum();
        waiting + state.saved.lost
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Whether there is more to look at once nothing waits: what was let go, or what a look did not come to.
    pub(crate) fn has_to_look_again(&self) -> bool {
        let state = self.lock();
        state.saved.look_again || state.broken_off
    }

    /// A look at everything begins. True once, when something was let go and there is room again: what was known before
    /// does not count.
    pub(crate) fn begin_look(&self) -> bool {
        let mut state = self.lock();
        let is_anew = state.waiting.is_empty() && std::mem::take(&mut state.saved.look_again);
        if is_anew {
            state.broken_off = true;
            state.saved.until = None;
        }
        is_anew
    }

    /// A look at everything has ended.
    pub(crate) fn end_look(&self) {
        self.lock().broken_off = false;
        self.changed.notify_waiters();
    }

    /// A look is broken off: the next one at everything goes on with it.
    pub(crate) fn break_off(&self) {
        let mut state = self.lock();
        state.broken_off = true;
        state.saved.until = None;
        if let Err(error) = self.save(&state) {
            tracing::warn!(%error, "the queue's state cannot be written");
        }
    }

    /// Whether what can wait should: half of the room is for what happens meanwhile.
    pub(crate) fn is_half_full(&self) -> bool {
        self.lock().bytes > self.most_bytes / 2
    }

    /// Until when everything has been looked at.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.lock().saved.until
    }

    /// Everything until then has been looked at, and is in the queue or behind it.
    pub(crate) fn set_until(&self, until: Timestamp) {
        let mut state = self.lock();
        state.saved.until = Some(until);
        if let Err(error) = self.save(&state) {
            tracing::warn!(%error, "the queue's state cannot be written");
        }
    }

    fn put(&self, state: &mut State, batch: &FileBatch) -> io::Result<()> {
        let text = serde_json::to_vec(batch)?;
        self.write(&self.path(batch.number), &text)?;
        let bytes = text.len() as u64;
        state.bytes += bytes;
        state.saved.next += 1;
        state.waiting.push_back(Waiting {
            number: batch.number,
            bytes,
            events: batch.events.len() as u64,
        });
        Ok(())
    }

    fn forget(&self, state: &mut State, number: u64) {
        // Its number first: a batch is sent again rather than another one under its number.
        if let Err(error) = self.save(state) {
            tracing::warn!(%error, "the queue's state cannot be written");
        }
        if let Some(at) = state
            .waiting
            .iter()
            .position(|waiting| waiting.number == number)
            && let Some(gone) = state.waiting.remove(at)
        {
            state.bytes = state.bytes.saturating_sub(gone.bytes);
        }
        self.remove(number);
    }

    fn remove(&self, number: u64) {
        if let Err(error) = fs::remove_file(self.path(number)) {
            tracing::warn!(%error, number, "a batch of the queue cannot be removed");
        }
    }

    fn save(&self, state: &State) -> io::Result<()> {
        self.write(&self.folder.join(STATE), &serde_json::to_vec(&state.saved)?)
    }

    /// Whole or not at all. Not synced: the folder does not outlive its node.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let new = path.with_extension("new");
        fs::write(&new, bytes)?;
        fs::rename(new, path)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}.{ENDING}"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lose(&mut self, events: u64) {
        self.saved.lost += events;
        self.saved.look_again = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(path: &str) -> FileEvent {
        FileEvent::Removed {
            path: path.to_owned(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn take(queue: &Queue) -> FileBatch {
        let batch = queue.oldest().unwrap();
        queue.taken(&batch);
        batch
    }

    #[test]
    fn what_waits_outlives_a_restart_in_order_and_numbers_never_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::open(folder.path(), 1 << 20).unwrap();
        for path in ["a", "b", "c"] {
            queue.push(vec![removed(path)]);
        }
        let first = take(&queue);
        assert_eq!((first.number, &first.events[..]), (1, &[removed("a")][..]));
        // Read but not taken: sent again.
        assert_eq!(queue.oldest().unwrap().number, 2);
        fs::write(folder.path().join("00000000000000000009.new"), "half").unwrap();
        drop(queue);
        let queue = Queue::open(folder.path(), 1 << 20).unwrap();
        let second = take(&queue);
        assert_eq!((second.number, second.queue), (2, first.queue));
        assert_eq!(take(&queue).number, 3);
        assert!(queue.oldest().is_none() && queue.is_empty());
        drop(queue);
        let queue = Queue::open(folder.path(), 1 << 20).unwrap();
        queue.push(vec![removed("d")]);
        assert_eq!(take(&queue).number, 4);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_there_is_no_room_for_is_let_go_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::open(folder.path(), 2_000).unwrap();
        for at in 0..100 {
            queue.push(vec![removed(&format!("file-{at}")), removed("x")]);
            let bytes: u64 = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().metadata().unwrap().len())
                .sum();
            assert!(bytes < 2_500, "{bytes}");
        }
        assert!(!queue.begin_look(), "there is no room yet");
        let batch = queue.oldest().unwrap();
        let FileEvent::Lost { events } = batch.events[0] else {
            panic!("{batch:?}")
        };
        assert_eq!(events, (batch.number - 1) * 2);
        queue.taken(&batch);
        let mut last = 0;
        while !queue.is_empty() {
            let batch = take(&queue);
            assert!(!matches!(batch.events[0], FileEvent::Lost { .. }));
            last = batch.number;
        }
        assert_eq!((last, queue.waiting()), (100, 0));
        assert!(queue.begin_look() && !queue.begin_look());
        assert!(queue.has_to_look_again(), "until it has ended");
        queue.end_look();
        assert!(!queue.has_to_look_again());
        queue.set_until(Timestamp::UNIX_EPOCH);
        queue.break_off();
        assert!(queue.has_to_look_again() && queue.until().is_none());
    }

    #[test]
    fn a_batch_that_is_damaged_or_refused_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::open(folder.path(), 1 << 20).unwrap();
        for path in ["a", "b", "c"] {
            queue.push(vec![removed(path)]);
        }
        fs::write(queue.path(1), "{").unwrap();
        let second = queue.oldest().unwrap();
        assert_eq!(second.events[0], FileEvent::Lost { events: 1 });
        queue.refused(&second);
        let third = take(&queue);
        assert_eq!(third.events[0], FileEvent::Lost { events: 2 });
        assert_eq!(third.events[1], removed("c"));
    }
}
