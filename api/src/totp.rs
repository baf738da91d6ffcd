//! Time-based one-time passwords (RFC 6238), as authenticator apps make them: six digits of HMAC-SHA-1, every 30 seconds.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use zeroize::Zeroizing;

/// Seconds that a code stands (RFC 6238, section 5.2).
const STEP: i64 = 30;
/// How many steps a clock may be off in either direction (section 5.2 advises one).
const SKEW: i64 = 1;
/// Bytes of a secret: as many as the hash has (RFC 4226, section 4).
pub(crate) const SECRET: usize = 20;
/// Digits of a code, and how many codes there are.
pub(crate) const DIGITS: usize = 6;
const CODES: u32 = 1_000_000;

/// The characters of base32 (RFC 4648, section 6).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A secret that an authenticator app shares with us.
pub(crate) struct Totp(Zeroizing<Vec<u8>>);

impl Totp {
    pub(crate) fn new(secret: Zeroizing<Vec<u8>>) -> Self {
        Self(secret)
    }

    /// The time step of which this is the code, if it is of this one or a neighbour.
    pub(crate) fn step_of(&self, code: &str, now: Timestamp) -> Option<u64> {
        let code = code.trim();
        if code.len() != DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let code: u32 = code.parse().ok()?;
        let current = now.as_second().div_euclid(STEP);
        (current - SKEW..=current + SKEW)
            .filter_map(|step| u64::try_from(step).ok())
            .find(|step| self.code(*step) == code)
    }

    /// The secret as people type it.
    pub(crate) fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(base32(&self.0))
    }

    /// The address that authenticator apps read from a QR code (Key Uri Format of Google Authenticator).
    pub(crate) fn uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (percent(issuer), percent(account));
        let secret = self.base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP}",
            *secret
        ))
    }

    /// HOTP of a step (RFC 4226, section 5.3).
    fn code(&self, step: u64) -> u32 {
        // HMAC takes a key of any length, so the error cannot occur; a code that nobody has is still no panic.
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&self.0) else {
            return CODES;
        };
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let offset = usize::from(digest[19] & 0xf);
        let mut four = [0; 4];
        four.copy_from_slice(&digest[offset..offset + 4]);
        (u32::from_be_bytes(four) & 0x7fff_ffff) % CODES
    }
}

/// Bytes as base32, without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(char::from(ALPHABET[(bits >> count) as usize & 31]));
        }
    }
    if count > 0 {
        text.push(char::from(ALPHABET[(bits << (5 - count)) as usize & 31]));
    }
    text
}

/// Everything but letters and digits as `%xx` (RFC 3986, section 2.1).
fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totp(secret: &[u8]) -> Totp {
        Totp::new(Zeroizing::new(secret.to_vec()))
    }

    /// RFC 6238, appendix B (the last six of its eight digits), and RFC 4226, appendix D.
    #[test]
    fn codes_are_those_of_the_standard() {
        let totp = totp(b"12345678901234567890");
        for (second, code) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(totp.code(second / 30), code, "{second}");
        }
        for (count, code) in [(0, 755_224), (1, 287_082), (2, 359_152), (9, 520_489)] {
            assert_eq!(totp.code(count), code);
        }
    }

    #[test]
    fn a_code_is_taken_one_step_early_or_late_and_no_more() {
        let totp = totp(b"12345678901234567890");
        let at = |second| totp.step_of(" 287082 ", Timestamp::from_second(second).unwrap());
        assert_eq!((at(0), at(59), at(89)), (Some(1), Some(1), Some(1)));
        assert_eq!(at(90), None);
        for code in ["", "28708", "2870822", "28708a", "+87082", "２87082"] {
            assert_eq!(
                totp.step_of(code, Timestamp::from_second(59).unwrap()),
                None,
                "{code}"
            );
        }
    }

    /// RFC 4648, section 10, without padding.
    #[test]
    fn secrets_are_spelled_as_apps_read_them() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        assert_eq!(
            *totp(b"foobar").uri("Coditect", "ada@example.com"),
            "otpauth://totp/Coditect:ada%40example%2Ecom?secret=MZXW6YTBOI&issuer=Coditect&algorithm=SHA1&digits=6&period=30"
        );
    }
}
