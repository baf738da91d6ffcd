//! A request's body on its way into `git`: bounded, unpacked as it comes.

use std::{io::Write, time::Duration};

use flate2::write::GzDecoder;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use tokio::{io::AsyncWriteExt, process::ChildStdin, time::timeout};

use super::route::Refusal;

/// How much is unpacked at once: a thousandfold bomb makes one megabyte before it is noticed.
const STEP: usize = 1024;

/// Unpacks what comes, if it is packed, and counts what comes out.
struct Unpack {
    gzip: Option<GzDecoder<Vec<u8>>>,
    left: usize,
}

impl Unpack {
    fn new(gzip: bool, limit: usize) -> Self {
        Self {
            gzip: gzip.then(|| GzDecoder::new(Vec::new())),
            left: limit,
        }
    }

    fn next(&mut self, bytes: &Bytes) -> Result<Vec<u8>, Refusal> {
        let Some(gzip) = &mut self.gzip else {
            return self.counted(bytes.to_vec());
        };
        let mut out = Vec::new();
        for step in bytes.chunks(STEP) {
            gzip.write_all(step).map_err(|_| Refusal::Malformed)?;
            out.append(gzip.get_mut());
            if out.len() > self.left {
                return Err(Refusal::TooLarge);
            }
        }
        self.counted(out)
    }

    fn end(&mut self) -> Result<Vec<u8>, Refusal> {
        let Some(mut gzip) = self.gzip.take() else {
            return Ok(Vec::new());
        };
        // Fails if the stream is not complete.
        gzip.try_finish().map_err(|_| Refusal::Malformed)?;
        let rest = std::mem::take(gzip.get_mut());
        self.counted(rest)
    }

    fn counted(&mut self, out: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        self.left = self.left.checked_sub(out.len()).ok_or(Refusal::TooLarge)?;
        Ok(out)
    }
}

/// Hands the body to `git` and closes its input. A `git` that wants no more has its reasons: it says them on its
/// output.
pub(super) async fn feed(
    mut body: impl Body<Data = Bytes> + Unpin,
    mut git: ChildStdin,
    gzip: bool,
    limit: usize,
    stall: Duration,
) -> Result<(), Refusal> {
    let mut unpack = Unpack::new(gzip, limit);
    loop {
        let frame = timeout(stall, body.frame())
            .await
            .map_err(|_| Refusal::TooSlow)?;
        let bytes = match frame {
            None => unpack.end()?,
            Some(Err(_)) => return Err(Refusal::Malformed),
            Some(Ok(ref frame)) => match frame.data_ref() {
                Some(data) => unpack.next(data)?,
                None => continue,
            },
        };
        if git.write_all(&bytes).await.is_err() || frame.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn unpacked(pieces: &[u8], size: usize, gzip: bool, limit: usize) -> Result<Vec<u8>, Refusal> {
        let mut unpack = Unpack::new(gzip, limit);
        let mut out = Vec::new();
        for piece in pieces.chunks(size) {
            out.extend(unpack.next(&Bytes::copy_from_slice(piece))?);
        }
        out.extend(unpack.end()?);
        Ok(out)
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_comes_out_whole(bytes in vec(any::<u8>(), 0..20_000), size in 1_usize..5_000) {
            prop_assert_eq!(unpacked(&bytes, size, false, 20_000), Ok(bytes.clone()));
            prop_assert_eq!(unpacked(&packed(&bytes), size, true, 20_000), Ok(bytes));
        }

        #[test]
        fn what_is_cut_short_is_noticed(bytes in vec(any::<u8>(), 1..5_000), cut in any::<prop::sample::Index>()) {
            let packed = packed(&bytes);
            let part = &packed[..cut.index(packed.len())];
            prop_assert_eq!(unpacked(part, 100, true, 20_000), Err(Refusal::Malformed));
        }
    }

    #[test]
    fn a_bomb_is_refused_after_its_limit() {
        let bomb = packed(&vec![0; 64 << 20]);
        assert!(bomb.len() < 512 << 10);
        assert_eq!(
            unpacked(&bomb, 16 << 10, true, 1 << 20),
            Err(Refusal::TooLarge)
        );
        assert_eq!(unpacked(&[0; 11], 4, false, 10), Err(Refusal::TooLarge));
    }
}
