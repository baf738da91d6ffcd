//! A gzipped tar archive that is made while it is sent.

use std::io;

use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use tar::{Builder, EntryType, Header};

/// An archive under way. What is written is compressed and waits until it is taken.
pub(crate) struct Archive {
    packed: Builder<GzEncoder<Vec<u8>>>,
    at: Timestamp,
}

impl Archive {
    /// An empty archive whose entries are of this time.
    pub(crate) fn new(at: Timestamp) -> Self {
        let packed = GzEncoder::new(Vec::new(), Compression::default());
        Self {
            packed: Builder::new(packed),
            at,
        }
    }

    /// Adds a file, for its owner alone.
    ///
    /// # Errors
    /// If the name is no path within the archive.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(self.at.as_second().try_into().unwrap_or_default());
        header.set_size(content.len() as u64);
        self.packed.append_data(&mut header, name, content)
    }

    /// What was compressed since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.packed.get_mut().get_mut())
    }

    /// Ends the archive, and gives the rest of it.
    ///
    /// # Errors
    /// None that memory knows.
    pub(crate) fn finish(self) -> io::Result<Vec<u8>> {
        self.packed.into_inner()?.finish()
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
        assert!(archive.add("../elsewhere", b"").is_err());
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
