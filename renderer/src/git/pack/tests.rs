//! Packs read back by libgit2 and by the `git` command.

use std::process::Command;

use git2::{Repository, RepositoryInitOptions};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::git::object::{FILE, push_tree_entry};

fn repository() -> (tempfile::TempDir, Repository) {
    let folder = tempfile::tempdir().unwrap();
    let repository =
        Repository::init_opts(folder.path(), RepositoryInitOptions::new().bare(true)).unwrap();
    (folder, repository)
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Files of a few shapes with a few lines changed, some small, some empty, some the same.
fn files() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = "[a-d]{0,12}\n";
    let shape = vec(line, 0..120);
    (
        vec(shape, 1..4),
        vec(
            (
                any::<prop::sample::Index>(),
                vec((any::<prop::sample::Index>(), "[x-z\\n]{0,9}"), 0..9),
            ),
            1..40,
        ),
    )
        .prop_map(|(shapes, files)| {
            let edit =
                |(shape, edits): (prop::sample::Index, Vec<(prop::sample::Index, String)>)| {
                    let mut lines = shape.get(&shapes).clone();
                    for (place, text) in edits
                        .into_iter()
                        .filter(|_| !lines.is_empty())
                        .collect::<Vec<_>>()
                    {
                        let place = place.index(lines.len());
                        lines[place] = text;
                    }
                    lines.concat().into_bytes()
                };
            files.into_iter().map(edit).collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn whatever_is_packed_is_read_by_libgit2_and_by_git(files in files()) {
        let (folder, repository) = repository();
        let packs = folder.path().join("objects/pack");
        let mut writer = PackWriter::new(packs.clone());
        let oids: Vec<Oid> = files.iter().map(|file| writer.blob(file).unwrap()).collect();
        let distinct: HashSet<Oid> = oids.iter().copied().collect();
        let pack = writer.finish(None).unwrap();
        prop_assert_eq!(pack.objects, distinct.len());
        for (oid, file) in oids.iter().zip(&files) {
            let blob = repository.find_blob(*oid).unwrap();
            prop_assert_eq!(blob.content(), file.as_slice());
        }
        let index = std::fs::read_dir(&packs).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|extension| extension == "idx")).unwrap();
        git(folder.path(), &["verify-pack", index.to_str().unwrap()]);
        // The index as Git would have made it, byte for byte.
        let again = folder.path().join("again.idx");
        git(folder.path(), &["index-pack", "--strict", "-o", again.to_str().unwrap(), index.with_extension("pack").to_str().unwrap()]);
        prop_assert_eq!(std::fs::read(again).unwrap(), std::fs::read(&index).unwrap());
    }
}

#[test]
fn a_pack_larger_than_the_buffer_is_whole() {
    let (folder, repository) = repository();
    let mut writer = PackWriter::new(folder.path().join("objects/pack"));
    let file = |n: u64| {
        (0..8_192_u64)
            .flat_map(|at| {
                (at.wrapping_mul(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 7).to_le_bytes()
            })
            .collect::<Vec<u8>>()
    };
    let oids: Vec<Oid> = (1..40).map(|n| writer.blob(&file(n)).unwrap()).collect();
    assert!(writer.written > 0, "the buffer went to the disk meanwhile");
    let pack = writer.finish(None).unwrap();
    assert!(pack.bytes > 2 * BUFFER as u64);
    for (n, oid) in (1..).zip(oids) {
        assert_eq!(repository.find_blob(oid).unwrap().content(), file(n));
    }
    assert!(
        git(folder.path(), &["fsck", "--strict", "--full"])
            .lines()
            .all(|line| line.starts_with("dangling blob"))
    );
}

#[test]
fn folders_of_many_commits_are_short_chains_of_differences() {
    let (folder, repository) = repository();
    let mut writer = PackWriter::of_many(folder.path().join("objects/pack"));
    let keep = writer.blob(b"").unwrap();
    let mut users = vec![keep; 100];
    let mut stored = Vec::new();
    for version in 0..130_usize {
        users[version * 7 % 100] = writer.blob(version.to_string().as_bytes()).unwrap();
        let mut body = Vec::new();
        for (number, oid) in users.iter().enumerate() {
            let name = format!("{number:03}.yaml");
            push_tree_entry(&mut body, FILE, name.as_bytes(), *oid);
        }
        stored.push((writer.tree(&body).unwrap(), body));
    }
    let pack = writer.finish(None).unwrap();
    for (oid, body) in &stored {
        assert_eq!(repository.odb().unwrap().read(*oid).unwrap().data(), body);
    }
    // Three are whole, with 2 KB of ids that do not compress.
    assert!(pack.bytes < 3 * 2_600 + 130 * 100, "{} bytes", pack.bytes);
    let index = pack.path.with_extension("idx");
    let said = git(
        folder.path(),
        &["verify-pack", "-v", index.to_str().unwrap()],
    );
    assert!(said.contains("chain length = 50: 2 objects"), "{said}");
    assert!(!said.contains("chain length = 51"), "{said}");
}

#[test]
fn distances_are_written_as_git_reads_them() {
    // From `gitformat-pack(5)`: each further byte adds 2^7, 2^14, … on top.
    for (distance, bytes) in [
        (1, &[1_u8][..]),
        (127, &[127]),
        (128, &[0x80, 0]),
        (16_511, &[0xff, 0x7f]),
        (16_512, &[0x80, 0x80, 0]),
    ] {
        let mut out = Vec::new();
        push_distance(&mut out, distance);
        assert_eq!(out, bytes, "{distance}");
    }
}
