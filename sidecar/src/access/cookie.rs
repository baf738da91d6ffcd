//! The cookie with which a person is in, and how it is kept between us and the browser.

use coditect_core::{Error, Result};
use hyper::{
    HeaderMap,
    header::{COOKIE, Entry, HeaderValue, SET_COOKIE},
};

/// `__Host-`: taken over TLS (or from this machine) and for this host only, so that no other host of the domain can
/// set or read it (RFC 6265bis section 4.1.3.2).
pub(crate) const NAME: &str = "__Host-coditect-workspace";
/// No name with this in front, with or without a browser's own prefix, is anybody's but ours.
const RESERVED: &[u8] = b"coditect";
const PREFIXES: [&[u8]; 4] = [b"__Host-Http-", b"__Host-", b"__Http-", b"__Secure-"];
/// How many cookies of our name are looked at: a page can add some, but not hide ours behind thousands.
const MOST: usize = 4;

/// What came under our name, in order.
pub(crate) fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| pairs(line.as_bytes()))
        .filter_map(|pair| {
            let value = pair.trim_ascii().strip_prefix(NAME.as_bytes())?;
            std::str::from_utf8(value.strip_prefix(b"=")?).ok()
        })
        .take(MOST)
}

/// The header that hands the token to the browser, for `seconds`. `Partitioned` and `SameSite=None`, as the workspace
/// stands in a frame of the web app, which is another site.
pub(crate) fn set(token: &str, seconds: i64) -> Result<HeaderValue> {
    HeaderValue::from_str(&format!(
        "{NAME}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=None; Partitioned"
    ))
    .map_err(|error| Error::internal("a cookie cannot be written").because(error))
}

/// Takes every cookie of ours out of a request. What has none stays as it is, byte for byte.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let Entry::Occupied(lines) = headers.entry(COOKIE) else {
        return;
    };
    let is_ours = |pair: &[u8]| is_reserved(pair.trim_ascii());
    let has_ours = |line: &HeaderValue| pairs(line.as_bytes()).any(is_ours);
    if !lines.iter().any(has_ours) {
        return;
    }
    let (_, lines) = lines.remove_entry_mult();
    let kept: Vec<HeaderValue> = lines
        .filter_map(|line| {
            if !has_ours(&line) {
                return Some(line);
            }
            let kept: Vec<&[u8]> = pairs(line.as_bytes())
                .map(<[u8]>::trim_ascii)
                .filter(|pair| !is_ours(pair))
                .collect();
            (!kept.is_empty()).then(|| HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok())?
        })
        .collect();
    for line in kept {
        headers.append(COOKIE, line);
    }
}

/// Takes out of an answer what would set a cookie of ours, or one for more hosts than this one.
pub(crate) fn strip_set(headers: &mut HeaderMap) {
    let Entry::Occupied(lines) = headers.entry(SET_COOKIE) else {
        return;
    };
    if lines.iter().all(|line| is_harmless(line.as_bytes())) {
        return;
    }
    let (_, lines) = lines.remove_entry_mult();
    let kept: Vec<HeaderValue> = lines.filter(|line| is_harmless(line.as_bytes())).collect();
    for line in kept {
        headers.append(SET_COOKIE, line);
    }
}

/// What stands between semicolons: the same as `split`, but a token is hundreds of bytes without one.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let Some(at) = memchr::memchr(b';', line) else {
            return rest.take();
        };
        rest = line.get(at + 1..);
        line.get(..at)
    })
}

fn is_harmless(line: &[u8]) -> bool {
    let mut parts = pairs(line);
    let pair = parts.next().unwrap_or_default().trim_ascii();
    let has_domain = |part: &[u8]| {
        let name = part.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"domain")
    };
    !is_reserved(pair) && !parts.any(has_domain)
}

/// Whether a pair's name is ours. One without a name counts by its value, which is all that a browser sends back of
/// it: `=__Host-coditect-workspace=x` comes back as if it were ours. Names are compared as browsers compare prefixes,
/// without regard to case.
fn is_reserved(pair: &[u8]) -> bool {
    let mut rest = pair;
    loop {
        let trimmed = rest.trim_ascii();
        let unnamed = trimmed.strip_prefix(b"=").unwrap_or(trimmed);
        let bare = PREFIXES
            .iter()
            .find_map(|prefix| strip_ignoring_case(unnamed, prefix))
            .unwrap_or(unnamed);
        if bare.len() == rest.len() {
            return strip_ignoring_case(bare, RESERVED).is_some();
        }
        rest = bare;
    }
}

fn strip_ignoring_case<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cookies(lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn stripped(lines: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut headers = cookies(lines);
        strip(&mut headers);
        let left = headers.get_all(COOKIE).iter();
        left.map(|line| line.as_bytes().to_vec()).collect()
    }

    #[test]
    fn ours_is_found_wherever_it_stands_and_never_handed_on() {
        let line = b"a=1; __Host-coditect-workspace=t.o.k; b=2";
        let headers = cookies(&[line, b"__Host-coditect-workspace=second"]);
        assert_eq!(tokens(&headers).collect::<Vec<_>>(), ["t.o.k", "second"]);
        assert_eq!(stripped(&[line]), [b"a=1; b=2".to_vec()]);
        assert_eq!(stripped(&[b"__Host-coditect-workspace=t"]).len(), 0);
        for line in [
            &b"__host-Coditect-workspace=t"[..],
            b"coditect-x=1",
            b" = __Host-coditect-workspace=t",
            b"__Secure-coditect=1",
            b"__Host-Http-coditect-workspace=t",
            b"__Host-__Secure-coditect=1",
            b"coditect",
        ] {
            assert_eq!(stripped(&[line, b"a=\xff"]), [b"a=\xff".to_vec()]);
        }
    }

    #[test]
    fn what_is_not_ours_stays_byte_for_byte() {
        for line in [
            &b"a=1;b=2;  c"[..],
            b"theia=\"x\"; ;",
            b"x-coditect=1",
            b"\xff=\xfe",
        ] {
            assert_eq!(stripped(&[line]), [line.to_vec()]);
        }
    }

    proptest! {
        /// Whatever stands in a line: nothing of ours is left, and everything else is, in its order.
        #[test]
        fn stripping_takes_ours_and_nothing_else(lines in prop::collection::vec(line(), 0..4)) {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
            }
            let others = |headers: &HeaderMap| -> Vec<Vec<u8>> {
                let lines = headers.get_all(COOKIE).iter();
                let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
                pairs.map(|pair| pair.trim_ascii().to_vec()).collect()
            };
            let mut expected = others(&headers);
            expected.retain(|pair| !is_reserved(pair));
            strip(&mut headers);
            prop_assert_eq!(tokens(&headers).count(), 0);
            let left: Vec<_> = others(&headers);
            prop_assert_eq!(left, expected);
        }
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(NAME.as_bytes().to_vec()),
            Just(b"__host-".to_vec()),
            Just(b"Coditect".to_vec()),
            Just(b"=".to_vec()),
            Just(b"; ".to_vec()),
            Just(b";".to_vec()),
            Just(b" ".to_vec()),
            prop::collection::vec(prop_oneof![0x21_u8..0x7f, 0x80_u8..=0xff], 0..6),
        ];
        prop::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn a_flood_of_our_name_is_not_read_to_its_end() {
        let line = "__Host-coditect-workspace=x; ".repeat(1_000);
        assert_eq!(tokens(&cookies(&[line.as_bytes()])).count(), MOST);
    }

    #[test]
    fn an_answer_sets_neither_our_cookies_nor_anybody_elses() {
        let mut headers = HeaderMap::new();
        for line in [
            "theia=1; Path=/",
            "__Host-coditect-workspace=evil; Secure; Path=/",
            "__HOST-CODITECT-workspace=evil",
            "=__Host-coditect-workspace=evil",
            " = coditect=evil",
            "a=1; Domain=ws.example",
            "a=1; domain = .ws.example",
            "b=domain; Path=/domain",
        ] {
            headers.append(SET_COOKIE, HeaderValue::from_static(line));
        }
        strip_set(&mut headers);
        let left: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(left, ["theia=1; Path=/", "b=domain; Path=/domain"]);
    }
}
