//! A plan for a terminal.

use std::fmt::Write;

use super::{
    report::{Group, Report},
    words::{count, examples, money, number, quota, storage, verdict, workspaces},
};

/// Groups that are shown in full; JSON has all.
const GROUPS: usize = 20;
/// Lines of one group.
const LINES: usize = 400;

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// For a terminal.
    On,
    /// For anything else.
    Off,
}

impl Colours {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Off => text.to_owned(),
        }
    }
}

/// The plan as lines for people.
#[must_use]
pub fn text(report: &Report, colours: Colours) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(report, colours, &mut out);
    out
}

fn write(report: &Report, colours: Colours, out: &mut String) -> std::fmt::Result {
    let colour = if report.refused { "1;31" } else { "1" };
    writeln!(out, "Plan of {}", report.proposed)?;
    writeln!(out, "{}\n", colours.paint(colour, &verdict(report)))?;
    for cell in &report.cells {
        let commit = cell
            .commit
            .as_deref()
            .map_or("no commit", |commit| &commit[..12.min(commit.len())]);
        writeln!(
            out,
            "  {:<16} {commit:<12}  {}, against {}",
            cell.cell.to_string(),
            count(cell.users, "user"),
            cell.base
        )?;
        if cell.drifted > 0 {
            let who = examples(&cell.drifted_examples, cell.drifted);
            writeln!(
                out,
                "  {:<16} {} not as that renders it: {who}",
                "",
                count(cell.drifted, "file")
            )?;
        }
        if cell.unreadable > 0 {
            let who = examples(&cell.unreadable_examples, cell.unreadable);
            writeln!(
                out,
                "  {:<16} {} without an intent of this cell: {who}",
                "",
                count(cell.unreadable, "file")
            )?;
        }
    }
    out.push('\n');
    let users = &report.users;
    line(
        out,
        "Users",
        &format!(
            "{} touched, {} unchanged",
            number_of(users.touched),
            number_of(users.unchanged)
        ),
    )?;
    line(out, "Workspaces", &workspaces(report))?;
    for (field, workspaces) in &report.pod_fields {
        line(out, "", &format!("{field} ({})", number_of(*workspaces)))?;
    }
    for (index, (kind, counts)) in report.objects.iter().enumerate() {
        let counts = [
            (counts.created, "new"),
            (counts.changed, "changed"),
            (counts.removed, "removed"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts
            .map(|(count, what)| format!("{} {what}", number_of(*count)))
            .collect();
        line(
            out,
            if index == 0 { "Objects" } else { "" },
            &format!("{kind}: {}", counts.join(", ")),
        )?;
    }
    for (index, change) in report.quota.iter().enumerate() {
        line(
            out,
            if index == 0 { "Quota" } else { "" },
            &format!("{}: {}", change.resource, quota(change)),
        )?;
    }
    for (index, class) in report.storage.iter().enumerate() {
        line(
            out,
            if index == 0 { "Storage" } else { "" },
            &format!("{}: {}", class.class, storage(class)),
        )?;
    }
    line(out, "Money", &money(&report.money))?;
    for approval in &report.approvals {
        let what = format!(
            "{} ({}): {}, {} approved: {}",
            approval.why,
            approval.rule,
            count(approval.users, "user"),
            number_of(approval.approved),
            examples(&approval.examples, approval.users)
        );
        line(out, "Approval", &colours.paint("33", &what))?;
    }
    for refusal in &report.refusals {
        let what = format!("{} {}: {}", refusal.object, refusal.field, refusal.why);
        line(out, "Refused", &colours.paint("31", &what))?;
        let whose = format!(
            "{} of {}: {}",
            count(refusal.objects, "object"),
            count(refusal.users, "user"),
            examples(&refusal.examples, refusal.users)
        );
        line(out, "", &whose)?;
    }
    for lost in &report.unrenderable {
        let what = format!("{}; their last good file would stand", lost.why);
        line(out, "Unrenderable", &colours.paint("31", &what))?;
        line(
            out,
            "",
            &format!(
                "{}: {}",
                count(lost.users, "user"),
                examples(&lost.examples, lost.users)
            ),
        )?;
    }
    for (index, shown) in report.groups.iter().take(GROUPS).enumerate() {
        group(index + 1, report.groups.len(), shown, colours, out)?;
    }
    if report.groups.len() > GROUPS {
        let rest = &report.groups[GROUPS..];
        let users = rest.iter().map(|group| group.users).sum();
        writeln!(
            out,
            "\n… and {} more changes, of {}: --output json has all",
            rest.len(),
            count(users, "user")
        )?;
    }
    Ok(())
}

fn number_of(value: u64) -> String {
    number(i64::try_from(value).unwrap_or(i64::MAX))
}

fn line(out: &mut String, head: &str, what: &str) -> std::fmt::Result {
    writeln!(out, "  {head:<12} {what}")
}

fn group(
    index: usize,
    of: usize,
    group: &Group,
    colours: Colours,
    out: &mut String,
) -> std::fmt::Result {
    let plans: Vec<String> = group.plans.keys().map(ToString::to_string).collect();
    let head = format!(
        "Change {index} of {of} ({}): {}, {} in {}; plan {}",
        group.id,
        count(group.users, "user"),
        count(group.workspaces, "workspace"),
        count(group.cells.len() as u64, "cell"),
        plans.join(", ")
    );
    writeln!(out, "\n{}", colours.paint("1", &head))?;
    writeln!(out, "  {}", examples(&group.examples, group.users))?;
    let mut left = LINES;
    for object in &group.objects {
        writeln!(out, "  {}", colours.paint("36", &object.object))?;
        for line in object.diff.lines().take(left) {
            let code = match line.as_bytes().first() {
                Some(b'-') => "31",
                Some(b'+') => "32",
                _ => "2",
            };
            writeln!(out, "    {}", colours.paint(code, line))?;
        }
        left = left.saturating_sub(object.diff.lines().count());
    }
    if left == 0 {
        writeln!(out, "    … --output json has the rest")?;
    }
    Ok(())
}
