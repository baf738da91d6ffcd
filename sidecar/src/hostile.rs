//! What hostile bytes are fed to, by the fuzzer of `fuzz/` and by `tests/fuzz.rs`. Each of these must come back whatever
//! the bytes, and none is called while the gateway runs.

use std::io::{self, Cursor, Read, Write};

use hyper::{
    HeaderMap, Method, Request, Uri,
    header::{COOKIE, HeaderName, HeaderValue, SET_COOKIE},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{Role, WebSocket},
};

use crate::{
    access::{cookie, keys::Keys, origin::From, token::Unverified},
    proxy,
    site::Site,
    socket::limits,
};

const ORIGIN: &str = "https://calm-lake.ws.example";
/// More than any number of headers that the server lets through.
const MOST_HEADERS: usize = 200;

/// Bytes of a tab after the handshake of `/coditect/ws`: frames, and the messages in them.
pub fn frames(bytes: &[u8]) {
    let mut socket = WebSocket::from_raw_socket(
        Tab(Cursor::new(bytes)),
        Role::Server,
        Some(limits::config()),
    );
    // Each message takes two bytes at least; an end is an error.
    for _ in 0..=bytes.len() {
        match socket.read() {
            Ok(Message::Text(text)) => {
                assert!(text.len() <= limits::LARGEST, "larger than any message");
                let _ = limits::read(&text);
            }
            Ok(message) => assert!(message.len() <= limits::LARGEST, "larger than any message"),
            Err(_) => return,
        }
    }
    panic!("more messages than there are bytes");
}

/// The head of a request and of an answer: the first line, then `name: value` by lines; what no head can hold is passed
/// over. What goes on says nothing in our place, and nothing that it should not.
pub fn heads(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut words = first.splitn(2, |byte| *byte == b' ');
    let method = words.next().and_then(|word| Method::from_bytes(word).ok());
    let target = words.next().and_then(|word| Uri::try_from(word).ok());
    let mut headers = HeaderMap::new();
    for line in lines.take(MOST_HEADERS) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let Ok(site) = Site::new(ORIGIN) else { return };
    let _ = site.host(&headers);
    assert!(cookie::tokens(&headers).count() <= 4, "too many tokens");
    if let (Some(method), Some(target)) = (method, target) {
        let _ = From::of(&method, &headers, ORIGIN);
        let is_sound = proxy::check_form(&method, &target, &headers).is_ok();
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.headers_mut() = headers.clone();
        if is_sound && let Some(sent) = proxy::as_sent(request, &site) {
            assert_eq!(cookie::tokens(&sent).count(), 0, "a token goes on");
            assert!(!says_ours(&sent, &COOKIE), "a cookie of ours goes on");
            for name in ["authorization", "forwarded", "proxy", "x-real-ip"] {
                assert!(!sent.contains_key(name), "{name} goes on");
            }
        }
    }
    proxy::as_answered(&mut headers);
    assert!(!says_ours(&headers, &SET_COOKIE), "a cookie of ours is set");
    let policies = headers.get_all("content-security-policy").iter().count();
    assert_eq!(policies, 1, "whose policy holds?");
    assert!(!headers.contains_key("clear-site-data"), "forgets cookies");
}

/// A token of a cookie, or a set of keys.
pub fn tokens(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Unverified::parse(text);
    }
    let _ = Keys::default().replace(bytes);
}

/// Whether a line of this header begins with a name of ours, as plainly as a browser would read it.
fn says_ours(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().any(|line| {
        let line = line.as_bytes().trim_ascii_start();
        let ours = cookie::NAME.as_bytes();
        line.len() >= ours.len() && line[..ours.len()].eq_ignore_ascii_case(ours)
    })
}

/// Says these bytes and hears nothing.
struct Tab<'a>(Cursor<&'a [u8]>);

impl Read for Tab<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Tab<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
