//! Which files are none of ours: what others made, what the person says is not worth keeping, and secrets.

use std::{
    collections::HashMap,
    io::Read,
    path::{Path, PathBuf},
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use super::beneath::{Found, Root};

/// Folders that are made by programs, or hold what belongs to the person's account rather than to their work.
const FOLDERS: [&str; 12] = [
    ".cache",
    ".coditect",
    ".git",
    ".hg",
    ".home",
    ".ssh",
    ".svn",
    ".venv",
    "__pycache__",
    "lost+found",
    "node_modules",
    "venv",
];

/// Files that hold secrets, by name; none of them is ever named or read.
const SECRETS: [&str; 22] = [
    ".docker/config.json",
    ".env",
    ".env.*",
    ".git-credentials",
    ".htpasswd",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    "*.jks",
    "*.kdbx",
    "*.key",
    "*.keystore",
    "*.p12",
    "*.pem",
    "*.pfx",
    "*.tfstate",
    "credentials",
    "credentials.json",
    "id_*sa",
    "id_ed25519*",
    "*secret*",
];

/// How files begin that are ours, for the moment in which one takes another's place.
pub(super) const OURS: &str = ".coditect-restore-";

/// Deepest and longest path that is looked at, in folders and bytes: what is followed is held in memory.
const DEEPEST: usize = 64;
const LONGEST: usize = 1_024;
/// Largest `.gitignore` that is read, and most lines of it: patterns cost memory.
const LARGEST: u64 = 16 * 1024;
const MOST_LINES: usize = 200;
/// Most of them that are held.
const MOST_FILES: usize = 64;

/// The rules of a volume.
#[derive(Debug)]
pub(crate) struct Rules {
    secrets: Gitignore,
    /// What each folder's `.gitignore` says, if it has one.
    folders: HashMap<PathBuf, Option<Gitignore>>,
}

impl Rules {
    pub(crate) fn new() -> Self {
        let lines = SECRETS.iter().copied();
        Self {
            secrets: build(lines).unwrap_or_else(Gitignore::empty),
            folders: HashMap::new(),
        }
    }

    /// Whether a path is none of ours.
    pub(crate) fn ignores(&mut self, root: &Root, path: &Path, is_folder: bool) -> bool {
        if path.as_os_str().len() > LONGEST {
            return true;
        }
        let mut depth = 0;
        for part in path.components() {
            depth += 1;
            let std::path::Component::Normal(name) = part else {
                return true;
            };
            // What is no UTF-8 has no place in a report.
            let Some(name) = name.to_str() else {
                return true;
            };
            if depth > DEEPEST || FOLDERS.contains(&name) || name.starts_with(OURS) {
                return true;
            }
        }
        if is_match(&self.secrets, path, is_folder) == Some(true) {
            return true;
        }
        // The nearest word counts (gitignore(5)).
        let mut folder = path.parent();
        while let Some(at) = folder {
            if let Some(said) = self.said(root, at)
                && let Ok(rest) = path.strip_prefix(at)
                && let Some(said) = is_match(said, rest, is_folder)
            {
                return said;
            }
            folder = at.parent();
        }
        false
    }

    /// A `.gitignore` changed.
    pub(crate) fn forget(&mut self, folder: &Path) {
        self.folders.remove(folder);
    }

    fn said(&mut self, root: &Root, folder: &Path) -> Option<&Gitignore> {
        if !self.folders.contains_key(folder) {
            if self.folders.len() >= MOST_FILES {
                self.folders.clear();
            }
            let said = read(root, &folder.join(".gitignore"));
            self.folders.insert(folder.to_owned(), said);
        }
        self.folders.get(folder)?.as_ref()
    }
}

fn read(root: &Root, path: &Path) -> Option<Gitignore> {
    let Ok(Found::File(file, print)) = root.find(path) else {
        return None;
    };
    if print.size > LARGEST {
        return None;
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).ok()?;
    build(text.lines().take(MOST_LINES))
}

fn build<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    for line in lines {
        // A line that is no pattern says nothing.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok()
}

/// Whether a path is ignored, or explicitly not, or nothing is said.
fn is_match(rules: &Gitignore, path: &Path, is_folder: bool) -> Option<bool> {
    match rules.matched_path_or_any_parents(path, is_folder) {
        Match::None => None,
        Match::Ignore(_) => Some(true),
        Match::Whitelist(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secrets_programs_folders_and_what_the_person_says_are_none_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("app/logs")).unwrap();
        fs::write(at(".gitignore"), "*.log\n/build/\n!keep.log\n[\n").unwrap();
        fs::write(at("app/.gitignore"), "!app.log\nlogs/\n").unwrap();
        let root = Root::open(folder.path()).unwrap();
        let mut rules = Rules::new();
        for path in [
            "node_modules/a/index.js",
            "app/node_modules/a",
            ".git/config",
            ".home/.bash_history",
            "src/.coditect-restore-1",
            ".ssh/config",
            ".env",
            "app/.env.production",
            "certs/server.key",
            "id_rsa",
            "app/my-secrets.txt",
            "a.log",
            "app/b.log",
            "build/out.js",
            "app/logs/x.txt",
            "../x",
        ] {
            assert!(rules.ignores(&root, Path::new(path), false), "{path}");
        }
        for path in [
            "src/main.rs",
            "keep.log",
            "app/app.log",
            "app/build/out.js",
            "environment.md",
            "monkey.txt",
            "",
        ] {
            assert!(!rules.ignores(&root, Path::new(path), false), "{path}");
        }
        let deep: PathBuf = ["a"; DEEPEST + 1].iter().collect();
        let long: PathBuf = std::iter::repeat_n("a".repeat(250), 5).collect();
        assert!(rules.ignores(&root, &deep, false) && rules.ignores(&root, &long, false));

        fs::write(at(".gitignore"), "").unwrap();
        rules.forget(Path::new(""));
        assert!(!rules.ignores(&root, Path::new("a.log"), false));
        // One that is a link, or larger than patterns are, says nothing.
        fs::write(at("app/.gitignore"), "x\n".repeat(20_000)).unwrap();
        rules.forget(Path::new("app"));
        assert!(!rules.ignores(&root, Path::new("app/x"), false));
    }
}
