//! What does not stop a workspace, and should be known.

use coditect_core::{Notice, NoticeKind};
use coditect_registry::record::Status;
use jiff::{SignedDuration, Timestamp};

use super::{Seen, Wanted};

/// How long a change by hand is told.
pub const DRIFT_SHOWN: SignedDuration = SignedDuration::from_mins(15);
/// Most changes by hand that are told at once, the newest.
const MOST_DRIFTS: usize = 4;

/// All that is told now, by kind and time.
pub(super) fn of(
    wanted: &Wanted,
    seen: &Seen,
    before: Option<&Status>,
    now: Timestamp,
) -> Vec<Notice> {
    let told = before
        .map(|status| status.notices.as_slice())
        .unwrap_or_default();
    let mut notices: Vec<Notice> = seen
        .notices
        .iter()
        .filter(|notice| notice.kind != NoticeKind::Drift)
        .cloned()
        .collect();
    notices.extend(quarantined(wanted));
    notices.extend(restart_pending(seen, now));
    notices.extend(growing(seen, now));
    for notice in &mut notices {
        // What was told already holds since it was first told.
        if let Some(same) = told.iter().find(|same| same.kind == notice.kind) {
            notice.at = same.at.min(notice.at);
        }
    }
    notices.extend(drifts(wanted, seen, told, now));
    notices.sort_by(|a, b| (a.kind, a.at, &a.detail).cmp(&(b.kind, b.at, &b.detail)));
    notices
}

fn quarantined(wanted: &Wanted) -> Option<Notice> {
    let quarantine = wanted.quarantine.as_ref()?;
    Some(Notice {
        kind: NoticeKind::Quarantined,
        at: quarantine.at,
        until: None,
        detail: quarantine.reason.detail.clone(),
    })
}

fn restart_pending(seen: &Seen, now: Timestamp) -> Option<Notice> {
    let next = seen
        .set
        .as_ref()
        .filter(|set| set.observed)?
        .update_revision
        .as_ref()?;
    let pod = seen.pods.iter().find(|life| life.pod.deleting.is_none())?;
    let present = pod.pod.revision.as_ref()?;
    (present != next).then(|| Notice {
        kind: NoticeKind::RestartPending,
        at: now,
        until: None,
        detail: "a newer version is used from the next start on".to_owned(),
    })
}

fn growing(seen: &Seen, now: Timestamp) -> Option<Notice> {
    let volume = seen.volume.as_ref()?;
    let (wanted, have) = volume.growing.as_ref()?;
    let why = volume
        .refused
        .as_ref()
        .map(|why| format!("; refused: {why}"))
        .unwrap_or_default();
    Some(Notice {
        kind: NoticeKind::VolumeGrowing,
        at: now,
        until: None,
        detail: format!("from {have} to {wanted}{why}"),
    })
}

/// Changes by hand, those told before among them: they are seen once and told for a while.
fn drifts(wanted: &Wanted, seen: &Seen, told: &[Notice], now: Timestamp) -> Vec<Notice> {
    if wanted.marked || wanted.quarantine.is_some() {
        // Then objects go because Git says so.
        return Vec::new();
    }
    let mut drifts: Vec<Notice> = seen
        .notices
        .iter()
        .chain(told)
        .filter(|notice| notice.kind == NoticeKind::Drift)
        .filter(|notice| now.duration_since(notice.at) < DRIFT_SHOWN)
        .cloned()
        .collect();
    drifts.sort_by(|a, b| (a.at, &a.detail).cmp(&(b.at, &b.detail)));
    drifts.dedup();
    drifts.split_off(drifts.len().saturating_sub(MOST_DRIFTS))
}
