//! Changing what one ring runs in the text of `rings.yaml`, and nothing else: comments, layout and the order of
//! fields are a person's and stay.

use coditect_core::{Error, ReleaseName, Result, RingName};
use serde_json::Value;

use super::{
    fleet::{Ring, RingsFile},
    node::{Kind, Node, Position, parse},
};

/// What a ring runs: a template release and the engine that it was reviewed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// The release.
    pub release: ReleaseName,
    /// The engine.
    pub engine: u32,
}

impl Ring {
    /// What the ring runs.
    #[must_use]
    pub fn runs(&self) -> Runs {
        Runs {
            release: self.release.clone(),
            engine: self.engine,
        }
    }
}

/// What each ring of a `rings.yaml` runs, in the file's order.
///
/// # Errors
/// `Invalid` if the text is no valid `rings.yaml`.
pub fn rings_of(text: &str) -> Result<Vec<(RingName, Runs)>> {
    let file: RingsFile = serde_json::from_value(read(text)?.to_value())
        .map_err(|error| Error::invalid("rings.yaml", error.to_string()))?;
    let named = |ring: Ring| (ring.name.clone(), ring.runs());
    Ok(file.rings.into_iter().map(named).collect())
}

/// The text of a `rings.yaml` with another release and engine in one ring. The two values are replaced where they
/// stand; then the outcome is read, and refused unless it differs from the text in those two values alone.
///
/// # Errors
/// `Invalid` naming the place if the text is no strict YAML, has no such ring, or writes one of the two values in a
/// way that cannot be replaced in place (an anchor, an alias).
pub fn with_ring(text: &str, ring: &RingName, to: &Runs) -> Result<String> {
    let before = read(text)?;
    let (index, release, engine) = places(&before, ring)?;
    let mut places = [
        (release, written(to.release.as_str())),
        (engine, to.engine.to_string()),
    ];
    // From behind, so that the place of the other one holds.
    places.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut edited = text.to_owned();
    for (at, value) in places {
        let range = scalar(&edited, at)
            .ok_or_else(|| refused(at, "is not written as a plain or quoted value of one line"))?;
        edited.replace_range(range, &value);
    }
    let mut wanted = before.to_value();
    let entry = &mut wanted["rings"][index];
    entry["release"] = Value::from(to.release.as_str());
    entry["engine"] = Value::from(to.engine);
    if read(&edited)?.to_value() != wanted {
        return Err(refused(
            release,
            "is bound up with other values (an anchor, an alias)",
        ));
    }
    Ok(edited)
}

fn read(text: &str) -> Result<Node> {
    parse(text).map_err(|(at, why)| refused(at, &why))
}

/// The ring's place in the list, and where its release and its engine stand.
fn places(root: &Node, ring: &RingName) -> Result<(usize, Position, Position)> {
    let missing = |at, what: &str| refused(at, &format!("has no {what} of ring `{ring}`"));
    let field = |node: &Node, name: &str| match &node.kind {
        Kind::Map(entries) => entries
            .iter()
            .find(|entry| entry.key == name)
            .map(|entry| entry.value.clone()),
        _ => None,
    };
    let rings = field(root, "rings").ok_or_else(|| missing(root.at, "list"))?;
    let Kind::List(items) = &rings.kind else {
        return Err(missing(rings.at, "list"));
    };
    let named =
        |node: &&Node| field(node, "name").is_some_and(|name| name.to_value() == ring.as_str());
    let found = items.iter().position(|item| named(&item));
    let index = found.ok_or_else(|| missing(rings.at, "entry"))?;
    let at = |name: &str| {
        field(&items[index], name)
            .map(|value| value.at)
            .ok_or_else(|| missing(items[index].at, name))
    };
    Ok((index, at("release")?, at("engine")?))
}

/// A release as a YAML value: in quotes where it would be read as anything but text.
fn written(release: &str) -> String {
    match parse(release) {
        Ok(node) if node.to_value() == release => release.to_owned(),
        _ => format!("\"{release}\""),
    }
}

/// The bytes of the plain or quoted value that begins at a place.
fn scalar(text: &str, at: Position) -> Option<std::ops::Range<usize>> {
    let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
    let begins: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(begins..)?.lines().next()?;
    let skipped: usize = rest.chars().take(column).map(char::len_utf8).sum();
    let value = rest.get(skipped..)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let length = match value.chars().next()? {
        quote @ ('"' | '\'') => value.get(1..)?.find(quote)? + 2,
        first if plain(first) => value.find(|c| !plain(c)).unwrap_or(value.len()),
        _ => return None,
    };
    let from = begins + skipped;
    Some(from..from + length)
}

fn refused(at: Position, why: &str) -> Error {
    let place = format!("rings.yaml:{}:{}", at.line, at.column);
    Error::invalid(place, format!("{why}; change it by hand"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runs(release: &str, engine: u32) -> Runs {
        Runs {
            release: release.parse().unwrap(),
            engine,
        }
    }

    fn edit(text: &str, ring: &str, release: &str, engine: u32) -> Result<String> {
        with_ring(text, &ring.parse().unwrap(), &runs(release, engine))
    }

    #[test]
    fn the_sample_keeps_its_comments() {
        let text = include_str!("../../../tenants/rings.yaml");
        let edited = edit(text, "early", "v2", 1).unwrap();
        let differing: Vec<_> = text
            .lines()
            .zip(edited.lines())
            .filter(|(before, after)| before != after)
            .collect();
        assert_eq!(differing, [("    release: v1", "    release: v2")]);
        assert_eq!(edit(&edited, "early", "v1", 1).unwrap(), text);
    }

    #[test]
    fn values_are_replaced_in_any_layout() {
        let text = "rings: [{name: a, release: 'v1', engine: 1, below: 5}, {engine: 1, name: \"é\u{301}\", release: v1}]";
        let text = text.replace("\"é\u{301}\"", "b # not ours: v1\n, below: 10000");
        assert_eq!(
            edit(&text, "a", "v2", 12).unwrap(),
            text.replacen("'v1', engine: 1", "v2, engine: 12", 1)
        );
        // What YAML would read as a number is quoted.
        let edited = edit(&text, "a", "1.5", 1).unwrap();
        assert!(edited.contains("release: \"1.5\""), "{edited}");
    }

    #[test]
    fn what_cannot_be_replaced_in_place_is_refused_with_its_place() {
        for (text, says) in [
            (
                "rings:\n- {name: a, release: &r v1, engine: 1}\n- {name: b, release: *r, engine: 1}",
                "rings.yaml:2:",
            ),
            ("rings:\n- {name: a, engine: 1}", "has no release"),
            (
                "rings:\n- {name: b, release: v1, engine: 1}",
                "has no entry",
            ),
            ("rings: 5", "has no list"),
            ("rings: [", "rings.yaml:1:"),
        ] {
            let error = edit(text, "a", "v2", 1).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    /// A file as people write them: block or flow, quoted or not, comments anywhere.
    fn file() -> impl Strategy<Value = (String, usize)> {
        let comment = prop::sample::select(vec!["", "  # v1", " # release: é v1 'x", "   "]);
        let value = prop::sample::select(vec!["v1", "'v1'", "\"v1\"", "v-1.2_x"]);
        let ring = (comment.clone(), value, comment, any::<bool>(), 0..4_usize);
        prop::collection::vec(ring, 1..6).prop_map(|rings| {
            let mut text = String::from("# who gets which release: v1\nrings:\n");
            let count = rings.len();
            for (index, (before, value, after, flow, order)) in rings.into_iter().enumerate() {
                let mut fields = [
                    format!("name: r{index}"),
                    format!("release: {value}"),
                    "engine: 1".to_owned(),
                    format!("below: {}", (index + 1) * 1_000),
                ];
                fields.rotate_left(order);
                if flow {
                    text.push_str(&format!("  - {{{}}}{after}\n", fields.join(", ")));
                } else {
                    let [first, others @ ..] = fields;
                    text.push_str(&format!("  - {first}{before}\n"));
                    for field in others {
                        text.push_str(&format!("    {field}{after}\n\n"));
                    }
                }
            }
            (text, count)
        })
    }

    proptest! {
        #[test]
        fn one_ring_changes_and_goes_back((text, count) in file(), chosen in any::<prop::sample::Index>(), release in "[a-z0-9]{1,6}", engine in 1..99_u32) {
            let chosen = chosen.index(count);
            let edited = edit(&text, &format!("r{chosen}"), &release, engine).unwrap();
            let (before, after) = (parse(&text).unwrap().to_value(), parse(&edited).unwrap().to_value());
            for index in 0..count {
                let (before, after) = (&before["rings"][index], &after["rings"][index]);
                if index == chosen {
                    prop_assert_eq!(&after["release"], &Value::from(release.as_str()));
                    prop_assert_eq!(&after["engine"], &Value::from(engine));
                    prop_assert_eq!(&after["name"], &before["name"]);
                } else {
                    prop_assert_eq!(after, before);
                }
            }
            // Everything outside of the two values is the person's own text.
            prop_assert_eq!(text.lines().count(), edited.lines().count());
            let comments = |text: &str| -> Vec<String> {
                text.lines().filter_map(|line| line.split_once('#').map(|(_, rest)| rest.to_owned())).collect()
            };
            prop_assert_eq!(comments(&text), comments(&edited));
        }
    }
}
