//! What a plan looks like: in a terminal, as a comment, as JSON. `UPDATE_PLANS=1 cargo test -p coditect-renderer --test
//! plan` writes what is expected anew, the published example among it.

use std::{env, fs, path::PathBuf};

use coditect_renderer::plan::{
    Asked, Colours, LONGEST_COMMENT, ObjectChange, Report, asked, markdown, text,
};

use serde_json::Value;

use crate::{
    fleet::{Edit, inputs, planned},
    support,
};

/// A case: its name, edits of what stands, edits of the proposal's policy and templates.
type Case = (
    &'static str,
    &'static [Edit<'static>],
    &'static [Edit<'static>],
    &'static [Edit<'static>],
);

const ORG: &str = "orgs/7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201.yaml";

const CASES: &[Case] = &[
    (
        "nothing",
        &[],
        &[("plans/pro.yaml", "hoursPerMonth: 500", "hoursPerMonth: 600")],
        &[],
    ),
    (
        "more-cpu",
        &[],
        &[("plans/starter.yaml", "cpuMillis: 2000", "cpuMillis: 2500")],
        &[],
    ),
    (
        "larger-volumes",
        &[],
        &[
            ("plans/starter.yaml", "storageGib: 10", "storageGib: 20"),
            ("plans/pro.yaml", "storageGib: 100", "storageGib: 200"),
            (
                "plans/pro.yaml",
                "priceCentsPerMonth: 9900",
                "priceCentsPerMonth: 10900",
            ),
        ],
        &[],
    ),
    (
        "override",
        &[],
        &[(ORG, "", "plan: pro\negress:\n  internet: false\n")],
        &[],
    ),
    (
        "hold",
        &[],
        &[(
            "cells/other.yaml",
            "capacity: 5000",
            "capacity: 5000\nhold: true",
        )],
        &[],
    ),
    (
        "image",
        &[],
        &[("defaults.yaml", "coditect/ide:0.1.0", "coditect/ide:0.2.0")],
        &[],
    ),
    (
        "release",
        &[],
        &[],
        &[(
            "workspace-30-service.yaml.j2",
            "  ports:\n",
            "  sessionAffinity: ClientIP\n  ports:\n",
        )],
    ),
    (
        "refused",
        &[("approvals.yaml", "plans: []", "plans: [pro]")],
        &[("plans/starter.yaml", "", ""), (ORG, "", "plan: pro\n")],
        &[(
            "workspace-30-service.yaml.j2",
            "spec:\n",
            "spec:\n  clusterIP: None\n",
        )],
    ),
];

fn report(case: &Case) -> Report {
    let (_, stands, policy, templates) = case;
    let both = [*stands, *policy].concat();
    planned(inputs(stands, &[]), inputs(&both, templates), 12, 2)
}

#[test]
fn every_form_is_what_was_reviewed() {
    let folder = support::root().join("renderer/tests/plan/expected");
    let update = env::var_os("UPDATE_PLANS").is_some();
    let mut wrong = String::new();
    let mut check = |path: PathBuf, text: &str| {
        if update {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        let diff = similar::TextDiff::from_lines(expected.as_str(), text);
        let name = path.display().to_string();
        wrong += &diff.unified_diff().header(&name, "planned").to_string();
    };
    for case in CASES {
        let report = report(case);
        let name = case.0;
        let json = format!("{}\n", serde_json::to_string_pretty(&report).unwrap());
        check(
            folder.join(format!("{name}.txt")),
            &text(&report, Colours::Off),
        );
        check(folder.join(format!("{name}.md")), &markdown(&report));
        check(folder.join(format!("{name}.json")), &json);
        if name == "more-cpu" {
            let published = support::root().join("docs/examples/plan.md");
            check(published, &markdown(&report));
        }
    }
    let schema = Report::schema();
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    check(
        support::root().join("docs/examples/plan.schema.json"),
        &text,
    );
    let command = "UPDATE_PLANS=1 cargo test -p coditect-renderer --test plan";
    assert!(
        wrong.is_empty(),
        "\n{wrong}\nIf this is what you meant: {command}"
    );
    assert_eq!(
        fs::read_dir(folder).unwrap().count(),
        CASES.len() * 3,
        "a stale file"
    );
}

/// Whoever reads the JSON finds every field in the schema, and every field that the schema promises in the JSON.
#[test]
fn the_schema_is_what_is_written() {
    let schema = Report::schema();
    for case in CASES {
        let report = serde_json::to_value(report(case)).unwrap();
        assert_eq!(unlike(&schema, &schema, &report), None, "{}", case.0);
    }
    let mut report = serde_json::to_value(report(&CASES[1])).unwrap();
    report["groups"][0]["more"] = 1.into();
    assert_eq!(unlike(&schema, &schema, &report).unwrap(), "more");
}

/// The first field that one has and the other has not.
fn unlike(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let schema = match schema["$ref"]
        .as_str()
        .and_then(|name| name.strip_prefix('#'))
    {
        Some(pointer) => root.pointer(pointer).unwrap(),
        None => schema,
    };
    match value {
        Value::Array(items) => items
            .iter()
            .find_map(|item| unlike(root, &schema["items"], item)),
        Value::Object(fields) if schema["properties"].is_object() => {
            let known = schema["properties"].as_object().unwrap();
            let required = schema["required"].as_array().into_iter().flatten();
            let mut required = required.filter_map(Value::as_str);
            let missing = required.find(|name| !fields.contains_key(*name));
            missing.map(ToOwned::to_owned).or_else(|| {
                fields
                    .iter()
                    .find_map(|(name, value)| match known.get(name) {
                        Some(schema) => unlike(root, schema, value),
                        None => Some(name.clone()),
                    })
            })
        }
        Value::Object(fields) => fields
            .values()
            .find_map(|value| unlike(root, &schema["additionalProperties"], value)),
        _ => None,
    }
}

/// However much changes, a comment is no longer than a pull request takes, and says what it leaves out.
#[test]
fn a_comment_fits() {
    let mut report = report(&CASES[1]);
    let group = report.groups.remove(0);
    for number in 0..200 {
        let mut group = group.clone();
        group.id = format!("{number:012x}");
        group.objects.push(ObjectChange {
            object: "ConfigMap/ü-<user>".to_owned(),
            diff: format!("+ü: {}\n+````: x\n", "é".repeat(2 * number)),
        });
        report.groups.push(group);
    }
    let hostile = "a | <b> @everyone ".repeat(10_000);
    report.proposed.clone_from(&hostile);
    let about = Asked {
        mark: "<!-- a mark -->",
        reasons: &vec![(hostile.clone(), 1); 100],
        notes: &vec![hostile; 100],
        all: "`--output json`",
    };
    for comment in [markdown(&report), asked(&report, &about)] {
        assert!(comment.len() <= LONGEST_COMMENT && comment.len() > LONGEST_COMMENT / 2);
        assert!(comment.trim_end().ends_with("`--output json` shows all."));
        assert!(!comment.contains("<b>") && !comment.contains("@everyone"));
        assert!(
            comment.contains("\n`````diff\n"),
            "the fence is longer than what it holds"
        );
        assert_eq!(
            comment.matches("<details>").count(),
            comment.matches("</details>").count()
        );
    }
}

#[test]
fn colours_are_for_terminals() {
    let report = report(&CASES[1]);
    let (plain, coloured) = (text(&report, Colours::Off), text(&report, Colours::On));
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}[32m+"));
    let mut without = String::new();
    for part in coloured.split('\u{1b}') {
        without += part
            .split_once('m')
            .filter(|_| part.starts_with('['))
            .map_or(part, |(_, rest)| rest);
    }
    assert_eq!(without, plain);
}
