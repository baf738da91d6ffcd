//! Git's object forms: how commits, trees and blobs are hashed and written
//! (git documentation, `gitformat-pack(5)`, and "Git Objects" in Pro Git).

use git2::Oid;
use jiff::Timestamp;
use sha1::{Digest, Sha1};

/// Who every generated commit is by. Constant: a person's name in a history cannot be erased.
/// `.invalid` is reserved for addresses that never exist (RFC 2606 section 2).
pub const IDENTITY: &str = "Coditect renderer <renderer@coditect.invalid>";

/// Mode of a folder in a tree.
pub(super) const FOLDER: u32 = 0o040_000;
/// Mode of a plain file in a tree.
pub(super) const FILE: u32 = 0o100_644;

/// The kinds of object, with their numbers in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit = 1,
    Tree = 2,
    Blob = 3,
    /// Nothing here makes one, but a person may push one.
    Tag = 4,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }
}

/// The object's id: SHA-1 of `<kind> <length>\0<body>`.
pub(super) fn hash(kind: Kind, body: &[u8]) -> Result<Oid, git2::Error> {
    let mut sha = Sha1::new();
    sha.update(kind.name());
    sha.update(format!(" {}\0", body.len()));
    sha.update(body);
    Oid::from_bytes(&sha.finalize())
}

/// Appends one entry to a tree's body. The caller keeps Git's order: by name, a folder's name
/// compared as if it ended in `/`.
pub(super) fn push_tree_entry(body: &mut Vec<u8>, mode: u32, name: &[u8], oid: Oid) {
    body.extend_from_slice(format!("{mode:o} ").as_bytes());
    body.extend_from_slice(name);
    body.push(0);
    body.extend_from_slice(oid.as_bytes());
}

/// A commit's body. `message` ends in a line feed.
pub(super) fn commit(tree: Oid, parent: Option<Oid>, time: Timestamp, message: &str) -> Vec<u8> {
    let parent = parent
        .map(|parent| format!("parent {parent}\n"))
        .unwrap_or_default();
    let seconds = time.as_second();
    format!("tree {tree}\n{parent}author {IDENTITY} {seconds} +0000\ncommitter {IDENTITY} {seconds} +0000\n\n{message}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_gits() {
        // The id of the empty blob and the empty tree, as every Git repository knows them.
        assert_eq!(
            hash(Kind::Blob, b"").unwrap().to_string(),
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
        );
        assert_eq!(
            hash(Kind::Tree, b"").unwrap().to_string(),
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        );
        let body = b"kind: Namespace\n";
        assert_eq!(
            hash(Kind::Blob, body).unwrap(),
            Oid::hash_object(git2::ObjectType::Blob, body).unwrap()
        );
    }
}
