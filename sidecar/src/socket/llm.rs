//! Questions to language models, handed on to the API; answers come piece by piece.

use std::{collections::BTreeMap, sync::Arc};

use coditect_core::Kind;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use serde_json::Value;
use tokio::{sync::mpsc, task::AbortHandle};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    limits::write,
    protocol::{LlmProblem, Tells},
};
use crate::app::App;

/// Most questions of a tab that go on at once.
const AT_ONCE: usize = 2;
/// Longest event of an answer.
const LONGEST: usize = 64 * 1024;

/// The questions of a tab; they end with it.
pub(super) struct Questions {
    app: Arc<App>,
    out: mpsc::Sender<Utf8Bytes>,
    going: BTreeMap<u32, AbortHandle>,
}

impl Questions {
    pub(super) fn new(app: Arc<App>, out: mpsc::Sender<Utf8Bytes>) -> Self {
        Self {
            app,
            out,
            going: BTreeMap::new(),
        }
    }

    pub(super) fn ask(&mut self, id: u32, mut request: Value) {
        self.going.retain(|_, task| !task.is_finished());
        let body = request.as_object_mut().map(|fields| {
            fields.insert("stream".to_owned(), Value::Bool(true));
        });
        let end = move |problem| write(&Tells::LlmEnd { id, problem });
        if body.is_none() || self.going.contains_key(&id) || self.going.len() >= AT_ONCE {
            // If it has no room for this, it is let go for that soon.
            let _ = self.out.try_send(end(Some(LlmProblem::Refused)).into());
            return;
        }
        let (app, out) = (Arc::clone(&self.app), self.out.clone());
        let task = tokio::spawn(async move {
            let problem = answer(&app, id, request, &out).await.err();
            let _ = out.send(end(problem).into()).await;
        });
        self.going.insert(id, task.abort_handle());
    }

    pub(super) fn cancel(&mut self, id: u32) {
        if let Some(task) = self.going.remove(&id) {
            task.abort();
        }
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        for task in self.going.values() {
            task.abort();
        }
    }
}

/// Hands a question on, and its answer back as it comes.
async fn answer(
    app: &App,
    id: u32,
    request: Value,
    out: &mpsc::Sender<Utf8Bytes>,
) -> Result<(), LlmProblem> {
    let answer = app.platform.complete(Bytes::from(request.to_string()));
    let mut body = answer
        .await
        .map_err(|error| {
            tracing::info!(error = error.chain(), "a model does not answer");
            match error.kind() {
                Kind::NotFound | Kind::Unavailable => LlmProblem::NotAvailable,
                Kind::Forbidden | Kind::TooMany { .. } => LlmProblem::LimitReached,
                _ => LlmProblem::Refused,
            }
        })?
        .into_body();
    let mut lines = Lines::default();
    while let Some(data) = next(&mut body).await? {
        for data in lines.take(&data)? {
            if data == "[DONE]" {
                return Ok(());
            }
            let part = write(&Tells::LlmPart { id, data });
            // Whoever does not read is waited for, and the model with them.
            if out.send(part.into()).await.is_err() {
                return Err(LlmProblem::BrokeOff);
            }
        }
    }
    Ok(())
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, LlmProblem> {
    match body.frame().await {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(_)) => Err(LlmProblem::BrokeOff),
    }
}

/// Finds the data of server-sent events in bytes that come in any pieces (HTML, "Server-sent events").
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, LlmProblem> {
        self.rest.extend(bytes);
        let mut found = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = line.trim_ascii_end();
            if let Some(data) = line.strip_prefix(b"data:") {
                let data = data.strip_prefix(b" ").unwrap_or(data);
                found.push(String::from_utf8_lossy(data).into_owned());
            }
        }
        if self.rest.len() > LONGEST {
            return Err(LlmProblem::BrokeOff);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_they_are_cut() {
        let text = b"data: {\"a\":1}\r\n\r\n: comment\nevent: x\ndata:two\n\ndata: [DONE]\n\n";
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            let mut found = lines.take(&text[..cut]).unwrap();
            found.extend(lines.take(&text[cut..]).unwrap());
            assert_eq!(found, ["{\"a\":1}", "two", "[DONE]"]);
        }
        assert!(Lines::default().take(&vec![b'x'; LONGEST + 1]).is_err());
    }
}
