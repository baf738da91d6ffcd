//! Which files a policy consists of, and how each is read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read},
    path::Path,
    sync::LazyLock,
};

use coditect_core::{CellName, Plan, PlanName, TenantId};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Cell, Policy, PolicyErrors,
    errors::Collector,
    fleet::{Approval, ApprovalRules, Defaults, RingsFile},
    node::{self, Kind, Node, Position},
    schema,
    tenant::{OrgFile, PlanFile},
};

/// Policy is written by hand; a larger file is a mistake.
const LARGEST_FILE: u64 = 1 << 20;

/// Policy has one level of folders; looking further would follow a link that leads back forever.
const DEEPEST: usize = 2;

/// A file that was read, with the tree behind it for later complaints.
pub(super) struct File<T> {
    pub(super) path: String,
    pub(super) node: Node,
    pub(super) value: T,
}

impl<T> File<T> {
    /// Where the value under this path stands.
    pub(super) fn at(&self, path: &[&str]) -> Position {
        self.node.position(path)
    }
}

/// All files of a folder that could be read.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) plans: BTreeMap<PlanName, File<PlanFile>>,
    pub(super) orgs: BTreeMap<TenantId, File<OrgFile>>,
    pub(super) cells: BTreeMap<CellName, File<Cell>>,
    pub(super) rings: Option<File<RingsFile>>,
    pub(super) defaults: Option<File<Defaults>>,
    pub(super) approval_rules: Option<File<ApprovalRules>>,
    pub(super) approvals: BTreeMap<String, File<Approval>>,
    /// Files that are there and could not be read: what they hold is not known, not absent.
    unread: BTreeSet<String>,
}

static SCHEMAS: LazyLock<BTreeMap<&'static str, Value>> = LazyLock::new(|| {
    BTreeMap::from([
        ("plan.schema.json", schema::of::<PlanFile>()),
        ("org.schema.json", schema::of::<OrgFile>()),
        ("cell.schema.json", schema::of::<Cell>()),
        ("rings.schema.json", schema::of::<RingsFile>()),
        ("defaults.schema.json", schema::of::<Defaults>()),
        ("approvals.schema.json", schema::of::<ApprovalRules>()),
        ("approval.schema.json", schema::of::<Approval>()),
    ])
});

pub(super) fn schemas() -> BTreeMap<&'static str, Value> {
    SCHEMAS.clone()
}

impl PolicyErrors {
    fn of_io(path: &str, error: &io::Error) -> Self {
        let mut errors = Collector::default();
        errors.add(path, Position::START, format!("cannot be read: {error}"));
        errors.into_errors()
    }

    /// For a policy that lacks a file although no error says so; kept apart so that a defect here is an
    /// error and not a crash.
    pub(super) fn incomplete() -> Self {
        let mut errors = Collector::default();
        errors.add(".", Position::START, "the policy is incomplete");
        errors.into_errors()
    }
}

/// The YAML files of a folder by relative path. Hidden files and folders are passed over: `.git` is one.
/// A file that cannot be read is there without content, and told in `errors`.
pub(super) fn read(
    dir: &Path,
    errors: &mut Collector,
) -> Result<BTreeMap<String, Option<Vec<u8>>>, PolicyErrors> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(dir.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let shown = if prefix.is_empty() {
            "."
        } else {
            prefix.as_str()
        };
        let failed = |error: io::Error| PolicyErrors::of_io(shown, &error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{name}");
            let about = match entry.path().metadata() {
                Ok(about) => about,
                Err(error) => {
                    unreadable(&path, &error, errors);
                    files.insert(path, None);
                    continue;
                }
            };
            if about.is_dir() && prefix.matches('/').count() < DEEPEST {
                folders.push((entry.path(), format!("{path}/")));
            } else if is_yaml(&path) {
                let bytes = match fs::File::open(entry.path()) {
                    // One byte more than allowed is enough to refuse it.
                    Ok(file) => {
                        let mut bytes = Vec::new();
                        let read = file.take(LARGEST_FILE + 1).read_to_end(&mut bytes);
                        read.map(|_| bytes)
                    }
                    Err(error) => Err(error),
                };
                let bytes = bytes.map_err(|error| unreadable(&path, &error, errors));
                files.insert(path, bytes.ok());
            }
        }
    }
    Ok(files)
}

fn unreadable(path: &str, error: &io::Error, errors: &mut Collector) {
    let message = format!("cannot be read: {error}; make it a file that you may read");
    errors.add(path, Position::START, message);
}

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

impl Parsed {
    pub(super) fn new(files: &BTreeMap<String, Option<Vec<u8>>>, errors: &mut Collector) -> Self {
        let mut parsed = Self::default();
        for (path, bytes) in files.iter().filter(|(path, _)| is_yaml(path)) {
            let before = errors.count();
            if let Some(bytes) = bytes {
                parsed.add(path, bytes, errors);
            }
            if errors.count() > before || bytes.is_none() {
                parsed.unread.insert(path.clone());
            }
        }
        for (missing, required) in [
            (parsed.rings.is_none(), "rings.yaml"),
            (parsed.defaults.is_none(), "defaults.yaml"),
        ] {
            if missing && !files.contains_key(required) {
                let message =
                    format!("the file is missing; write one, as tenants/{required} of the sample");
                errors.add(required, Position::START, message);
            }
        }
        for (none, example) in [
            (parsed.plans.is_empty(), "plans/free.yaml"),
            (parsed.cells.is_empty(), "cells/local.yaml"),
        ] {
            let folder = &example[..=example.find('/').unwrap_or(0)];
            if none && !files.keys().any(|path| path.starts_with(folder)) {
                errors.add(
                    example,
                    Position::START,
                    format!("there is no file in {folder}; at least one is needed"),
                );
            }
        }
        parsed
    }

    /// The names of all plans that have a file, whether or not it could be read.
    pub(super) fn plan_names(&self) -> BTreeSet<&str> {
        let unread = self.unread.iter().filter_map(|path| {
            let name = path.strip_prefix("plans/")?;
            name.strip_suffix(".yaml")
        });
        self.plans
            .keys()
            .map(PlanName::as_str)
            .chain(unread)
            .collect()
    }

    /// Whether every cell could be read, so that what none of them has is nowhere.
    pub(super) fn knows_all_cells(&self) -> bool {
        !self.cells.is_empty() && !self.unread.iter().any(|path| path.starts_with("cells/"))
    }

    fn add(&mut self, path: &str, bytes: &[u8], errors: &mut Collector) {
        let parts: Vec<&str> = path.split('/').collect();
        let stem = path
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".yaml"))
            .unwrap_or_default();
        match parts.as_slice() {
            ["plans", _] if !stem.is_empty() => insert(
                &mut self.plans,
                stem,
                typed("plan", path, bytes, errors),
                errors,
            ),
            ["orgs", _] if !stem.is_empty() => insert(
                &mut self.orgs,
                stem,
                typed("org", path, bytes, errors),
                errors,
            ),
            ["cells", _] if !stem.is_empty() => insert(
                &mut self.cells,
                stem,
                typed("cell", path, bytes, errors),
                errors,
            ),
            ["approvals", _] if !stem.is_empty() => {
                if let Some(file) = typed("approval", path, bytes, errors) {
                    self.approvals.insert(stem.to_owned(), file);
                }
            }
            ["rings.yaml"] => self.rings = typed("rings", path, bytes, errors),
            ["defaults.yaml"] => self.defaults = typed("defaults", path, bytes, errors),
            ["approvals.yaml"] => self.approval_rules = typed("approvals", path, bytes, errors),
            _ => {
                let known = "plans/*.yaml, orgs/*.yaml, cells/*.yaml, approvals/*.yaml, rings.yaml, defaults.yaml and approvals.yaml";
                errors.add(
                    path,
                    Position::START,
                    format!("is no file of a policy; those are {known}"),
                );
            }
        }
    }

    /// The policy, if every file that it needs was read.
    pub(super) fn into_policy(self, errors: &mut Collector) -> Option<Policy> {
        if errors.count() > 0 {
            return None;
        }
        let plan = |(name, file): (PlanName, File<PlanFile>)| {
            let plan = Plan {
                name: name.clone(),
                price_cents_per_month: file.value.price_cents_per_month,
                limits: (&file.value.limits).into(),
            };
            (name, plan)
        };
        let defaults = self.defaults?.value;
        Some(Policy {
            plans: self.plans.into_iter().map(plan).collect(),
            orgs: self
                .orgs
                .into_iter()
                .map(|(tenant, file)| (tenant, file.value.into_org(&defaults.egress)))
                .collect(),
            cells: self
                .cells
                .into_iter()
                .map(|(name, file)| (name, file.value))
                .collect(),
            rings: self.rings?.value.rings,
            defaults,
            approval_rules: self
                .approval_rules
                .map(|file| file.value)
                .unwrap_or_default(),
            approvals: self
                .approvals
                .into_iter()
                .map(|(change, file)| (change, file.value))
                .collect(),
        })
    }
}

/// Adds a file whose name is a key.
fn insert<K, T>(
    map: &mut BTreeMap<K, File<T>>,
    stem: &str,
    file: Option<File<T>>,
    errors: &mut Collector,
) where
    K: std::str::FromStr<Err = coditect_core::Error> + Ord,
{
    let Some(file) = file else { return };
    match stem.parse() {
        Ok(key) => drop(map.insert(key, file)),
        Err(error) => errors.add(
            &file.path,
            Position::START,
            format!(
                "the file's name must be a valid one: it {}; rename the file",
                error.message()
            ),
        ),
    }
}

/// Reads a file as its kind. What does not fit the schema is reported here; the type then fits too.
fn typed<T: DeserializeOwned + JsonSchema>(
    kind: &str,
    path: &str,
    bytes: &[u8],
    errors: &mut Collector,
) -> Option<File<T>> {
    let before = errors.count();
    if bytes.len() as u64 > LARGEST_FILE {
        let message =
            "is larger than 1 MiB; policy is written by hand: split it, or take out what is none";
        errors.add(path, Position::START, message);
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = bytes[..error.valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count() as u64
                + 1;
            let column = bytes[..error.valid_up_to()]
                .iter()
                .rev()
                .take_while(|byte| **byte != b'\n')
                .filter(|byte| !matches!(byte, 0x80..=0xbf))
                .count() as u64
                + 1;
            errors.add(
                path,
                Position { line, column },
                "is not UTF-8 text; save the file as UTF-8",
            );
            return None;
        }
    };
    let mut node = match node::parse(text) {
        Ok(node) => node,
        Err((at, message)) => {
            errors.add(path, at, message);
            return None;
        }
    };
    refuse_moving(kind, path, &mut node, errors);
    schema::check(
        path,
        &node,
        &SCHEMAS[format!("{kind}.schema.json").as_str()],
        errors,
    );
    if errors.count() > before {
        return None;
    }
    match serde_json::from_value(node.to_value()) {
        Ok(value) => Some(File {
            path: path.to_owned(),
            node,
            value,
        }),
        Err(error) => {
            errors.add(path, node.at, error.to_string());
            None
        }
    }
}

/// An override that would move a user between cells deserves a better answer than "unknown field".
fn refuse_moving(kind: &str, path: &str, node: &mut Node, errors: &mut Collector) {
    if let Kind::Map(entries) = &mut node.kind
        && kind == "org"
        && let Some(index) = entries.iter().position(|entry| entry.key == "cell")
    {
        let entry = entries.remove(index);
        errors.add(path, entry.key_at, "a tenant's `cell` cannot be overridden: its volumes are there; moving is a procedure of its own");
    }
}
