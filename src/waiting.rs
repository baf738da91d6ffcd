//! Starting while the registry's cluster does not answer: whoever asks is told, and nothing ends.

use std::{ops::AsyncFn, os::fd::AsFd, time::Duration};

use axum::Router;
use coditect_api::ServeLimits;
use coditect_core::{Error, Kind, Result, health::Health};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Between the first attempts, and between the later ones.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The name under which the wait is posted.
const PART: &str = "registry";

/// Opens something that may not answer yet, however long that takes; says in `health` and in the log that it waits.
///
/// # Errors
/// What `open` refuses for another reason than that something does not answer; `Unavailable` if it is time to stop.
pub(crate) async fn until_it_answers<T>(
    open: impl AsyncFn() -> Result<T>,
    health: &Health,
    stop: &CancellationToken,
) -> Result<T> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = tokio::select! {
            opened = open() => match opened {
                Ok(opened) => {
                    health.ok(PART, "has answered; /health/fdb asks it anew");
                    return Ok(opened);
                }
                Err(error) => error,
            },
            () = stop.cancelled() => return Err(stopped()),
        };
        if !matches!(error.kind(), Kind::Unavailable) {
            return Err(error);
        }
        let why = error.chain();
        health.failing(
            PART,
            format!(
                "waits for it: {why}; asks again every {} s at the latest",
                LONGEST_PAUSE.as_secs()
            ),
        );
        tracing::warn!(why, "waits for the registry to answer");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return Err(stopped()),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn stopped() -> Error {
    Error::unavailable("stopped before the registry answered")
}

/// Does the work, and answers at `listener` with `router` until it is done; then the listener is free again.
///
/// # Errors
/// `Unavailable` if the listener cannot be shared; what the work says.
pub(crate) async fn answering<T>(
    listener: &TcpListener,
    router: Router,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let shared = listener
        .as_fd()
        .try_clone_to_owned()
        .map(std::net::TcpListener::from)
        .and_then(TcpListener::from_std)
        .map_err(|error| {
            Error::unavailable("the listening socket cannot be shared").because(error)
        })?;
    let done = CancellationToken::new();
    let limits = ServeLimits {
        // Whoever asks now asks about health: no request is worth waiting for.
        drain: Duration::from_millis(200),
        ..ServeLimits::default()
    };
    let serving =
        coditect_api::serve_router(shared, router, limits, done.clone().cancelled_owned());
    let working = async {
        let worked = work.await;
        done.cancel();
        worked
    };
    let (worked, served) = tokio::join!(working, serving);
    served?;
    worked
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::routing::get;
    use coditect_core::health::State;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::oneshot,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_until_it_answers_and_health_says_so() {
        let (health, asked) = (Health::default(), AtomicU32::new(0));
        let open = async || {
            if asked.fetch_add(1, Ordering::Relaxed) < 8 {
                return Err(Error::unavailable("no coordinator"));
            }
            assert!(!health.is_ready(), "the wait is posted");
            assert!(format!("{:?}", health.snapshot()).contains("no coordinator"));
            Ok(7)
        };
        let stop = CancellationToken::new();
        assert_eq!(until_it_answers(open, &health, &stop).await.unwrap(), 7);
        assert!(matches!(health.snapshot()[PART], State::Ok { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_waiting_mends_is_told_at_once() {
        let open = async || Err::<(), _>(Error::invalid("registry", "makes no sense"));
        let stop = CancellationToken::new();
        let refused = until_it_answers(open, &Health::default(), &stop).await;
        assert!(refused.unwrap_err().to_string().contains("makes no sense"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_when_it_is_time_to_stop() {
        let stop = CancellationToken::new();
        let asks = std::future::pending::<Result<()>>;
        let open = async || {
            stop.cancel();
            asks().await
        };
        let ended = until_it_answers(open, &Health::default(), &stop).await;
        assert!(matches!(ended.unwrap_err().kind(), Kind::Unavailable));
    }

    async fn answer(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn the_address_answers_during_the_work_and_is_free_after_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/health", get(async || "waits"));
        let (finish, finished) = oneshot::channel::<()>();
        let work = async {
            finished.await.unwrap();
            Ok(())
        };
        let asking = async {
            assert!(answer(address).await.ends_with("waits"));
            finish.send(()).unwrap();
        };
        let (worked, ()) = tokio::join!(answering(&listener, router, work), asking);
        worked.unwrap();
        let later = Router::new().route("/health", get(async || "serves"));
        let stop = CancellationToken::new();
        let serving = coditect_api::serve_router(
            listener,
            later,
            ServeLimits::default(),
            stop.clone().cancelled_owned(),
        );
        let asking = async {
            assert!(answer(address).await.ends_with("serves"));
            stop.cancel();
        };
        let (served, ()) = tokio::join!(serving, asking);
        served.unwrap();
    }
}
