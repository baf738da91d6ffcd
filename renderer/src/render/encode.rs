//! How a value is written into a template: as JSON, which is valid YAML and one scalar whatever it holds.

use std::fmt::{self, Write};

use minijinja::{Error, ErrorKind, Output, State, Value, value::ValueKind};

/// The formatter of every template: strings always in quotes, also those marked safe.
pub(crate) fn format_value(
    out: &mut Output<'_>,
    _state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    write_value(out, value)
}

fn write_value(out: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::String => Ok(write_text(out, value.as_str().unwrap_or_default())?),
        ValueKind::None => Ok(out.write_str("null")?),
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        // Floats print differently from one language to the next; Kubernetes has none that we need.
        ValueKind::Number if value.is_integer() => Ok(write!(out, "{value}")?),
        ValueKind::Seq => {
            out.write_char('[')?;
            for (index, item) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.write_str(", ")?;
                }
                write_value(out, &item)?;
            }
            Ok(out.write_char(']')?)
        }
        ValueKind::Map => {
            out.write_char('{')?;
            for (index, key) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.write_str(", ")?;
                }
                write_value(out, &key)?;
                out.write_str(": ")?;
                write_value(out, &value.get_item(&key)?)?;
            }
            Ok(out.write_char('}')?)
        }
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        other => Err(Error::new(
            ErrorKind::BadSerialization,
            format!("a {other} cannot be written as YAML"),
        )),
    }
}

/// Writes a text as a JSON string (RFC 8259) that is also one double-quoted scalar to readers of
/// YAML 1.1, which take U+0085, U+2028 and U+2029 for line breaks and refuse unprintable characters.
pub(crate) fn write_text(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    write_inner(out, text)?;
    out.write_char('"')
}

/// The same without the quotes.
pub(crate) fn write_inner(out: &mut impl Write, text: &str) -> fmt::Result {
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let escape = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            ' '..='\u{7e}'
            | '\u{a0}'..='\u{2027}'
            | '\u{202a}'..='\u{d7ff}'
            | '\u{e000}'..='\u{fefe}'
            | '\u{ff00}'..='\u{fffd}'
            | '\u{10000}'.. => continue,
            _ => "",
        };
        out.write_str(&text[plain..at])?;
        if escape.is_empty() {
            // All that is left lies in the basic plane: four digits suffice.
            write!(out, "\\u{:04x}", u32::from(c))?;
        } else {
            out.write_str(escape)?;
        }
        plain = at + c.len_utf8();
    }
    out.write_str(&text[plain..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str) -> String {
        let mut out = String::new();
        write_text(&mut out, text).unwrap();
        out
    }

    #[test]
    fn line_breaks_of_any_yaml_are_escaped() {
        assert_eq!(
            encoded("a\u{2028}b\u{85}c\u{feff}d\u{0}é😀\""),
            "\"a\\u2028b\\u0085c\\ufeffd\\u0000é😀\\\"\""
        );
    }

    proptest! {
        #[test]
        fn json_and_yaml_read_back_what_was_written(text in ".*|[\\x00-\\u{ffff}]{0,40}") {
            let written = encoded(&text);
            prop_assert_eq!(&serde_json::from_str::<String>(&written).unwrap(), &text);
            prop_assert_eq!(&serde_saphyr::from_str::<String>(&written).unwrap(), &text);
            prop_assert_eq!(written.lines().count(), 1);
        }
    }
}
