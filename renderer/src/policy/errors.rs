//! What is wrong with a policy folder: all of it, one line each, in the order of the files.

use std::fmt;

use serde::Serialize;

use super::node::Position;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PolicyError {
    /// The file, relative to the policy folder, with `/` between its parts.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// What is wrong and, where it can be told, what would be right.
    pub message: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

/// Everything that is wrong with a policy folder. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PolicyErrors(Vec<PolicyError>);

impl PolicyErrors {
    /// The single errors, by file and position.
    pub fn iter(&self) -> std::slice::Iter<'_, PolicyError> {
        self.0.iter()
    }

    /// The same with files named from one folder higher, of which `folder` holds the policy.
    #[must_use]
    pub fn below(self, folder: &str) -> Self {
        let placed = |error: PolicyError| PolicyError {
            file: match error.file.as_str() {
                "." => folder.to_owned(),
                file => format!("{folder}/{file}"),
            },
            ..error
        };
        Self(self.0.into_iter().map(placed).collect())
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl From<PolicyErrors> for coditect_core::Error {
    fn from(errors: PolicyErrors) -> Self {
        let Some(first) = errors.0.first() else {
            return Self::invalid("policy", "is refused");
        };
        let rest = match errors.0.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        Self::invalid(
            format!("{}:{}:{}:", first.file, first.line, first.column),
            format!("{}{rest}", first.message),
        )
        .because(errors)
    }
}

/// Gathers errors while a folder is read.
#[derive(Default)]
pub(crate) struct Collector(Vec<PolicyError>);

impl Collector {
    /// Adds one.
    pub(crate) fn add(&mut self, file: &str, at: Position, message: impl Into<String>) {
        self.0.push(PolicyError {
            file: file.to_owned(),
            line: at.line,
            column: at.column,
            message: message.into(),
        });
    }

    /// How many there are so far.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Succeeds if there are none.
    pub(crate) fn finish(self) -> Result<(), PolicyErrors> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.into_errors())
        }
    }

    /// The errors in order. At least one must have been added.
    pub(crate) fn into_errors(mut self) -> PolicyErrors {
        self.0.sort_by(|a, b| {
            (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
        });
        self.0.dedup();
        PolicyErrors(self.0)
    }
}

/// The valid name nearest to a wrong one, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(
    wrong: &str,
    valid: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    valid
        .into_iter()
        .map(|name| {
            (
                strsim::jaro_winkler(&wrong.to_ascii_lowercase(), &name.to_ascii_lowercase()),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// `; did you mean …?`, or the valid names if none is near, or nothing if there are none.
pub(crate) fn hint<'a>(wrong: &str, valid: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = nearest(wrong, valid.clone()) {
        return format!("; did you mean `{name}`?");
    }
    let names: Vec<String> = valid.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; known are {}", names.join(", "))
    }
}
