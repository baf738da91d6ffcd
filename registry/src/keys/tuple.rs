//! Reads the part of the tuple encoding that keys use, from bytes that anybody may have written.
//!
//! Keys are written with `foundationdb-tuple`. They are not read with its open-ended decoder, because that follows
//! nested tuples as deep as the bytes say; keys hold none, so here they are refused.
//! The codes are those of
//! <https://github.com/apple/foundationdb/blob/main/design/tuple.md>.

use uuid::Uuid;

use super::parse::{KeyError, KeyPart};

/// The parts of a key.
pub(super) fn read(mut bytes: &[u8]) -> Result<Vec<KeyPart>, KeyError> {
    let mut parts = Vec::new();
    while let Some((code, rest)) = bytes.split_first() {
        let (part, rest) = match code {
            0x02 => text(rest)?,
            0x0c..=0x1c => number(*code, rest)?,
            0x30 => {
                let (id, rest) = rest.split_first_chunk::<16>().ok_or(KeyError::Cut)?;
                (KeyPart::Id(Uuid::from_bytes(*id)), rest)
            }
            0x33 => {
                let (stamp, rest) = rest.split_first_chunk::<12>().ok_or(KeyError::Cut)?;
                (KeyPart::Stamp(*stamp), rest)
            }
            _ => return Err(KeyError::Code(*code)),
        };
        parts.push(part);
        bytes = rest;
    }
    Ok(parts)
}

/// UTF-8 up to a NUL; a NUL of the text itself is followed by 0xff.
fn text(bytes: &[u8]) -> Result<(KeyPart, &[u8]), KeyError> {
    let mut text = Vec::new();
    let mut rest = bytes;
    loop {
        let at = rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or(KeyError::Cut)?;
        let (before, behind) = rest.split_at(at);
        text.extend_from_slice(before);
        // The NUL itself.
        rest = behind.get(1..).unwrap_or_default();
        match rest.split_first() {
            Some((0xff, behind)) => {
                text.push(0);
                rest = behind;
            }
            _ => break,
        }
    }
    let text = String::from_utf8(text).map_err(|_| KeyError::Text)?;
    Ok((KeyPart::Text(text), rest))
}

/// A whole number of up to eight bytes, big-endian; the code says how many, below 0x14 for negative ones, whose
/// bytes are those of their one's complement.
fn number(code: u8, bytes: &[u8]) -> Result<(KeyPart, &[u8]), KeyError> {
    let size = usize::from(code.abs_diff(0x14));
    let (digits, rest) = bytes.split_at_checked(size).ok_or(KeyError::Cut)?;
    // One number has one spelling: no leading byte that says nothing.
    let idle = if code < 0x14 { 0xff } else { 0x00 };
    if digits.first() == Some(&idle) {
        return Err(KeyError::Number);
    }
    let magnitude = digits
        .iter()
        .fold(0_i128, |sum, digit| (sum << 8) | i128::from(*digit));
    let number = if code < 0x14 {
        magnitude - ((1_i128 << (8 * size)) - 1)
    } else {
        magnitude
    };
    Ok((KeyPart::Number(number), rest))
}
