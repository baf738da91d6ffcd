//! One error type, free of transport and storage.
//!
//! What the outside may read (`message`) and what the log needs (`source`) are different fields; the
//! HTTP edge turns a [`Kind`] into a status once.

use std::{error::Error as StdError, fmt, time::Duration};

/// The result of anything in Coditect that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is; decides what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The named input field is not acceptable. Correct it and send again.
    Invalid {
        /// The field, as the caller spelled it (`email`, `plans/free.yaml:3:1`).
        field: String,
    },
    /// Who is calling is unknown or no longer accepted.
    Unauthenticated,
    /// The caller is known and may not do this.
    Forbidden,
    /// There is nothing of that name that the caller may see.
    NotFound,
    /// The state changed meanwhile or does not allow this. Read again, then decide.
    Conflict,
    /// A limit of the plan is reached; the message names it and the remedy.
    LimitReached {
        /// The limit, as plans name it (`workspaces`, `storage`).
        limit: &'static str,
    },
    /// Too many requests.
    TooMany {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something this part depends on does not answer now; trying again later helps.
    Unavailable,
    /// A defect, or storage that holds what it should not.
    Internal,
}

/// A failure: what kind, a sentence for the person, and the cause for the log.
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind with a sentence that the outside may read.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The named field is not acceptable; the message completes "`field` …" ("is empty").
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(
            Kind::Invalid {
                field: field.into(),
            },
            message,
        )
    }

    /// There is no such thing that the caller may see.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// The state does not allow this now.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// A dependency does not answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    /// A defect. The outside reads a fixed sentence; this message is for the log.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Adds the cause, which only the log sees.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What sort of failure it is.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The sentence for the person. For [`Kind::Internal`] it is for the log alone.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The message and every cause behind it on one line, for a log or a terminal. What one cause repeats of
    /// the one before is said once.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.ends_with(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Invalid { field } => write!(f, "{field} {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.chain())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_once_and_only_to_the_log() {
        let error = Error::unavailable("the registry does not answer")
            .because(std::io::Error::other("disk full"));
        assert_eq!(error.to_string(), "the registry does not answer");
        assert_eq!(error.chain(), "the registry does not answer: disk full");
        let repeated = Error::unavailable("disk full").because(std::io::Error::other("disk full"));
        assert_eq!(repeated.chain(), "disk full");
    }
}
