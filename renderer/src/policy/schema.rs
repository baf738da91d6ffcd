//! The structure of policy files: one JSON Schema per kind of file, generated from the Rust types.
//! Editors get it as a file; the loader checks against the same schema, so that the two never differ
//! and all errors of a file are found at once.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value};

use super::{
    errors::{Collector, hint},
    format,
    node::{Kind, Node},
};

/// The JSON Schema (draft 2020-12) of a type, as its files are read.
pub(crate) fn of<T: JsonSchema>() -> Value {
    // Fields that are not written out again (they are no part of an input hash) are read like any other.
    let plain = RecursiveTransform(|schema: &mut Schema| drop(schema.remove("writeOnly")));
    let settings = SchemaSettings::draft2020_12().with_transform(plain);
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Checks a document against a schema made by [`of`], adding every violation.
pub(crate) fn check(file: &str, document: &Node, schema: &Value, errors: &mut Collector) {
    Checker {
        file,
        root: schema,
        errors,
    }
    .node(document, schema, "");
}

struct Checker<'a> {
    file: &'a str,
    root: &'a Value,
    errors: &'a mut Collector,
}

impl<'a> Checker<'a> {
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|name| name.strip_prefix('#'))
        {
            Some(pointer) => self.root.pointer(pointer).unwrap_or(schema),
            None => schema,
        }
    }

    fn bad(&mut self, node: &Node, message: impl Into<String>) {
        self.errors.add(self.file, node.at, message);
    }

    fn node(&mut self, node: &Node, schema: &'a Value, name: &str) {
        let schema = self.resolve(schema);
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            // What `Option<T>` becomes: T or null.
            let null = matches!(node.kind, Kind::Scalar(Value::Null));
            if let Some(choice) = choices
                .iter()
                .find(|choice| null == (choice["type"] == "null"))
            {
                self.node(node, choice, name);
            }
            return;
        }
        if let Some(names) = names(schema) {
            self.one_of(node, &names, name);
            return;
        }
        if !self.has_type(node, schema) {
            let expected = expected(schema);
            let found = node.describe();
            let quote = if expected == "text"
                && found != "a list"
                && found != "a map"
                && found != "nothing"
            {
                "; put it in quotes"
            } else {
                ""
            };
            self.bad(
                node,
                format!("{}must be {expected}, not {found}{quote}", subject(name)),
            );
            return;
        }
        match &node.kind {
            Kind::Scalar(value) => self.scalar(node, value, schema, name),
            Kind::List(items) => {
                if let Some(item) = schema.get("items") {
                    for node in items {
                        self.node(node, item, name);
                    }
                }
            }
            Kind::Map(_) => self.map(node, schema, name),
        }
    }

    fn one_of(&mut self, node: &Node, names: &[&str], name: &str) {
        match &node.kind {
            Kind::Scalar(Value::String(text)) if names.contains(&text.as_str()) => {}
            Kind::Scalar(Value::String(text)) => {
                self.bad(
                    node,
                    format!(
                        "{}may not be `{}`{}",
                        subject(name),
                        shorten(text),
                        hint(text, names.iter().copied())
                    ),
                );
            }
            _ => self.bad(
                node,
                format!(
                    "{}must be one of `{}`, not {}",
                    subject(name),
                    names.join("`, `"),
                    node.describe()
                ),
            ),
        }
    }

    fn has_type(&self, node: &Node, schema: &Value) -> bool {
        let allowed = |kind: &str| match schema.get("type") {
            Some(Value::String(one)) => one == kind,
            Some(Value::Array(several)) => several.iter().any(|one| one == kind),
            _ => true,
        };
        match &node.kind {
            Kind::Scalar(Value::Null) => allowed("null"),
            Kind::Scalar(Value::Bool(_)) => allowed("boolean"),
            Kind::Scalar(Value::Number(number)) => {
                allowed("number") || (allowed("integer") && !number.is_f64())
            }
            Kind::Scalar(_) => allowed("string"),
            Kind::List(_) => allowed("array"),
            Kind::Map(_) => allowed("object"),
        }
    }

    fn scalar(&mut self, node: &Node, value: &Value, schema: &Value, name: &str) {
        if let Some(number) = value.as_f64() {
            let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
            // What the type behind it can hold, where nothing smaller is said.
            let most = most.or(match schema["format"].as_str() {
                Some("uint32") => Some(u32::MAX.into()),
                _ => None,
            });
            if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
                let range = match (least, most) {
                    (Some(least), Some(most)) => format!("from {least} to {most}"),
                    (Some(least), None) => format!("{least} or more"),
                    (None, Some(most)) => format!("{most} or less"),
                    (None, None) => String::new(),
                };
                self.bad(
                    node,
                    format!("{}must be {range}, not {number}", subject(name)),
                );
            }
        }
        if let (Some(text), Some(format)) = (value.as_str(), schema["format"].as_str())
            && let Err(why) = format::check(format, text)
        {
            self.bad(node, format!("{}{why}", subject(name)));
        }
    }

    fn map(&mut self, node: &Node, schema: &'a Value, name: &str) {
        let Kind::Map(entries) = &node.kind else {
            return;
        };
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let valid: Vec<&str> = properties
            .unwrap_or(&none)
            .keys()
            .map(String::as_str)
            .collect();
        let others = schema
            .get("additionalProperties")
            .filter(|others| others.is_object());
        let key_format = schema
            .get("propertyNames")
            .and_then(|names| self.resolve(names)["format"].as_str());
        for entry in entries {
            match (
                properties.and_then(|properties| properties.get(&entry.key)),
                others,
            ) {
                (Some(schema), _) => self.node(&entry.value, schema, &entry.key),
                (None, Some(schema)) => {
                    if let Some(Err(why)) =
                        key_format.map(|format| format::check(format, &entry.key))
                    {
                        self.errors.add(
                            self.file,
                            entry.key_at,
                            format!("`{}` {why}", shorten(&entry.key)),
                        );
                    }
                    self.node(&entry.value, schema, &entry.key);
                }
                (None, None) => {
                    let hint = hint(&entry.key, valid.iter().copied());
                    self.errors.add(
                        self.file,
                        entry.key_at,
                        format!("unknown field `{}`{hint}", shorten(&entry.key)),
                    );
                }
            }
        }
        for required in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !entries.iter().any(|entry| entry.key == required) {
                let inside = if name.is_empty() {
                    String::new()
                } else {
                    format!(" in `{name}`")
                };
                self.bad(node, format!("missing field `{required}`{inside}; add it"));
            }
        }
    }
}

/// The names that a Rust enum allows: a list, or one schema for each where they have descriptions.
fn names(schema: &Value) -> Option<Vec<&str>> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    if let Some(names) = list("enum") {
        return Some(names.iter().filter_map(Value::as_str).collect());
    }
    list("oneOf").map(|choices| {
        choices
            .iter()
            .filter_map(|choice| choice["const"].as_str())
            .collect()
    })
}

fn subject(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!("`{}` ", shorten(name))
    }
}

/// What a person wrote, short enough for one line of a message and free of control characters.
pub(crate) fn shorten(text: &str) -> String {
    let clean: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().count() > 60 {
        format!("{clean}…")
    } else {
        clean
    }
}

fn expected(schema: &Value) -> &'static str {
    let name = match &schema["type"] {
        Value::String(one) => one.as_str(),
        Value::Array(several) => several
            .iter()
            .filter_map(Value::as_str)
            .find(|one| *one != "null")
            .unwrap_or_default(),
        _ => "",
    };
    match name {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a map",
        _ => "something else",
    }
}
