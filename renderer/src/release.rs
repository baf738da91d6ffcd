//! Template releases: each a folder of `*.yaml.j2`, compiled when loaded and known by its git tree id.
//!
//! `user-*.yaml.j2` are rendered once a user, then `workspace-*.yaml.j2` once for each workspace, each
//! group in the order of the file names. Each document in them begins with its own `---`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use coditect_core::{Error, ReleaseName, Result};
use minijinja::{Environment, UndefinedBehavior, syntax::SyntaxConfig};
use sha1::{Digest, Sha1};

use crate::render::encode;

/// All template releases, by name.
#[derive(Debug, Default)]
pub struct Releases {
    read: BTreeMap<ReleaseName, Release>,
    /// Those that are there and have mistakes.
    unread: BTreeSet<ReleaseName>,
}

/// One template release.
pub struct Release {
    name: ReleaseName,
    tree: String,
    templates: Environment<'static>,
    per_user: Vec<String>,
    per_workspace: Vec<String>,
}

const EXTENSION: &str = ".yaml.j2";

impl Releases {
    /// Reads every folder of the templates directory. Hidden files and plain files beside the folders
    /// (a README) are passed over.
    ///
    /// # Errors
    /// `Invalid` naming the file and line of a template that does not compile or glues a value into
    /// text; `Unavailable` if the directory cannot be read.
    pub fn load(dir: &Path) -> Result<Self> {
        let (releases, errors) = Self::load_each(dir)?;
        errors.into_iter().next().map_or(Ok(releases), Err)
    }

    /// The same, with every mistake; the releases that have one are known by name only.
    pub(crate) fn load_each(dir: &Path) -> Result<(Self, Vec<Error>)> {
        let mut releases = Self::default();
        let mut errors = Vec::new();
        for (name, path, _) in list(dir)?.into_iter().filter(|(_, _, is_dir)| *is_dir) {
            let parsed = read(&name, &path).map_err(|error| vec![error]);
            match parsed.and_then(|files| Release::parse_each(&name, &files)) {
                Ok(release) => drop(releases.read.insert(release.name.clone(), release)),
                Err(mistakes) => {
                    releases.unread.extend(name.parse::<ReleaseName>().ok());
                    errors.extend(mistakes);
                }
            }
        }
        Ok((releases, errors))
    }

    /// The given releases, for callers that read templates from elsewhere than a directory.
    #[must_use]
    pub fn new(releases: impl IntoIterator<Item = Release>) -> Self {
        Self {
            read: releases
                .into_iter()
                .map(|release| (release.name.clone(), release))
                .collect(),
            unread: BTreeSet::new(),
        }
    }

    /// The release of that name.
    #[must_use]
    pub fn get(&self, name: &ReleaseName) -> Option<&Release> {
        self.read.get(name)
    }

    /// Whether there is a release of that name, with mistakes or without.
    pub(crate) fn knows(&self, name: &ReleaseName) -> bool {
        self.read.contains_key(name) || self.unread.contains(name)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &ReleaseName> + Clone {
        self.read.keys()
    }

    /// The git tree id of each release, in order of their names.
    pub fn trees(&self) -> impl Iterator<Item = (&ReleaseName, &str)> {
        self.read
            .iter()
            .map(|(name, release)| (name, release.tree()))
    }
}

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Release({} {})", self.name, self.tree)
    }
}

impl Release {
    /// Compiles a release from its files' contents by name.
    ///
    /// # Errors
    /// `Invalid` naming file and line: a name that is not a release's, a file that is not a template, a
    /// template that does not compile or that glues a value into text.
    pub fn parse(name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Self> {
        Self::parse_each(name, files).map_err(|mut errors| errors.swap_remove(0))
    }

    /// The same, with every mistake; at least one.
    fn parse_each(name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        let known: Option<ReleaseName> = name.parse().map_err(|error| errors.push(error)).ok();
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_formatter(encode::format_value);
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build();
        templates.set_syntax(syntax.map_err(|error| vec![template_error(&error, name)])?);
        templates.set_debug(true);
        let (mut per_user, mut per_workspace) = (Vec::new(), Vec::new());
        for (file, bytes) in files {
            let path = format!("templates/{name}/{file}");
            let group = match file.strip_suffix(EXTENSION) {
                Some(stem) if stem.starts_with("user-") => &mut per_user,
                Some(stem) if stem.starts_with("workspace-") => &mut per_workspace,
                _ => {
                    errors.push(Error::invalid(
                        path,
                        format!(
                            "is not a template; those are named user-*{EXTENSION} or workspace-*{EXTENSION}"
                        ),
                    ));
                    continue;
                }
            };
            match std::str::from_utf8(bytes) {
                Ok(source) => {
                    let compiled = lint(&path, source).and_then(|()| {
                        templates
                            .add_template_owned(path.clone(), source.to_owned())
                            .map_err(|error| template_error(&error, &path))
                    });
                    errors.extend(compiled.err());
                }
                Err(error) => {
                    errors.push(Error::invalid(&path, "is not UTF-8 text").because(error))
                }
            }
            group.push(path);
        }
        if per_user.is_empty() {
            errors.push(Error::invalid(
                format!("templates/{name}"),
                format!("has no template for users; it needs at least one user-*{EXTENSION}"),
            ));
        }
        let Some(name) = known.filter(|_| errors.is_empty()) else {
            return Err(errors);
        };
        Ok(Self {
            name,
            tree: tree_id(files),
            templates,
            per_user,
            per_workspace,
        })
    }

    /// The release's name, that of its folder.
    #[must_use]
    pub const fn name(&self) -> &ReleaseName {
        &self.name
    }

    /// The id git gives the folder's tree: 40 hexadecimal digits. Equal ids mean equal templates.
    #[must_use]
    pub fn tree(&self) -> &str {
        &self.tree
    }

    pub(crate) const fn templates(&self) -> &Environment<'static> {
        &self.templates
    }

    pub(crate) fn per_user(&self) -> &[String] {
        &self.per_user
    }

    pub(crate) fn per_workspace(&self) -> &[String] {
        &self.per_workspace
    }
}

/// A template engine's error as one that names template, line and what is wrong.
pub(crate) fn template_error(error: &minijinja::Error, template: &str) -> Error {
    let place = match (error.name(), error.line()) {
        (Some(name), Some(line)) => format!("{name}:{line}:"),
        (Some(name), None) => format!("{name}:"),
        (None, _) => format!("{template}:"),
    };
    Error::invalid(
        place,
        error
            .detail()
            .map_or_else(|| error.kind().to_string(), ToOwned::to_owned),
    )
}

/// Refuses a value that stands inside of text: an encoded value is a whole scalar or none. Names are
/// composed in Rust, where their form is known.
fn lint(path: &str, source: &str) -> Result<()> {
    for (index, line) in source.lines().enumerate() {
        let bad = |why: &str| Err(Error::invalid(format!("{path}:{}:", index + 1), why));
        let mut rest = line;
        let mut before = String::new();
        while let Some(open) = rest.find("{{") {
            before.push_str(&rest[..open]);
            let Some(close) = rest[open..].find("}}").map(|length| open + length + 2) else {
                return bad("a {{ value }} must end on its line");
            };
            let after = rest[close..].trim_start();
            let whole_before = before.trim_end().is_empty()
                || before.ends_with([' ', '[', '{', ','])
                    && ends_as_value_begins(before.trim_end())
                || before.ends_with("%}");
            let whole_after = after.is_empty()
                || after.starts_with([',', ']', '}', ':'])
                || after.starts_with("{%");
            if !whole_before || !whole_after {
                return bad(
                    "a {{ value }} must be a whole scalar, not a part of one; names are composed by the engine",
                );
            }
            before.push('v');
            rest = &rest[close..];
        }
    }
    Ok(())
}

fn ends_as_value_begins(before: &str) -> bool {
    before.ends_with([':', '-', '[', '{', ','])
}

/// The files of one release's folder.
fn read(name: &str, dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for (file, path, is_dir) in list(dir)? {
        let shown = format!("templates/{name}/{file}");
        if is_dir {
            return Err(Error::invalid(
                shown,
                "is a folder; a release is one folder of templates",
            ));
        }
        if is_executable(&path)? {
            // Git would record another mode, and the tree id would not be the one computed here.
            return Err(Error::invalid(
                shown,
                "is executable; take the permission away (chmod -x)",
            ));
        }
        files.insert(
            file,
            fs::read(&path).map_err(|error| unreadable(&path, error))?,
        );
    }
    Ok(files)
}

#[cfg(unix)]
fn is_executable(path: &Path) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(path
        .metadata()
        .map_err(|error| unreadable(path, error))?
        .permissions()
        .mode()
        & 0o111
        != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> Result<bool> {
    Ok(false)
}

/// What a directory holds, in order, without hidden entries.
fn list(dir: &Path) -> Result<Vec<(String, std::path::PathBuf, bool)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| unreadable(dir, error))? {
        let entry = entry.map_err(|error| unreadable(dir, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            let is_dir = entry
                .path()
                .metadata()
                .map_err(|error| unreadable(&entry.path(), error))?
                .is_dir();
            entries.push((name, entry.path(), is_dir));
        }
    }
    entries.sort();
    Ok(entries)
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::unavailable(format!("{} cannot be read", path.display())).because(error)
}

/// The id of the git tree that holds these files (gitformat-tree: `<mode> <name>\0<20 byte id>`, entries
/// in order of their names).
fn tree_id(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut tree = Vec::new();
    for (name, bytes) in files {
        tree.extend_from_slice(format!("100644 {name}\0").as_bytes());
        tree.extend_from_slice(&object_id("blob", bytes));
    }
    object_id("tree", &tree)
        .iter()
        .fold(String::with_capacity(40), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

fn object_id(kind: &str, bytes: &[u8]) -> [u8; 20] {
    Sha1::new_with_prefix(format!("{kind} {}\0", bytes.len()))
        .chain_update(bytes)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        texts
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn the_tree_id_is_gits_own() {
        let dir = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(dir.path()).unwrap();
        let files = files(&[
            ("user-a.yaml.j2", "a: 1\n"),
            ("workspace-b.yaml.j2", "b: {{ c }}\n"),
            ("user-Z.yaml.j2", ""),
        ]);
        let mut builder = repository.treebuilder(None).unwrap();
        for (name, bytes) in &files {
            builder
                .insert(name, repository.blob(bytes).unwrap(), 0o100_644)
                .unwrap();
        }
        assert_eq!(tree_id(&files), builder.write().unwrap().to_string());
    }

    #[test]
    fn a_value_is_a_whole_scalar() {
        for good in [
            "a: {{ b }}",
            "  - {{ b }}",
            "[{{ a }}, {{ b }}]",
            "{a: {{ b }}}",
            "{{ key }}: {{ value }}",
            "a: {% if b %}{{ c }}{% endif %}",
        ] {
            lint("t", good).unwrap();
        }
        for bad in [
            "a: x-{{ b }}",
            "a: \"{{ b }}\"",
            "a: {{ b }}x",
            "a: {{ b }} {{ c }}",
            "a: {{ b",
            "a:{{ b }}",
            "# {{ b }}",
        ] {
            assert!(lint("t", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_names_file_and_line() {
        for (name, text, place) in [
            (
                "user-a.yaml.j2",
                "a: 1\nb: {% if %}\n",
                "templates/v9/user-a.yaml.j2:2:",
            ),
            (
                "user-a.yaml.j2",
                "a: x{{ b }}\n",
                "templates/v9/user-a.yaml.j2:1:",
            ),
            ("readme.md", "", "templates/v9/readme.md"),
            ("workspace-a.yaml.j2", "", "templates/v9"),
        ] {
            let error = Release::parse("v9", &files(&[(name, text)])).unwrap_err();
            assert!(error.to_string().starts_with(place), "{error}");
        }
    }
}
