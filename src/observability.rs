//! Logs and metrics of the process.

use coditect_core::{Error, Result};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing_subscriber::{EnvFilter, fmt};

use crate::cli::LogFormat;

/// Begins to write log lines to standard error. A filter that cannot be read is replaced by `warn`, loudly.
pub(crate) fn log(filter: &str, format: LogFormat) {
    let (parsed, wrong) = match EnvFilter::try_new(filter) {
        Ok(parsed) => (parsed, None),
        Err(error) => (EnvFilter::new("warn"), Some(error)),
    };
    let builder = fmt().with_env_filter(parsed).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    if let Some(error) = wrong {
        tracing::warn!(%error, "--log cannot be read; writing warnings");
    }
}

/// Begins to collect metrics; the handle renders them.
///
/// # Errors
/// `Internal` if the process collects them already.
pub(crate) fn metrics() -> Result<PrometheusHandle> {
    coditect_api::metrics_builder()
        .install_recorder()
        .map_err(|error| Error::internal("metrics cannot be collected").because(error))
}
