//! Tells Argo CD of every new head, by a push event in GitHub's format, so that it need not wait for its poll.
//!
//! Level-triggered: there is no queue of events. What is told is always the difference between the commit that was
//! told last and the present head, so whatever happens while the receiver is slow or down becomes one event, and
//! its paths are exact. They must be: from an event's paths Argo CD concludes which Applications did *not* change,
//! and takes the manifests it rendered for `before` as those of `after` (`storePreviouslyCachedManifests` in its
//! `util/webhook/webhook.go`). An event without paths makes it look at every Application: what is sent when the
//! difference is not known or too long.
//!
//! The commit told last is kept beside the repository, so that one whose event was lost in a crash is told by the
//! next start. Nothing depends on the event but time: Argo CD also polls.

mod again;
mod event;
mod send;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::{CellName, Error, Result, health::Health};
use git2::Oid;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::sleep,
};

use self::{
    again::Again,
    event::Event,
    send::{Failure, Sender},
};
use crate::{
    git::{CellRepository, Paths, jittered},
    reconcile::blocking,
};

/// Who is told, and of what.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// The cell, for health and metrics.
    pub cell: CellName,
    /// Where events go: Argo CD's `/api/webhook`.
    pub url: String,
    /// The file with the secret that signs them; read again for each.
    pub secret_file: PathBuf,
    /// The address under which Argo CD knows the repository, with or without `.git`.
    pub repository: String,
    /// Who vouches for the receiver's certificate, in place of the system's authorities.
    pub ca_file: Option<PathBuf>,
    /// With more changed paths than this none are named, and every Application is looked at. By then most of a
    /// cell's 128 shards have one.
    pub most_paths: usize,
    /// How long one event may take.
    pub limit: Duration,
    /// The pause after a first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl WebhookConfig {
    /// 2,000 paths, ten seconds an event, pauses from half a second to a minute.
    #[must_use]
    pub fn new(
        cell: CellName,
        url: impl Into<String>,
        secret_file: impl Into<PathBuf>,
        repository: impl Into<String>,
    ) -> Self {
        Self {
            cell,
            url: url.into(),
            secret_file: secret_file.into(),
            repository: repository.into(),
            ca_file: None,
            most_paths: 2_000,
            limit: Duration::from_secs(10),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// How the webhook stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookStatus {
    /// The last commit that the receiver was told of by this process.
    pub told: Option<Oid>,
    /// Why the last event failed, without any secret; `None` if it did not.
    pub problem: Option<String>,
    /// Events that failed since the last that did not.
    pub failures: u32,
}

/// A running webhook. Dropped, it stops; what it could not tell is told by the next start.
pub struct Webhook {
    wake: Arc<Notify>,
    status: watch::Receiver<WebhookStatus>,
    task: JoinHandle<()>,
}

impl Webhook {
    /// Begins to tell, with the present head first. Call within a Tokio runtime.
    ///
    /// # Errors
    /// `Invalid` if the address or the certificate file is not usable. The secret may still be missing: that is
    /// said by health, and tried again.
    pub fn start(
        repository: CellRepository,
        config: WebhookConfig,
        health: Health,
    ) -> Result<Self> {
        let sender = Sender::new(&config)?;
        let wake = Arc::new(Notify::new());
        wake.notify_one();
        let (status, receiver) = watch::channel(WebhookStatus::default());
        let teller = Teller {
            memory: Memory::new(repository.path(), &config.url),
            part: format!("webhook/{}", config.cell),
            repository,
            config,
            health,
            sender,
            status,
            behind_since: None,
            again: Again::default(),
        };
        Ok(Self {
            task: tokio::spawn(teller.follow(Arc::clone(&wake))),
            wake,
            status: receiver,
        })
    }

    /// There is a new head. Returns at once.
    pub fn published(&self) {
        self.wake.notify_one();
    }

    /// How it stands, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<WebhookStatus> {
        self.status.clone()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Teller {
    repository: CellRepository,
    memory: Memory,
    config: WebhookConfig,
    health: Health,
    part: String,
    sender: Sender,
    status: watch::Sender<WebhookStatus>,
    behind_since: Option<Instant>,
    again: Again,
}

impl Teller {
    async fn follow(mut self, wake: Arc<Notify>) {
        let mut pause = self.config.first_pause;
        loop {
            tokio::select! {
                () = wake.notified() => {}
                () = until(self.again.due()) => {
                    // What fails here was told once before, and is found by the poll.
                    if let Err(problem) = self.tell_again().await {
                        tracing::debug!(cell = %self.config.cell, "webhook, said again: {problem}");
                    }
                    continue;
                }
            }
            self.behind_since = Some(Instant::now());
            while let Err(problem) = self.tell().await {
                self.failed(&problem);
                sleep(jittered(pause)).await;
                pause = (pause * 2).min(self.config.longest_pause);
            }
            pause = self.config.first_pause;
            self.behind_since = None;
            self.measure_behind();
        }
    }

    /// Tells the difference between what was told last and the head, if there is one.
    async fn tell(&mut self) -> Result<(), String> {
        let (repository, memory) = (self.repository.clone(), self.memory.clone());
        let (most, again) = (self.config.most_paths, self.status.borrow().told.is_none());
        let event = blocking(move || Ok(difference(&repository, &memory, most, again)?))
            .await
            .map_err(|error| error.chain())?;
        let Some(event) = event else {
            return Ok(());
        };
        let began = Instant::now();
        let sent = self.sender.send(&event).await;
        let outcome = match &sent {
            Ok(()) => "sent",
            Err(Failure::Refused(_)) => "refused",
            Err(Failure::Unreachable(_)) => "unreachable",
            Err(Failure::NoSecret(_)) => "no_secret",
        };
        let cell = self.config.cell.to_string();
        metrics::counter!("coditect_renderer_webhook_events_total", "cell" => cell.clone(), "outcome" => outcome).increment(1);
        metrics::histogram!("coditect_renderer_webhook_seconds", "cell" => cell)
            .record(began.elapsed().as_secs_f64());
        sent.map_err(|failure| failure.sentence())?;
        if let Err(error) = self.memory.keep(event.after) {
            // It costs one event told twice.
            tracing::warn!(cell = %self.config.cell, %error, "what was told cannot be written down");
        }
        if let Some(paths) = &event.paths {
            self.again.sent(Instant::now(), paths);
        }
        self.health.ok(&self.part, format!("told {}", event.after));
        self.status.send_replace(WebhookStatus {
            told: Some(event.after),
            ..WebhookStatus::default()
        });
        Ok(())
    }

    /// Names shards once more whose event may be lost. From the head to the head, so that nothing is concluded of
    /// those that are not named.
    async fn tell_again(&mut self) -> Result<(), String> {
        let modified = self.again.take(Instant::now());
        let Some(head) = self.status.borrow().told.filter(|_| !modified.is_empty()) else {
            return Ok(());
        };
        let event = Event {
            before: Some(head),
            after: head,
            paths: Some(Paths {
                modified,
                ..Paths::default()
            }),
        };
        metrics::counter!("coditect_renderer_webhook_events_total", "cell" => self.config.cell.to_string(), "outcome" => "said_again").increment(1);
        let sent = self.sender.send(&event).await;
        sent.map_err(|failure| failure.sentence())
    }

    fn failed(&self, problem: &str) {
        self.measure_behind();
        tracing::warn!(cell = %self.config.cell, "webhook: {problem}");
        self.health.degraded(
            &self.part,
            format!("{problem}; tried again, and Argo CD's own poll finds the commit meanwhile"),
        );
        self.status.send_modify(|status| {
            status.problem = Some(problem.to_owned());
            status.failures += 1;
        });
    }

    fn measure_behind(&self) {
        let behind = self
            .behind_since
            .map_or(Duration::ZERO, |since| since.elapsed());
        metrics::gauge!("coditect_renderer_webhook_behind_seconds", "cell" => self.config.cell.to_string())
            .set(behind.as_secs_f64());
    }
}

/// Waits until then; for ever if there is no such time.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// What is to be told: from what was told last to the head. If both are the same, only a process's first look
/// (`again`) tells the newest commit once more, so that a receiver that cannot be reached is noticed at the start.
fn difference(
    repository: &CellRepository,
    memory: &Memory,
    most_paths: usize,
    again: bool,
) -> crate::git::Result<Option<Event>> {
    let Some(after) = repository.head_commit()? else {
        return Ok(None);
    };
    let before = match memory.told() {
        Some(told) if told != after => Some(told),
        Some(_) if !again => return Ok(None),
        Some(_) => repository.parent_of(after)?,
        None => None,
    };
    // A commit that is not there any more: the repository was made anew.
    let paths = before.and_then(|before| {
        let paths = repository.paths_between(before, after, most_paths);
        paths.ok().flatten()
    });
    Ok(Some(Event {
        before,
        after,
        paths,
    }))
}

/// The commit told last, in a file beside the repository's own. Another receiver has been told nothing.
#[derive(Clone, Debug)]
struct Memory {
    file: PathBuf,
    receiver: String,
}

impl Memory {
    fn new(repository: &Path, url: &str) -> Self {
        let hash = Sha256::digest(url);
        Self {
            file: repository.join("coditect.told"),
            receiver: hash[..8].iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    fn told(&self) -> Option<Oid> {
        let text = fs::read_to_string(&self.file).ok()?;
        let (commit, receiver) = text.trim().split_once(' ')?;
        Oid::from_str(commit)
            .ok()
            .filter(|_| receiver == self.receiver)
    }

    /// Not synced: a commit told twice does no harm.
    fn keep(&self, told: Oid) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(&self.file);
        let mut next = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut next, format!("{told} {}\n", self.receiver).as_bytes())?;
        next.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }
}

/// What is wrong with an option of the webhook.
fn unusable(option: &'static str, why: impl Into<String>) -> Error {
    Error::invalid(option, why)
}
