//! Bytes on the socket: frames, and how numbers and byte strings lie in them.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What both sides say first. The number rises with every change of the messages.
pub(super) const HELLO: &[u8; 17] = b"coditect-store 1\n";

/// Largest frame in bytes. A commit of 10 MB is at most this long even if it is made of single bytes, each
/// of which takes a type and two lengths beside itself.
pub(super) const FRAME_BYTES: usize = 128 << 20;

/// Reads one frame; `None` at the end of the stream.
pub(super) async fn read_frame(
    from: &mut (impl AsyncRead + Unpin + Send),
) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES {
        return Err(malformed());
    }
    // Memory grows with what arrives, not with what is announced.
    let mut frame = Vec::new();
    if from.take(length as u64).read_to_end(&mut frame).await? < length {
        return Ok(None);
    }
    Ok(Some(frame))
}

pub(super) fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the other side does not speak the store's protocol",
    )
}

/// A frame in the making.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(vec![0; 4])
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

    /// The whole frame, its length before it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// What of a frame is still to be read.
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
