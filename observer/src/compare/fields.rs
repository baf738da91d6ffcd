//! Whether a live object is what Git says, field by field.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{scalar, shape};

/// How many fields of one object are named.
const NAMED: usize = 12;
/// Longest value shown, in characters.
const SHOWN: usize = 80;

/// A field that is not what Git says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Where it is: `spec.template.spec.containers[name=theia].image`.
    pub path: String,
    /// What Git says; none if Git says nothing.
    pub wanted: Option<String>,
    /// What stands in the cluster; none if nothing does.
    pub found: Option<String>,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "{}: {} in Git, {} in the cluster",
            self.path,
            side(&self.wanted),
            side(&self.found)
        )
    }
}

/// Every field of `wanted`, an object as it stands in Git, that `found`, the live object, does not have or has
/// otherwise. What the API server defaults and adds is no difference; what would select other pods or allow
/// more is one. At most 12 are named.
#[must_use]
pub fn fields(wanted: &Value, found: &Value) -> Vec<Field> {
    let kind = wanted["kind"].as_str().unwrap_or_default();
    let mut walk = Walk {
        kind,
        path: Vec::new(),
        found: Vec::new(),
    };
    let empty = Map::new();
    let top = wanted.as_object().unwrap_or(&empty);
    for (name, wanted) in top {
        match name.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => walk.metadata(wanted, found.get(name)),
            _ => walk.member("", name, wanted, found.get(name), false),
        }
    }
    // An exact part that Git leaves out altogether must not stand in the cluster either.
    let bare = Value::Object(Map::new());
    for (name, found) in found.as_object().unwrap_or(&empty) {
        if !top.contains_key(name) && shape::is_exact(kind, name) {
            walk.member("", name, &bare, Some(found), false);
        }
    }
    walk.found
}

/// A step of a path.
enum Step {
    Name(String),
    Element(String),
}

struct Walk<'a> {
    kind: &'a str,
    path: Vec<Step>,
    found: Vec<Field>,
}

impl Walk<'_> {
    /// Labels and annotations are ours; the rest of the metadata is the API server's.
    fn metadata(&mut self, wanted: &Value, found: Option<&Value>) {
        self.path.push(Step::Name("metadata".to_owned()));
        for (name, wanted) in wanted.as_object().into_iter().flatten() {
            if !matches!(name.as_str(), "name" | "namespace") {
                let found = found.and_then(|found| found.get(name));
                self.member("metadata", name, wanted, found, false);
            }
        }
        self.path.pop();
    }

    fn member(
        &mut self,
        parent: &str,
        name: &str,
        wanted: &Value,
        found: Option<&Value>,
        exact: bool,
    ) {
        self.path.push(Step::Name(name.to_owned()));
        let exact = exact || shape::is_exact(self.kind, name);
        match found {
            Some(found) if !found.is_null() => self.value(parent, name, wanted, found, exact),
            _ if shape::is_left_out(name, wanted) => {}
            _ => self.differs(Some(wanted), None),
        }
        self.path.pop();
    }

    fn value(&mut self, parent: &str, name: &str, wanted: &Value, found: &Value, exact: bool) {
        match (wanted, found) {
            (Value::Object(wanted), Value::Object(found)) => {
                self.object(name, wanted, found, exact)
            }
            (Value::Array(wanted), Value::Array(found)) => {
                self.list(parent, name, wanted, found, exact)
            }
            (Value::Null, _) if !exact => {}
            _ if scalar::same(parent, name, wanted, found) => {}
            _ => self.differs(Some(wanted), Some(found)),
        }
    }

    fn object(
        &mut self,
        name: &str,
        wanted: &Map<String, Value>,
        found: &Map<String, Value>,
        exact: bool,
    ) {
        for (field, wanted) in wanted {
            self.member(name, field, wanted, found.get(field), exact);
        }
        if !exact {
            return;
        }
        for (field, extra) in found {
            if !wanted.contains_key(field)
                && !shape::is_default(self.kind, name, field)
                && !shape::is_left_out(field, extra)
            {
                self.path.push(Step::Name(field.clone()));
                self.differs(None, Some(extra));
                self.path.pop();
            }
        }
    }

    fn list(&mut self, parent: &str, name: &str, wanted: &[Value], found: &[Value], exact: bool) {
        let keyed = shape::keys_of(name, wanted)
            .and_then(|keys| Some((by_key(keys, wanted)?, by_key(keys, found)?)));
        let Some((wanted, found)) = keyed else {
            return self.by_position(parent, name, wanted, found, exact);
        };
        for (key, wanted) in &wanted {
            self.path.push(Step::Element(key.clone()));
            match found.iter().find(|(other, _)| other == key) {
                Some((_, found)) => self.value(parent, name, wanted, found, exact),
                None => self.differs(Some(wanted), None),
            }
            self.path.pop();
        }
        for (key, extra) in &found {
            if !wanted.iter().any(|(other, _)| other == key) {
                self.path.push(Step::Element(key.clone()));
                self.differs(None, Some(extra));
                self.path.pop();
            }
        }
    }

    fn by_position(
        &mut self,
        parent: &str,
        name: &str,
        wanted: &[Value],
        found: &[Value],
        exact: bool,
    ) {
        for at in 0..wanted.len().max(found.len()) {
            self.path.push(Step::Element(at.to_string()));
            match (wanted.get(at), found.get(at)) {
                (Some(wanted), Some(found)) => self.value(parent, name, wanted, found, exact),
                (wanted, found) => self.differs(wanted, found),
            }
            self.path.pop();
        }
    }

    fn differs(&mut self, wanted: Option<&Value>, found: Option<&Value>) {
        if self.found.len() < NAMED {
            self.found.push(Field {
                path: self.spelled(),
                wanted: wanted.map(shortened),
                found: found.map(shortened),
            });
        }
    }

    fn spelled(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Element(element) => {
                    text.push('[');
                    text.push_str(element);
                    text.push(']');
                }
                // A name with a dot or slash, such as an annotation's.
                Step::Name(name) if name.contains(['.', '/']) => {
                    text.push('[');
                    text.push_str(name);
                    text.push(']');
                }
                Step::Name(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                }
            }
        }
        text
    }
}

/// The elements with their keys; none if two have the same, so that only their places tell them apart.
fn by_key<'a>(keys: &[&str], elements: &'a [Value]) -> Option<Vec<(String, &'a Value)>> {
    let mut found: Vec<(String, &Value)> = Vec::with_capacity(elements.len());
    for element in elements {
        let key = keys
            .iter()
            .filter_map(|key| {
                let value = element.get(key).cloned().or_else(|| shape::default_of(key));
                value.map(|value| match value {
                    Value::String(text) => format!("{key}={text}"),
                    other => format!("{key}={other}"),
                })
            })
            .collect::<Vec<_>>()
            .join(",");
        if found.iter().any(|(other, _)| *other == key) {
            return None;
        }
        found.push((key, element));
    }
    Some(found)
}

fn shortened(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= SHOWN {
        return text;
    }
    let mut short: String = text.chars().take(SHOWN - 1).collect();
    short.push('…');
    short
}
