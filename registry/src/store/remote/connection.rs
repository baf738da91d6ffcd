//! One connection to the server: questions go out, answers come back in any order.

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixStream, unix::OwnedReadHalf},
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::timeout,
};

use super::{
    message::{Request, Response},
    wire::{HELLO, malformed, read_frame},
};

/// A server that accepts and does not greet for this long is not one.
const GREETING: Duration = Duration::from_secs(5);
/// Questions that wait for the socket to take them.
const QUESTIONS: usize = 256;

/// The connection was lost.
pub(super) enum Lost {
    /// Before the question was sent.
    Unsent,
    /// Before the answer came.
    Unanswered,
}

type Waiting = HashMap<u64, oneshot::Sender<Response>>;

/// One connection, shared by all questions; its tasks end with it.
pub(super) struct Connection {
    next: AtomicU64,
    questions: mpsc::Sender<Vec<u8>>,
    /// Who waits for which answer; `None` once the connection is lost.
    waiting: Arc<Mutex<Option<Waiting>>>,
    tasks: [AbortHandle; 2],
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Connection {
    pub(super) async fn open(path: &Path) -> io::Result<Arc<Self>> {
        let mut stream = UnixStream::connect(path).await?;
        let mut hello = [0; HELLO.len()];
        timeout(GREETING, async {
            stream.write_all(HELLO).await?;
            stream.read_exact(&mut hello).await
        })
        .await??;
        if hello != *HELLO {
            return Err(malformed());
        }
        let (reader, mut writer) = stream.into_split();
        let (questions, mut taken) = mpsc::channel::<Vec<u8>>(QUESTIONS);
        let waiting = Arc::new(Mutex::new(Some(Waiting::new())));
        let reads = tokio::spawn(read(reader, Arc::clone(&waiting)));
        let cut = Arc::clone(&waiting);
        let writes = tokio::spawn(async move {
            while let Some(question) = taken.recv().await {
                if writer.write_all(&question).await.is_err() {
                    break;
                }
            }
            hang_up(&cut);
        });
        let tasks = [reads.abort_handle(), writes.abort_handle()];
        Ok(Arc::new(Self {
            next: AtomicU64::new(0),
            questions,
            waiting,
            tasks,
        }))
    }

    pub(super) fn is_lost(&self) -> bool {
        self.waiting().is_none()
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for the next question.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks, and waits for the answer. Dropped before that, the server is told to forget the question.
    pub(super) async fn ask(&self, question: u64, request: &Request) -> Result<Response, Lost> {
        let frame = request.encode(question);
        let (answer, answered) = oneshot::channel();
        match &mut *self.waiting() {
            Some(waiting) => waiting.insert(question, answer),
            None => return Err(Lost::Unsent),
        };
        let mut asked = Asked {
            connection: self,
            question,
            answered: false,
        };
        self.questions.send(frame).await.map_err(|_| Lost::Unsent)?;
        let response = answered.await.map_err(|_| Lost::Unanswered)?;
        asked.answered = true;
        Ok(response)
    }

    /// Says something that has no answer; if the socket is busy, not at all.
    pub(super) fn tell(&self, request: &Request) {
        let _ = self.questions.try_send(request.encode(self.number()));
    }
}

struct Asked<'a> {
    connection: &'a Connection,
    question: u64,
    answered: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.answered
            && self
                .connection
                .waiting()
                .as_mut()
                .and_then(|waiting| waiting.remove(&self.question))
                .is_some()
        {
            self.connection.tell(&Request::Forget {
                question: self.question,
            });
        }
    }
}

/// Hands every answer to who waits for it, until the connection ends.
async fn read(mut reader: OwnedReadHalf, waiting: Arc<Mutex<Option<Waiting>>>) {
    while let Ok(Some(frame)) = read_frame(&mut reader).await {
        let Ok((question, response)) = Response::decode(&frame) else {
            break;
        };
        let waits = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .and_then(|waiting| waiting.remove(&question));
        if let Some(waits) = waits {
            let _ = waits.send(response);
        }
    }
    hang_up(&waiting);
}

/// Everyone who waits learns that no answer comes.
fn hang_up(waiting: &Mutex<Option<Waiting>>) {
    drop(
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(),
    );
}
