//! Answers that describe something which changes: entity tags and conditions.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{Error, Kind};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::problem::{Answer, PRECONDITION_FAILED, Problem};

/// The body with its entity tag.
///
/// The tag is `"<revision>-<digest>"`: the revision counts what people change, and is all that `If-Match`
/// looks at; the digest is of everything shown, so that `If-None-Match` also notices what the system changed.
pub(super) fn answer<T: Serialize>(
    status: StatusCode,
    revision: u64,
    body: &T,
) -> Answer<Response> {
    let tag = tag(revision, body)?;
    let mut response = (status, Json(body)).into_response();
    let value = HeaderValue::from_str(&tag)
        .map_err(|error| Error::internal("an entity tag cannot be written").because(error))?;
    response.headers_mut().insert(header::ETAG, value);
    // May be kept by the browser, but asked for anew each time.
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(response)
}

/// As [`answer`], or 304 if the caller has just that.
pub(super) fn answer_get<T: Serialize>(
    request: &HeaderMap,
    revision: u64,
    body: &T,
) -> Answer<Response> {
    let mut response = answer(StatusCode::OK, revision, body)?;
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let tag = response
        .headers()
        .get(header::ETAG)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // Weak comparison (RFC 9110 section 13.1.2).
    if known
        .split(',')
        .any(|known| known.trim().trim_start_matches("W/") == tag)
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = axum::body::Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    Ok(response)
}

/// The entity tag of a body.
pub(super) fn tag<T: Serialize>(revision: u64, body: &T) -> Answer<String> {
    let bytes = serde_json::to_vec(body)
        .map_err(|error| Error::internal("an answer cannot be encoded").because(error))?;
    let digest = Sha256::digest(bytes);
    Ok(format!(
        "\"{revision}-{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}\"",
        digest[0], digest[1], digest[2], digest[3], digest[4], digest[5]
    ))
}

/// The revision that `If-Match` insists on, if it is there and not `*`.
pub(super) fn expected_revision(request: &HeaderMap) -> Answer<Option<u64>> {
    let Some(value) = request.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let revision = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .filter(|text| !text.contains('"'))
        .and_then(|text| text.split_once('-'));
    let revision = revision.and_then(|(revision, _)| revision.parse().ok());
    revision.map(Some).ok_or_else(changed_meanwhile)
}

/// The failure of a conditional change: if a condition was given, the conflict is that it does not hold.
pub(super) fn failed(error: Error, expected: Option<u64>) -> Problem {
    match error.kind() {
        Kind::Conflict if expected.is_some() => changed_meanwhile(),
        _ => error.into(),
    }
}

fn changed_meanwhile() -> Problem {
    Problem::new(
        &PRECONDITION_FAILED,
        "If-Match does not name the present state; read it again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn if_match(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_str(text).unwrap())])
    }

    #[test]
    fn a_condition_is_a_revision_any_or_fails() {
        assert_eq!(expected_revision(&HeaderMap::new()).unwrap(), None);
        assert_eq!(expected_revision(&if_match("*")).unwrap(), None);
        assert_eq!(expected_revision(&if_match("\"7-abc\"")).unwrap(), Some(7));
        for text in ["", "7", "\"x\"", "W/\"7-abc\"", "\"7-a\", \"8-b\""] {
            assert_eq!(
                expected_revision(&if_match(text)).unwrap_err().of,
                &PRECONDITION_FAILED,
                "{text}"
            );
        }
    }
}
