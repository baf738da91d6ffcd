//! Brings an earlier content of a file back. Whatever stands there and is nobody else's stays beside it: two names are
//! exchanged in one step, and only what was taken out is looked at, so that nothing that is written meanwhile is lost.

use std::{
    fs::{File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use coditect_core::{
    FilePath,
    sidecar::{Restore, RestoreFailure, Restored},
};
use rustix::{
    fs::{AtFlags, Mode, OFlags, RenameFlags, fsync, openat, renameat_with, unlinkat},
    io::Errno,
};
use sha2::{Digest, Sha256};

use super::{
    beneath::{Found, Root},
    rules::OURS,
};

/// Largest file that is compared by its content; a larger one counts as nobody else's.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How often it is looked anew because something changed in between.
const TRIES: usize = 8;
/// Longest name of a file in bytes (`NAME_MAX`).
const LONGEST_NAME: usize = 255;

/// What stands at a name.
#[derive(PartialEq, Eq)]
enum Present {
    Nothing,
    /// A file, its hash unless it is too large, and its permissions.
    File(Option<String>, u32),
    Other,
}

/// Puts the content where it belongs. Doing it again changes nothing.
///
/// # Errors
/// If it may work the next time.
pub(super) fn bring(root: &Root, restore: &Restore, content: &[u8]) -> io::Result<Restored> {
    let failed = |why| Ok(Restored::Failed { why });
    if hex(content) != restore.sha256 {
        return failed(RestoreFailure::Gone);
    }
    // Only what a file may be called is ever opened.
    let Ok(path) = restore.path.parse::<FilePath>() else {
        return failed(RestoreFailure::InTheWay);
    };
    let path = Path::new(path.as_str());
    let (Some(name), Some(parent)) = (
        path.file_name().and_then(|name| name.to_str()),
        path.parent(),
    ) else {
        return failed(RestoreFailure::InTheWay);
    };
    let brought = root.folder(parent).and_then(|folder| {
        Place {
            folder,
            name,
            restore,
        }
        .put(content)
    });
    match brought {
        Ok(beside) => Ok(Restored::Done { beside }),
        Err(error) => match reason(&error) {
            Some(why) => failed(why),
            None => Err(error),
        },
    }
}

/// Why it will not work the next time either.
fn reason(error: &io::Error) -> Option<RestoreFailure> {
    match Errno::from_io_error(error)? {
        Errno::ACCESS | Errno::PERM | Errno::ROFS => Some(RestoreFailure::NotWritable),
        Errno::NOSPC | Errno::DQUOT => Some(RestoreFailure::NoRoom),
        Errno::LOOP | Errno::XDEV | Errno::NOTDIR | Errno::ISDIR | Errno::NAMETOOLONG => {
            Some(RestoreFailure::InTheWay)
        }
        _ => None,
    }
}

/// Where a content goes.
struct Place<'a> {
    folder: Root,
    name: &'a str,
    restore: &'a Restore,
}

impl Place<'_> {
    /// Puts it there; gives the name of what stood there before if that was kept.
    fn put(&self, content: &[u8]) -> io::Result<Option<String>> {
        let ours = format!("{OURS}{}", self.restore.id);
        let mut beside = self.left_over(&ours)?;
        for _ in 0..TRIES {
            let present = self.look(self.name)?;
            let mode = match &present {
                Present::File(Some(hash), _) if *hash == self.restore.sha256 => return Ok(beside),
                Present::File(_, mode) => *mode,
                Present::Nothing => 0,
                Present::Other => return Err(Errno::ISDIR.into()),
            };
            self.write(&ours, content, mode)?;
            let flags = match present {
                Present::Nothing => RenameFlags::NOREPLACE,
                _ => RenameFlags::EXCHANGE,
            };
            match renameat_with(&self.folder, &ours, &self.folder, self.name, flags) {
                Ok(()) => {}
                // It came, or went, just now.
                Err(Errno::EXIST | Errno::NOENT) => {
                    self.remove(&ours)?;
                    continue;
                }
                Err(error) => {
                    self.remove(&ours)?;
                    return Err(error.into());
                }
            }
            if present != Present::Nothing {
                beside = self.settle(&ours)?.or(beside);
            }
            fsync(&self.folder)?;
            return Ok(beside);
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// What an earlier try left: half a content of ours goes; what it took out of its place is settled.
    fn left_over(&self, ours: &str) -> io::Result<Option<String>> {
        if self.look(ours)? == Present::Nothing {
            return Ok(None);
        }
        let is_there = matches!(self.look(self.name)?, Present::File(Some(hash), _) if hash == self.restore.sha256);
        if is_there {
            return self.settle(ours);
        }
        self.remove(ours)?;
        Ok(None)
    }

    /// What was taken out: it goes if somebody else has it, else it stays beside under a name of its own.
    fn settle(&self, ours: &str) -> io::Result<Option<String>> {
        if let Present::File(Some(hash), _) = self.look(ours)?
            && (Some(&hash) == self.restore.replaces.as_ref() || hash == self.restore.sha256)
        {
            self.remove(ours)?;
            return Ok(None);
        }
        let short: String = self
            .restore
            .id
            .simple()
            .to_string()
            .chars()
            .take(8)
            .collect();
        for number in 0..TRIES {
            let ending = match number {
                0 => format!(".before-{short}"),
                number => format!(".before-{short}-{number}"),
            };
            let mut end = self.name.len().min(LONGEST_NAME - ending.len());
            while !self.name.is_char_boundary(end) {
                end -= 1;
            }
            let beside = format!("{}{ending}", &self.name[..end]);
            let no_other = RenameFlags::NOREPLACE;
            match renameat_with(&self.folder, ours, &self.folder, &beside, no_other) {
                Ok(()) => return Ok(Some(beside)),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    fn look(&self, name: &str) -> io::Result<Present> {
        match self.folder.find(Path::new(name))? {
            Found::Missing => Ok(Present::Nothing),
            Found::Folder | Found::Other => Ok(Present::Other),
            Found::File(file, print) => {
                let mode = file.metadata()?.mode();
                let hash = match print.size <= LARGEST {
                    true => hash(file)?,
                    false => None,
                };
                Ok(Present::File(hash, mode & 0o777))
            }
        }
    }

    /// A new file of ours. Readable and writable for the IDE, which has another user and the same group; what may be run
    /// stays so.
    fn write(&self, ours: &str, content: &[u8], mode: u32) -> io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let usual = Mode::from_raw_mode(0o660);
        let mut file = File::from(openat(&self.folder, ours, flags, usual)?);
        let written = file
            .set_permissions(Permissions::from_mode(mode | 0o664))
            .and_then(|()| file.write_all(content))
            .and_then(|()| file.sync_all());
        written.or_else(|error| {
            self.remove(ours)?;
            Err(error)
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The hash of a file; none if it grows beyond what is read.
fn hash(file: File) -> io::Result<Option<String>> {
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= LARGEST).then(|| hex(&content)))
}

fn hex(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;

    fn wish(path: &str, content: &str, replaces: Option<&str>) -> Restore {
        Restore {
            id: Uuid::from_u128(1),
            path: path.to_owned(),
            size: content.len() as u64,
            sha256: hex(content.as_bytes()),
            replaces: replaces.map(|text| hex(text.as_bytes())),
        }
    }

    fn done(folder: &TempDir, path: &str, content: &str, replaces: Option<&str>) -> Restored {
        let root = Root::open(folder.path()).unwrap();
        bring(&root, &wish(path, content, replaces), content.as_bytes()).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    const NOTHING: Restored = Restored::Done { beside: None };

    #[test]
    fn what_is_missing_comes_back_with_its_folders() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            assert_eq!(done(&folder, "a/b/f.txt", "old", None), NOTHING);
            assert_eq!(
                fs::read_to_string(folder.path().join("a/b/f.txt")).unwrap(),
                "old"
            );
        }
        assert_eq!(names(&folder.path().join("a/b")), ["f.txt"]);
    }

    #[test]
    fn what_somebody_else_has_is_overwritten_and_stays_as_it_may_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run");
        fs::write(&file, "new").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(done(&folder, "run", "old", Some("new")), NOTHING);
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o775);
        assert_eq!(names(folder.path()), ["run"]);
    }

    #[test]
    fn what_nobody_else_has_stays_beside() {
        let folder = tempfile::tempdir().unwrap();
        let long = "n".repeat(250) + "üx";
        for (name, replaces) in [("f", Some("new")), (long.as_str(), None)] {
            fs::write(folder.path().join(name), "newer").unwrap();
            let Restored::Done {
                beside: Some(beside),
            } = done(&folder, name, "old", replaces)
            else {
                panic!("{name}")
            };
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), "old");
            assert_eq!(
                fs::read_to_string(folder.path().join(beside)).unwrap(),
                "newer"
            );
            // Said twice, done once: what was typed since is the person's.
            assert_eq!(done(&folder, name, "old", replaces), NOTHING);
        }
        assert_eq!(names(folder.path()).len(), 4);
    }

    #[test]
    fn a_try_that_was_broken_off_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join(format!("{OURS}{}", Uuid::from_u128(1)));
        // Before the exchange: half of the content is there.
        fs::write(folder.path().join("f"), "new").unwrap();
        fs::write(&ours, "ol").unwrap();
        assert_eq!(done(&folder, "f", "old", Some("new")), NOTHING);
        assert_eq!(names(folder.path()), ["f"]);
        // After it: what was taken out waits.
        fs::write(&ours, "newer").unwrap();
        let beside = "f.before-00000000".to_owned();
        let kept = Restored::Done {
            beside: Some(beside.clone()),
        };
        assert_eq!(done(&folder, "f", "old", Some("new")), kept);
        assert_eq!(
            fs::read_to_string(folder.path().join(beside)).unwrap(),
            "newer"
        );
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn nothing_is_written_outside_or_over_what_is_no_file() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        fs::write(outside.path().join("f"), "theirs").unwrap();
        symlink(outside.path(), at("away")).unwrap();
        symlink(outside.path().join("f"), at("link")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("file"), "a file").unwrap();
        for path in [
            "away/f", "away/new", "link", "folder", "file/f", "../f", "/f", "",
        ] {
            let in_the_way = Restored::Failed {
                why: RestoreFailure::InTheWay,
            };
            assert_eq!(done(&folder, path, "old", None), in_the_way, "{path}");
        }
        assert_eq!(names(folder.path()), ["away", "file", "folder", "link"]);
        assert_eq!(names(outside.path()), ["f"]);
        assert_eq!(
            fs::read_to_string(outside.path().join("f")).unwrap(),
            "theirs"
        );
    }

    #[test]
    fn a_content_that_is_another_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let gone = Restored::Failed {
            why: RestoreFailure::Gone,
        };
        assert_eq!(
            bring(&root, &wish("f", "old", None), b"other").unwrap(),
            gone
        );
        assert!(names(folder.path()).is_empty());
    }
}
