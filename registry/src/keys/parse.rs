//! Which kind of key some bytes are.

use std::{collections::HashMap, fmt, sync::LazyLock};

use uuid::Uuid;

use super::{
    layout::{KeyKind, layout},
    tuple,
};

/// A key that the layout knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedKey {
    /// Which kind.
    pub kind: &'static KeyKind,
    /// All its parts, the fixed ones included.
    pub parts: Vec<KeyPart>,
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// A word of the pattern, or a name.
    Text(String),
    /// A count or a time.
    Number(i128),
    /// An id.
    Id(Uuid),
    /// A versionstamp: eight bytes of version, two of order within it, two within the transaction.
    Stamp([u8; 12]),
}

/// Why some bytes are no key of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes end within a part.
    #[error("ends within a part")]
    Cut,
    /// A type code that keys do not use.
    #[error("has a part of type {0:#04x}, which no key has")]
    Code(u8),
    /// A text that is not UTF-8.
    #[error("has a text that is not UTF-8")]
    Text,
    /// A number written longer than it must be.
    #[error("has a number with idle leading bytes")]
    Number,
    /// Well-formed, and of no kind that the layout lists.
    #[error("is of no known kind")]
    Unknown,
}

/// The kind of a key and its parts. Never panics, whatever the bytes.
///
/// # Errors
/// Why it is no key of the registry.
pub fn parse(key: &[u8]) -> Result<ParsedKey, KeyError> {
    let parts = tuple::read(key)?;
    let Some(KeyPart::Text(first)) = parts.first() else {
        return Err(KeyError::Unknown);
    };
    let kind = BY_FIRST_WORD
        .get(first.as_str())
        .and_then(|kinds| kinds.iter().find(|(_, segments)| fits(segments, &parts)))
        .map(|(kind, _)| *kind)
        .ok_or(KeyError::Unknown)?;
    Ok(ParsedKey { kind, parts })
}

type Segmented = (&'static KeyKind, Vec<&'static str>);

/// Every kind, cut into its segments, by the word that its keys begin with: an export parses millions of keys.
static BY_FIRST_WORD: LazyLock<HashMap<&'static str, Vec<Segmented>>> = LazyLock::new(|| {
    let mut kinds: HashMap<_, Vec<Segmented>> = HashMap::new();
    for kind in layout() {
        let segments: Vec<_> = kind.pattern.split('/').collect();
        let first = segments.first().copied().unwrap_or_default();
        kinds.entry(first).or_default().push((kind, segments));
    }
    kinds
});

fn fits(segments: &[&str], parts: &[KeyPart]) -> bool {
    segments.len() == parts.len()
        && segments
            .iter()
            .zip(parts)
            .all(|(segment, part)| segment_fits(segment, part))
}

pub(crate) fn segment_fits(segment: &str, part: &KeyPart) -> bool {
    let Some(name) = segment
        .strip_prefix('{')
        .and_then(|segment| segment.strip_suffix('}'))
    else {
        return matches!(part, KeyPart::Text(text) if text == segment);
    };
    match name {
        "hour" | "second" | "n" | "chunk" | "ts" => matches!(part, KeyPart::Number(_)),
        "version" => matches!(part, KeyPart::Stamp(_)),
        "cell" | "release" | "provider" | "subject" | "email" | "slug" | "customer" | "event"
        | "invoice" | "hash" | "month" | "kind" | "path" | "what" | "name" => {
            matches!(part, KeyPart::Text(_))
        }
        // `a`, `t`, `u`, `w`, `s`, `k`, `i`, `e`, `id`, `change`, `family`, `conversation`, `registration`, `request`.
        _ => matches!(part, KeyPart::Id(_)),
    }
}

/// As the pattern, with the parts in their places (`tenant/6b0e…/profile`). For people: two keys may read alike,
/// and a name may be in it.
impl fmt::Display for ParsedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                f.write_str("/")?;
            }
            match part {
                KeyPart::Text(text) => write!(f, "{}", text.escape_debug())?,
                KeyPart::Number(number) => write!(f, "{number}")?,
                KeyPart::Id(id) => write!(f, "{id}")?,
                KeyPart::Stamp(stamp) => {
                    stamp.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use foundationdb_tuple::{Versionstamp, pack};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_are_read_as_they_were_written(text: String, number: i64, count: u64, id: [u8; 16], stamp: [u8; 10]) {
            let id = Uuid::from_bytes(id);
            let key = pack(&(text.as_str(), number, count, id, Versionstamp::complete(stamp, 7)));
            let mut whole = [0; 12];
            whole[..10].copy_from_slice(&stamp);
            whole[11] = 7;
            prop_assert_eq!(
                tuple::read(&key).unwrap(),
                [
                    KeyPart::Text(text),
                    KeyPart::Number(number.into()),
                    KeyPart::Number(count.into()),
                    KeyPart::Id(id),
                    KeyPart::Stamp(whole),
                ]
            );
        }

        #[test]
        fn hostile_bytes_are_refused_and_nothing_worse(bytes: Vec<u8>) {
            if let Ok(parsed) = parse(&bytes) {
                prop_assert!(!parsed.to_string().is_empty());
            }
        }

        #[test]
        fn a_key_cut_or_continued_is_another_or_none(id: [u8; 16], cut in 1_usize..20) {
            let key = pack(&("user", Uuid::from_bytes(id)));
            prop_assert_eq!(parse(&key).unwrap().kind.pattern, "user/{u}");
            prop_assert!(parse(&key[..key.len() - cut]).is_err());
            prop_assert!(parse(&[key, vec![0x02]].concat()).is_err());
        }
    }

    #[test]
    fn no_key_is_of_two_kinds() {
        let parts = [
            KeyPart::Number(1),
            KeyPart::Id(Uuid::nil()),
            KeyPart::Stamp([0; 12]),
        ];
        for kind in layout() {
            let sample: Vec<_> = kind
                .pattern
                .split('/')
                .map(|segment| {
                    parts
                        .iter()
                        .find(|part| segment_fits(segment, part))
                        .cloned()
                        .unwrap_or_else(|| KeyPart::Text(segment.to_owned()))
                })
                .collect();
            let of: Vec<_> = layout()
                .iter()
                .filter(|other| fits(&other.pattern.split('/').collect::<Vec<_>>(), &sample))
                .map(|other| other.pattern)
                .collect();
            assert_eq!(of, [kind.pattern]);
        }
    }

    #[test]
    fn nested_tuples_are_refused_however_deep() {
        assert_eq!(parse(&[0x05; 10_000]), Err(KeyError::Code(0x05)));
    }
}
