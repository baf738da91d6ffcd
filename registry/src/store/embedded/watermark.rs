//! How far the store has promised: a line in a small file beside the store's, written after each commit is on
//! disk and before it is acknowledged. Once there, only a person removes it, who has decided to go on with what the
//! files hold.
//!
//! After a crash the library below goes back to its last whole commit. If only a commit that was being written
//! is not whole, nobody was told of it, and that is right. If the disk has lost what was there before, it looks
//! the same from within the file; this line tells the two apart. It is not synced: a kill does not lose it,
//! and after a power cut it may say less than is true, never more.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use coditect_core::Version;

use super::{super::StoreError, format::Identity};

/// What the line takes.
const LINE_BYTES: usize = 74;

/// What the line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    id: u64,
    version: Version,
    /// Acknowledged versions have been missed before. Until a person has decided, they are missed.
    lost: bool,
}

impl Mark {
    /// Of one length, so that it is written over in place.
    fn line(self) -> String {
        let state = if self.lost { "lost" } else { "kept" };
        format!(
            "coditect registry {:016x} acknowledged {:020} {state}\n",
            self.id, self.version.0
        )
    }

    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["coditect", "registry", id, "acknowledged", version, state] = words.as_slice() else {
            return None;
        };
        let mark = Self {
            id: u64::from_str_radix(id, 16).ok()?,
            version: Version(version.parse().ok()?),
            lost: *state == "lost",
        };
        (mark.line() == line).then_some(mark)
    }
}

/// The file, if it can be had.
pub(super) struct Watermark {
    file: Option<File>,
    id: u64,
}

/// Where the watermark of the store at `path` lies.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".watermark");
    name.into()
}

impl Watermark {
    /// Checks what was found in the store's files against what was promised of them, and promises on from there.
    /// `held` is up to where they are known to have held everything once, if that is more than what was found.
    ///
    /// A file that was closed in order holds all that it ever did: if that is less than was promised, it is an
    /// older copy that somebody has put in its place, and what was promised of the newer one is void.
    ///
    /// # Errors
    /// `Corrupt` if something that was acknowledged is not there.
    pub(super) fn check(
        path: &Path,
        found: Identity,
        closed_in_order: bool,
        held: Option<Version>,
    ) -> Result<Self, StoreError> {
        let place = beside(path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&place);
        let mut watermark = Self {
            file: file.map_err(|error| complain(&error)).ok(),
            id: found.id,
        };
        let promised = watermark
            .read()
            .filter(|mark| mark.id == found.id)
            .map(|mark| Mark {
                version: mark.version.max(held.unwrap_or_default()),
                ..mark
            })
            .filter(|mark| mark.version > found.version);
        if let Some(promised) = promised
            && (promised.lost || !closed_in_order)
        {
            watermark.write(Mark {
                lost: true,
                ..promised
            });
            return Err(StoreError::Corrupt(format!(
                "{} and its log hold everything up to version {}, and up to {} was acknowledged: the disk has lost \
                 the rest. Restore the newest backup, or decide to go on with what is there; in both cases remove \
                 {} and begin a new epoch",
                path.display(),
                found.version,
                promised.version,
                place.display()
            )));
        }
        watermark.note(found.version);
        Ok(watermark)
    }

    /// What was promised last, if that can be read.
    fn read(&self) -> Option<Mark> {
        let mut line = vec![0; LINE_BYTES];
        let read = self.file.as_ref()?.read_exact_at(&mut line, 0);
        read.ok()
            .and_then(|()| Mark::parse(str::from_utf8(&line).ok()?))
    }

    /// Promises everything up to `version`, which is on disk.
    pub(super) fn note(&mut self, version: Version) {
        self.write(Mark {
            id: self.id,
            version,
            lost: false,
        });
    }

    fn write(&mut self, mark: Mark) {
        let Some(file) = &self.file else { return };
        if let Err(error) = file.write_all_at(mark.line().as_bytes(), 0) {
            complain(&error);
            self.file = None;
        }
    }
}

/// Without a watermark the store is no less durable, only less suspicious of its disk.
fn complain(error: &io::Error) {
    tracing::warn!(%error, "the registry's watermark cannot be kept");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(id: u64, version: u64) -> Identity {
        Identity {
            id,
            version: Version(version),
            round: 0,
        }
    }

    #[test]
    fn a_line_is_read_as_written_or_not_at_all() {
        let mark = Mark {
            id: 0xfeed,
            version: Version(u64::MAX),
            lost: false,
        };
        assert_eq!(Mark::parse(&mark.line()), Some(mark));
        let lost = Mark { lost: true, ..mark };
        assert_eq!(mark.line().len(), LINE_BYTES);
        assert_eq!(lost.line().len(), LINE_BYTES);
        assert_eq!(Mark::parse(&lost.line()), Some(lost));
        for cut in 0..mark.line().len() {
            assert_eq!(Mark::parse(&mark.line()[..cut]), None);
        }
    }

    #[test]
    fn what_was_promised_and_is_missing_is_missed_until_somebody_decides() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry");
        let check = |id, version, in_order| {
            Watermark::check(&path, identity(id, version), in_order, None).map(drop)
        };
        check(1, 5, false).unwrap();
        check(1, 7, false).unwrap();
        let refused = check(1, 6, false).unwrap_err().to_string();
        assert!(
            refused.contains(path.to_str().unwrap())
                && refused.contains("version 6")
                && refused.contains("7 was acknowledged")
                && refused.contains("registry.watermark"),
            "{refused}"
        );
        // Closed in order by now; the loss is not forgotten.
        check(1, 6, true).unwrap_err();
        std::fs::remove_file(beside(&path)).unwrap();
        check(1, 6, false).unwrap();
    }

    #[test]
    fn what_the_files_held_once_and_hold_no_longer_is_missed_like_what_was_promised() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry");
        let check =
            |version, held| Watermark::check(&path, identity(1, version), false, held).map(drop);
        check(5, None).unwrap();
        check(6, Some(Version(9))).unwrap_err();
        check(8, None).unwrap_err();
        std::fs::remove_file(beside(&path)).unwrap();
        // Somebody has decided.
        check(6, Some(Version(9))).unwrap();
    }

    #[test]
    fn an_older_copy_or_another_store_in_its_place_is_no_loss() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry");
        for (id, version, in_order) in [(1, 9, false), (1, 4, true), (2, 3, false), (2, 3, false)] {
            Watermark::check(&path, identity(id, version), in_order, None).unwrap();
        }
        std::fs::write(
            beside(&path),
            "nonsense of any length, and then some more of it",
        )
        .unwrap();
        Watermark::check(&path, identity(2, 3), false, None).unwrap();
        Watermark::check(&path, identity(2, 2), false, None)
            .map(drop)
            .unwrap_err();
    }
}
