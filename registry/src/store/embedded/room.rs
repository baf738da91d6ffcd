//! Room on disk made ahead of the writes that need it.
//!
//! redb makes its file longer by a hole, and a sync of what was written into a hole waits until the file system has
//! found room and has written that down in its journal, which takes several times as long as the data. So the hole is
//! filled with zeros a piece at a time, just before the first write reaches it: of the syncs that follow, one a
//! piece waits for more than the data.

use std::{
    fs::File,
    io,
    ops::Bound,
    sync::{Mutex, PoisonError},
};

use redb::{BackendError, DatabaseError, StorageBackend, backends::FileBackend};
use rustix::fs::{SeekFrom, seek};

/// How much is filled at once: the pages of some seventy sign-ups, and ten milliseconds of a middling disk.
const PIECE: usize = 4 << 20;
static ZEROS: [u8; PIECE] = [0; PIECE];

/// A file whose holes are filled before they are written to.
#[derive(Debug)]
pub(super) struct Room {
    below: FileBackend,
    /// Everything that was ever written lies before this.
    filled: Mutex<u64>,
}

impl Room {
    pub(super) fn new(file: File) -> Result<Self, DatabaseError> {
        let filled = end_of_data(&file)?;
        Ok(Self {
            below: FileBackend::new(file)?,
            filled: Mutex::new(filled),
        })
    }

    /// Fills the piece that begins where the next write would be the first ever.
    fn make(&self, offset: u64, length: usize) -> Result<(), io::Error> {
        let end = offset + length as u64;
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        if end <= *filled {
            return Ok(());
        }
        // A write far behind what there is leaves the hole before it as it is.
        let from = if offset > *filled + PIECE as u64 {
            offset
        } else {
            *filled
        };
        let to = end.next_multiple_of(PIECE as u64).min(self.below.len()?);
        *filled = to.max(end);
        let mut at = from;
        while at < to {
            let size = usize::try_from(to - at).map_or(PIECE, |left| left.min(PIECE));
            // A disk without room for zeros may have some for the data; the write itself tells.
            if self.below.write(at, &ZEROS[..size]).is_err() {
                break;
            }
            at += size as u64;
        }
        Ok(())
    }
}

/// Behind the last byte that is in no hole.
fn end_of_data(file: &File) -> Result<u64, io::Error> {
    let length = file.metadata()?.len();
    let mut end = 0;
    loop {
        let data = match seek(file, SeekFrom::Data(end)) {
            Ok(data) => data,
            Err(rustix::io::Errno::NXIO) => return Ok(end),
            // A file system that does not know its holes.
            Err(_) => return Ok(length),
        };
        end = match seek(file, SeekFrom::Hole(data)) {
            Ok(hole) => hole,
            Err(_) => return Ok(length),
        };
    }
}

impl StorageBackend for Room {
    fn len(&self) -> Result<u64, io::Error> {
        self.below.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.below.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        self.below.set_len(len)?;
        *filled = (*filled).min(len);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.below.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.make(offset, data.len())?;
        self.below.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn what_was_written_stays_and_the_rest_is_zeros() {
        let file = tempfile::tempfile().unwrap();
        let path_less = file.try_clone().unwrap();
        let room = Room::new(file).unwrap();
        room.set_len(64 << 20).unwrap();
        let mut expected = vec![0_u8; 64 << 20];
        // Near, across a piece's border, far, back into the hole, over what is there.
        for (offset, byte) in [
            (0, 1),
            (PIECE as u64 - 10, 2),
            (40 << 20, 3),
            (20 << 20, 4),
            (100, 5),
            ((64 << 20) - 4096, 6),
        ] {
            room.write(offset, &[byte; 4096]).unwrap();
            let at = usize::try_from(offset).unwrap();
            expected[at..at + 4096].fill(byte);
        }
        let mut found = vec![1; 64 << 20];
        room.read(0, &mut found).unwrap();
        assert!(found == expected);
        // Opened anew, nothing of it is filled over.
        let again = Room::new(path_less.try_clone().unwrap()).unwrap();
        again.write(50 << 20, &[7; 10]).unwrap();
        expected[50 << 20..(50 << 20) + 10].fill(7);
        again.read(0, &mut found).unwrap();
        assert!(found == expected);
        assert_eq!(path_less.metadata().unwrap().len(), 64 << 20);
        assert!(path_less.metadata().unwrap().blocks() * 512 < 16 << 20);
    }

    #[test]
    fn a_file_that_was_cut_is_filled_again() {
        let room = Room::new(tempfile::tempfile().unwrap()).unwrap();
        room.set_len(8 << 20).unwrap();
        room.write(5 << 20, &[1; 100]).unwrap();
        room.set_len(1 << 20).unwrap();
        room.set_len(8 << 20).unwrap();
        room.write(1 << 20, &[2; 100]).unwrap();
        let mut found = vec![9; 7 << 20];
        room.read(1 << 20, &mut found).unwrap();
        assert!(found[..100] == [2; 100] && found[100..].iter().all(|byte| *byte == 0));
    }
}
