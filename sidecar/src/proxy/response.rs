//! Answers of the IDE on their way out: what it may not say in our place.

use hyper::{
    HeaderMap,
    header::{self, HeaderName, HeaderValue},
};

use super::request::take_out;
use crate::access::cookie;

/// What the IDE may not say: who may frame it, what the browser forgets (our cookie), how and where this host is
/// reached, and where the browser reports what people do.
const OURS: [HeaderName; 9] = [
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
    header::X_FRAME_OPTIONS,
    HeaderName::from_static("clear-site-data"),
    header::STRICT_TRANSPORT_SECURITY,
    header::ALT_SVC,
    HeaderName::from_static("report-to"),
    HeaderName::from_static("reporting-endpoints"),
    HeaderName::from_static("nel"),
];

/// Cleans an answer's head. `policy` says who may show it in a frame.
pub(super) fn clean(headers: &mut HeaderMap, policy: HeaderValue) {
    take_out(headers, |name| OURS.contains(name));
    cookie::strip_set(headers);
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
}
