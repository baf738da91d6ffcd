//! Asks the gateways of ready pods, through the workspaces' Services, whether they answer.

use std::{sync::Arc, time::Duration};

use coditect_core::Readiness;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{cell::Cell, world::Id};

/// The gateway's port, the only one of a workspace's Service.
const PORT: u16 = 8080;
/// How often one that does not answer is asked.
const AGAIN: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many are asked at once.
const AT_ONCE: usize = 32;

/// How long one may be silent before it no longer counts as new.
const NEW: SignedDuration = SignedDuration::from_secs(30);

/// Asks until `stop`. Those that have been silent for long are asked apart: each of them takes its whole patience,
/// and nobody who has just become ready is to wait for them.
pub(crate) async fn run(cell: Arc<Cell>, stop: CancellationToken) {
    tokio::select! {
        () = ask_new(&cell) => {}
        () = ask_silent(&cell) => {}
        () = stop.cancelled() => {}
    }
}

async fn ask_new(cell: &Cell) {
    loop {
        if round(cell, |silent| silent <= NEW).await {
            sleep(AGAIN).await;
        } else {
            cell.knock.notified().await;
        }
    }
}

async fn ask_silent(cell: &Cell) {
    loop {
        sleep(AGAIN).await;
        round(cell, |silent| silent > NEW).await;
    }
}

/// Asks each of those that has not answered, chosen by how long it has been silent; true if there was one.
async fn round(cell: &Cell, chosen: impl Fn(SignedDuration) -> bool) -> bool {
    let asks = cell
        .summary()
        .is_some_and(|summary| summary.readiness == Readiness::Gateway);
    if !asks {
        return false;
    }
    let now = Timestamp::now();
    let mut unanswered = cell.world().unanswered();
    unanswered.retain(|(_, _, since)| {
        chosen(since.map_or(SignedDuration::ZERO, |since| now.duration_since(since)))
    });
    let any = !unanswered.is_empty();
    stream::iter(unanswered)
        .for_each_concurrent(AT_ONCE, |(id, uid, _)| async move {
            let answered = timeout(PATIENCE, ask(&host(id), PORT))
                .await
                .unwrap_or(false);
            if cell
                .world()
                .note_gateway(id, uid, answered, Timestamp::now())
            {
                cell.touch_users([id.0]);
            }
        })
        .await;
    any
}

/// The Service's name as the cluster's DNS knows it; the cluster's own domain is found by the search path.
fn host((user, workspace): Id) -> String {
    format!("{}.{}.svc", workspace.object_name(), user.namespace())
}

/// True if the health page says yes.
async fn ask(host: &str, port: u16) -> bool {
    let answer = async {
        let mut stream = TcpStream::connect((host, port)).await?;
        let request = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        // `HTTP/1.1 200`: the rest is of no interest.
        let mut line = [0; 12];
        stream.read_exact(&mut line).await?;
        std::io::Result::Ok(line)
    };
    answer
        .await
        .is_ok_and(|line| line.starts_with(b"HTTP/1.") && line[8..10] == *b" 2")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answers(text: &'static str) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1"));
            stream.write_all(text.as_bytes()).await.unwrap();
        };
        tokio::join!(ask("127.0.0.1", port), serve).0
    }

    #[tokio::test]
    async fn only_a_good_answer_counts() {
        assert!(answers("HTTP/1.1 200 OK\r\n\r\n").await);
        assert!(answers("HTTP/1.0 204 No Content\r\n\r\n").await);
        assert!(!answers("HTTP/1.1 503 Service Unavailable\r\n\r\n").await);
        assert!(!answers("HTTP/1.1").await);
        assert!(!ask("127.0.0.1", 1).await, "nobody listens there");
    }
}
