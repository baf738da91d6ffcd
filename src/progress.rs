//! Progress bars for long commands; silent where nobody watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::Output;

/// A bar for `length` steps of something ("users"), on standard error.
pub(crate) fn bar(output: Output, length: u64, what: &'static str) -> ProgressBar {
    let target = if output == Output::Text {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    if let Ok(style) =
        ProgressStyle::with_template("{msg:>12} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}")
    {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}

/// A bar for something whose length is not known.
pub(crate) fn spinner(output: Output, what: String) -> ProgressBar {
    let bar = bar(output, 0, "");
    bar.set_style(ProgressStyle::default_spinner());
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
