//! Answers, and what the metrics say of them.

use std::time::Instant;

use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{self, HeaderValue},
};

use super::{
    body::AnswerBody,
    route::{Asked, Refusal},
};

pub(super) type Answer = Response<AnswerBody>;

impl Refusal {
    /// As plain text, which `git` shows.
    pub(super) fn answer(self) -> Answer {
        let (status, sentence) = self.status();
        let body = AnswerBody::Whole(Bytes::from(format!("{sentence}\n")).into());
        let mut answer = fresh(status, "text/plain; charset=utf-8", body);
        let headers = answer.headers_mut();
        match self {
            Self::Unauthorised => {
                let basic = HeaderValue::from_static("Basic realm=\"coditect\", charset=\"UTF-8\"");
                headers.insert(header::WWW_AUTHENTICATE, basic);
            }
            Self::Method(allowed) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Busy => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // Its body was not read: what follows on the connection is not a request.
            Self::TooLarge | Self::Malformed | Self::TooSlow | Self::Encoding => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        answer
    }
}

/// An answer that no cache keeps (gitprotocol-http(5), "Smart Clients").
pub(super) fn fresh(status: StatusCode, content_type: &'static str, body: AnswerBody) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, max-age=0, must-revalidate"),
    );
    answer
}

/// Counts one request, when it is over: for a streamed answer that is when its last byte went out or its client
/// left.
pub(super) struct Recorder {
    began: Instant,
    cell: String,
    service: &'static str,
    status: u16,
    whole: bool,
    bytes: u64,
    counted: bool,
}

impl Recorder {
    pub(super) fn begin() -> Self {
        metrics::gauge!("coditect_renderer_git_serve_in_flight").increment(1.0);
        Self {
            began: Instant::now(),
            cell: String::new(),
            service: "none",
            status: 0,
            whole: true,
            bytes: 0,
            counted: true,
        }
    }

    /// The request is for a cell that there is: what strangers make up does not become a label.
    pub(super) fn known(&mut self, asked: &Asked) {
        self.cell = asked.cell.to_string();
        self.service = asked.service.word();
    }

    /// Goes on counting elsewhere: in the task that streams.
    pub(super) fn hand_over(&mut self) -> Self {
        let rest = Self {
            began: self.began,
            cell: std::mem::take(&mut self.cell),
            service: self.service,
            status: StatusCode::OK.as_u16(),
            whole: false,
            bytes: 0,
            counted: true,
        };
        self.counted = false;
        rest
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// All was sent.
    pub(super) fn done(&mut self) {
        self.whole = true;
    }

    pub(super) fn answered(mut self, answer: Answer) -> Answer {
        self.status = answer.status().as_u16();
        answer
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.counted {
            return;
        }
        metrics::gauge!("coditect_renderer_git_serve_in_flight").decrement(1.0);
        let outcome = match (self.status, self.whole) {
            (0, _) => "abandoned".to_owned(),
            (_, false) => "cut".to_owned(),
            (status, true) => status.to_string(),
        };
        let cell = std::mem::take(&mut self.cell);
        metrics::counter!("coditect_renderer_git_serve_requests_total", "cell" => cell.clone(), "service" => self.service, "outcome" => outcome).increment(1);
        metrics::counter!("coditect_renderer_git_serve_sent_bytes", "cell" => cell.clone())
            .increment(self.bytes);
        metrics::histogram!("coditect_renderer_git_serve_seconds", "cell" => cell, "service" => self.service)
            .record(self.began.elapsed().as_secs_f64());
    }
}
