//! What the metrics mean.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

/// Upper bounds of the buckets of every histogram in seconds: fine where the targets are (50 ms, 500 ms).
const SECONDS: &[f64] = &[
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// A Prometheus recorder whose `…_seconds` are histograms with buckets. The process installs it once and hands
/// its handle to the routers.
#[must_use]
pub fn metrics_builder() -> PrometheusBuilder {
    let builder = PrometheusBuilder::new();
    // Refused only for an empty list of buckets.
    builder
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .unwrap_or_else(|_| PrometheusBuilder::new())
}

/// Tells the recorder what our metrics mean.
pub(crate) fn describe() {
    describe_counter!(
        "coditect_api_requests_total",
        "Requests answered, by method, route template and status"
    );
    describe_histogram!(
        "coditect_api_request_seconds",
        Unit::Seconds,
        "Time to answer, by method and route template"
    );
    describe_gauge!("coditect_api_requests_in_flight", "Requests being answered");
    describe_counter!(
        "coditect_api_rate_limited_total",
        "Requests refused by a rate limit"
    );
    describe_counter!("coditect_api_panics_total", "Handlers that panicked");
    describe_counter!(
        "coditect_api_sign_ups_total",
        "Sign-ups accepted, whether or not the address was free"
    );
    describe_counter!(
        "coditect_api_letters_total",
        "Letters by purpose and outcome: sent (a relay took it), failed, or capped (the address got enough)"
    );
    describe_counter!("coditect_api_logins_total", "Sign-ins by outcome");
    describe_counter!(
        "coditect_api_key_uses_total",
        "Requests with API keys, by the scope that the route asks (none: no key may) and outcome"
    );
    describe_counter!(
        "coditect_api_provider_sign_ins_total",
        "Sign-ins with a provider that came back, by provider and outcome"
    );
    describe_counter!(
        "coditect_api_provider_failures_total",
        "Calls to a provider that failed for a reason of its own or of our configuration"
    );
    describe_counter!(
        "coditect_api_refresh_reused_total",
        "Logins ended because an old refresh token was used again"
    );
    describe_counter!(
        "coditect_api_wake_answers_total",
        "Requests for workspaces' hosts that no pod answered, by state and what was wanted"
    );
    describe_gauge!("coditect_api_event_streams", "Open event streams");
    describe_histogram!(
        "coditect_api_password_hash_seconds",
        Unit::Seconds,
        "Time to hash a password"
    );
    describe_gauge!(
        "coditect_api_password_queue_length",
        "Passwords waiting to be hashed"
    );
}
