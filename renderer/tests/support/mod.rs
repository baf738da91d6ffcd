//! The repository's own policy and templates, for tests.
#![allow(dead_code, reason = "each test crate uses its part")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use coditect_renderer::{policy::Policy, release::Releases, render::Renderer};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// All files of a folder by relative path; none if there is no such folder.
pub(crate) fn folder(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(dir) else {
        return files;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(
                folder(&path)
                    .into_iter()
                    .map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)),
            );
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

/// The template releases of the repository.
pub(crate) fn releases() -> Arc<Releases> {
    Arc::new(
        Releases::load(&root().join("templates"))
            .unwrap_or_else(|error| panic!("{}", error.chain())),
    )
}

/// The sample policy's files.
pub(crate) fn policy_files() -> BTreeMap<String, Vec<u8>> {
    folder(&root().join("tenants"))
}

/// A renderer of the sample policy with these files in place of its own.
pub(crate) fn renderer(overlay: &[(&str, &str)]) -> Renderer {
    let mut files = policy_files();
    files.extend(
        overlay
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())),
    );
    let releases = releases();
    let policy = Policy::parse(&files, &releases).unwrap_or_else(|errors| panic!("{errors}"));
    Renderer::new(policy.into(), releases)
}
