//! Writes that reach the disk behind their writer's back, in their order.
//!
//! A checkpoint writes thousands of pages and syncs them, and commits must not wait for it: the log holds them. So
//! writes and syncs are put into a queue that one thread works off. What the library builds on a sync holds because
//! the queue keeps the order: a write that was put behind a sync does not touch the file before that sync is done, so
//! no page of the newest tree on disk is written over before the next tree is there. Who must know that something is
//! on disk waits for it ([`Behind::flush`]), and closing does. Reads see what is queued.

use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    ops::Bound,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use redb::{BackendError, StorageBackend};

/// By how much of the file what is queued is found again: the library's page size.
const BLOCK: u64 = 4096;
/// How often a full disk is tried again.
const FULL: Duration = Duration::from_millis(250);

/// What waits for the disk.
enum Task {
    Write { offset: u64, data: Arc<[u8]> },
    Sync,
}

/// What lies in a block once the disk has caught up: the part of `data` that is written there.
struct Queued {
    task: u64,
    offset: u64,
    data: Arc<[u8]>,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    /// By number of block, the newest write.
    blocks: HashMap<u64, Queued>,
    /// How many bytes are queued.
    bytes: usize,
    /// How many tasks there ever were, and how many of them are done.
    put: u64,
    done: u64,
    /// Who waits for the queue: a full disk is an answer to them, and otherwise no reason to give up.
    waiting: usize,
    /// There is no room on the disk, in its words.
    full: Option<String>,
    failed: Option<(io::ErrorKind, String)>,
    closed: bool,
}

impl State {
    fn fail(&mut self, error: &io::Error) {
        self.failed
            .get_or_insert_with(|| (error.kind(), error.to_string()));
        self.tasks.clear();
    }

    /// Whether a write would cover a part of a block of which other parts are queued, too. The library, which writes
    /// whole pages and always the same part of its header, never does that.
    fn hides(&self, offset: u64, length: usize) -> bool {
        let end = offset + length as u64;
        blocks(offset, length).any(|block| {
            self.blocks.get(&block).is_some_and(|queued| {
                let whole = (block * BLOCK, (block + 1) * BLOCK);
                let (from, to) = overlap(block, queued.offset, queued.data.len(), whole.0, whole.1);
                from < offset || to > end
            })
        })
    }

    fn check(&self) -> io::Result<()> {
        match &self.failed {
            Some((kind, why)) => Err(io::Error::new(*kind, why.clone())),
            None => Ok(()),
        }
    }
}

struct Shared {
    below: Box<dyn StorageBackend>,
    state: Mutex<State>,
    /// How many writes are queued: a reader need not lock to see that there are none.
    queued: AtomicU64,
    work: Condvar,
    done: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, state: &mut State, task: Task) -> u64 {
        state.put += 1;
        state.tasks.push_back(task);
        self.work.notify_one();
        state.put
    }

    /// Waits until a task is done.
    fn wait(&self, task: u64) -> io::Result<()> {
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
    fn run(&self) {
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

fn blocks(offset: u64, length: usize) -> std::ops::Range<u64> {
    offset / BLOCK..(offset + length as u64).div_ceil(BLOCK)
}

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

/// Which bytes of a block are both in a write that begins at `begin` and in a read from `offset` to `end`.
fn overlap(block: u64, begin: u64, length: usize, offset: u64, end: u64) -> (u64, u64) {
    let from = (block * BLOCK).max(begin).max(offset);
    let to = ((block + 1) * BLOCK).min(begin + length as u64).min(end);
    (from, to)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::{collection::vec, prelude::*};
    use redb::backends::InMemoryBackend;

    use super::*;

    /// A disk whose work is seen, and held up.
    #[derive(Debug, Default)]
    struct Slow {
        file: InMemoryBackend,
        held: Mutex<bool>,
        go: Condvar,
        full: AtomicBool,
        broken: AtomicBool,
        /// What was done: the offset of a write, or nothing for a sync.
        done: Mutex<Vec<Option<u64>>>,
    }

    #[derive(Clone, Debug, Default)]
    struct Held(Arc<Slow>);

    impl Held {
        fn hold(&self, hold: bool) {
            *self.0.held.lock().unwrap() = hold;
            self.0.go.notify_all();
        }

        fn pass(&self) -> io::Result<()> {
            let held = self.0.held.lock().unwrap();
            drop(self.0.go.wait_while(held, |held| *held).unwrap());
            if self.0.full.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            if self.0.broken.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::Other.into());
            }
            Ok(())
        }

        fn done(&self) -> Vec<Option<u64>> {
            self.0.done.lock().unwrap().clone()
        }
    }

    impl StorageBackend for Held {
        fn len(&self) -> Result<u64, io::Error> {
            self.0.file.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
            self.0.file.read(offset, out)
        }

        fn set_len(&self, len: u64) -> Result<(), io::Error> {
            self.0.file.set_len(len)
        }

        fn sync_data(&self) -> Result<(), io::Error> {
            self.pass()?;
            self.0.done.lock().unwrap().push(None);
            Ok(())
        }

        fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
            self.pass()?;
            self.0.file.write(offset, data)?;
            self.0.done.lock().unwrap().push(Some(offset));
            Ok(())
        }
    }

    const LENGTH: u64 = 8 * BLOCK;

    fn queue() -> (Queue, Behind, Held) {
        let disk = Held::default();
        disk.set_len(LENGTH).unwrap();
        let (queue, behind) = Queue::before(disk.clone()).unwrap();
        (queue, behind, disk)
    }

    #[test]
    fn a_write_behind_a_sync_waits_for_it_and_is_read_meanwhile() {
        let (queue, behind, disk) = queue();
        disk.hold(true);
        queue.write(0, &[1; 10]).unwrap();
        queue.sync_data().unwrap();
        queue.write(BLOCK, &[2; 10]).unwrap();
        assert_eq!(disk.done(), []);
        let mut found = [0; 10];
        queue.read(BLOCK, &mut found).unwrap();
        assert_eq!(found, [2; 10]);
        let last = behind.last();
        assert!(!behind.is_done(last).unwrap());
        disk.hold(false);
        behind.flush().unwrap();
        assert!(behind.is_done(last).unwrap());
        assert_eq!(disk.done(), [Some(0), None, Some(BLOCK)]);
    }

    #[test]
    fn a_full_disk_is_tried_until_there_is_room_or_somebody_must_know() {
        let (queue, behind, disk) = queue();
        disk.0.full.store(true, Ordering::SeqCst);
        queue.write(0, &[1; 10]).unwrap();
        behind.relax(0, None);
        assert!(behind.full().is_some());
        disk.0.full.store(false, Ordering::SeqCst);
        behind.flush().unwrap();
        assert_eq!((behind.full(), disk.done()), (None, vec![Some(0)]));
        disk.0.full.store(true, Ordering::SeqCst);
        queue.write(0, &[2; 10]).unwrap();
        let refused = behind.flush().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        assert!(queue.write(0, &[3; 10]).is_err() && queue.close().is_err());
    }

    #[test]
    fn nothing_is_written_after_a_failure_and_reads_see_what_was_put() {
        let (queue, behind, disk) = queue();
        disk.0.broken.store(true, Ordering::SeqCst);
        queue.write(0, &[1; 10]).unwrap();
        queue.sync_data().unwrap();
        behind.relax(0, Some(2));
        disk.0.broken.store(false, Ordering::SeqCst);
        assert!(behind.is_done(0).is_err() && behind.flush().is_err());
        assert!(queue.write(BLOCK, &[1]).is_err() && queue.sync_data().is_err());
        assert!(queue.set_len(0).is_err());
        let mut found = [0; 10];
        queue.read(0, &mut found).unwrap();
        assert_eq!((found, disk.done()), ([1; 10], vec![]));
    }

    #[test]
    fn what_is_abandoned_is_not_written_and_what_is_closed_is() {
        for abandoned in [false, true] {
            let (queue, behind, disk) = queue();
            disk.hold(true);
            for block in 0..4 {
                queue.write(block * BLOCK, &[1]).unwrap();
            }
            if abandoned {
                behind.abandon();
            }
            disk.hold(false);
            assert_eq!(queue.close().is_err(), abandoned);
            // The first may have been on its way.
            assert_eq!(disk.done().len() <= 1, abandoned, "{:?}", disk.done());
        }
    }

    #[test]
    fn a_file_is_cut_when_everything_is_written() {
        let (queue, _, disk) = queue();
        queue.write(3 * BLOCK, &[1; 10]).unwrap();
        queue.set_len(BLOCK).unwrap();
        assert_eq!(
            (disk.done(), queue.len().unwrap()),
            (vec![Some(3 * BLOCK)], BLOCK)
        );
    }

    proptest! {
        #[test]
        fn reads_see_all_writes_in_their_order(
            steps in vec((0..LENGTH, 1..3 * BLOCK, any::<u8>(), any::<bool>()), 1..40),
        ) {
            let (queue, behind, disk) = queue();
            let mut model = vec![0_u8; LENGTH as usize];
            for (place, (offset, length, byte, held)) in steps.into_iter().enumerate() {
                let end = (offset + length).min(LENGTH);
                let range = offset as usize..end as usize;
                // Whole pages stay in the queue; what lies across them waits, so nothing may be held then.
                disk.hold(held && offset % 4 == 0);
                let range = if offset % 4 == 0 { range.start / 4096 * 4096..range.end.next_multiple_of(4096) } else {
                    disk.hold(false);
                    range
                };
                if place % 3 == 2 {
                    let mut found = vec![0; range.len()];
                    queue.read(range.start as u64, &mut found).unwrap();
                    prop_assert!(found == model[range]);
                } else {
                    model[range.clone()].fill(byte);
                    queue.write(range.start as u64, &vec![byte; range.len()]).unwrap();
                }
            }
            let mut found = vec![0; model.len()];
            queue.read(0, &mut found).unwrap();
            prop_assert!(found == model);
            disk.hold(false);
            behind.flush().unwrap();
            disk.read(0, &mut found).unwrap();
            prop_assert!(found == model);
            queue.close().unwrap();
        }
    }
}
