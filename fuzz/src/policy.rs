//! The renderer's part: a file of the policy.

use std::{collections::BTreeMap, sync::LazyLock};

use coditect_renderer::{policy::Policy, release::Releases};

/// The sample policy, one file of each kind; the override has none of its own there.
const FILES: [(&str, &[u8]); 7] = [
    (
        "plans/free.yaml",
        include_bytes!("../../tenants/plans/free.yaml"),
    ),
    (
        "cells/local.yaml",
        include_bytes!("../../tenants/cells/local.yaml"),
    ),
    (
        "defaults.yaml",
        include_bytes!("../../tenants/defaults.yaml"),
    ),
    ("rings.yaml", include_bytes!("../../tenants/rings.yaml")),
    (
        "approvals.yaml",
        include_bytes!("../../tenants/approvals.yaml"),
    ),
    ("approvals/raise.yaml", b""),
    ("orgs/7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201.yaml", b""),
];

/// A file of a policy: the first byte says which, the rest is its text. Whatever it is, the policy is read, or every
/// mistake has a place in a file and one line.
pub fn policy(data: &[u8]) {
    static SAMPLE: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
        let there = FILES.iter().filter(|(_, text)| !text.is_empty());
        there
            .map(|(path, text)| ((*path).to_owned(), text.to_vec()))
            .collect()
    });
    let Some((which, text)) = data.split_first() else {
        return;
    };
    let (path, _) = FILES[usize::from(which.wrapping_sub(b'0')) % FILES.len()];
    let mut files = SAMPLE.clone();
    files.insert(path.to_owned(), text.to_vec());
    if let Err(errors) = Policy::parse(&files, &Releases::default()) {
        let lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
        for error in errors.iter() {
            assert!(error.line > 0 && error.column > 0, "{error}");
            assert!(error.file != path || error.line <= lines + 1, "{error}");
            assert!(!error.message.is_empty() && !error.message.contains('\n'));
        }
    }
}
