//! A YAML document as a tree that remembers where everything stood, so that every later complaint
//! can name file, line and column.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

/// Line and column in a file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: u64,
    /// The column.
    pub(crate) column: u64,
}

impl Position {
    /// The beginning of a file.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

impl From<Location> for Position {
    fn from(at: Location) -> Self {
        Self {
            line: at.line().max(1),
            column: at.column().max(1),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it begins.
    pub(crate) at: Position,
    /// What it is.
    pub(crate) kind: Kind,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Anything but a list or a map.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file.
    Map(Vec<Entry>),
}

/// A field of a map.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The field's name.
    pub(crate) key: String,
    /// Where the name stands.
    pub(crate) key_at: Position,
    /// The field's value.
    pub(crate) value: Node,
}

/// Policy files are flat; anything deeper is an attack on the reader's stack.
const DEEPEST: usize = 32;

/// Values of one file, those that aliases repeat among them.
const LARGEST: usize = 100_000;

/// Reads one document.
///
/// # Errors
/// Where the text stops being YAML, has a field twice, or uses what strict policy does not allow
/// (merge keys, deep nesting, anchors that expand without bound).
pub(crate) fn parse(text: &str) -> Result<Node, (Position, String)> {
    use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            max_documents: 1,
            max_events: LARGEST,
            max_nodes: LARGEST,
            max_anchors: 100,
            max_aliases: 1_000,
            max_recorded_anchor_events: LARGEST,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: LARGEST },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Tree>>(text, options) {
        Ok(root) => Ok(Node {
            at: root.referenced.into(),
            kind: root.value.0,
        }),
        Err(error) => {
            let at = error.location().map_or(Position::START, Position::from);
            let error = error.without_snippet();
            Err((at, format!("{}; {}", what(error), remedy(error))))
        }
    }
}

/// What is wrong with a text that is no strict YAML, on one line.
fn what(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::{Error, budget::BudgetBreach};
    match error {
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Documents { .. } => "holds several documents",
            BudgetBreach::Depth { .. } => "is nested too deeply",
            _ => "holds too much",
        }
        .to_owned(),
        Error::MergeKeyNotAllowed { .. } => "merge keys (`<<`) are not allowed".to_owned(),
        _ => {
            let message = error.to_string();
            let message = message.lines().next().unwrap_or_default();
            // The place is told once, in front; advice to programmers never.
            let ends = [" at line ", ", set DuplicateKeyPolicy"];
            let cut = |message, end| str::split(message, end).next().unwrap_or(message);
            shorten_to(ends.into_iter().fold(message, cut), 200)
        }
    }
}

/// What to do about a text that is no strict YAML.
fn remedy(error: &serde_saphyr::Error) -> &'static str {
    use serde_saphyr::{Error, budget::BudgetBreach};
    match error {
        Error::DuplicateMappingKey { .. } => "leave one of the two",
        Error::MergeKeyNotAllowed { .. } => "write the fields out in each place",
        Error::MultipleDocuments { .. } => "write one document a file, without `---` between",
        Error::UnknownAnchor { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasError { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "write the value out instead of an anchor and aliases"
        }
        Error::Budget {
            breach: BudgetBreach::Documents { .. },
            ..
        } => "write one document a file, without `---` between",
        Error::Budget { .. } => {
            "policy is flat and small: write fewer and less deeply nested values"
        }
        Error::UnsupportedTag { .. } => "leave the tag away",
        Error::InvalidBooleanStrict { .. } => "write true or false",
        _ => "check quotes, brackets and indentation here and just above",
    }
}

/// The beginning of a text, of so many characters.
fn shorten_to(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

impl Node {
    /// The tree without positions.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()))
                    .collect(),
            ),
        }
    }

    /// Where the value under this path stands, or as far towards it as the file goes.
    pub(crate) fn position(&self, path: &[&str]) -> Position {
        let mut node = self;
        for step in path {
            let next = match &node.kind {
                Kind::Map(entries) => entries
                    .iter()
                    .find(|entry| entry.key == *step)
                    .map(|entry| &entry.value),
                Kind::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
                Kind::Scalar(_) => None,
            };
            match next {
                Some(found) => node = found,
                None => break,
            }
        }
        node.at
    }

    /// What the value is, in the words of an error message.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(Value::Null) => "nothing",
            Kind::Scalar(Value::Bool(_)) => "true or false",
            Kind::Scalar(Value::Number(number)) if number.is_f64() => "a fraction",
            Kind::Scalar(Value::Number(_)) => "a number",
            Kind::Scalar(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// The shape serde fills; positions come from [`Spanned`] around each.
struct Tree(Kind);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree(Kind::Scalar(Value::Null)))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree(Kind::Scalar(Value::Null)))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree(Kind::Scalar(value.into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree(Kind::Scalar(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree(Kind::Scalar(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree(Kind::Scalar(value.into())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree(Kind::Scalar(value.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Tree>>()? {
            items.push(Node {
                at: item.referenced.into(),
                kind: item.value.0,
            });
        }
        Ok(Tree(Kind::List(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let value = map.next_value::<Spanned<Tree>>()?;
            let value = Node {
                at: value.referenced.into(),
                kind: value.value.0,
            };
            entries.push(Entry {
                key: key.value,
                key_at: key.referenced.into(),
                value,
            });
        }
        Ok(Tree(Kind::Map(entries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let node = parse("a: 1\nb:\n  - x\n  - c: yes\n").unwrap();
        assert_eq!(
            node.position(&["b", "1", "c"]),
            Position { line: 4, column: 8 }
        );
        assert_eq!(node.position(&["b", "0"]), Position { line: 3, column: 5 });
        assert_eq!(
            node.to_value(),
            serde_json::json!({"a": 1, "b": ["x", {"c": "yes"}]})
        );
        let Kind::Map(entries) = &node.kind else {
            panic!("a map")
        };
        assert_eq!(entries[1].key_at, Position { line: 2, column: 1 });
    }

    #[test]
    fn what_is_not_strict_yaml_is_refused_with_its_place() {
        let deep = format!("a: {}", "[".repeat(200));
        for (text, line) in [
            ("a: 1\na: 2\n", 2),
            ("a: [1\n", 2),
            ("a: &x {b: 1}\nc:\n  <<: *x\n", 3),
            (&deep, 1),
            ("a: 1\n---\nb: 2\n", 2),
        ] {
            let (at, message) = parse(text).unwrap_err();
            assert!(at.line.abs_diff(line) <= 1, "{text}: {at:?} {message}");
            assert!(!message.is_empty() && !message.contains('\n'));
        }
    }
}
