//! The index beside a pack: where each object is (`gitformat-pack(5)`, version 2 index).

use git2::Oid;
use sha1::{Digest, Sha1};

/// Where one object is in the pack.
pub(super) struct Entry {
    pub(super) oid: Oid,
    /// CRC-32 of the object as it stands in the pack.
    pub(super) crc: u32,
    pub(super) offset: u64,
}

/// Offsets from this on go to a table of their own.
const FAR: u64 = 0x8000_0000;

/// The index's bytes; sorts `entries` by id. `pack` is the pack's checksum.
pub(super) fn encode(entries: &mut [Entry], pack: &[u8; 20]) -> Vec<u8> {
    entries.sort_unstable_by_key(|entry| entry.oid);
    let mut index = Vec::with_capacity(8 + 1_024 + entries.len() * 28 + 40);
    index.extend_from_slice(b"\xfftOc\0\0\0\x02");
    let mut fanout = [0_u32; 256];
    for entry in &*entries {
        fanout[usize::from(entry.oid.as_bytes()[0])] += 1;
    }
    let mut total = 0;
    for count in fanout {
        total += count;
        index.extend_from_slice(&total.to_be_bytes());
    }
    for entry in &*entries {
        index.extend_from_slice(entry.oid.as_bytes());
    }
    for entry in &*entries {
        index.extend_from_slice(&entry.crc.to_be_bytes());
    }
    let mut far = Vec::new();
    for entry in &*entries {
        let near = match u32::try_from(entry.offset) {
            Ok(near) if entry.offset < FAR => near,
            _ => {
                far.push(entry.offset);
                0x8000_0000 | u32::try_from(far.len() - 1).unwrap_or(0)
            }
        };
        index.extend_from_slice(&near.to_be_bytes());
    }
    for offset in far {
        index.extend_from_slice(&offset.to_be_bytes());
    }
    index.extend_from_slice(pack);
    let checksum = Sha1::digest(&index);
    index.extend_from_slice(&checksum);
    index
}

/// Bytes before the ids: magic, version, and how many ids there are up to each first byte.
pub(super) const HEAD: usize = 8 + 1_024;

/// How many objects an index of version 2 has, by its first bytes; `None` if it is none.
pub(super) fn count(head: &[u8]) -> Option<u32> {
    match head.starts_with(b"\xfftOc\0\0\0\x02") {
        true => number(head, HEAD - 4),
        false => None,
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// The ids an index of version 2 has, in the order in which the objects lie in the pack; `None` if it is none.
pub(super) fn oids(index: &[u8]) -> Option<Vec<Oid>> {
    let number = |at: usize| number(index, at);
    let count = count(index)? as usize;
    let offsets = HEAD + count * (20 + 4);
    let far = offsets + count * 4;
    let place = |at: usize| {
        let near = number(offsets + at * 4)?;
        let Some(at) = near.checked_sub(0x8000_0000) else {
            return Some(u64::from(near));
        };
        let at = far + at as usize * 8;
        Some(u64::from(number(at)?) << 32 | u64::from(number(at + 4)?))
    };
    let mut found = Vec::with_capacity(count);
    for at in 0..count {
        let oid = index.get(HEAD + at * 20..HEAD + (at + 1) * 20)?;
        found.push((place(at)?, Oid::from_bytes(oid).ok()?));
    }
    found.sort_unstable();
    Some(found.into_iter().map(|(_, oid)| oid).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_beyond_two_gigabytes_go_to_the_far_table() {
        let oid = |byte| Oid::from_bytes(&[byte; 20]).unwrap();
        let mut entries = [
            Entry {
                oid: oid(9),
                crc: 1,
                offset: FAR + 5,
            },
            Entry {
                oid: oid(3),
                crc: 2,
                offset: FAR - 1,
            },
        ];
        let index = encode(&mut entries, &[7; 20]);
        let offsets = 8 + 1_024 + 2 * 24;
        assert_eq!(index[offsets..offsets + 4], 0x7fff_ffff_u32.to_be_bytes());
        assert_eq!(
            index[offsets + 4..offsets + 8],
            0x8000_0000_u32.to_be_bytes()
        );
        assert_eq!(index[offsets + 8..offsets + 16], (FAR + 5).to_be_bytes());
        assert_eq!(index.len(), offsets + 16 + 40);
        assert_eq!(oids(&index).unwrap(), [oid(3), oid(9)]);
        for length in 0..offsets + 16 {
            assert_eq!(oids(&index[..length]), None, "cut to {length} bytes");
        }
    }
}
