//! The workspace's files: follows what happens to them, and hands it over to the API.

mod beneath;
mod look;
mod pending;
mod queue;
mod restore;
mod rules;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use coditect_core::{
    Error, Kind, Result,
    sidecar::{ContentOf, FileBatch, FileEvent, Restore, RestoreFailure, Restored, VolumeUse},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};

use self::{beneath::Root, look::Looker, pending::Pending, queue::Queue};
use crate::{app::App, config::Config, socket::protocol::Tells};

/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(500);
/// A look is followed by a pause of so many times its own length: whoever changes things without end keeps us busy for a
/// fifth of a core, not for a whole one.
const REST: u32 = 4;
/// How often everything is looked at, for what nobody said: it costs a look at each file's time.
const EVERYTHING: Duration = Duration::from_secs(600);
/// How long the system may take to say what happened.
const SAYING: Duration = Duration::from_millis(50);
/// With more bytes of contents, in base64, a batch is worth a question: a new pod looks at everything, and the API has
/// most of it.
const WORTH_ASKING: usize = 4 * 1024;
/// Pauses after the API did not take a batch: the first, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The workspace's files.
#[derive(Debug)]
pub(crate) struct Volume {
    root: Root,
    pending: Arc<Pending>,
    queue: Arc<Queue>,
    rounds: watch::Sender<Rounds>,
    /// Do not gather, look now.
    now: Notify,
    at_once: AtomicBool,
    /// Do not pause, hand over now.
    hurry: Notify,
    /// What is to be brought back, as the API said last.
    restores: watch::Sender<Vec<Restore>>,
}

/// How often we began to look, and ended.
#[derive(Clone, Copy, Debug, Default)]
struct Rounds {
    begun: u64,
    ended: u64,
}

impl Volume {
    /// # Errors
    /// `Invalid` if the volume or the queue's folder cannot be used; `Unavailable` if the volume cannot be followed.
    pub(crate) fn new(config: &Config) -> Result<(Self, Following)> {
        let unusable = |what: &str, folder: &std::path::Path, error: std::io::Error| {
            let folder = folder.display();
            Error::invalid(what, format!("{folder} cannot be used")).because(error)
        };
        let root = Root::open(&config.volume)
            .map_err(|error| unusable("volume", &config.volume, error))?;
        let most = config.queue_mib.saturating_mul(1024 * 1024);
        let queue = Queue::open(&config.queue, most)
            .map_err(|error| unusable("queue", &config.queue, error))?;
        let (queue, pending) = (Arc::new(queue), Arc::new(Pending::default()));
        let looker = Looker::new(config, Arc::clone(&queue), Arc::clone(&pending))?;
        // The first look finds what changed while nobody looked.
        pending.everything();
        let volume = Self {
            root,
            pending,
            queue,
            rounds: watch::Sender::default(),
            now: Notify::new(),
            at_once: AtomicBool::new(false),
            hurry: Notify::new(),
            restores: watch::Sender::default(),
        };
        Ok((volume, Following(looker)))
    }

    /// What the volume holds.
    pub(crate) fn measure(&self) -> Option<VolumeUse> {
        let (used_bytes, size_bytes) = self
            .root
            .measure()
            .map_err(|error| tracing::warn!(%error, "the volume cannot be measured"))
            .ok()??;
        Some(VolumeUse {
            used_bytes,
            size_bytes,
        })
    }

    /// Takes what is to be brought back.
    pub(crate) fn bring_back(&self, restores: Vec<Restore>) {
        self.restores.send_if_modified(|known| {
            let is_news = *known != restores;
            *known = restores;
            is_news
        });
    }

    /// Events that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.queue.waiting()
    }

    /// Looks at everything now and hands it over. True if nothing waits any more; what does stays in the queue.
    pub(crate) async fn flush(&self, limit: Duration) -> bool {
        let flushed = async {
            let mut rounds = self.rounds.subscribe();
            sleep(SAYING).await;
            self.at_once.store(true, Ordering::SeqCst);
            let next = rounds.borrow().begun + 1;
            self.pending.everything();
            self.now.notify_one();
            if rounds
                .wait_for(|rounds| rounds.ended >= next)
                .await
                .is_err()
            {
                return;
            }
            self.hurry.notify_one();
            loop {
                let changed = self.queue.changed.notified();
                if self.queue.is_empty() && !self.queue.has_to_look_again() {
                    return;
                }
                changed.await;
            }
        };
        let flushed = timeout(limit, flushed).await.is_ok();
        self.at_once.store(false, Ordering::SeqCst);
        flushed && self.queue.is_empty() && !self.queue.has_to_look_again()
    }
}

/// What follows the volume.
pub(crate) struct Following(Looker);

/// Follows the volume for as long as it is polled.
pub(crate) async fn follow(app: Arc<App>, following: Following) {
    let Following(mut looker) = following;
    let volume = &app.volume;
    let mut took = Duration::ZERO;
    loop {
        if timeout(EVERYTHING, volume.pending.wake.notified())
            .await
            .is_err()
        {
            volume.pending.everything();
        }
        tokio::select! {
            () = sleep(GATHER.max(took.saturating_mul(REST))) => {}
            () = volume.now.notified() => {}
        }
        volume.rounds.send_modify(|rounds| rounds.begun += 1);
        let (work, at_once) = (volume.pending.take(), volume.at_once.load(Ordering::SeqCst));
        let began = Instant::now();
        let looked = tokio::task::spawn_blocking(move || {
            let round = looker.look(&work, at_once);
            (looker, round)
        });
        let round = match looked.await {
            Ok((returned, round)) => {
                looker = returned;
                round
            }
            Err(error) => {
                tracing::error!(%error, "the volume is not followed any more");
                return;
            }
        };
        took = began.elapsed();
        volume
            .rounds
            .send_modify(|rounds| rounds.ended = rounds.begun);
        match round.changes {
            Some(changes) if changes.is_empty() => {}
            // Too many to name: none named means that everything may be another.
            changes => app.hub.tell(&Tells::Files {
                changes: changes.unwrap_or_default(),
            }),
        }
        volume.pending.add(round.later);
        if round.goes_on {
            volume.pending.everything();
        }
    }
}

/// Hands over a batch, without the contents that the API has already if asking costs less than sending them.
async fn hand_over_one(app: &App, mut batch: FileBatch) -> Result<()> {
    let contents: Vec<(ContentOf, &mut Option<String>)> = batch
        .events
        .iter_mut()
        .filter_map(|event| match event {
            FileEvent::Written {
                path,
                sha256: Some(sha256),
                content,
                ..
            } if content.is_some() => {
                let (path, sha256) = (path.clone(), sha256.clone());
                Some((ContentOf { path, sha256 }, content))
            }
            _ => None,
        })
        .collect();
    let bytes: usize = contents
        .iter()
        .filter_map(|(_, content)| content.as_deref())
        .map(str::len)
        .sum();
    if bytes > WORTH_ASKING {
        let (names, contents): (Vec<_>, Vec<_>) = contents.into_iter().unzip();
        let wanted = app.platform.wanted(names).await?;
        for (content, _) in contents
            .into_iter()
            .zip(wanted)
            .filter(|(_, wanted)| !wanted)
        {
            *content = None;
        }
    }
    app.platform.files(&batch).await
}

/// Brings back what is to be, for as long as it is polled.
pub(crate) async fn restore(app: Arc<App>) {
    let mut wanted = app.volume.restores.subscribe();
    // The API may name one once more that it was told of meanwhile: what was typed since must stay.
    let mut dealt_with: Vec<(uuid::Uuid, Restored)> = Vec::new();
    let mut pause = PAUSE;
    loop {
        let waiting = wanted.borrow_and_update().clone();
        dealt_with.retain(|(id, _)| waiting.iter().any(|one| one.id == *id));
        let mut failed = false;
        for one in waiting {
            let known = dealt_with.iter().find(|(id, _)| *id == one.id);
            let outcome = match known {
                Some((_, outcome)) => Ok(outcome.clone()),
                None => bring(&app, &one).await,
            };
            let told = match outcome {
                Ok(outcome) => {
                    if known.is_none() {
                        dealt_with.push((one.id, outcome.clone()));
                    }
                    app.platform.restored(one.id, &outcome).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = told {
                tracing::warn!(error = error.chain(), "a file waits to be brought back");
                failed = true;
            }
        }
        let changed = wanted.changed();
        if failed {
            let _ = timeout(pause, changed).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        } else {
            pause = PAUSE;
            if changed.await.is_err() {
                return;
            }
        }
    }
}

async fn bring(app: &Arc<App>, wish: &Restore) -> Result<Restored> {
    let content = match app.platform.restored_content(wish.id).await {
        Ok(content) => content,
        Err(error) if *error.kind() == Kind::NotFound => {
            let why = RestoreFailure::Gone;
            return Ok(Restored::Failed { why });
        }
        Err(error) => return Err(error),
    };
    let (shared, wish) = (Arc::clone(app), wish.clone());
    let brought =
        tokio::task::spawn_blocking(move || restore::bring(&shared.volume.root, &wish, &content));
    let broken = |error| Error::unavailable("a file cannot be brought back now").because(error);
    let outcome = brought
        .await
        .map_err(|error| Error::internal("bringing a file back broke off").because(error))?
        .map_err(broken)?;
    tracing::info!(?outcome, "a file was to be brought back");
    Ok(outcome)
}

/// Hands over what is in the queue, for as long as it is polled.
pub(crate) async fn hand_over(app: Arc<App>) {
    let queue = &app.volume.queue;
    let mut pause = PAUSE;
    loop {
        let changed = queue.changed.notified();
        let shared = Arc::clone(queue);
        let oldest = tokio::task::spawn_blocking(move || shared.oldest()).await;
        let Ok(Some(batch)) = oldest else {
            changed.await;
            continue;
        };
        match hand_over_one(&app, batch.clone()).await {
            Ok(()) => {
                queue.taken(&batch);
                pause = PAUSE;
            }
            Err(error) if matches!(error.kind(), Kind::Invalid { .. }) => {
                tracing::error!(
                    error = error.chain(),
                    number = batch.number,
                    "the API refuses a batch; it is let go"
                );
                queue.refused(&batch);
            }
            Err(error) => {
                tracing::warn!(
                    error = error.chain(),
                    waiting = queue.waiting(),
                    "files' events wait"
                );
                // In a hurry, or the time is up.
                let _ = timeout(pause, app.volume.hurry.notified()).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        if queue.is_empty() && queue.has_to_look_again() {
            app.volume.pending.everything();
        }
    }
}
