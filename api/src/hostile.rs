//! What hostile bytes are fed to, by the fuzzer of `fuzz/` and by `tests/fuzz.rs`. Each of these must come back whatever
//! the bytes, and none is called while the API runs.

use std::sync::OnceLock;

use axum::http::{
    HeaderMap, Request, Uri,
    header::{self, HeaderName, HeaderValue},
};
use coditect_core::{AccountId, LoginId, ProviderName, RegistrationId, WorkspaceId};
use jiff::Timestamp;

use crate::{
    address,
    api_key::ApiKeySecret,
    caller,
    challenge::{Challenge, Shown},
    code::EntryCode,
    cookie,
    extract::{IdempotencyKey, Query},
    gateway_token::GatewayTokens,
    identity::{FLOW_COOKIE, Flow, Purpose},
    key_ring::KeyRing,
    observe,
    proof::Proof,
    route::hostile as route,
    token::{AccessTokens, RefreshToken},
};

const ISSUER: &str = "https://api.example";
/// More than any number of headers that the server lets through.
const MOST_HEADERS: usize = 200;

/// What the installation has given out: one of everything that somebody can show.
struct Given {
    keys: KeyRing,
    access: AccessTokens,
    gateways: GatewayTokens,
    now: Timestamp,
    all: Vec<String>,
}

fn given() -> Option<&'static Given> {
    static GIVEN: OnceLock<Option<Given>> = OnceLock::new();
    GIVEN.get_or_init(|| give().ok()).as_ref()
}

fn give() -> coditect_core::Result<Given> {
    let (keys, now) = (KeyRing::ephemeral()?, Timestamp::now());
    let lifetime = std::time::Duration::from_secs(300);
    let access = AccessTokens::new(keys.clone(), ISSUER.to_owned(), lifetime);
    let gateways = GatewayTokens::new(keys.clone(), ISSUER.to_owned());
    let (account, login) = (AccountId::random(), LoginId::random());
    let (workspace, counter) = (WorkspaceId::random(), 3);
    let provider: ProviderName = "google".parse()?;
    let flow = Flow::begin(provider, Purpose::Link { account, login }, now);
    let shown = Shown::Password(now);
    let all = vec![
        access.issue(account, login, None, now)?,
        gateways.entry(workspace, (account, login), now, now)?,
        RefreshToken {
            account,
            login,
            counter,
        }
        .encode(&keys),
        EntryCode::new(login, workspace, now).encode(&keys),
        Proof::SignUp(RegistrationId::random()).encode(&keys),
        Challenge::issue(&keys, ISSUER, account, shown, now)?,
        flow.code(account, &keys, now),
        of_cookie(&flow.cookie(&keys)?),
    ];
    Ok(Given {
        keys,
        access,
        gateways,
        now,
        all,
    })
}

/// Something that was given out (the first byte says which), changed as the rest says: place and byte, place and byte. What
/// is not what was given opens nothing; nor does the text that the bytes are themselves.
pub fn secrets(bytes: &[u8]) {
    let Some(given) = given() else { return };
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(accepted(given, text), 0, "nobody was given {text:?}");
        let _ = ApiKeySecret::recognise(text);
    }
    let Some((which, changes)) = bytes.split_first() else {
        return;
    };
    let Some(original) = given.all.get(usize::from(*which) % given.all.len()) else {
        return;
    };
    let mut changed = original.clone().into_bytes();
    for change in changes.chunks_exact(2) {
        let place = usize::from(change[0]) % (changed.len() + 1);
        match changed.get_mut(place) {
            Some(byte) => *byte = change[1],
            None => changed.push(change[1]),
        }
    }
    let Ok(changed) = String::from_utf8(changed) else {
        return;
    };
    let opens = accepted(given, &changed);
    assert!(
        changed == *original || opens == 0,
        "{changed:?} passes for {original:?}"
    );
}

/// As how many kinds of secrets a text is taken.
fn accepted(given: &Given, text: &str) -> usize {
    let (keys, now) = (&given.keys, given.now);
    [
        given.access.verify(text, now).is_ok(),
        given.gateways.verify(text, now).is_ok(),
        RefreshToken::decode(text, keys).is_some(),
        EntryCode::decode(text, keys, now).is_some(),
        // Of others the registry knows whether they were given.
        matches!(Proof::decode(text, keys), Ok(Proof::SignUp(_))),
        Challenge::read(keys, ISSUER, text, now).is_ok(),
        begun(text).is_some_and(|headers| Flow::read(&headers, keys, now).is_some()),
    ]
    .into_iter()
    .filter(|taken| *taken)
    .count()
}

/// The value of a cookie that is set.
fn of_cookie(header: &HeaderValue) -> String {
    let text = header.to_str().unwrap_or_default();
    let (_, value) = text.split_once('=').unwrap_or_default();
    value.split(';').next().unwrap_or_default().to_owned()
}

/// What a browser sends that was given this as the cookie of a flow; none if no cookie holds it as it is.
fn begun(text: &str) -> Option<HeaderMap> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let value = text
        .bytes()
        .all(plain)
        .then(|| format!("{FLOW_COOKIE}={text}"))?;
    Some(HeaderMap::from_iter([(
        header::COOKIE,
        HeaderValue::from_str(&value).ok()?,
    )]))
}

/// The query of a list: how many, and behind what.
pub fn cursors(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(target) = Uri::builder().path_and_query(format!("/?{text}")).build() else {
        return;
    };
    if let Ok(query) = Query::of(&target) {
        route::page(query);
    }
}

/// The headers of a request, `name: value` by lines; what no head can hold is passed over.
pub fn headers(bytes: &[u8]) {
    let mut request = Request::new(());
    let headers = request.headers_mut();
    for line in bytes.split(|byte| *byte == b'\n').take(MOST_HEADERS) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let (parts, ()) = request.into_parts();
    let headers: &HeaderMap = &parts.headers;
    assert!(
        address::forwarded(headers, 0).is_none(),
        "nobody was trusted"
    );
    for hops in 1..4 {
        let _ = address::forwarded(headers, hops);
    }
    let id = observe::request_id(headers);
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    assert!(id.len() <= 64 && id.bytes().all(safe), "{id:?} in a log");
    if let Some((trace, parent)) = observe::trace_parent(headers) {
        assert_eq!((trace.len(), parent.len()), (32, 16));
    }
    if let Some(given) = given() {
        assert!(
            cookie::read(headers, &given.keys).is_none(),
            "nobody was given it"
        );
        assert!(
            Flow::read(headers, &given.keys, given.now).is_none(),
            "nobody began it"
        );
    }
    if let Some(token) = caller::bearer(headers) {
        assert!(!token.starts_with(' '), "{token:?}");
    }
    route::conditions(headers);
    if let Ok(IdempotencyKey(Some(key))) = IdempotencyKey::read(headers) {
        assert!((1..=255).contains(&key.len()), "{key:?}");
    }
}
