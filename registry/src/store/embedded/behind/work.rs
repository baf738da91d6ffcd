//! The queue, and the thread that works it off.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redb::StorageBackend;

/// By how much of the file what is queued is found again: the library's page size.
pub(super) const BLOCK: u64 = 4096;
/// How often a full disk is tried again.
const FULL: Duration = Duration::from_millis(250);

/// What waits for the disk.
pub(super) enum Task {
    Write { offset: u64, data: Arc<[u8]> },
    Sync,
}

/// What lies in a block once the disk has caught up: the part of `data` that is written there.
pub(super) struct Queued {
    pub(super) task: u64,
    pub(super) offset: u64,
    pub(super) data: Arc<[u8]>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) tasks: VecDeque<Task>,
    /// By number of block, the newest write.
    pub(super) blocks: HashMap<u64, Queued>,
    /// How many bytes are queued.
    pub(super) bytes: usize,
    /// How many tasks there ever were, and how many of them are done.
    pub(super) put: u64,
    pub(super) done: u64,
    /// Who waits for the queue: a full disk is an answer to them, and otherwise no reason to give up.
    pub(super) waiting: usize,
    /// There is no room on the disk, in its words.
    pub(super) full: Option<String>,
    pub(super) failed: Option<(io::ErrorKind, String)>,
    pub(super) closed: bool,
}

impl State {
    pub(super) fn fail(&mut self, error: &io::Error) {
        self.failed
            .get_or_insert_with(|| (error.kind(), error.to_string()));
        self.tasks.clear();
    }

    /// Whether a write would cover a part of a block of which other parts are queued, too. The library, which writes
    /// whole pages and always the same part of its header, never does that.
    pub(super) fn hides(&self, offset: u64, length: usize) -> bool {
        let end = offset + length as u64;
        blocks(offset, length).any(|block| {
            self.blocks.get(&block).is_some_and(|queued| {
                let whole = (block * BLOCK, (block + 1) * BLOCK);
                let (from, to) = overlap(block, queued.offset, queued.data.len(), whole.0, whole.1);
                from < offset || to > end
            })
        })
    }

    pub(super) fn check(&self) -> io::Result<()> {
        match &self.failed {
            Some((kind, why)) => Err(io::Error::new(*kind, why.clone())),
            None => Ok(()),
        }
    }
}

pub(super) struct Shared {
    pub(super) below: Box<dyn StorageBackend>,
    pub(super) state: Mutex<State>,
    /// How many writes are queued: a reader need not lock to see that there are none.
    pub(super) queued: AtomicU64,
    pub(super) work: Condvar,
    pub(super) done: Condvar,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, state: &mut State, task: Task) -> u64 {
        state.put += 1;
        state.tasks.push_back(task);
        self.work.notify_one();
        state.put
    }

    /// Waits until a task is done.
    pub(super) fn wait(&self, task: u64) -> io::Result<()> {
        let mut state = self.state();
        state.waiting += 1;
        self.work.notify_one();
        while state.done < task && state.failed.is_none() {
            state = self
                .done
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        state.check()
    }

    /// Works off the queue until it is closed and empty, or has failed.
    pub(super) fn run(&self) {
        let mut state = self.state();
        while state.failed.is_none() {
            let Some(task) = state.tasks.front() else {
                if state.closed {
                    break;
                }
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let task = match task {
                Task::Write { offset, data } => Some((*offset, Arc::clone(data))),
                Task::Sync => None,
            };
            drop(state);
            let result = match &task {
                Some((offset, data)) => self.below.write(*offset, data),
                None => self.below.sync_data(),
            };
            state = self.state();
            match result {
                Ok(()) => self.finished(&mut state, task),
                Err(error)
                    if task.is_some()
                        && state.waiting == 0
                        && !state.closed
                        && error.kind() == io::ErrorKind::StorageFull =>
                {
                    state.full = Some(error.to_string());
                    self.done.notify_all();
                    state = self
                        .work
                        .wait_timeout(state, FULL)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
                Err(error) => state.fail(&error),
            }
        }
        self.done.notify_all();
    }

    fn finished(&self, state: &mut State, task: Option<(u64, Arc<[u8]>)>) {
        state.full = None;
        if state.tasks.pop_front().is_none() {
            // It was abandoned meanwhile.
            return;
        }
        state.done += 1;
        if let Some((offset, data)) = task {
            for block in blocks(offset, data.len()) {
                if state
                    .blocks
                    .get(&block)
                    .is_some_and(|queued| queued.task == state.done)
                {
                    state.blocks.remove(&block);
                }
            }
            state.bytes -= data.len();
            self.queued.fetch_sub(1, Ordering::Release);
        }
        self.done.notify_all();
    }
}

pub(super) fn blocks(offset: u64, length: usize) -> std::ops::Range<u64> {
    offset / BLOCK..(offset + length as u64).div_ceil(BLOCK)
}

/// Which bytes of a block are both in a write that begins at `begin` and in a read from `offset` to `end`.
pub(super) fn overlap(block: u64, begin: u64, length: usize, offset: u64, end: u64) -> (u64, u64) {
    let from = (block * BLOCK).max(begin).max(offset);
    let to = ((block + 1) * BLOCK).min(begin + length as u64).min(end);
    (from, to)
}
