//! The rules: pure functions of limits, use and time.

use coditect_core::{Activity, Limits, Notice, NoticeKind};
use coditect_registry::record::PowerCause;
use jiff::{SignedDuration, Timestamp};

/// How old a report may be before it says nothing about now. A gateway reports every half minute; six lost
/// reports are no accident.
const REPORTED: SignedDuration = SignedDuration::from_mins(3);
/// How long before a suspension it is announced, or half of the idle time if that is shorter.
const WARNING: SignedDuration = SignedDuration::from_mins(5);
/// The longest session without anybody's input: a day covers the longest build that somebody comes back to, and a
/// workspace that is silent about its use, or busy for ever, cannot run on for the rest of the month.
const LONGEST_SESSION: SignedDuration = SignedDuration::from_hours(24);

/// How a workspace that is on is used.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// When it was started.
    pub since: Timestamp,
    /// What was reported of it, if anything ever was.
    pub activity: Option<Activity>,
    /// True if its pod is ready: one that waits for its pod cannot report anything.
    pub runs: bool,
    /// How many seconds its user's workspaces have run this month.
    pub seconds_this_month: u64,
    /// When that was counted.
    pub counted_at: Timestamp,
}

/// What follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Suspend it, and why.
    pub suspend: Option<PowerCause>,
    /// What the person is told.
    pub notices: Vec<Notice>,
}

/// What follows from how a workspace is used. Unknown is not idle: only hours and the longest session end what
/// does not report.
#[must_use]
pub fn decide(limits: &Limits, used: &Use, now: Timestamp) -> Decision {
    let suspend = |cause| Decision {
        suspend: Some(cause),
        notices: Vec::new(),
    };
    let sold = u64::from(limits.hours_per_month) * 3600;
    let left = sold.saturating_sub(used.seconds_this_month);
    if left == 0 {
        return suspend(PowerCause::Hours);
    }
    let activity = used.activity;
    let input = activity.and_then(|activity| activity.input_at);
    let output = activity.and_then(|activity| activity.output_at);
    let last_input = input.map_or(used.since, |at| at.max(used.since));
    let ends = last_input + LONGEST_SESSION;
    if now >= ends {
        return suspend(PowerCause::LongestSession);
    }
    let mut notices = Vec::new();
    let left = SignedDuration::from_secs(i64::try_from(left).unwrap_or(i64::MAX));
    if used.runs && left <= WARNING {
        notices.push(notice(
            NoticeKind::Hours,
            used.counted_at,
            used.counted_at + left,
            "the plan's hours of this month are nearly used up; a larger plan has more",
        ));
    }
    let known_at = activity.map(|activity| activity.reported_at);
    let is_known = known_at.is_some_and(|at| now.duration_since(at) <= REPORTED);
    if is_known {
        let idle = SignedDuration::from_mins(i64::from(limits.idle_minutes));
        let last = output.map_or(last_input, |at| at.max(last_input));
        let until = later(last, idle);
        if now >= until {
            return suspend(PowerCause::Idle);
        }
        let warned = until - WARNING.min(idle / 2);
        if now >= warned {
            notices.push(notice(
                NoticeKind::Idle,
                warned,
                until,
                "it is suspended unless somebody uses or keeps it",
            ));
        }
    } else if used.runs {
        // A start resets what is known: the first report takes a moment.
        let unknown_since = known_at.map_or(used.since, |at| at.max(used.since)) + REPORTED;
        if now >= unknown_since {
            notices.push(notice(
                NoticeKind::ActivityUnknown,
                unknown_since,
                ends,
                "whether it is used cannot be read; it ends at the plan's hours or at the longest session",
            ));
        }
    }
    let is_told = |kind| notices.iter().any(|notice: &Notice| notice.kind == kind);
    if !is_told(NoticeKind::Idle) && now >= ends - WARNING {
        notices.push(notice(
            NoticeKind::Idle,
            ends - WARNING,
            ends,
            "nobody has typed or clicked for a day; it is suspended unless somebody does",
        ));
    }
    Decision {
        suspend: None,
        notices,
    }
}

/// A plan may say any number of minutes: what is behind the end of time is never.
fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn notice(kind: NoticeKind, at: Timestamp, until: Timestamp, detail: &str) -> Notice {
    Notice {
        kind,
        at,
        until: Some(until),
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use coditect_core::PodSize;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        storage_gib: 1,
        hours_per_month: 10,
        llm_requests_per_month: 100,
        workspaces: 1,
        idle_minutes: 30,
        pod: PodSize {
            cpu_millis: 1,
            cpu_request_millis: 1,
            memory_mib: 1,
            ephemeral_storage_mib: 1,
            pids: 1,
        },
    };

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + 60 * minute).unwrap()
    }

    fn used(activity: Option<(Option<i64>, Option<i64>, i64)>) -> Use {
        Use {
            since: at(0),
            activity: activity.map(|(input, output, reported)| Activity {
                input_at: input.map(at),
                output_at: output.map(at),
                reported_at: at(reported),
            }),
            runs: true,
            seconds_this_month: 0,
            counted_at: at(0),
        }
    }

    fn kinds(decision: &Decision) -> Vec<NoticeKind> {
        decision.notices.iter().map(|notice| notice.kind).collect()
    }

    #[test]
    fn who_is_idle_is_warned_and_then_suspended() {
        let idle = |now| decide(&LIMITS, &used(Some((Some(10), None, now))), at(now));
        assert_eq!(idle(34), Decision::default());
        let warned = idle(35);
        assert_eq!(warned.suspend, None);
        assert_eq!(kinds(&warned), [NoticeKind::Idle]);
        assert_eq!(
            (warned.notices[0].at, warned.notices[0].until),
            (at(35), Some(at(40)))
        );
        assert_eq!(
            idle(39).notices,
            warned.notices,
            "the same notice every time"
        );
        assert_eq!(idle(40).suspend, Some(PowerCause::Idle));
    }

    #[test]
    fn a_short_idle_time_is_announced_at_its_half() {
        let limits = Limits {
            idle_minutes: 4,
            ..LIMITS
        };
        assert_eq!(
            decide(&limits, &used(Some((Some(10), None, 11))), at(11)),
            Decision::default()
        );
        let warned = decide(&limits, &used(Some((Some(10), None, 12))), at(12));
        assert_eq!(
            (warned.notices[0].at, warned.notices[0].until),
            (at(12), Some(at(14)))
        );
    }

    #[test]
    fn a_plan_that_never_idles_out_is_not_the_end_of_time() {
        let limits = Limits {
            idle_minutes: u32::MAX,
            ..LIMITS
        };
        let used = used(Some((Some(0), None, 600)));
        assert_eq!(decide(&limits, &used, at(600)), Decision::default());
    }

    /// A long build with the tab closed.
    #[test]
    fn a_workspace_that_works_is_not_idle() {
        for now in (0..600).step_by(7) {
            let busy = used(Some((Some(0), Some(now), now)));
            assert_eq!(decide(&LIMITS, &busy, at(now)), Decision::default());
        }
    }

    /// The probe is blocked, or the gateway was never heard of.
    #[test]
    fn what_is_not_known_is_not_idle_and_says_so() {
        for activity in [None, Some((Some(1), None, 2))] {
            let decision = decide(&LIMITS, &used(activity), at(300));
            assert_eq!(decision.suspend, None);
            assert_eq!(kinds(&decision), [NoticeKind::ActivityUnknown]);
        }
        assert_eq!(
            decide(&LIMITS, &used(None), at(2)),
            Decision::default(),
            "just started"
        );
        let waits = Use {
            runs: false,
            ..used(None)
        };
        assert_eq!(decide(&LIMITS, &waits, at(60)), Decision::default());
    }

    #[test]
    fn silence_and_noise_both_end() {
        let day = 24 * 60;
        assert_eq!(
            decide(&LIMITS, &used(None), at(day)).suspend,
            Some(PowerCause::LongestSession)
        );
        let busy = used(Some((None, Some(day), day)));
        assert_eq!(
            decide(&LIMITS, &busy, at(day)).suspend,
            Some(PowerCause::LongestSession)
        );
        let warned = decide(
            &LIMITS,
            &used(Some((None, Some(day - 4), day - 4))),
            at(day - 4),
        );
        assert_eq!(warned.notices[0].until, Some(at(day)));
        let typed = used(Some((Some(day - 1), None, day)));
        assert_eq!(decide(&LIMITS, &typed, at(day)), Decision::default());
    }

    #[test]
    fn the_hours_of_the_plan_end_what_runs() {
        let mut spent = used(Some((Some(5), None, 5)));
        spent.seconds_this_month = 10 * 3600 - 301;
        assert_eq!(decide(&LIMITS, &spent, at(5)), Decision::default());
        spent.seconds_this_month += 1;
        spent.counted_at = at(5);
        let warned = decide(&LIMITS, &spent, at(5));
        assert_eq!(
            (kinds(&warned), warned.notices[0].until),
            (vec![NoticeKind::Hours], Some(at(10)))
        );
        spent.seconds_this_month += 300;
        assert_eq!(
            decide(&LIMITS, &spent, at(5)).suspend,
            Some(PowerCause::Hours)
        );
    }

    proptest! {
        /// Whoever typed within the idle time is neither warned too early nor suspended; and nobody is suspended for
        /// idleness on a report that is old.
        #[test]
        fn nobody_is_suspended_who_might_be_there(
            input in prop::option::of(0_i64..2_000), output in prop::option::of(0_i64..2_000), reported in 0_i64..2_000, now in 0_i64..2_000,
        ) {
            let decision = decide(&LIMITS, &used(Some((input, output, reported))), at(now));
            if decision.suspend == Some(PowerCause::Idle) {
                prop_assert!(now - reported <= 3);
                for last in [input, output, Some(0)].into_iter().flatten() {
                    prop_assert!(now - last >= 30);
                }
            }
            for notice in &decision.notices {
                prop_assert!(notice.at <= at(now));
                prop_assert!(notice.until.is_none_or(|until| until > at(now)));
            }
        }
    }
}
