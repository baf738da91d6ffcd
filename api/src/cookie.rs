//! The refresh cookie, and who may set and use it.

use axum::http::{HeaderMap, HeaderValue, header};
use coditect_core::{Error, Kind, Result};

use crate::{key_ring::KeyRing, state::ApiState, token::RefreshToken};

/// `__Host-`: the browser takes it over TLS (or from localhost) only, for this host only, so that no other
/// host of the domain can set or read it (RFC 6265bis section 4.1.3.2).
pub(crate) const REFRESH_COOKIE: &str = "__Host-coditect-refresh";

/// Seconds a browser keeps it: as long as a login lasts without use. Each refresh begins anew.
const KEEP_SECONDS: u32 = 24 * 60 * 60;

/// The header that hands the token to the browser.
pub(crate) fn set(token: &RefreshToken, keys: &KeyRing) -> Result<HeaderValue> {
    header_value(&token.encode(keys), KEEP_SECONDS)
}

/// The header that takes it away.
pub(crate) fn clear() -> Result<HeaderValue> {
    header_value("", 0)
}

fn header_value(value: &str, seconds: u32) -> Result<HeaderValue> {
    HeaderValue::from_str(&format!(
        "{REFRESH_COOKIE}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict"
    ))
    .map_err(|error| Error::internal("a cookie cannot be written").because(error))
}

/// The refresh token that came with the request, if there is one that we made.
pub(crate) fn read(headers: &HeaderMap, keys: &KeyRing) -> Option<RefreshToken> {
    // One that is not ours does not hide one that is.
    values(headers, REFRESH_COOKIE).find_map(|value| RefreshToken::decode(value, keys))
}

/// Every value that the request brings for the cookie of that name.
pub(crate) fn values<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> impl Iterator<Item = &'a str> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// Refuses requests that a page of a foreign origin has made: the cookie's `SameSite=Strict` also forbids
/// them, but not between hosts of one site.
pub(crate) fn check_origin(headers: &HeaderMap, state: &ApiState) -> Result<()> {
    let foreign = || {
        Error::new(
            Kind::Forbidden,
            "pages of this origin may neither sign anybody in nor use the refresh cookie",
        )
    };
    match headers.get(header::ORIGIN) {
        Some(origin) => match origin.to_str() {
            Ok(origin) if state.origins.iter().any(|allowed| allowed == origin) => Ok(()),
            _ => Err(foreign()),
        },
        // Browsers name the origin of every POST; without it, they still say whose page it was.
        None => match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(foreign()),
        },
    }
}
