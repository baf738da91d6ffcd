//! A plan as a pull request's comment.

use std::fmt::Write;

use super::{
    report::{Group, Report},
    words::{count, examples, money, number, quota, storage, verdict, workspaces},
};

/// The longest comment that GitHub takes, in characters (its API answers 422 to a longer one). Counted in bytes here,
/// which are never fewer.
pub const LONGEST_COMMENT: usize = 65_536;
/// Kept for the last line.
const LAST: usize = 300;
/// Rows of any one list in the head; more are counted.
const ROWS: usize = 20;
/// The longest cell of a table.
const LONGEST: usize = 300;

/// The plan as Markdown of at most [`LONGEST_COMMENT`] bytes: what it comes to, then as many changes as fit, each folded.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    // By which whoever posts it finds the comment again.
    // Writing to a String cannot fail.
    let _ = writeln!(out, "<!-- coditect plan -->")
        .and_then(|()| head(report, &mut out))
        .and_then(|()| rules(report, &mut out))
        .and_then(|()| table(report, Some(&report.proposed), &mut out))
        .and_then(|()| cells(report, &mut out));
    groups(
        report,
        "`coditect plan` in a terminal or with `--output json`",
        &mut out,
    );
    out
}

/// What people are asked about a change that waits for their approval.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// By which whoever posts the text finds it again; it is not shown.
    pub mark: &'a str,
    /// Why an approval is needed, and of how many users.
    pub reasons: &'a [(String, u64)],
    /// Whatever else is to be known, a sentence each.
    pub notes: &'a [String],
    /// Where all of it is shown, as in "… shows all".
    pub all: &'a str,
}

/// What an approval would change, as Markdown of at most [`LONGEST_COMMENT`] bytes.
#[must_use]
pub fn asked(report: &Report, about: &Asked<'_>) -> String {
    let mut out = String::new();
    let reasons = |out: &mut String| {
        rows(out, about.reasons, |(why, users)| {
            format!("- because {} ({})", plain(why), count(*users, "user"))
        })?;
        rows(out, about.notes, |note| format!("- {}", plain(note)))
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", about.mark)
        .and_then(|()| head(report, &mut out))
        .and_then(|()| reasons(&mut out))
        .and_then(|()| table(report, None, &mut out));
    groups(report, about.all, &mut out);
    out
}

/// As many changes as fit; the others are counted, and `all` shows them.
fn groups(report: &Report, all: &str, out: &mut String) {
    let mut left_out = (0, 0);
    for (index, shown) in report.groups.iter().enumerate() {
        let mut text = String::new();
        let _ = group(index + 1, shown, &mut text);
        if left_out.0 == 0 && out.len() + text.len() + LAST <= LONGEST_COMMENT {
            out.push_str(&text);
        } else {
            left_out = (left_out.0 + 1, left_out.1 + shown.users);
        }
    }
    if left_out.0 > 0 {
        let (changes, users) = left_out;
        let _ = writeln!(
            out,
            "\n{} of {} did not fit here; {all} shows all.",
            count(changes, "more change"),
            count(users, "user")
        );
    }
}

fn head(report: &Report, out: &mut String) -> std::fmt::Result {
    let mark = if report.refused { "⛔ " } else { "" };
    writeln!(out, "### {mark}{}\n", verdict(report))?;
    rows(out, &report.refusals, |refusal| {
        format!(
            "- **refused**: {} {}: {}. {} of {}: {}",
            code(&refusal.object),
            code(&refusal.field),
            plain(&refusal.why),
            count(refusal.objects, "object"),
            count(refusal.users, "user"),
            examples(&refusal.examples, refusal.users)
        )
    })?;
    rows(out, &report.unrenderable, |lost| {
        format!(
            "- **not renderable any more**: {}; the last good file would stand. {}: {}",
            plain(&lost.why),
            count(lost.users, "user"),
            examples(&lost.examples, lost.users)
        )
    })
}

fn rules(report: &Report, out: &mut String) -> std::fmt::Result {
    rows(out, &report.approvals, |approval| {
        format!(
            "- **needs approval** ({}): {}. {}, {} approved: {}",
            code(approval.rule),
            plain(&approval.why),
            count(approval.users, "user"),
            number(i64::try_from(approval.approved).unwrap_or(i64::MAX)),
            examples(&approval.examples, approval.users)
        )
    })
}

fn table(report: &Report, proposed: Option<&str>, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n| | |\n| --- | --- |")?;
    if let Some(proposed) = proposed {
        writeln!(out, "| proposed | {} |", plain(proposed))?;
    }
    let users = &report.users;
    let users = format!(
        "{} touched, {} unchanged",
        count(users.touched, "user"),
        number(i64::try_from(users.unchanged).unwrap_or(i64::MAX))
    );
    writeln!(out, "| users | {users} |")?;
    writeln!(out, "| workspaces | {} |", workspaces(report))?;
    let fields: Vec<String> = report
        .pod_fields
        .keys()
        .take(ROWS)
        .map(|field| code(field))
        .collect();
    if !fields.is_empty() {
        let more = if report.pod_fields.len() > ROWS {
            " …"
        } else {
            ""
        };
        writeln!(out, "| fields of pods | {}{more} |", fields.join(" "))?;
    }
    for change in &report.quota {
        writeln!(
            out,
            "| quota {} | {} |",
            code(&change.resource),
            quota(change)
        )?;
    }
    for class in report.storage.iter().take(ROWS) {
        writeln!(
            out,
            "| storage {} | {} |",
            code(&class.class),
            storage(class)
        )?;
    }
    writeln!(out, "| money | {} |", money(&report.money))
}

fn cells(report: &Report, out: &mut String) -> std::fmt::Result {
    let summary = format!("{} read", count(report.cells.len() as u64, "cell"));
    writeln!(out, "\n<details><summary>{summary}</summary>\n")?;
    rows(out, &report.cells, |cell| {
        let mut text = format!(
            "- {} at {}: {}, against {}",
            code(cell.cell.as_str()),
            code(
                cell.commit
                    .as_deref()
                    .map_or("no commit", |commit| &commit[..12.min(commit.len())])
            ),
            count(cell.users, "user"),
            plain(&cell.base)
        );
        if cell.drifted > 0 {
            text += &format!("; {} not as that renders it", count(cell.drifted, "file"));
        }
        if cell.unreadable > 0 {
            text += &format!(
                "; {} without an intent of this cell",
                count(cell.unreadable, "file")
            );
        }
        text
    })?;
    writeln!(out, "\n</details>")
}

/// A line each, of the first few.
fn rows<T>(out: &mut String, items: &[T], row: impl Fn(&T) -> String) -> std::fmt::Result {
    for item in items.iter().take(ROWS) {
        writeln!(out, "{}", row(item))?;
    }
    if items.len() > ROWS {
        writeln!(out, "- … and {} more", items.len() - ROWS)?;
    }
    Ok(())
}

fn group(index: usize, group: &Group, out: &mut String) -> std::fmt::Result {
    let plans: Vec<String> = group.plans.keys().map(ToString::to_string).collect();
    let mut diff = String::new();
    for object in &group.objects {
        writeln!(diff, "# {}\n{}", object.object, object.diff.trim_end())?;
    }
    let fence = "`".repeat(3.max(longest_run(&diff) + 1));
    writeln!(
        out,
        "\n<details><summary>Change {index}: {}, {} in {}; plan {}</summary>\n\n{}\n\n{fence}diff\n{diff}{fence}\n\n</details>",
        count(group.users, "user"),
        count(group.workspaces, "workspace"),
        count(group.cells.len() as u64, "cell"),
        plans.join(", "),
        examples(&group.examples, group.users)
    )
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or_default()
}

/// As code, whatever it holds.
fn code(text: &str) -> String {
    format!("`{}`", short(text).replace('`', "'").replace('|', "\\|"))
}

/// As words: nothing in it becomes a tag, a link, a mention or a column.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in short(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '[' | ']' | '*' | '_' | '#' | '!' => out.extend(['\\', c]),
            '@' => out.push_str("&#64;"),
            '\n' | '\r' => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
