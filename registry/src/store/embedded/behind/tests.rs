use std::sync::atomic::AtomicBool;

use proptest::{collection::vec, prelude::*};
use redb::backends::InMemoryBackend;

use super::{work::BLOCK, *};

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
