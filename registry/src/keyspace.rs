//! Keys in both directions: from what a reader finds to what it says, and from what an export says back to a key.

use std::{collections::HashMap, sync::LazyLock};

use foundationdb_tuple::{Element, Versionstamp, pack};
use uuid::Uuid;

use crate::{
    keys::{self, Export, KeyKind, KeyPart, ParsedKey},
    store::{Key, KeyRange},
};

static BY_PATTERN: LazyLock<HashMap<&'static str, &'static KeyKind>> = LazyLock::new(|| {
    keys::layout()
        .iter()
        .map(|kind| (kind.pattern, kind))
        .collect()
});

/// True for `{t}`, false for `tenant`.
fn is_part(segment: &str) -> bool {
    segment.starts_with('{')
}

/// The kind of this pattern, if the table has it.
pub(crate) fn kind_of(pattern: &str) -> Option<&'static KeyKind> {
    BY_PATTERN.get(pattern).copied()
}

/// The parts of a key that tell it from others of its kind. The versionstamp of a sequence, given anew wherever
/// the record is appended, is not among them.
pub(crate) fn parts(key: &ParsedKey) -> impl Iterator<Item = &KeyPart> {
    key.kind
        .pattern
        .split('/')
        .zip(&key.parts)
        .filter(|(segment, part)| is_part(segment) && !matches!(part, KeyPart::Stamp(_)))
        .map(|(_, part)| part)
}

/// The variable segments that a kind's keys are written with in an export.
pub(crate) fn segments(kind: &'static KeyKind) -> impl Iterator<Item = &'static str> {
    kind.pattern
        .split('/')
        .filter(move |segment| is_part(segment) && *segment != "{version}")
}

/// The key of this kind with these parts; for a sequence, what its records are appended to. None if the parts are
/// too few, too many or of other types than the kind's.
pub(crate) fn build(kind: &'static KeyKind, parts: Vec<KeyPart>) -> Option<Key> {
    let in_sequence = kind.export == Export::AsSequence;
    let mut parts = parts.into_iter();
    let mut elements = Vec::new();
    for segment in kind.pattern.split('/') {
        if in_sequence && segment == "{version}" {
            continue;
        }
        elements.push(if is_part(segment) {
            element(parts.next()?)?
        } else {
            Element::String(segment.into())
        });
    }
    if parts.next().is_some() {
        return None;
    }
    let key = pack(&elements);
    let whole = if in_sequence {
        [key.clone(), pack(&Versionstamp::complete([0; 10], 0))].concat()
    } else {
        key.clone()
    };
    keys::parse(&whole)
        .is_ok_and(|parsed| parsed.kind.pattern == kind.pattern)
        .then_some(key)
}

fn element(part: KeyPart) -> Option<Element<'static>> {
    Some(match part {
        KeyPart::Text(text) => Element::String(text.into()),
        KeyPart::Number(number) => Element::Int(number.try_into().ok()?),
        KeyPart::Id(id) => Element::Uuid(id),
        KeyPart::Stamp(_) => return None,
    })
}

/// Everything whose key begins with this word and goes on.
pub(crate) fn below(word: &str) -> KeyRange {
    KeyRange::below(&pack(&(word,)))
}

/// The first words of all kinds that `wanted` wants, in key order, each once.
pub(crate) fn first_words(wanted: impl Fn(&KeyKind) -> bool) -> Vec<&'static str> {
    let mut words: Vec<_> = keys::layout()
        .iter()
        .filter(|kind| wanted(kind))
        .filter_map(|kind| kind.pattern.split('/').next())
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// A key for people: `tenant/6f1c…/user/09ab…/profile`; in hexadecimal if it is of no known kind.
pub(crate) fn readable(key: &[u8]) -> String {
    match keys::parse(key) {
        Ok(parsed) => parsed.to_string(),
        Err(_) => key
            .iter()
            .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}

/// The last id of a key: whom or what it is about, without anything personal.
pub(crate) fn subject(key: &ParsedKey) -> Option<Uuid> {
    key.parts.iter().rev().find_map(|part| match part {
        KeyPart::Id(id) => Some(*id),
        _ => None,
    })
}
