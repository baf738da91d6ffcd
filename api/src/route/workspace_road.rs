//! Where a workspace stands, why, and how it came there, as shown.

use coditect_core::{Cause, Notice, NoticeKind, Phase, Power, Reason, Step};
use coditect_registry::{WorkspaceView, record::PowerCause};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A list of words of the API that says the same as one of the product's own. Two lists, so that a word that
/// is added there fails to compile here until it is described.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident of $core:ident { $($(#[$doc:meta])* $word:ident,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name {
            $($(#[$doc])* $word,)*
        }

        impl From<$core> for $name {
            fn from(core: $core) -> Self {
                match core {
                    $($core::$word => Self::$word,)*
                }
            }
        }
    )*};
}

words! {
    /// Whether a workspace should run.
    PowerName of Power {
        On,
        Off,
    }

    /// A step on the road from request to ready.
    PhaseName of Phase {
        /// Recorded, not yet in Git.
        Requested,
        /// In Git, at the commit shown.
        Committed,
        /// Applied to the cluster.
        Synced,
        /// Its pod is on its way.
        Starting,
        /// It answers.
        Ready,
        /// Its pod is being stopped.
        Suspending,
        /// No pod; the volume is kept.
        Suspended,
        /// Marked for deletion or on its way out.
        Deleting,
        /// Stands still; the reason says why.
        Failed,
    }

    /// Who or what switched a workspace on or off.
    PowerCauseName of PowerCause {
        /// A person's request.
        Person,
        /// Nobody used it for as long as the plan allows.
        Idle,
        /// The plan's hours of the month are used up.
        Hours,
        /// It ran for the longest time without anybody's input.
        LongestSession,
        /// It was marked for deletion.
        Deletion,
        /// It went to somebody else, who has not started it yet.
        HandedOver,
        /// The registry was rebuilt from Git; it is off until it is started.
        Restored,
        /// A sign-up starts at once.
        SignUp,
        Held,
    }

    /// The kinds of obstacle.
    CauseName of Cause {
        /// A quota refuses the pod.
        Quota,
        /// The image cannot be pulled.
        Image,
        /// The volume cannot be provisioned, attached, mounted or grown.
        Volume,
        /// No node takes the pod.
        Unschedulable,
        /// The cluster refuses an object.
        Admission,
        /// The part of the repository that holds it cannot be read.
        Shard,
        /// A container ends again and again.
        Crash,
        /// The node does not answer.
        Node,
        /// The whole cell is held.
        Hold,
        /// It runs, but does not answer.
        Gateway,
    }

    /// The kinds of notice.
    NoticeName of NoticeKind {
        /// Nobody has used it for a while: it is suspended at `until` unless it is kept or used.
        Idle,
        /// The plan's hours of the month are nearly used up: it is suspended at `until`.
        Hours,
        /// Whether it is used cannot be read; it is not suspended for idleness.
        ActivityUnknown,
        /// Somebody changed the cluster by hand; it was put back.
        Drift,
        /// The newest version was refused; the last good one stands.
        Quarantined,
        /// A change waits for the next start, or for a restart within a window.
        RestartPending,
        /// Its volume grows.
        VolumeGrowing,
    }
}

/// Why a workspace, or its newest change, stands still.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Reason)]
pub(super) struct ReasonBody {
    cause: CauseName,
    /// What the cluster said.
    #[schema(
        example = "exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1"
    )]
    detail: String,
    /// What can be done about it.
    #[schema(example = "stop another workspace, or choose a larger plan")]
    remedy: &'static str,
}

impl From<&Reason> for ReasonBody {
    fn from(reason: &Reason) -> Self {
        Self {
            cause: reason.cause.into(),
            detail: reason.detail.clone(),
            remedy: reason.cause.remedy(),
        }
    }
}

/// Something that should be known of a workspace and does not stop it.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Notice)]
pub(super) struct NoticeBody {
    kind: NoticeName,
    /// Since when it holds.
    at: Timestamp,
    /// When something follows from it.
    until: Option<Timestamp>,
    /// What was seen.
    detail: String,
}

impl From<&Notice> for NoticeBody {
    fn from(notice: &Notice) -> Self {
        Self {
            kind: notice.kind.into(),
            at: notice.at,
            until: notice.until,
            detail: notice.detail.clone(),
        }
    }
}

/// A step that a workspace took.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Step)]
pub(super) struct StepBody {
    phase: PhaseName,
    at: Timestamp,
    /// Milliseconds since the step before; 0 for the first.
    took_ms: u64,
}

/// When the workspace's present road began.
pub(super) fn began_at(view: &WorkspaceView) -> Timestamp {
    view.power.since.max(view.requested.at)
}

/// The steps of the present road. What the registry itself knows (asked for, in Git) is shown at once; the
/// rest as soon as the observer has noted it. Steps of a road before this one are left out.
pub(super) fn steps(view: &WorkspaceView) -> Vec<StepBody> {
    let began = began_at(view);
    let noted = view
        .status
        .as_ref()
        .map(|status| status.steps.as_slice())
        .filter(|steps| steps.first().is_some_and(|first| first.at == began))
        .unwrap_or_default();
    let mut steps = Vec::with_capacity(noted.len() + 2);
    if view.requested.at == began {
        steps.push(Step {
            phase: Phase::Requested,
            at: began,
        });
        let landed = view
            .landed
            .iter()
            .filter(|landed| landed.generation >= view.requested.generation);
        steps.extend(landed.map(|landed| Step {
            phase: Phase::Committed,
            at: landed.committed_at,
        }));
        let known = |step: &&Step| !matches!(step.phase, Phase::Requested | Phase::Committed);
        steps.extend(noted.iter().filter(known));
    } else {
        steps.extend(noted);
    }
    let mut before = began;
    steps
        .into_iter()
        .map(|Step { phase, at }| {
            // Times come from several clocks; a road is told as if there were one.
            let took_ms = millis(before, at);
            before = before.max(at);
            StepBody {
                phase: phase.into(),
                at,
                took_ms,
            }
        })
        .collect()
}

/// Milliseconds from one time to another; 0 if they are the other way round.
pub(super) fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}
