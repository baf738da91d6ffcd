//! One workspace on this machine: brings its pod to what is wished, and says what it sees.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::CellName;
use coditect_observer::{
    observe::Gateway,
    seen::{Condition, PodSeen},
};
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    backoff::Backoff,
    doors::Doors,
    manifest::Pod,
    runner::{Identity, Runner, Running, Volume},
};

/// How often a pod that does not answer yet is asked.
const STARTING: Duration = Duration::from_millis(50);
/// How often one that answered is asked.
const RUNNING: Duration = Duration::from_secs(5);
/// How many times in a row one that answered may fail to before it is started again.
const FAILURES: u32 = 3;

/// What is wished of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// What to run. A pod that runs goes on as it is: what changed counts from its next start.
    pub(crate) pod: Arc<Pod>,
    /// Whether it should run.
    pub(crate) on: bool,
    /// Whether it may be started now. What runs goes on.
    pub(crate) may_start: bool,
}

/// What is seen of a workspace's pod, in the observer's words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// The pod, if there is one.
    pub(crate) pod: Option<PodSeen>,
    /// Whether it answers.
    pub(crate) gateway: Gateway,
}

impl Life {
    /// How it was seen, and when, as the pod that answers now began.
    pub(crate) fn began(&self) -> Option<(Self, Timestamp)> {
        let pod = self
            .pod
            .as_ref()
            .filter(|_| self.gateway == Gateway::Answers)?;
        let at = pod.created;
        let life = Self {
            pod: Some(PodSeen {
                ready: false,
                ..pod.clone()
            }),
            ..Self::default()
        };
        Some((life, at))
    }
}

/// What a worker works with.
pub(crate) struct Worker {
    pub(crate) cell: CellName,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) volume: Volume,
    pub(crate) doors: Doors,
    /// How many pods this machine may run.
    pub(crate) places: Arc<Semaphore>,
    /// What is wished; closed when the workspace is gone.
    pub(crate) wishes: watch::Receiver<Wish>,
    pub(crate) life: watch::Sender<Life>,
    pub(crate) stop: CancellationToken,
}

/// How a pod's run ended.
enum Ended {
    /// As was wished.
    Stopped,
    /// By itself, having run for this long.
    Crashed(String, Duration),
}

impl Worker {
    /// Works until the workspace is gone or this process stops, and leaves nothing running.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut how = String::new();
        while !self.is_over() {
            let wish = self.wishes.borrow_and_update().clone();
            if !wish.on || !wish.may_start {
                backoff = Backoff::default();
                self.life.send_replace(Life::default());
                self.changed().await;
                continue;
            }
            let condition = if backoff.is_hopeless() {
                Condition::Crash(how.clone())
            } else {
                Condition::Fine
            };
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                let full = "this machine runs as many workspaces as it may; stop another";
                self.begin(&wish.pod, Condition::Unschedulable(full.to_owned()));
                self.until_place().await;
                continue;
            };
            self.begin(&wish.pod, condition);
            if !backoff.pause().is_zero() && self.wished_otherwise_within(backoff.pause()).await {
                continue;
            }
            if let Ended::Crashed(why, ran) = self.pod(&wish.pod).await {
                tracing::warn!(workspace = %wish.pod.workspace, why, "a workspace ended by itself");
                metrics::counter!("coditect_local_crashes_total").increment(1);
                backoff.crashed(ran);
                how = why;
            }
            drop(place);
        }
        self.life.send_replace(Life::default());
    }

    /// Runs the pod once.
    async fn pod(&mut self, pod: &Pod) -> Ended {
        let started = Instant::now();
        let identity = Identity::of(&self.cell, pod);
        let (runner, stop) = (Arc::clone(&self.runner), self.stop.clone());
        let mut wishes = self.wishes.clone();
        let starting = tokio::select! {
            starting = runner.start(pod, &self.volume, &identity) => starting,
            // What has begun to start ends with the future that starts it.
            _ = wishes.wait_for(|wish| !wish.on) => return Ended::Stopped,
            () = stop.cancelled() => return Ended::Stopped,
        };
        let mut running = match starting {
            Ok(running) => running,
            Err(error) => return Ended::Crashed(error.chain(), started.elapsed()),
        };
        match self.watch(pod, running.as_mut()).await {
            Some(how) => {
                // What does not answer any more is still to be ended.
                running.stop(Duration::from_secs(1)).await;
                Ended::Crashed(how, started.elapsed())
            }
            None => {
                let gone_by = Timestamp::now() + pod.grace;
                self.change(|seen| {
                    seen.deleting = Some(gone_by);
                    seen.ready = false;
                });
                running.stop(pod.grace).await;
                Ended::Stopped
            }
        }
    }

    /// Watches over a pod that was started until it is wished away (none) or has failed (how).
    async fn watch(&mut self, pod: &Pod, running: &mut dyn Running) -> Option<String> {
        let mut door = None;
        let mut failures = 0;
        let mut ready = running.is_ready();
        loop {
            if self.is_over() || !self.wishes.borrow_and_update().on {
                return None;
            }
            if running.is_healthy().await {
                failures = 0;
                if door.is_none() {
                    // Until there is an IDE its gateway says so to whoever comes.
                    door = Some(self.doors.open(pod.slug.clone(), running.address()));
                }
                let is_ready = *ready.borrow_and_update();
                if is_ready && !self.answers() {
                    self.change(|seen| {
                        seen.ready = true;
                        seen.condition = Condition::Fine;
                    });
                    self.answer(Gateway::Answers);
                }
            } else if door.is_some() {
                failures += 1;
                if failures == FAILURES {
                    return Some("it does not answer any more".to_owned());
                }
            }
            let again = if door.is_some() { RUNNING } else { STARTING };
            // Before there is a door nothing follows from it, and it is said once.
            let waits = door.is_some() && !self.answers();
            tokio::select! {
                how = running.ended() => return Some(how),
                () = self.changed() => {}
                () = said(&mut ready), if waits => {}
                () = tokio::time::sleep(again) => {}
            }
        }
    }

    /// There is a pod now, which does not run yet.
    fn begin(&self, pod: &Pod, condition: Condition) {
        self.life.send_modify(|life| {
            let uid = life.pod.as_ref().map(|pod| pod.uid.clone());
            life.gateway = Gateway::Unasked;
            life.pod = Some(PodSeen {
                uid: uid.unwrap_or_else(|| Uuid::new_v4().to_string()),
                created: Timestamp::now(),
                deleting: None,
                revision: Some(revision(pod)),
                node: None,
                ip: None,
                ready: false,
                condition,
            });
        });
    }

    fn change(&self, change: impl Fn(&mut PodSeen)) {
        self.life
            .send_modify(|life| life.pod.iter_mut().for_each(&change));
    }

    fn answers(&self) -> bool {
        self.life.borrow().gateway == Gateway::Answers
    }

    fn answer(&self, gateway: Gateway) {
        self.life.send_modify(|life| life.gateway = gateway);
    }

    fn is_over(&self) -> bool {
        self.stop.is_cancelled() || self.wishes.has_changed().is_err()
    }

    /// Waits until something else is wished, or the end.
    async fn changed(&mut self) {
        tokio::select! {
            _ = self.wishes.changed() => {}
            () = self.stop.cancelled() => {}
        }
    }

    async fn wished_otherwise_within(&mut self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.changed()).await.is_ok()
    }

    /// Waits until this machine has room, or something else is wished.
    async fn until_place(&mut self) {
        let places = Arc::clone(&self.places);
        tokio::select! {
            // Given back at once: whoever comes first takes it.
            _ = places.acquire() => {}
            () = self.changed() => {}
        }
    }
}

/// Waits until the pod says that it is ready; for ever if it ends before.
async fn said(ready: &mut watch::Receiver<bool>) {
    if ready.wait_for(|is_ready| *is_ready).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Tells one description of a pod from another, as a StatefulSet's revision does.
pub(crate) fn revision(pod: &Pod) -> String {
    let mut hasher = DefaultHasher::new();
    pod.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
