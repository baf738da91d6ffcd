//! Why something did not come out as expected, in words.

use std::fmt;

/// What a scenario, or a part of it, comes to.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// What went wrong, from the outside in. It is for a person to read; nothing decides by it.
///
/// It is no [`std::error::Error`] itself, so that `?` makes one of every error.
pub struct Failure(String);

impl Failure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Says in which undertaking it happened.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self(message)
    }
}

/// Adds to a failure what was being done.
pub trait During<T> {
    /// Says in which undertaking it happened.
    ///
    /// # Errors
    /// The same failure, with `what` before its message.
    fn during(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Failure>> During<T> for std::result::Result<T, E> {
    fn during(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().during(what))
    }
}

/// Ends the function with a failure of this message.
#[macro_export]
macro_rules! fail {
    ($($message:tt)*) => {
        return Err($crate::Failure::new(format!($($message)*)))
    };
}

/// Ends the function with a failure of this message unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            $crate::fail!($($message)*);
        }
    };
}
