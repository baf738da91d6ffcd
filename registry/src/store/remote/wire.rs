//! Bytes on the socket: frames.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

pub(super) use super::super::encoding::malformed;

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
