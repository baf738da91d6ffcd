//! How numbers, byte strings and mutations lie in bytes: on the socket of a served store, and in the log of an
//! embedded one.

use std::io;

use super::{KeyRange, optimistic::Mutation};

pub(super) fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "these bytes do not follow the store's protocol",
    )
}

/// Bytes in the making.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// For a frame: behind the place of its length.
    pub(super) fn new() -> Self {
        Self::behind(4)
    }

    /// Behind so many bytes that are filled in later.
    pub(super) fn behind(head: usize) -> Self {
        Self(vec![0; head])
    }

    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn count(&mut self, count: usize) -> &mut Self {
        // What is counted is in memory and bounded far below.
        self.0
            .extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn optional(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            Some(bytes) => self.byte(1).bytes(bytes),
            None => self.byte(0),
        }
    }

    /// What was written, and the place before it.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The whole frame, its length before it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// What is still to be read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(frame: &'a [u8]) -> Self {
        Self(frame)
    }

    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| malformed())
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn flag(&mut self) -> io::Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(malformed()),
        }
    }

    pub(super) fn number(&mut self) -> io::Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(super) fn count(&mut self) -> io::Result<usize> {
        Ok(u32::from_be_bytes(self.array()?) as usize)
    }

    pub(super) fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let length = self.count()?;
        Ok(self.take(length)?.to_vec())
    }

    pub(super) fn optional(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.flag()? {
            Ok(Some(self.bytes()?))
        } else {
            Ok(None)
        }
    }

    /// As many of one sort as the frame says.
    pub(super) fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> io::Result<T>,
    ) -> io::Result<Vec<T>> {
        // Each takes at least a byte: a count beyond that is a lie, and no memory is taken for it.
        let count = self.count()?;
        if count > self.0.len() {
            return Err(malformed());
        }
        (0..count).map(|_| one(self)).collect()
    }

    pub(super) fn finish<T>(self, message: T) -> io::Result<T> {
        if self.0.is_empty() {
            Ok(message)
        } else {
            Err(malformed())
        }
    }
}

pub(super) fn decode_range(frame: &mut Reader<'_>) -> io::Result<KeyRange> {
    Ok(KeyRange {
        begin: frame.bytes()?,
        end: frame.bytes()?,
    })
}

pub(super) fn encode_mutations(frame: &mut Writer, mutations: &[Mutation]) {
    frame.count(mutations.len());
    mutations
        .iter()
        .for_each(|mutation| encode_mutation(frame, mutation));
}

fn encode_mutation(frame: &mut Writer, mutation: &Mutation) {
    match mutation {
        Mutation::Set(key, value) => frame.byte(0).bytes(key).bytes(value),
        Mutation::Clear(key) => frame.byte(1).bytes(key),
        Mutation::ClearRange(range) => frame.byte(2).bytes(&range.begin).bytes(&range.end),
        Mutation::Add(key, delta) => frame.byte(3).bytes(key).number(delta.cast_unsigned()),
        Mutation::Append(prefix, value) => frame.byte(4).bytes(prefix).bytes(value),
    };
}

pub(super) fn decode_mutation(frame: &mut Reader<'_>) -> io::Result<Mutation> {
    Ok(match frame.byte()? {
        0 => Mutation::Set(frame.bytes()?, frame.bytes()?),
        1 => Mutation::Clear(frame.bytes()?),
        2 => Mutation::ClearRange(decode_range(frame)?),
        3 => Mutation::Add(frame.bytes()?, frame.number()?.cast_signed()),
        4 => Mutation::Append(frame.bytes()?, frame.bytes()?),
        _ => return Err(malformed()),
    })
}
