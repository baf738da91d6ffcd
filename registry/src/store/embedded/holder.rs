//! Which process has a file locked.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// The id of the process that holds a lock on the file, if the system tells: Linux lists locks with their
/// files' inodes (proc(5), `/proc/locks`), and shows those of other process namespaces as 0.
pub(super) fn of(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path).ok()?.ino();
    find(&fs::read_to_string("/proc/locks").ok()?, inode)
}

/// A line reads `1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF`; one that waits has `->` behind its number.
fn find(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, _, _, "WRITE", process, file, ..] = words.as_slice() else {
            return None;
        };
        let same = file.rsplit(':').next()?.parse() == Ok(inode);
        process.parse().ok().filter(|process| same && *process > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    const LOCKS: &str = "\
        1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF\n\
        1: -> FLOCK  ADVISORY  WRITE 815 fd:01:1234 0 EOF\n\
        2: OFDLCK ADVISORY  WRITE -1 fd:01:77 0 EOF\n\
        3: POSIX  ADVISORY  READ 42 fd:01:78 0 EOF\n\
        4: FLOCK  ADVISORY  WRITE 0 fd:01:79 0 EOF\n";

    #[test]
    fn the_holder_is_found_by_the_files_inode() {
        assert_eq!(find(LOCKS, 1234), Some(4711));
        for inode in [77, 78, 79, 80, 123] {
            assert_eq!(find(LOCKS, inode), None, "{inode}");
        }
    }
}
