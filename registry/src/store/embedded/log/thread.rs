//! The thread that writes the log, so that the database takes a group in meanwhile.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use redb::StorageBackend;

struct Write {
    file: Arc<dyn StorageBackend>,
    offset: u64,
    bytes: Vec<u8>,
}

/// A thread that makes one write at a time durable.
pub(super) struct Thread {
    writes: Option<Sender<Write>>,
    results: Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    pub(super) fn start() -> io::Result<Self> {
        let (writes, asked) = channel::<Write>();
        let (answers, results) = channel();
        let thread = thread::Builder::new()
            .name("registry-log".to_owned())
            .spawn(move || {
                for Write {
                    file,
                    offset,
                    bytes,
                } in asked
                {
                    let result = file.write(offset, &bytes).and_then(|()| file.sync_data());
                    if answers.send(result).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self {
            writes: Some(writes),
            results,
            thread: Some(thread),
        })
    }

    /// Begins a write, after which [`Self::wait`] is to be called.
    pub(super) fn write(&self, file: Arc<dyn StorageBackend>, offset: u64, bytes: Vec<u8>) {
        let write = Write {
            file,
            offset,
            bytes,
        };
        // A thread that has ended is noticed by who waits.
        let _ = self.writes.as_ref().map(|writes| writes.send(write));
    }

    /// Returns when what was written is on disk.
    pub(super) fn wait(&self) -> io::Result<()> {
        self.results
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the log's thread has failed")))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.writes.take();
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the thread that writes the registry's log has failed");
        }
    }
}
