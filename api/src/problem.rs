//! Errors as the outside sees them: RFC 9457 problem documents. The one place where a kind of failure becomes
//! a status.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{Error, Kind};
use serde::Serialize;
use utoipa::ToSchema;

/// The answer of a handler.
pub(crate) type Answer<T> = Result<T, Problem>;

/// One type of problem: what its `type` URI names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProblemType {
    /// The last part of the `type` URI; stable for ever.
    pub(crate) slug: &'static str,
    /// The status it comes with.
    pub(crate) status: StatusCode,
    /// The same for every occurrence (RFC 9457 section 3.1.3).
    pub(crate) title: &'static str,
    /// What it means and what helps, for the page behind the URI.
    pub(crate) remedy: &'static str,
}

impl ProblemType {
    /// The `type` URI: a path, so that it is the same wherever the API is reached.
    pub(crate) fn uri(&self) -> String {
        format!("/problems/{}", self.slug)
    }
}

macro_rules! problem_types {
    ($($name:ident = $slug:literal, $status:ident, $title:literal, $remedy:literal;)*) => {
        $(pub(crate) static $name: ProblemType =
            ProblemType { slug: $slug, status: StatusCode::$status, title: $title, remedy: $remedy };)*

        /// Every type of problem.
        pub(crate) static PROBLEM_TYPES: &[&ProblemType] = &[$(&$name),*];
    };
}

problem_types! {
    MALFORMED_JSON = "malformed-json", BAD_REQUEST, "The body is not valid JSON",
        "The detail names line and column. Correct the JSON and send it again.";
    MALFORMED_REQUEST = "malformed-request", BAD_REQUEST, "The request cannot be understood",
        "The detail says which part is wrong: the request line, a header or the query.";
    INVALID_INPUT = "invalid-input", UNPROCESSABLE_ENTITY, "A field is not acceptable",
        "Nothing was changed. `errors` names each field and what is wrong with it. Correct them and send again.";
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, "Who is calling is not known",
        "Sign in, or exchange the refresh cookie at /api/v5/auth/refresh, and send the access token as `Authorization: Bearer …`.";
    FORBIDDEN = "forbidden", FORBIDDEN, "The caller may not do this",
        "Ask somebody who may, or call from a page of an allowed origin.";
    BILLING_REQUIRED = "billing-required", FORBIDDEN, "The plan changes through billing only",
        "Choose the plan in the billing pages; it applies as soon as the payment is known.";
    SECOND_FACTOR_REQUIRED = "second-factor-required", FORBIDDEN, "The password is right; a second factor is asked for",
        "Send `challenge` with a code of the authenticator app, or with a recovery code, to /api/v5/auth/login/second-factor within five minutes.";
    LIMIT_REACHED = "limit-reached", FORBIDDEN, "A limit of the plan is reached",
        "`limit` names it. Free some of it, or choose a larger plan.";
    FLOW_ENDED = "sign-in-ended", FORBIDDEN, "This sign-in was not begun here, or is over",
        "A sign-in at a provider ends in the browser in which it began, once, within ten minutes. Begin again.";
    PROVIDER_REFUSED = "provider-refused", FORBIDDEN, "The provider did not confirm the sign-in",
        "The detail says why. Begin again, or sign in another way.";
    EMAIL_UNVERIFIED = "email-not-verified", FORBIDDEN, "The provider has not verified the e-mail address",
        "Verify the address at the provider, on GitHub the primary one, and begin again.";
    NO_ACCOUNT = "no-account", FORBIDDEN, "Nobody here has this sign-in",
        "Sign up with it, agreeing to the terms; where nobody can sign up right now, try again later.";
    NOT_FOUND = "not-found", NOT_FOUND, "There is no such thing",
        "It never was, is gone, or belongs to somebody else. Check the address.";
    NO_MODELS = "no-models", NOT_FOUND, "There are no language models here",
        "This installation offers none. An operator can tell whether that is to change.";
    NO_REPOSITORY = "no-repository", NOT_FOUND, "The repository cannot be read here",
        "The API has no Git of its own: what a cell's repository holds is told where the API runs beside the cell's renderer.";
    NO_MAIL = "no-mail", NOT_FOUND, "No mail is sent here",
        "This needs a letter, and the installation sends none. An operator can tell whether that is to change.";
    PROVIDER_OFF = "provider-off", NOT_FOUND, "That sign-in is not switched on here",
        "/api/v5/auth/providers lists those that are. An operator can switch others on.";
    METHOD_NOT_ALLOWED = "method-not-allowed", METHOD_NOT_ALLOWED, "This address does not know the method",
        "The `Allow` header lists the methods it knows.";
    REQUEST_TIMEOUT = "request-timeout", REQUEST_TIMEOUT, "The request took too long to arrive",
        "Send the whole request without pauses.";
    CONFLICT = "conflict", CONFLICT, "The state does not allow this",
        "It changed meanwhile, or something else must be done first. Read it again, then decide.";
    ADDRESS_TAKEN = "address-taken", CONFLICT, "The e-mail address has an account already",
        "Sign in to it as you always do, then connect the provider in the settings.";
    PRECONDITION_FAILED = "precondition-failed", PRECONDITION_FAILED, "It was changed meanwhile",
        "The `If-Match` header names an older state. Read it again, apply your change to what you find, and send the new entity tag.";
    PAYLOAD_TOO_LARGE = "payload-too-large", PAYLOAD_TOO_LARGE, "The body is too large",
        "People's requests stay below 64 KiB, those of workspaces' gateways below 1 MiB.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body has the wrong type",
        "Send JSON with `Content-Type: application/json`.";
    TOO_MANY_REQUESTS = "too-many-requests", TOO_MANY_REQUESTS, "Too many requests",
        "Wait as many seconds as the `Retry-After` header says. `RateLimit` shows what is left.";
    HEADERS_TOO_LARGE = "headers-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large",
        "All headers together must stay below 16 KiB.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side",
        "It was recorded under the request id. Trying again may help; if not, report the request id.";
    UNAVAILABLE = "unavailable", SERVICE_UNAVAILABLE, "The service cannot answer now",
        "Nothing is lost. Try again after as many seconds as the `Retry-After` header says.";
    PROVIDER_UNAVAILABLE = "provider-unavailable", SERVICE_UNAVAILABLE, "The provider cannot be asked now",
        "Nothing is lost. Try again in a moment, or sign in another way.";
}

/// Seconds after which trying again makes sense when nobody knows better.
const RETRY_SECONDS: u64 = 2;

/// A problem on its way to the caller.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) of: &'static ProblemType,
    detail: String,
    errors: Vec<FieldError>,
    limit: Option<&'static str>,
    challenge: Option<String>,
    retry_after: Option<Duration>,
    /// What the log needs and the outside must not see.
    pub(crate) cause: Option<Arc<Error>>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The field, as the caller spelled it.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// What sort of problem it is: a stable URI, relative to the API's address, with an explanation behind it.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every problem of the type.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened this time, in words for a person.
    detail: &'a str,
    /// The first field that is not acceptable.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// Every field that is not acceptable.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// The limit of the plan that is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    /// What to send along with the second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<&'a str>,
    /// Names this request in our logs.
    request_id: &'a str,
}

impl Problem {
    pub(crate) fn new(of: &'static ProblemType, detail: impl Into<String>) -> Self {
        Self {
            of,
            detail: detail.into(),
            errors: Vec::new(),
            limit: None,
            challenge: None,
            retry_after: None,
            cause: None,
        }
    }

    /// A sign-in that lacks its second factor.
    pub(crate) fn challenge(challenge: String) -> Self {
        let detail = "Signing in to this account needs a second factor.";
        Self {
            challenge: Some(challenge),
            ..Self::new(&SECOND_FACTOR_REQUIRED, detail)
        }
    }

    /// A problem whose cause is for the log alone.
    pub(crate) fn because(
        of: &'static ProblemType,
        detail: impl Into<String>,
        cause: Error,
    ) -> Self {
        Self {
            cause: Some(Arc::new(cause)),
            ..Self::new(of, detail)
        }
    }

    /// Fields that are not acceptable; at least one.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors
            .iter()
            .map(|error| format!("{} {}", error.field, error.detail))
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            errors,
            ..Self::new(&INVALID_INPUT, detail)
        }
    }

    /// The problem of a status that no handler chose: what the router and its libraries answer.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let of = PROBLEM_TYPES.iter().find(|of| of.status == status);
        let fallback = if status.is_server_error() {
            &INTERNAL
        } else {
            &MALFORMED_REQUEST
        };
        let of = of.copied().unwrap_or(fallback);
        Self::new(of, format!("{}.", of.title))
    }

    /// Tells the log why, where the outside is told the type alone.
    pub(crate) fn log(&self) {
        match &self.cause {
            Some(cause) if self.of == &INTERNAL => {
                tracing::error!(error = cause.chain(), "failed");
            }
            Some(cause) => tracing::warn!(error = cause.chain(), "not available"),
            None => {}
        }
    }

    /// As a response without a body: the outermost layer writes it, because it knows the request's id.
    fn document(&self, request_id: &str) -> Vec<u8> {
        let body = ProblemBody {
            kind: self.of.uri(),
            title: self.of.title,
            status: self.of.status.as_u16(),
            detail: &self.detail,
            field: self.errors.first().map(|error| error.field.as_str()),
            errors: &self.errors,
            limit: self.limit,
            challenge: self.challenge.as_deref(),
            request_id,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Writes the document into the response that carries this problem, keeping its headers.
    pub(crate) fn write(&self, response: &mut Response, request_id: &str) {
        *response.status_mut() = self.of.status;
        *response.body_mut() = Body::from(self.document(request_id));
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        let usual = (self.of.status == StatusCode::SERVICE_UNAVAILABLE)
            .then(|| Duration::from_secs(RETRY_SECONDS));
        if let Some(wait) = self.retry_after.or(usual) {
            // Rounded up: a client that waits exactly so long must not come too early.
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(wait.as_millis().div_ceil(1000).max(1) as u64),
            );
        }
        if self.of.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 section 11.6.1 requires a challenge with every 401.
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"coditect\""),
            );
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let message = error.message().to_owned();
        match error.kind().clone() {
            Kind::Invalid { field } => Self::invalid(vec![FieldError {
                field,
                detail: message,
            }]),
            Kind::Unauthenticated => Self::new(&UNAUTHENTICATED, message),
            Kind::Forbidden => Self::new(&FORBIDDEN, message),
            Kind::NotFound => Self::new(&NOT_FOUND, message),
            Kind::Conflict => Self::new(&CONFLICT, message),
            Kind::LimitReached { limit } => Self {
                limit: Some(limit),
                ..Self::new(&LIMIT_REACHED, message)
            },
            Kind::TooMany { retry_after } => Self {
                retry_after: Some(retry_after),
                ..Self::new(&TOO_MANY_REQUESTS, message)
            },
            Kind::Unavailable => Self {
                cause: Some(Arc::new(error)),
                ..Self::new(&UNAVAILABLE, message)
            },
            Kind::Internal => {
                let detail = "An error of our own was recorded under this request id.";
                Self {
                    cause: Some(Arc::new(error)),
                    ..Self::new(&INTERNAL, detail)
                }
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.of.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(error: Error) -> serde_json::Value {
        serde_json::from_slice(&Problem::from(error).document("r-1")).unwrap()
    }

    #[test]
    fn a_defect_tells_the_outside_nothing() {
        let text =
            body(Error::internal("password table gone").because(std::io::Error::other("disk")))
                .to_string();
        assert!(
            !text.contains("password") && !text.contains("disk"),
            "{text}"
        );
        assert!(
            text.contains("\"request_id\":\"r-1\"") && text.contains("/problems/internal"),
            "{text}"
        );
    }

    #[test]
    fn an_unacceptable_field_is_named() {
        let body = body(Error::invalid("email", "is empty"));
        assert_eq!(body["field"], "email");
        assert_eq!(body["errors"][0]["detail"], "is empty");
        assert_eq!(body["detail"], "email is empty");
        assert_eq!(body["status"], 422);
    }

    #[test]
    fn slugs_are_unique() {
        let slugs: std::collections::BTreeSet<_> = PROBLEM_TYPES.iter().map(|of| of.slug).collect();
        assert_eq!(slugs.len(), PROBLEM_TYPES.len());
    }
}
