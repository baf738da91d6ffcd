//! Writes that reach the disk behind their writer's back, in their order.
//!
//! A checkpoint writes thousands of pages and syncs them, and commits must not wait for it: the log holds them. So
//! writes and syncs are put into a queue that one thread works off. What the library builds on a sync holds because
//! the queue keeps the order: a write that was put behind a sync does not touch the file before that sync is done, so
//! no page of the newest tree on disk is written over before the next tree is there. Who must know that something is
//! on disk waits for it ([`Behind::flush`]), and closing does. Reads see what is queued.

mod work;

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    ops::Bound,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use redb::{BackendError, StorageBackend};

use work::{Queued, Shared, Task, blocks, overlap};

/// The queue, seen by who decides what waits for it.
#[derive(Clone)]
pub(super) struct Behind(Arc<Shared>);

impl Behind {
    /// Returns when everything that was put is done: what a sync followed is on disk.
    ///
    /// # Errors
    /// Why the file takes no more writes, as the disk said it.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.0.wait(self.last())
    }

    /// What was put last, to be asked for with [`Self::is_done`].
    pub(super) fn last(&self) -> u64 {
        self.0.state().put
    }

    /// Whether everything up to a task is done.
    ///
    /// # Errors
    /// Why the file takes no more writes, as the disk said it.
    pub(super) fn is_done(&self, task: u64) -> io::Result<bool> {
        let state = self.0.state();
        state.check()?;
        Ok(state.done >= task)
    }

    /// Waits until at most so many bytes are queued and, if one is given, a task is done; not longer than until
    /// the disk is full or broken.
    pub(super) fn relax(&self, bytes: usize, task: Option<u64>) {
        let mut state = self.0.state();
        while (state.bytes > bytes || task.is_some_and(|task| state.done < task))
            && state.failed.is_none()
            && state.full.is_none()
        {
            state = self
                .0
                .done
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// That there is no room on the disk, in its words. It is tried again until there is.
    pub(super) fn full(&self) -> Option<String> {
        self.0.state().full.clone()
    }

    /// Lets nothing more reach the file: it stays as a crash would leave it.
    pub(super) fn abandon(&self) {
        self.0
            .state()
            .fail(&io::Error::other("it is being opened anew"));
        self.0.work.notify_one();
        self.0.done.notify_all();
    }
}

/// What the library writes to.
pub(super) struct Queue {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Queue {
    /// A queue before a file, and its other end.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(super) fn before(below: impl StorageBackend) -> io::Result<(Self, Behind)> {
        let shared = Arc::new(Shared {
            below: Box::new(below),
            state: Mutex::default(),
            queued: AtomicU64::new(0),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let works = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("registry-pages".to_owned())
            .spawn(move || works.run())?;
        let queue = Self {
            shared: Arc::clone(&shared),
            thread: Mutex::new(Some(thread)),
        };
        Ok((queue, Behind(shared)))
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Queue").field(&self.shared.below).finish()
    }
}

impl StorageBackend for Queue {
    fn len(&self) -> Result<u64, io::Error> {
        self.shared.below.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        if self.shared.queued.load(Ordering::Acquire) == 0 {
            return self.shared.below.read(offset, out);
        }
        // Taken before the file is read: what is written meanwhile is found there or here.
        let parts: Vec<(u64, u64, Arc<[u8]>)> = {
            let state = self.shared.state();
            blocks(offset, out.len())
                .filter_map(|block| {
                    let queued = state.blocks.get(&block)?;
                    Some((block, queued.offset, Arc::clone(&queued.data)))
                })
                .collect()
        };
        let end = offset + out.len() as u64;
        let covered: u64 = parts
            .iter()
            .map(|(block, begin, data)| {
                let (from, to) = overlap(*block, *begin, data.len(), offset, end);
                to.saturating_sub(from)
            })
            .sum();
        if covered < out.len() as u64 {
            self.shared.below.read(offset, out)?;
        }
        for (block, begin, data) in parts {
            let (from, to) = overlap(block, begin, data.len(), offset, end);
            if from < to {
                // All of it lies in `out` and in `data`, which are in memory.
                let within = |base: u64| (from - base) as usize..(to - base) as usize;
                out[within(offset)].copy_from_slice(&data[within(begin)]);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        // What is behind its end is in nobody's way, and that there is no more to be had is to be known now. What is
        // cut off belongs to a tree that may still be the newest on disk.
        if len < self.shared.below.len()? {
            let last = self.shared.state().put;
            self.shared.wait(last)?;
        }
        self.shared.state().check()?;
        self.shared.below.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = self.shared.state();
        state.check()?;
        self.shared.put(&mut state, Task::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let data: Arc<[u8]> = data.into();
        let mut state = self.shared.state();
        if state.hides(offset, data.len()) {
            let last = state.put;
            drop(state);
            self.shared.wait(last)?;
            state = self.shared.state();
        }
        state.check()?;
        state.bytes += data.len();
        self.shared.queued.fetch_add(1, Ordering::Release);
        let write = Task::Write {
            offset,
            data: Arc::clone(&data),
        };
        let task = self.shared.put(&mut state, write);
        for block in blocks(offset, data.len()) {
            let queued = Queued {
                task,
                offset,
                data: Arc::clone(&data),
            };
            state.blocks.insert(block, queued);
        }
        Ok(())
    }

    fn close(&self) -> Result<(), io::Error> {
        self.shared.state().closed = true;
        self.shared.work.notify_one();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the registry's pages has failed");
        }
        let written = self.shared.state().check();
        self.shared.below.close().and(written)
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.shared.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.shared.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.shared.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.shared.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.shared.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.shared.below.query_lock_range(start, end)
    }
}
