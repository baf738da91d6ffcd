//! Answers: ours, and those of the IDE on their way through.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use coditect_core::Result;
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    header::{self, HeaderName, HeaderValue},
};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::{access::logins::Presence, proxy::InUse};

/// An answer.
pub(crate) type Answer = Response<AnswerBody>;

/// The body of an answer.
pub(crate) enum AnswerBody {
    /// Ours, whole; none once it has been sent.
    Whole(Option<Bytes>),
    /// The IDE's, as it comes.
    Ide(Box<Guarded>),
}

/// A body that breaks off when whoever asked is shut out.
pub(crate) struct Guarded {
    body: Incoming,
    /// Read to its end.
    has_ended: bool,
    /// What it comes on; free once it has ended.
    connection: Option<InUse>,
    presence: Option<Presence>,
    /// Wakes whoever waits for the body once it breaks off.
    cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if (self.has_ended || self.body.is_end_stream())
            && let Some(connection) = self.connection.take()
        {
            connection.give_back();
        }
    }
}

impl Guarded {
    /// Whether whoever asked was shut out. If there is something to wait for, they wait for that too.
    fn is_cut(&mut self, context: &mut Context<'_>, waits: bool) -> bool {
        let Some(presence) = &self.presence else {
            return false;
        };
        if !waits {
            return presence.cut().is_cancelled();
        }
        let cut = || Box::pin(presence.cut().clone().cancelled_owned());
        let cut = self.cut.get_or_insert_with(cut);
        cut.as_mut().poll(context).is_ready()
    }
}

impl AnswerBody {
    /// The IDE's body, for as long as this person is in.
    pub(crate) fn guarded(body: Incoming, connection: InUse, presence: Presence) -> Self {
        Self::Ide(Box::new(Guarded {
            body,
            has_ended: false,
            connection: Some(connection),
            presence: Some(presence),
            cut: None,
        }))
    }

    /// The IDE's body, for everybody.
    pub(crate) fn open(body: Incoming, connection: InUse) -> Self {
        Self::Ide(Box::new(Guarded {
            body,
            has_ended: false,
            connection: Some(connection),
            presence: None,
            cut: None,
        }))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Ide(guarded) => {
                let mut frame = Pin::new(&mut guarded.body).poll_frame(context);
                if frame.is_pending()
                    && let Some(connection) = &mut guarded.connection
                {
                    connection.drive(context);
                    frame = Pin::new(&mut guarded.body).poll_frame(context);
                }
                if guarded.is_cut(context, frame.is_pending()) {
                    let cut = std::io::Error::other("whoever asked was shut out");
                    return Poll::Ready(Some(Err(cut)));
                }
                guarded.has_ended |= matches!(frame, Poll::Ready(None));
                frame.map_err(std::io::Error::other)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Ide(guarded) => guarded.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Ide(guarded) => guarded.body.size_hint(),
        }
    }
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(AnswerBody::Whole(None));
    *answer.status_mut() = status;
    private(answer.headers_mut());
    answer
}

/// An answer of this type.
pub(crate) fn whole(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(AnswerBody::Whole(Some(body.into())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    private(headers);
    answer
}

/// JSON.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Answer {
    whole(status, "application/json", value.to_string())
}

/// Why not, for programs (RFC 9457). `kind` completes the type's address, `detail` says what to do.
pub(crate) fn problem(status: StatusCode, kind: &str, detail: &str) -> Answer {
    let title = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({
        "type": format!("https://coditect.ai/problems/{kind}"),
        "title": title, "status": status.as_u16(), "detail": detail,
    });
    whole(status, "application/problem+json", body.to_string())
}

/// Where to go instead.
pub(crate) fn see_other(place: &str) -> Result<Answer> {
    let mut answer = empty(StatusCode::SEE_OTHER);
    let place = HeaderValue::from_str(place).map_err(|error| {
        coditect_core::Error::internal("a place cannot be written").because(error)
    })?;
    answer.headers_mut().insert(header::LOCATION, place);
    Ok(answer)
}

/// What every answer of ours says: it is for nobody else, and no kind but its own.
fn private(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
