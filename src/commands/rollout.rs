mod show;

use clap::{Args, Subcommand};
use coditect_core::{Error, ReleaseName, RequestId, Result};
use coditect_registry::{
    Registry,
    operation::PutRollout,
    record::{Rollout as Record, RolloutRestart, RolloutRing, RolloutState, RolloutTerms},
};
use coditect_renderer::{ENGINE, git::PolicyRepository, inputs::Inputs};
use jiff::{SignedDuration, Timestamp};

use crate::{cli::Output, data::Data, exit::Exit, output, policy};

/// Roll a template release out, ring by ring.
///
/// Each step is a commit of the policy repository that edits `rings.yaml`. The renderer makes it when what is seen
/// of the rings that were reached has held for as long as was asked for; when too few of their workspaces are ready,
/// or the cluster refuses too many of their users' files, it goes back by a commit. Nothing restarts a pod unless it
/// is asked for.
#[derive(Debug, Args)]
pub(crate) struct Rollout {
    #[command(flatten)]
    data: Data,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Begin one. There is one at a time.
    Start(Start),
    /// How far the newest one is.
    Status {
        /// Say it again whenever it changes, until it ends.
        #[arg(long)]
        watch: bool,
    },
    /// Let no further ring have it until `resume`. A release that fails still goes back.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Go on to the next ring without waiting for the rest of the time that it must hold.
    Promote,
    /// Give every ring that was reached what it ran before.
    Abort {
        /// Why, for the commit's message.
        #[arg(long, value_name = "TEXT", default_value = "an operator asked for it")]
        why: String,
    },
}

#[derive(Debug, Args)]
struct Start {
    /// The release: a folder of the policy's templates.
    release: ReleaseName,

    /// For how long all must be well in a ring before the next one gets it, as `15m` or `2h`.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = seconds)]
    ring_soak: u64,

    /// How many of a hundred workspaces that should run must be ready. Those that were not before do not count.
    #[arg(long, value_name = "PERCENT", default_value_t = 95, value_parser = clap::value_parser!(u32).range(1..=100))]
    least_ready: u32,

    /// For how long fewer may be ready before the release goes back.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = seconds)]
    patience: u64,

    /// When pods come to run it: each when it next starts, or by restarting them in a window.
    #[arg(long, value_enum, default_value_t)]
    restart: Mode,

    /// When the window of restarts opens, as `2026-03-01T22:00:00Z`; as soon as a ring has it if absent.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// When the window of restarts closes; two hours after it opens if absent.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,

    /// How many pods of a cell may be down at the same time.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=500))]
    at_once: u32,
}

/// When pods come to run a release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// Each when it next starts.
    #[default]
    OnNextStart,
    /// By restarting them, a few at a time.
    Now,
}

/// Seconds of a time as people write it.
fn seconds(text: &str) -> std::result::Result<u64, String> {
    let time = text
        .parse::<SignedDuration>()
        .map_err(|error| format!("{error}; write it as 90s, 15m or 2h"))?;
    u64::try_from(time.as_secs()).map_err(|_| "is negative; write it as 90s, 15m or 2h".to_owned())
}

impl Rollout {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let registry = self.data.open().await?;
        match &self.action {
            Action::Start(start) => {
                self.start(&registry, start).await?;
                self.show(&registry, output).await.map(|_| Exit::Done)
            }
            Action::Status { watch } => self.status(&registry, *watch, output).await,
            Action::Pause => {
                let why = "an operator asked for it".to_owned();
                let change = |rollout: &mut Record| match rollout.state {
                    RolloutState::Advancing => {
                        rollout.state = RolloutState::Paused { why };
                        Ok(())
                    }
                    _ => Err(Error::conflict(
                        "it does not go on now; see `rollout status`",
                    )),
                };
                self.change(&registry, output, change).await
            }
            Action::Resume => {
                let change = |rollout: &mut Record| match rollout.state {
                    RolloutState::Paused { .. } => {
                        rollout.state = RolloutState::Advancing;
                        Ok(())
                    }
                    _ => Err(Error::conflict("it is not paused; see `rollout status`")),
                };
                self.change(&registry, output, change).await
            }
            Action::Promote => {
                let change = |rollout: &mut Record| match (&rollout.state, &rollout.ring) {
                    (RolloutState::Advancing, Some(ring)) => {
                        rollout.hurry = Some(ring.clone());
                        Ok(())
                    }
                    (RolloutState::Advancing, None) => Err(Error::conflict(
                        "no ring has it yet, and the first one does not wait; see `rollout status`",
                    )),
                    _ => Err(Error::conflict(
                        "it does not go on now; `rollout resume` first",
                    )),
                };
                self.change(&registry, output, change).await
            }
            Action::Abort { why } => {
                let why = why.clone();
                let change = |rollout: &mut Record| match rollout.state {
                    RolloutState::Aborted { .. } => Err(Error::conflict("it goes back already")),
                    _ => {
                        rollout.why.clone_from(&why);
                        rollout.state = RolloutState::Aborted { why };
                        Ok(())
                    }
                };
                self.change(&registry, output, change).await
            }
        }
    }

    async fn start(&self, registry: &Registry, start: &Start) -> Result<()> {
        let inputs = policy::newest(&self.data)?;
        let release = &start.release;
        check(&inputs, release)?;
        let folder = PolicyRepository::open_or_init(self.data.policy())?;
        if folder.is_dirty()? {
            return Err(Error::conflict(format!(
                "{} holds edits that are not committed, and a roll-out commits there; commit them or take them back",
                folder.path().display()
            )));
        }
        let now = Timestamp::now();
        let known = registry.view().await?.rollout(release).await?;
        if known.as_ref().is_some_and(|known| known.state.under_way()) {
            return Err(Error::conflict(format!(
                "the roll-out of `{release}` is under way; see `rollout status`"
            )));
        }
        let rings: Vec<RolloutRing> = inputs
            .policy
            .rings()
            .iter()
            .map(|ring| RolloutRing {
                ring: ring.name.clone(),
                release: ring.release.clone(),
                engine: ring.engine,
                should_run: None,
                ready: None,
                held_back: None,
                restarted: false,
            })
            .collect();
        let from = rings
            .last()
            .map_or_else(|| release.clone(), |ring| ring.release.clone());
        let put = PutRollout {
            release: release.clone(),
            expected: known.map_or(0, |known| known.revision),
            rollout: Record {
                from,
                ring: None,
                state: RolloutState::Advancing,
                users: 0,
                quarantined: 0,
                started_at: now,
                changed_at: now,
                revision: 0,
                release: Some(release.clone()),
                engine: ENGINE,
                rings,
                terms: RolloutTerms {
                    soak_seconds: start.ring_soak,
                    least_ready: start.least_ready,
                    patience_seconds: start.patience,
                },
                restart: match start.restart {
                    Mode::OnNextStart => RolloutRestart::OnNextStart,
                    Mode::Now => RolloutRestart::Now {
                        from: start.from,
                        until: start.until,
                        at_once: start.at_once,
                    },
                },
                holds_since: None,
                falls_since: None,
                seen_at: None,
                hurry: None,
                why: "the renderer has not looked yet".to_owned(),
                commits: Vec::new(),
            },
            cells: Vec::new(),
            at: now,
        };
        registry.apply(RequestId::random(), &put).await.map(drop)
    }

    /// Changes the one that is under way, and shows it.
    async fn change(
        &self,
        registry: &Registry,
        output: Output,
        change: impl FnOnce(&mut Record) -> Result<()>,
    ) -> Result<Exit> {
        let known = registry.view().await?.rollouts().await?;
        let under_way = known
            .into_iter()
            .find(|(_, rollout)| rollout.state.under_way());
        let Some((release, mut rollout)) = under_way else {
            return Err(Error::not_found(
                "no roll-out is under way; begin one with `rollout start RELEASE`",
            ));
        };
        change(&mut rollout)?;
        let now = Timestamp::now();
        rollout.changed_at = now;
        let put = PutRollout {
            release,
            expected: rollout.revision,
            rollout,
            cells: Vec::new(),
            at: now,
        };
        registry.apply(RequestId::random(), &put).await?;
        self.show(registry, output).await.map(|_| Exit::Done)
    }
}

/// Refuses a release that is not there, that everybody has, or that cannot render what the policy asks for.
fn check(inputs: &Inputs, release: &ReleaseName) -> Result<()> {
    if inputs.releases.get(release).is_none() {
        let known: Vec<&str> = inputs.releases.names().map(ReleaseName::as_str).collect();
        let known = known.join(", ");
        return Err(Error::not_found(format!(
            "the policy's newest commit has no template release `{release}`; it has: {known}"
        )));
    }
    if inputs
        .policy
        .rings()
        .iter()
        .all(|ring| ring.release == *release)
    {
        return Err(Error::conflict(format!(
            "every ring runs `{release}` already; there is nothing to roll out"
        )));
    }
    let tried = inputs.with_release(release).map(drop);
    tried.map_err(|why| Error::conflict(format!("release `{release}` cannot be rolled out: {why}")))
}

impl Rollout {
    async fn status(&self, registry: &Registry, watch: bool, output: Output) -> Result<Exit> {
        let mut shown = self.show(registry, output).await?;
        while watch && shown.state.under_way() {
            tokio::time::sleep(show::AGAIN).await;
            let known = registry.view().await?.rollouts().await?;
            let newest = known
                .into_iter()
                .map(|(_, rollout)| rollout)
                .max_by_key(|rollout| rollout.started_at);
            // When it was looked at is no news.
            let is_news = newest.is_some_and(|newest| {
                let Record {
                    seen_at, revision, ..
                } = shown;
                shown
                    != Record {
                        seen_at,
                        revision,
                        ..newest
                    }
            });
            if is_news {
                if output == Output::Text {
                    output::line("");
                }
                shown = self.show(registry, output).await?;
            }
        }
        Ok(Exit::Done)
    }
}
