//! Opens what lies beneath a folder, and nothing else. Whoever fills the folder is hostile: a link to a token, a pipe
//! that nobody writes to, a device, another file system.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::fs::{
    CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fchmod, fstat, fstatvfs, mkdirat, openat,
    openat2,
};

/// A folder.
#[derive(Debug)]
pub(crate) struct Root(OwnedFd);

/// What lies at a path.
#[derive(Debug)]
pub(crate) enum Found {
    /// A regular file, open, and what is known of it.
    File(File, Fingerprint),
    /// A folder.
    Folder,
    /// Something that is not read: a link, a pipe, a socket, a device, or what lies behind one.
    Other,
    /// Nothing.
    Missing,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint {
    pub(crate) size: u64,
    /// When its content or its place last changed, in seconds: set by the kernel, not by whoever writes.
    pub(crate) changed: i64,
    nanoseconds: u64,
    inode: u64,
}

impl Root {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, folder, flags, Mode::empty())?))
    }

    /// What lies at a path from here. No link is followed in any part of it (openat2(2), `RESOLVE_NO_SYMLINKS`), and
    /// opening waits for nobody.
    pub(crate) fn find(&self, path: &Path) -> io::Result<Found> {
        let file = match self.at(path, OFlags::NONBLOCK | OFlags::NOCTTY) {
            Ok(file) => file,
            Err(error) => {
                use rustix::io::Errno;
                return match error {
                    Errno::NOENT | Errno::NOTDIR => Ok(Found::Missing),
                    // A link in its way, a socket, another file system, not ours to read.
                    Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::ACCESS | Errno::PERM => {
                        Ok(Found::Other)
                    }
                    error => Err(error.into()),
                };
            }
        };
        let stat = fstat(&file)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Found::File(file.into(), fingerprint(&stat)),
            FileType::Directory => Found::Folder,
            _ => Found::Other,
        })
    }

    /// The names in a folder, at most so many; those that are no UTF-8 are passed over.
    pub(crate) fn names(&self, path: &Path, most: usize) -> io::Result<Vec<String>> {
        let folder = self.at(path, OFlags::DIRECTORY)?;
        let entries = Dir::new(folder)?.take(most);
        let names = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().to_str().ok()?.to_owned();
            (name != "." && name != "..").then_some(name)
        });
        Ok(names.collect())
    }

    /// A folder below this one, to write in; it is made with those above it if they are not there. No link is followed.
    pub(crate) fn folder(&self, path: &Path) -> io::Result<Self> {
        let mut folder = Self(self.at(Path::new(""), OFlags::DIRECTORY)?);
        for name in path.components() {
            let name: &Path = name.as_ref();
            let next = match folder.at(name, OFlags::DIRECTORY) {
                Err(rustix::io::Errno::NOENT) => {
                    // The IDE writes there too: another user of the same group, whatever we leave out by default.
                    let mode = Mode::from_raw_mode(0o775);
                    match mkdirat(&folder.0, name, mode) {
                        Ok(()) => fchmod(folder.at(name, OFlags::DIRECTORY)?, mode)?,
                        Err(rustix::io::Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    folder.at(name, OFlags::DIRECTORY)?
                }
                found => found?,
            };
            folder = Self(next);
        }
        Ok(folder)
    }

    /// Bytes in use and bytes that there are, as its file system counts them. None where it has no file system of its
    /// own, as in a folder of a developer's machine: what else lies there is nobody's use of it.
    pub(crate) fn measure(&self) -> io::Result<Option<(u64, u64)>> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let around = fstat(openat(&self.0, "..", flags, Mode::empty())?)?;
        let own = fstat(&self.0)?;
        // The root of all lies around itself.
        if own.st_dev == around.st_dev && own.st_ino != around.st_ino {
            return Ok(None);
        }
        let stat = fstatvfs(&self.0)?;
        let used = stat.f_blocks.saturating_sub(stat.f_bfree);
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Some((bytes(used), bytes(stat.f_blocks))))
    }

    fn at(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        openat2(
            &self.0,
            path,
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | flags,
            Mode::empty(),
            ResolveFlags::BENEATH
                | ResolveFlags::NO_SYMLINKS
                | ResolveFlags::NO_MAGICLINKS
                | ResolveFlags::NO_XDEV,
        )
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn fingerprint(stat: &Stat) -> Fingerprint {
    Fingerprint {
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        changed: stat.st_ctime,
        nanoseconds: stat.st_ctime_nsec,
        inode: stat.st_ino,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use rustix::fs::{Mode, mknodat};

    use super::*;

    #[test]
    fn only_files_beneath_are_read_and_no_link_is_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("token"), "secret").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/file"), "text").unwrap();
        symlink(outside.path().join("token"), at("link")).unwrap();
        symlink(outside.path(), at("away")).unwrap();
        symlink("sub/file", at("inside")).unwrap();
        symlink("sub", at("around")).unwrap();
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        fs::hard_link(at("sub/file"), at("hard")).unwrap();

        let root = Root::open(folder.path()).unwrap();
        let find = |path: &str| root.find(Path::new(path)).unwrap();
        for path in ["sub/file", "hard"] {
            assert!(
                matches!(find(path), Found::File(_, print) if print.size == 4),
                "{path}"
            );
        }
        assert!(matches!(find(""), Found::Folder) && matches!(find("sub"), Found::Folder));
        for path in [
            "link",
            "away",
            "away/token",
            "inside",
            "around/file",
            "pipe",
            "socket",
        ] {
            assert!(
                matches!(find(path), Found::Other),
                "{path}: {:?}",
                find(path)
            );
        }
        for path in ["gone", "sub/file/x", "gone/x"] {
            assert!(matches!(find(path), Found::Missing), "{path}");
        }
        for path in ["..", "../x", "sub/../../x", "/etc/passwd"] {
            assert!(matches!(find(path), Found::Other), "{path}");
        }
        let mut names = root.names(Path::new(""), 100).unwrap();
        names.sort();
        assert_eq!(
            names,
            [
                "around", "away", "hard", "inside", "link", "pipe", "socket", "sub"
            ]
        );
        assert!(root.names(Path::new("around"), 100).is_err());
        assert!(root.names(Path::new(""), 3).unwrap().len() <= 3);
        assert_eq!(root.measure().unwrap(), None, "a folder among others");
        let whole = Root::open(Path::new("/")).unwrap();
        let (used, size) = whole.measure().unwrap().unwrap();
        assert!(used <= size && size > 0);
    }
}
