//! Small fleets in real repositories, and policies that are proposed for them.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use coditect_core::{
    Epoch, Fence, Shard, Standing, TenantId, UserId, UserIntent, Version, WorkspaceId,
    WorkspaceIntent,
};
use coditect_renderer::{
    git::{CellRepository, Checkpoint, Message, Occasion, ShardTree},
    inputs::Inputs,
    plan::{Cell, CellReport, Plan, Report, read},
    policy::Policy,
    release::{Release, Releases},
    render::Renderer,
};
use jiff::Timestamp;

use crate::support;

/// The tenant with an override in some cases.
pub(crate) const REVIEWED: &str = "7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201";

/// An edit of a text: what it has, what stands there instead.
pub(crate) type Edit<'a> = (&'a str, &'a str, &'a str);

/// The sample policy for two cells and the sample release, both edited; a release `v2` is there too where templates
/// are, and then every ring is on it. A file that the sample has not is written whole.
pub(crate) fn inputs(policy: &[Edit<'_>], templates: &[Edit<'_>]) -> Inputs {
    let edits = [policy, templates].concat();
    let mut files = support::policy_files();
    let other = files["cells/local.yaml"].clone();
    files.insert("cells/other.yaml".to_owned(), other);
    edit(&mut files, policy);
    let v1 = support::folder(&support::root().join("templates/v1"));
    let mut releases = vec![Release::parse("v1", &v1).unwrap()];
    if !templates.is_empty() {
        let mut v2 = v1;
        edit(&mut v2, templates);
        releases.push(Release::parse("v2", &v2).unwrap());
        let rings = String::from_utf8(files["rings.yaml"].clone()).unwrap();
        let rings = rings.replace("release: v1", "release: v2");
        files.insert("rings.yaml".to_owned(), rings.into_bytes());
    }
    let releases = Arc::new(Releases::new(releases));
    let policy = Policy::parse(&files, &releases).unwrap_or_else(|errors| panic!("{errors}"));
    let policy = Arc::new(policy);
    let renderer = Renderer::new(Arc::clone(&policy), Arc::clone(&releases));
    // That the sample renders is seen elsewhere.
    if !edits.is_empty() {
        renderer.probe().unwrap_or_else(|error| panic!("{error}"));
    }
    Inputs {
        policy,
        releases,
        renderer,
        commit: None,
    }
}

fn edit(files: &mut BTreeMap<String, Vec<u8>>, edits: &[Edit<'_>]) {
    for (path, before, after) in edits {
        let text = String::from_utf8(files.get(*path).cloned().unwrap_or_default()).unwrap();
        assert!(text.contains(before), "{path} has no {before:?}");
        let edited = match *before {
            "" => (*after).to_owned(),
            before => text.replace(before, after),
        };
        files.insert((*path).to_owned(), edited.into_bytes());
        if edited_away(before, after) {
            files.remove(*path);
        }
    }
}

fn edited_away(before: &str, after: &str) -> bool {
    before.is_empty() && after.is_empty()
}

/// User number so and so of a cell: every third has each plan, every fourth two workspaces, every fifth is of the
/// reviewed tenant.
pub(crate) fn intent(cell: &str, number: u32) -> UserIntent {
    let id = |kind: u8| {
        let mut bytes = [0; 16];
        bytes[0] = kind;
        bytes[1] = u8::from(cell == "other");
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        bytes
    };
    let user = UserId::from_bytes(id(1));
    let (plan, storage_gib) = [("free", 1), ("starter", 10), ("pro", 100)][number as usize % 3];
    let workspaces = if number % 4 == 3 && plan != "free" {
        2
    } else {
        1
    };
    UserIntent {
        user,
        tenant: match number % 5 {
            4 => REVIEWED.parse().unwrap(),
            _ => TenantId::from_bytes(id(2)),
        },
        cell: cell.parse().unwrap(),
        shard: Shard::of(user),
        generation: 1,
        plan: plan.parse().unwrap(),
        ring: None,
        standing: Standing::Active,
        workspaces: (0..workspaces)
            .map(|index| WorkspaceIntent {
                id: WorkspaceId::from_bytes(id(3 + index)),
                slug: format!("brave-heron-{number}-{index}").parse().unwrap(),
                storage_gib,
                storage_class: "standard-rwo".parse().unwrap(),
                standing: Standing::Active,
            })
            .collect(),
    }
}

/// Writes a cell's repository as the renderer does.
pub(crate) fn write(path: &Path, files: &[(UserIntent, Vec<u8>)]) {
    let repository = CellRepository::open_or_create(path).unwrap();
    let mut batch = repository.begin(None, &ShardTree::empty());
    for (intent, bytes) in files {
        batch.put(intent.shard, intent.user, bytes).unwrap();
    }
    let checkpoint = Checkpoint {
        epoch: Epoch::from_bytes([1; 16]),
        version: Version(1),
        fence: Fence(1),
        policy: None,
        templates: BTreeMap::new(),
        engine: "1".to_owned(),
    };
    let prepared = batch.finish(
        checkpoint,
        &Message::new(Occasion::FullReconcile),
        Timestamp::UNIX_EPOCH,
    );
    prepared.unwrap().unwrap().publish().unwrap();
}

/// A fleet of so many users in each of two cells, rendered with the base, and what a proposal does to it.
pub(crate) fn planned(base: Inputs, proposed: Inputs, users: u32, threads: usize) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let base = Arc::new(base);
    let mut plan = Plan::new(Arc::new(proposed));
    let stands = plan.base(Arc::clone(&base));
    let (mut cells, mut reports) = (Vec::new(), Vec::new());
    for cell in ["local", "other"] {
        let repository = folder.path().join(format!("{cell}.git"));
        let files: Vec<_> = (0..users)
            .map(|number| {
                let intent = intent(cell, number);
                let bytes = base.renderer.render(&intent).unwrap().bytes;
                (intent, bytes)
            })
            .collect();
        write(&repository, &files);
        cells.push(Cell {
            name: cell.parse().unwrap(),
            repository,
            base: stands,
        });
        reports.push(cell_report(cell));
    }
    let tally = read(&plan, &cells, threads, &|_| {}).unwrap();
    plan.report("the proposal", &tally, &reports).unwrap()
}

pub(crate) fn cell_report(cell: &str) -> CellReport {
    CellReport {
        cell: cell.parse().unwrap(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        base: "what stands".to_owned(),
        base_commit: None,
        users: 0,
        drifted: 0,
        drifted_examples: Vec::new(),
        unreadable: 0,
        unreadable_examples: Vec::new(),
    }
}
