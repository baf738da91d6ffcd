//! A gzipped tar archive that is made while it is sent (POSIX ustar, RFC 1952).

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;

/// A tar archive is made of blocks of so many bytes.
const BLOCK: usize = 512;
/// Longest name of an entry: what fits a header without a prefix.
const LONGEST_NAME: usize = 100;

/// An archive under way. What is written is compressed and waits until it is taken.
pub(crate) struct Archive {
    packed: GzEncoder<Vec<u8>>,
    at: Timestamp,
}

impl Archive {
    /// An empty archive whose entries are of this time.
    pub(crate) fn new(at: Timestamp) -> Self {
        Self {
            packed: GzEncoder::new(Vec::new(), Compression::default()),
            at,
        }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// `InvalidInput` if the name is longer than 100 bytes.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.packed.write_all(&self.header(name, content.len())?)?;
        self.packed.write_all(content)?;
        let rest = content.len().next_multiple_of(BLOCK) - content.len();
        self.packed.write_all(&[0; BLOCK][..rest])
    }

    /// What was compressed since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.packed.get_mut())
    }

    /// Ends the archive, and gives the rest of it.
    ///
    /// # Errors
    /// None that memory knows.
    pub(crate) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.packed.write_all(&[0; 2 * BLOCK])?;
        self.packed.finish()
    }

    fn header(&self, name: &str, size: usize) -> io::Result<[u8; BLOCK]> {
        if name.len() > LONGEST_NAME {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a name too long",
            ));
        }
        let mut header = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| {
            header[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(0, name.as_bytes());
        // Mode, owner and group; then size and time; the sum is of a header whose own sum is blanks.
        put(100, b"0000600\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{size:011o}\0").as_bytes());
        put(
            136,
            format!("{:011o}\0", self.at.as_second().max(0)).as_bytes(),
        );
        put(148, b"        0");
        put(257, b"ustar\0");
        put(263, b"00");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use std::{process::Command, str::from_utf8};

    use super::*;

    #[test]
    fn another_program_unpacks_it() {
        let mut archive = Archive::new(Timestamp::UNIX_EPOCH);
        let long = "x".repeat(100_000);
        let files = [("a/empty.json", ""), ("b.txt", "words"), ("c", &long)];
        let mut bytes = Vec::new();
        for (name, content) in files {
            archive.add(name, content.as_bytes()).unwrap();
            bytes.extend(archive.take());
        }
        assert!(archive.add(&"n".repeat(101), b"").is_err());
        bytes.extend(archive.finish().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let packed = folder.path().join("archive.tar.gz");
        std::fs::write(&packed, bytes).unwrap();
        let unpacked = Command::new("tar")
            .arg("-xzf")
            .arg(&packed)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = from_utf8(&unpacked.stderr).unwrap();
        assert!(unpacked.status.success() && said.is_empty(), "{said}");
        for (name, content) in files {
            let found = std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(found == content, "{name}");
        }
    }
}
