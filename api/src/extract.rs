//! What handlers take from a request, each refused with a problem that names the place.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, Uri, header, request::Parts},
};
use coditect_core::{AccountId, Error, FilePath, Result, WorkspaceId};
use futures::StreamExt;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use uuid::Uuid;

use crate::{
    key_ring::KeyRing,
    problem::{
        Answer, FieldError, MALFORMED_JSON, MALFORMED_REQUEST, NOT_FOUND, PAYLOAD_TOO_LARGE,
        Problem, REQUEST_TIMEOUT, UNSUPPORTED_MEDIA_TYPE,
    },
    state::ApiState,
};

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        read_json(request, state, state.config.largest_body)
            .await
            .map(Self)
    }
}

/// Largest body of a gateway: a batch of file events with a content of 256 KiB in base64, and room to spare.
const LARGEST_OF_GATEWAY: usize = 1024 * 1024;

/// A JSON body of a workspace's gateway, which hands over much at a time.
pub(crate) struct GatewayBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for GatewayBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        read_json(request, state, LARGEST_OF_GATEWAY)
            .await
            .map(Self)
    }
}

async fn read_json<T: DeserializeOwned>(
    request: Request,
    state: &ApiState,
    most: usize,
) -> Answer<T> {
    if !is_json(request.headers()) {
        return Err(Problem::new(
            &UNSUPPORTED_MEDIA_TYPE,
            "The body must be JSON, sent with Content-Type: application/json.",
        ));
    }
    let arriving = read(request.into_body(), most);
    let bytes = tokio::time::timeout(state.config.receive_timeout, arriving)
        .await
        .map_err(|_| Problem::new(&REQUEST_TIMEOUT, "The body did not arrive in time."))??;
    parse(&bytes)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let essence = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// How many bytes of a body that is too large are read before answering. A client that is still sending when
/// the connection closes sees a broken connection and not the answer (nginx calls this a lingering close).
const LINGER_BYTES: usize = 16 * 1024 * 1024;

async fn read(body: Body, most: usize) -> Answer<Bytes> {
    let too_large = || {
        Problem::new(
            &PAYLOAD_TOO_LARGE,
            format!("The body is larger than {most} bytes."),
        )
    };
    let mut received = Vec::new();
    let mut total = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| match is_length_limit(&error) {
            true => too_large(),
            false => Problem::new(&MALFORMED_REQUEST, "The body ended before it was complete."),
        })?;
        total += chunk.len();
        if total <= most {
            received.extend_from_slice(&chunk);
        } else if total > LINGER_BYTES {
            break;
        }
    }
    if total > most {
        Err(too_large())
    } else {
        Ok(received.into())
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<LengthLimitError>())
}

/// Longest piece of a caller's own text that is sent back.
const ECHO: usize = 200;

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    // serde would take a list for an object, its fields in order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        let detail = "must be an object".to_owned();
        return Err(Problem::invalid(vec![FieldError {
            field: "body".to_owned(),
            detail,
        }]));
    }
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, error.inner())
    })?;
    input.end().map_err(|error| explain("", &error))?;
    Ok(parsed)
}

fn explain(path: &str, error: &serde_json::Error) -> Problem {
    let message: String = error.to_string().chars().take(ECHO).collect();
    match error.classify() {
        Category::Data => {
            let what = message
                .rsplit_once(" at line ")
                .map_or(message.as_str(), |(what, _)| what);
            // serde names an unknown, missing or doubled field in its message only.
            let named = what.split('`').nth(1).filter(|_| what.contains(" field `"));
            let field = named
                .or(Some(path).filter(|path| !path.is_empty() && *path != "."))
                .unwrap_or("body");
            let detail = match what.split_once(" field `") {
                Some(("missing", _)) => "is missing".to_owned(),
                Some(("duplicate", _)) => "is there twice".to_owned(),
                Some(("unknown", rest)) => match rest.split_once("`, ") {
                    Some((_, expected)) => format!("is not a field here; {expected}"),
                    None => "is not a field here".to_owned(),
                },
                _ => format!("is not acceptable: {what}"),
            };
            Problem::invalid(vec![FieldError {
                field: field.chars().take(ECHO).collect(),
                detail,
            }])
        }
        Category::Syntax | Category::Eof | Category::Io => Problem::new(
            &MALFORMED_JSON,
            format!("The body is not valid JSON: {message}."),
        ),
    }
}

/// The id in a path. What is no id names nothing: 404, as for an id that is not in use.
pub(crate) struct PathId<T>(pub(crate) T);

impl<T: FromStr<Err = Error>> FromRequestParts<ApiState> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let Path(text): Path<String> = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| nothing())?;
        text.parse().map(Self).map_err(|_| nothing())
    }
}

/// A file of a workspace that a path names, and one of its snapshots: `{id}`, `{path}`, `{snapshot}`. What is none of
/// these names nothing: 404.
pub(crate) struct PathFile {
    pub(crate) workspace: WorkspaceId,
    pub(crate) path: FilePath,
    /// None if the path names none.
    snapshot: Option<Uuid>,
}

impl PathFile {
    /// The snapshot, on a path that has one.
    pub(crate) fn snapshot(&self) -> Answer<Uuid> {
        self.snapshot.ok_or_else(nothing)
    }
}

fn nothing() -> Problem {
    Problem::new(&NOT_FOUND, "There is nothing of that id.")
}

impl FromRequestParts<ApiState> for PathFile {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let Path(named): Path<BTreeMap<String, String>> = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| nothing())?;
        let named = |name: &str| named.get(name).ok_or_else(nothing);
        let snapshot = match named("snapshot") {
            Ok(text) => Some(text.parse().map_err(|_| nothing())?),
            Err(_) => None,
        };
        Ok(Self {
            workspace: named("id")?.parse().map_err(|_| nothing())?,
            path: named("path")?.parse().map_err(|_| nothing())?,
            snapshot,
        })
    }
}

/// The query of a request as names and values, each name known and there once.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequestParts<ApiState> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        Self::of(&parts.uri)
    }
}

impl Query {
    /// The query of a target.
    pub(crate) fn of(target: &Uri) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(target)
            .map(|axum::extract::Query(pairs)| Self(pairs))
            .map_err(|_| Problem::new(&MALFORMED_REQUEST, "The query cannot be read."))
    }

    /// The values of these parameters, in their order.
    ///
    /// # Errors
    /// `Invalid` naming a parameter that is none of these or is there twice.
    pub(crate) fn take<const N: usize>(self, known: [&str; N]) -> Result<[Option<String>; N]> {
        let mut values = [const { None }; N];
        for (name, value) in self.0 {
            let shown: String = name.chars().take(ECHO).collect();
            let Some(at) = known.iter().position(|known| *known == name) else {
                return Err(Error::invalid(
                    shown,
                    format!("is not a parameter here; known: {}", known.join(", ")),
                ));
            };
            if values[at].replace(value).is_some() {
                return Err(Error::invalid(shown, "is there twice"));
            }
        }
        Ok(values)
    }
}

/// The caller's name for one attempt, so that sending it again does nothing twice
/// (draft-ietf-httpapi-idempotency-key-header).
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl IdempotencyKey {
    /// Bytes for what an attempt of this account makes: the same whenever it is sent again, others for every purpose;
    /// random ones without a key.
    pub(crate) fn draw(&self, keys: &KeyRing, purpose: &str, account: AccountId) -> [u8; 32] {
        match &self.0 {
            Some(key) => keys.derive(purpose, &[account.as_bytes(), key.as_bytes()]),
            None => rand::random(),
        }
    }
}

impl FromRequestParts<ApiState> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        Ok(Self::read(&parts.headers)?)
    }
}

impl IdempotencyKey {
    /// The key that these headers name, if they name one.
    ///
    /// # Errors
    /// `Invalid` naming the header.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self> {
        let Some(value) = headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let text = value
            .to_str()
            .ok()
            .filter(|text| (1..=255).contains(&text.len()));
        let text = text.ok_or_else(|| {
            Error::invalid(
                "Idempotency-Key",
                "must be 1 to 255 visible ASCII characters, such as a UUID",
            )
        })?;
        Ok(Self(Some(text.to_owned())))
    }
}

/// Gathers what is wrong with several fields, so that a person corrects all at once.
#[derive(Default)]
pub(crate) struct Checks(Vec<FieldError>);

impl Checks {
    /// The value, or a note of what is wrong with it.
    pub(crate) fn check<T>(&mut self, result: Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                let field = match error.kind() {
                    coditect_core::Kind::Invalid { field } => field.clone(),
                    _ => "body".to_owned(),
                };
                self.0.push(FieldError {
                    field,
                    detail: error.message().to_owned(),
                });
            })
            .ok()
    }

    /// The problem that names every field noted.
    pub(crate) fn problem(self) -> Problem {
        Problem::invalid(self.0)
    }
}

/// Runs the rest of the request within the time configured.
pub(crate) async fn within(
    limit: Duration,
    next: impl Future<Output = axum::response::Response>,
) -> axum::response::Response {
    match tokio::time::timeout(limit, next).await {
        Ok(response) => response,
        Err(_) => axum::response::IntoResponse::into_response(Problem::from(Error::unavailable(
            "the answer took too long; try again in a moment",
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Sample {
        email: String,
        nested: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Inner {
        count: u8,
    }

    #[test]
    fn what_is_wrong_with_a_body_is_named() {
        for (text, expected) in [
            (
                "{\"email\": ",
                "malformed-json EOF while parsing a value at line 1 column 10",
            ),
            (
                "{\n\"email\": nope}",
                "malformed-json expected ident at line 2",
            ),
            (
                "{\"email\":\"a\"} x",
                "malformed-json trailing characters at line 1 column 15",
            ),
            ("", "malformed-json EOF"),
            (
                "{\"email\":1}",
                "invalid-input email is not acceptable: invalid type: integer `1`, expected a string",
            ),
            ("{}", "invalid-input email is missing"),
            (
                "{\"email\":\"a\",\"emial\":1}",
                "invalid-input emial is not a field here; expected `email` or `nested`",
            ),
            (
                "{\"email\":\"a\",\"email\":\"b\"}",
                "invalid-input email is there twice",
            ),
            (
                "{\"email\":\"a\",\"nested\":{\"count\":300}}",
                "invalid-input nested.count is not acceptable: invalid value",
            ),
            ("[]", "invalid-input "),
            ("null", "invalid-input body is not acceptable"),
        ] {
            let problem = format!("{:?}", parse::<Sample>(text.as_bytes()).unwrap_err());
            let (slug, rest) = expected.split_once(' ').unwrap();
            assert!(
                problem.contains(slug) && problem.contains(rest),
                "{text}: {problem}"
            );
        }
    }

    #[test]
    fn a_callers_text_is_not_echoed_at_length() {
        let text = format!("{{\"email\":\"a\",\"{}\":1}}", "x".repeat(50_000));
        assert!(format!("{:?}", parse::<Sample>(text.as_bytes()).unwrap_err()).len() < 2_000);
    }

    #[test]
    fn query_parameters_are_known_and_single() {
        let query = |pairs: &[(&str, &str)]| {
            Query(
                pairs
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            )
        };
        assert_eq!(
            query(&[("limit", "3")]).take(["cursor", "limit"]).unwrap(),
            [None, Some("3".to_owned())]
        );
        assert!(
            query(&[("limt", "3")])
                .take(["limit"])
                .unwrap_err()
                .to_string()
                .starts_with("limt is not a parameter")
        );
        assert!(
            query(&[("limit", "3"), ("limit", "4")])
                .take(["limit"])
                .is_err()
        );
    }
}
