//! The phases case by case, and what holds for all of them.

use coditect_core::{Cause, Notice, NoticeKind, Phase, Power, Readiness, Reason};
use coditect_registry::record::{Landed, PowerCause, PowerState, Quarantine, Requested, Status};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::seen::{
    About, Condition, Failure, NamespaceSeen, PodSeen, SetSeen, VolumeSeen, Warning,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

/// Signed up at 0, in Git at 1, in the cluster with everything at hand.
fn wanted() -> Wanted {
    Wanted {
        requested: Requested {
            generation: 1,
            at: at(0),
        },
        landed: Some(Landed {
            generation: 1,
            commit: "c1".to_owned(),
            requested_at: at(0),
            committed_at: at(1),
        }),
        power: PowerState {
            power: Power::On,
            since: at(0),
            cause: PowerCause::SignUp,
        },
        active: true,
        marked: false,
        held: false,
        readiness: Readiness::Pod,
        quarantine: None,
    }
}

fn power(power: Power, second: i64) -> Wanted {
    let mut wanted = wanted();
    wanted.power = PowerState {
        power,
        since: at(second),
        cause: PowerCause::Person,
    };
    wanted
}

fn namespace(generation: u64) -> Option<NamespaceSeen> {
    Some(NamespaceSeen {
        uid: "n".to_owned(),
        generation,
        runs: None,
        deleting: false,
        edit: None,
    })
}

fn set(replicas: i32) -> Option<SetSeen> {
    Some(SetSeen {
        uid: "s".to_owned(),
        created: at(2),
        replicas,
        pods: 0,
        observed: true,
        update_revision: Some("r1".to_owned()),
        edit: None,
    })
}

fn pod(ready: bool) -> PodLife {
    PodLife {
        pod: PodSeen {
            uid: "p".to_owned(),
            created: at(3),
            deleting: None,
            revision: Some("r1".to_owned()),
            node: Some("node-1".to_owned()),
            ip: None,
            ready,
            condition: Condition::Fine,
        },
        node_silent: false,
    }
}

fn seen(pods: Vec<PodLife>) -> Seen {
    Seen {
        namespace: namespace(1),
        set: set(1),
        pods,
        ..Seen::default()
    }
}

fn warning(about: About, uid: &str, reason: &str, message: &str, second: i64) -> Warning {
    Warning {
        about,
        uid: uid.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        at: at(second),
    }
}

fn phases(status: &Status) -> Vec<Phase> {
    status.steps.iter().map(|step| step.phase).collect()
}

fn cause(status: &Status) -> Option<Cause> {
    status.reason.as_ref().map(|reason| reason.cause)
}

#[test]
fn a_sign_up_goes_its_road_step_by_step() {
    let mut early = wanted();
    early.landed = None;
    let status = super::status(&early, &Seen::default(), None, at(0));
    assert_eq!(status.phase, Phase::Requested);
    let status = super::status(&wanted(), &Seen::default(), Some(&status), at(2));
    assert_eq!(status.phase, Phase::Committed);
    let status = super::status(&wanted(), &seen(vec![]), Some(&status), at(3));
    assert_eq!(status.phase, Phase::Synced);
    let status = super::status(&wanted(), &seen(vec![pod(false)]), Some(&status), at(4));
    assert_eq!(status.phase, Phase::Starting);
    let status = super::status(&wanted(), &seen(vec![pod(true)]), Some(&status), at(6));
    assert_eq!((status.phase, status.since), (Phase::Ready, at(6)));
    assert_eq!(
        status
            .steps
            .iter()
            .map(|step| (step.phase, step.at))
            .collect::<Vec<_>>(),
        [
            (Phase::Requested, at(0)),
            (Phase::Committed, at(1)),
            (Phase::Synced, at(3)),
            (Phase::Starting, at(4)),
            (Phase::Ready, at(6)),
        ]
    );
    assert_eq!(status.generation, 1);
}

#[test]
fn an_observer_that_comes_late_still_tells_the_road() {
    let status = super::status(&wanted(), &seen(vec![pod(true)]), None, at(60));
    assert_eq!(
        phases(&status),
        [
            Phase::Requested,
            Phase::Committed,
            Phase::Synced,
            Phase::Ready
        ]
    );
}

#[test]
fn suspend_and_wake_are_roads_of_their_own() {
    let off = power(Power::Off, 100);
    let status = super::status(&off, &seen(vec![pod(true)]), None, at(100));
    assert_eq!(status.phase, Phase::Suspending);
    let mut gone = seen(vec![]);
    let status = super::status(&off, &gone, Some(&status), at(101));
    assert_eq!(status.phase, Phase::Suspending, "the scale is still 1");
    gone.set = set(0);
    gone.set.as_mut().unwrap().pods = 1;
    let status = super::status(&off, &gone, Some(&status), at(102));
    assert_eq!(
        status.phase,
        Phase::Suspending,
        "its controller still has a pod"
    );
    gone.set = set(0);
    let status = super::status(&off, &gone, Some(&status), at(103));
    assert_eq!(status.phase, Phase::Suspended);
    assert_eq!(phases(&status), [Phase::Suspending, Phase::Suspended]);

    let on = power(Power::On, 200);
    let status = super::status(&on, &gone, Some(&status), at(200));
    assert_eq!(status.phase, Phase::Starting);
    let status = super::status(&on, &seen(vec![pod(true)]), Some(&status), at(202));
    assert_eq!(phases(&status), [Phase::Starting, Phase::Ready]);
    assert_eq!(status.steps[0].at, at(200));
}

#[test]
fn a_change_of_a_running_workspace_goes_its_road_while_it_stays_ready() {
    let ready = super::status(&wanted(), &seen(vec![pod(true)]), None, at(10));
    let mut changed = wanted();
    changed.requested = Requested {
        generation: 2,
        at: at(50),
    };
    let status = super::status(&changed, &seen(vec![pod(true)]), Some(&ready), at(50));
    assert_eq!(
        (status.phase, phases(&status)),
        (Phase::Ready, vec![Phase::Requested])
    );
    changed.landed.as_mut().unwrap().generation = 2;
    changed.landed.as_mut().unwrap().committed_at = at(51);
    let status = super::status(&changed, &seen(vec![pod(true)]), Some(&status), at(52));
    assert_eq!(phases(&status), [Phase::Requested, Phase::Committed]);
    let mut arrived = seen(vec![pod(true)]);
    arrived.namespace = namespace(2);
    let status = super::status(&changed, &arrived, Some(&status), at(53));
    assert_eq!(
        (status.phase, status.since, phases(&status)),
        (
            Phase::Ready,
            at(10),
            vec![
                Phase::Requested,
                Phase::Committed,
                Phase::Synced,
                Phase::Ready
            ]
        )
    );
}

#[test]
fn a_quota_is_named_while_the_pod_is_absent_and_clears_with_it() {
    let quota = "create Pod workspace-x-0 in StatefulSet workspace-x failed error: pods \"workspace-x-0\" is forbidden: exceeded quota: workspace-quota, requested: pods=1";
    let mut full = seen(vec![]);
    full.warnings = vec![warning(About::Set, "s", "FailedCreate", quota, 4)];
    let status = super::status(&wanted(), &full, None, at(5));
    assert_eq!(
        (status.phase, cause(&status)),
        (Phase::Failed, Some(Cause::Quota))
    );

    full.pods = vec![pod(false)];
    let status = super::status(&wanted(), &full, Some(&status), at(6));
    assert_eq!((status.phase, cause(&status)), (Phase::Starting, None));

    // The pod came after it and went again: the event is old.
    full.pods = vec![];
    full.last_pod = Some(at(6));
    let status = super::status(&wanted(), &full, Some(&status), at(7));
    assert_eq!(status.phase, Phase::Starting);

    // Of another StatefulSet of the same name, or from before the last start.
    full.last_pod = None;
    full.set.as_mut().unwrap().uid = "other".to_owned();
    assert_eq!(super::status(&wanted(), &full, None, at(8)).reason, None);
    full.set = set(1);
    assert_eq!(
        super::status(&power(Power::On, 9), &full, None, at(9)).reason,
        None
    );
}

#[test]
fn a_held_cell_says_so_and_not_that_a_quota_is_full() {
    let mut held = wanted();
    held.held = true;
    let mut full = seen(vec![]);
    full.warnings = vec![warning(
        About::Set,
        "s",
        "FailedCreate",
        "exceeded quota",
        4,
    )];
    assert_eq!(
        cause(&super::status(&held, &full, None, at(5))),
        Some(Cause::Hold)
    );
    let off = Wanted {
        held: true,
        ..power(Power::Off, 3)
    };
    full.set = set(0);
    assert_eq!(
        super::status(&off, &full, None, at(5)).phase,
        Phase::Suspended
    );
}

#[test]
fn what_admission_says_of_a_pod_is_told() {
    for (message, expected) in [
        (
            "pods \"w-0\" is forbidden: violates PodSecurity \"restricted:v1.33\": privileged",
            Some(Cause::Admission),
        ),
        (
            "admission webhook \"w.example\" denied the request: no",
            Some(Cause::Admission),
        ),
        (
            "pods \"w-0\" is forbidden: error looking up service account user-x/workspace-sa: serviceaccount \"workspace-sa\" not found",
            None,
        ),
        (
            "Internal error occurred: failed calling webhook: connection refused",
            None,
        ),
    ] {
        let mut absent = seen(vec![]);
        absent.warnings = vec![warning(About::Set, "s", "FailedCreate", message, 4)];
        assert_eq!(
            cause(&super::status(&wanted(), &absent, None, at(5))),
            expected,
            "{message}"
        );
    }
}

#[test]
fn what_hinders_a_pod_is_told() {
    for (condition, expected) in [
        (
            Condition::Image("theia: ErrImagePull".into()),
            Some(Cause::Image),
        ),
        (
            Condition::Crash("theia: CrashLoopBackOff".into()),
            Some(Cause::Crash),
        ),
        (
            Condition::Ended("the pod Failed".into()),
            Some(Cause::Crash),
        ),
        (
            Condition::Unschedulable("0/3 nodes are available: insufficient memory".into()),
            Some(Cause::Unschedulable),
        ),
        (
            Condition::Unschedulable("1 node(s) had volume node affinity conflict".into()),
            Some(Cause::Volume),
        ),
        (
            Condition::Unschedulable("pod has unbound immediate PersistentVolumeClaims".into()),
            None,
        ),
        (Condition::Lost, Some(Cause::Node)),
        (Condition::Fine, None),
    ] {
        let mut life = pod(false);
        life.pod.condition = condition.clone();
        let status = super::status(&wanted(), &seen(vec![life]), None, at(5));
        assert_eq!(cause(&status), expected, "{condition:?}");
        assert_eq!(status.phase == Phase::Failed, expected.is_some());
    }
}

#[test]
fn what_is_wrong_with_a_volume_is_told() {
    let volume = |pending, lost| {
        Some(VolumeSeen {
            uid: "v".to_owned(),
            pending,
            lost,
            growing: None,
            refused: None,
        })
    };
    let mut provisioning = seen(vec![pod(false)]);
    provisioning.volume = volume(true, false);
    provisioning.warnings = vec![warning(
        About::Volume,
        "v",
        "ProvisioningFailed",
        "storageclass not found",
        4,
    )];
    assert_eq!(
        cause(&super::status(&wanted(), &provisioning, None, at(5))),
        Some(Cause::Volume)
    );
    provisioning.volume = volume(false, false);
    assert_eq!(
        cause(&super::status(&wanted(), &provisioning, None, at(6))),
        None,
        "bound by now"
    );

    let mut mounting = seen(vec![pod(false)]);
    mounting.warnings = vec![warning(
        About::Pod,
        "p",
        "FailedAttachVolume",
        "Multi-Attach error",
        4,
    )];
    assert_eq!(
        cause(&super::status(&wanted(), &mounting, None, at(5))),
        Some(Cause::Volume)
    );
    mounting.pods = vec![pod(true)];
    assert_eq!(
        super::status(&wanted(), &mounting, None, at(6)).phase,
        Phase::Ready
    );

    let mut lost = seen(vec![]);
    lost.volume = volume(false, true);
    assert_eq!(
        cause(&super::status(&wanted(), &lost, None, at(5))),
        Some(Cause::Volume)
    );
}

/// A node dies during a suspension, and a second pod mounts the volume.
#[test]
fn a_pod_on_a_node_that_does_not_answer_is_never_called_suspended() {
    let off = power(Power::Off, 100);
    let mut life = pod(false);
    life.pod.deleting = Some(at(220));
    let going = seen(vec![life.clone()]);
    assert_eq!(
        super::status(&off, &going, None, at(110)).phase,
        Phase::Suspending
    );
    let overdue = super::status(&off, &going, None, at(300));
    assert_eq!(
        (overdue.phase, cause(&overdue)),
        (Phase::Failed, Some(Cause::Node))
    );
    life.node_silent = true;
    let silent = super::status(&off, &seen(vec![life.clone()]), None, at(110));
    assert_eq!(
        (silent.phase, cause(&silent)),
        (Phase::Failed, Some(Cause::Node))
    );
    // Woken meanwhile: still the old pod, still not known.
    let woken = super::status(&power(Power::On, 120), &seen(vec![life]), None, at(121));
    assert_eq!(cause(&woken), Some(Cause::Node));
}

#[test]
fn a_refused_change_is_told_until_a_good_version_stands() {
    let mut changed = wanted();
    changed.requested.generation = 2;
    changed.landed.as_mut().unwrap().generation = 2;
    let refused = Some(Failure {
        object: "Service workspace-x".to_owned(),
        message: "Service \"workspace-x\" is invalid: spec.ports: Required value".to_owned(),
    });
    let running = Seen {
        refused: refused.clone(),
        ..seen(vec![pod(true)])
    };
    let status = super::status(&changed, &running, None, at(60));
    assert_eq!(
        (status.phase, cause(&status)),
        (Phase::Ready, Some(Cause::Admission))
    );

    let new = Seen {
        refused,
        ..Seen::default()
    };
    let status = super::status(&changed, &new, None, at(60));
    assert_eq!(
        (status.phase, cause(&status)),
        (Phase::Failed, Some(Cause::Admission))
    );

    changed.quarantine = Some(Quarantine {
        generation: 2,
        commit: "c2".to_owned(),
        reason: Reason::new(Cause::Admission, "Service is invalid"),
        at: at(61),
        refused: Some("blob".to_owned()),
        stands: Some("good".to_owned()),
    });
    let status = super::status(&changed, &seen(vec![pod(true)]), None, at(70));
    assert_eq!((status.phase, cause(&status)), (Phase::Ready, None));
    assert_eq!(status.notices[0].kind, NoticeKind::Quarantined);
    assert_eq!(status.notices[0].detail, "Service is invalid");

    changed.quarantine.as_mut().unwrap().stands = None;
    let status = super::status(
        &changed,
        &Seen {
            namespace: namespace(2),
            ..Seen::default()
        },
        None,
        at(80),
    );
    assert_eq!(
        (status.phase, cause(&status)),
        (Phase::Failed, Some(Cause::Admission))
    );
}

#[test]
fn a_shard_that_cannot_be_read_stops_only_what_waits_for_it() {
    let unreadable = Some("cannot generate manifests: line 3".to_owned());
    let mut waits = Seen {
        unreadable: unreadable.clone(),
        ..Seen::default()
    };
    let status = super::status(&wanted(), &waits, None, at(5));
    assert_eq!(
        (status.phase, cause(&status)),
        (Phase::Failed, Some(Cause::Shard))
    );
    waits = Seen {
        unreadable,
        ..seen(vec![pod(true)])
    };
    let status = super::status(&wanted(), &waits, None, at(5));
    assert_eq!((status.phase, cause(&status)), (Phase::Ready, None));
}

#[test]
fn ready_means_that_the_gateway_answers_where_it_can_be_asked() {
    let mut asked = wanted();
    asked.readiness = Readiness::Gateway;
    let mut ready = seen(vec![pod(true)]);
    assert_eq!(
        super::status(&asked, &ready, None, at(5)).phase,
        Phase::Starting
    );
    ready.gateway = Gateway::Silent { since: at(5) };
    assert_eq!(
        super::status(&asked, &ready, None, at(20)).phase,
        Phase::Starting
    );
    let late = super::status(&asked, &ready, None, at(60));
    assert_eq!(
        (late.phase, cause(&late)),
        (Phase::Failed, Some(Cause::Gateway))
    );
    ready.gateway = Gateway::Answers;
    assert_eq!(
        super::status(&asked, &ready, None, at(61)).phase,
        Phase::Ready
    );
}

#[test]
fn a_change_by_hand_is_told_for_a_while() {
    let mut seen = seen(vec![pod(true)]);
    seen.notices = vec![Notice {
        kind: NoticeKind::Drift,
        at: at(100),
        until: None,
        detail: "the StatefulSet was deleted by hand".to_owned(),
    }];
    let told = super::status(&wanted(), &seen, None, at(101));
    assert_eq!(told.notices.len(), 1);
    seen.notices.clear();
    let still = super::status(&wanted(), &seen, Some(&told), at(200));
    assert_eq!(still.notices, told.notices);
    let over = super::status(&wanted(), &seen, Some(&still), at(100) + DRIFT_SHOWN);
    assert_eq!(over.notices, []);
}

#[test]
fn what_waits_for_the_next_start_is_told() {
    let mut outdated = seen(vec![pod(true)]);
    outdated.set.as_mut().unwrap().update_revision = Some("r2".to_owned());
    outdated.volume = Some(VolumeSeen {
        uid: "v".to_owned(),
        pending: false,
        lost: false,
        growing: Some(("10Gi".to_owned(), "1Gi".to_owned())),
        refused: None,
    });
    let status = super::status(&wanted(), &outdated, None, at(9));
    let kinds: Vec<NoticeKind> = status.notices.iter().map(|notice| notice.kind).collect();
    assert_eq!(
        kinds,
        [NoticeKind::RestartPending, NoticeKind::VolumeGrowing]
    );
    let later = super::status(&wanted(), &outdated, Some(&status), at(99));
    assert_eq!(
        later.notices[0].at,
        at(9),
        "it holds since it was first told"
    );
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (0_i64..400).prop_map(at)
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    (
        (
            1_u64..4,
            any_time(),
            prop::option::of((1_u64..4, any_time())),
        ),
        (
            any::<bool>(),
            any_time(),
            any::<bool>(),
            prop::bool::weighted(0.1),
        ),
        (
            any::<bool>(),
            any::<bool>(),
            prop::option::of((1_u64..4, any::<bool>())),
        ),
    )
        .prop_map(
            |(
                (generation, requested, landed),
                (on, since, active, marked),
                (held, gateway, quarantine),
            )| Wanted {
                requested: Requested {
                    generation,
                    at: requested,
                },
                landed: landed.map(|(generation, committed_at)| Landed {
                    generation,
                    commit: "c".to_owned(),
                    requested_at: requested,
                    committed_at,
                }),
                power: PowerState {
                    power: if on { Power::On } else { Power::Off },
                    since,
                    cause: PowerCause::Person,
                },
                active,
                marked,
                held,
                readiness: if gateway {
                    Readiness::Gateway
                } else {
                    Readiness::Pod
                },
                quarantine: quarantine.map(|(generation, stands)| Quarantine {
                    generation,
                    commit: "c".to_owned(),
                    reason: Reason::new(Cause::Admission, "no"),
                    at: at(1),
                    refused: stands.then(|| "a".to_owned()),
                    stands: stands.then(|| "b".to_owned()),
                }),
            },
        )
}

fn any_pod() -> impl Strategy<Value = PodLife> {
    let conditions = prop::sample::select(vec![
        Condition::Fine,
        Condition::Lost,
        Condition::Image("i".to_owned()),
        Condition::Unschedulable("u".to_owned()),
    ]);
    (
        any::<bool>(),
        prop::option::of(any_time()),
        any_time(),
        any::<bool>(),
        conditions,
    )
        .prop_map(|(ready, deleting, created, node_silent, condition)| {
            let mut life = pod(ready && deleting.is_none());
            life.pod.deleting = deleting;
            life.pod.created = created;
            life.pod.condition = condition;
            life.node_silent = node_silent;
            life
        })
}

fn any_seen() -> impl Strategy<Value = Seen> {
    (
        (
            prop::option::of((0_u64..4, any::<bool>())),
            prop::option::of((0..2, any::<bool>(), 0..2)),
        ),
        prop::collection::vec(any_pod(), 0..3),
        (
            prop::option::of(any_time()),
            prop::collection::vec(any_time(), 0..3),
            any::<bool>(),
            any::<bool>(),
        ),
        prop::collection::vec(any_time(), 0..3),
        prop::option::of(any_time()),
    )
        .prop_map(
            |((named, sets), pods, (last_pod, failed, refused, unreadable), drifts, silent)| Seen {
                namespace: named.map(|(generation, deleting)| NamespaceSeen {
                    deleting,
                    ..namespace(generation).unwrap()
                }),
                set: sets.map(|(replicas, observed, pods)| SetSeen {
                    observed,
                    pods,
                    ..set(replicas).unwrap()
                }),
                pods,
                last_pod,
                volume: None,
                warnings: failed
                    .into_iter()
                    .map(|at| Warning {
                        at,
                        ..warning(About::Set, "s", "FailedCreate", "exceeded quota", 0)
                    })
                    .collect(),
                refused: refused.then(|| Failure {
                    object: "Service s".to_owned(),
                    message: "is invalid".to_owned(),
                }),
                unreadable: unreadable.then(|| "x".to_owned()),
                gateway: silent.map_or(Gateway::Answers, |since| Gateway::Silent { since }),
                notices: drifts
                    .into_iter()
                    .map(|at| Notice {
                        kind: NoticeKind::Drift,
                        at,
                        until: None,
                        detail: "d".to_owned(),
                    })
                    .collect(),
            },
        )
}

/// Some input, and how many seconds later it is looked at.
type Look = (Wanted, Seen, i64);

fn any_looks() -> impl Strategy<Value = Vec<Look>> {
    prop::collection::vec((any_wanted(), any_seen(), 0_i64..60), 1..24)
}

proptest! {
    #[test]
    fn whatever_is_seen_in_whatever_order(looks in any_looks()) {
        let mut before: Option<Status> = None;
        let mut now = at(0);
        for (wanted, seen, passed) in looks {
            now += SignedDuration::from_secs(passed);
            let status = super::status(&wanted, &seen, before.as_ref(), now);
            let again = super::status(&wanted, &seen, Some(&status), now);
            prop_assert_eq!(&again, &status, "its own answer changes nothing");
            if status.phase == Phase::Ready {
                prop_assert!(seen.pods.iter().any(|life| life.pod.ready), "ready without a ready pod");
            }
            if status.phase == Phase::Suspended {
                prop_assert!(seen.pods.is_empty(), "suspended with a pod");
                prop_assert!(!wanted.on());
            }
            if status.phase == Phase::Failed {
                prop_assert!(status.reason.is_some(), "failed without a reason");
            }
            prop_assert!(status.steps.is_sorted_by_key(|step| step.at), "{:?}", status.steps);
            prop_assert!(!status.steps.is_empty() && status.steps.len() <= Status::LONGEST_ROAD);
            if let Some(before) = &before {
                prop_assert_eq!(status.since == before.since || status.phase != before.phase, true);
                prop_assert!(status.since >= before.since);
            }
            before = Some(status);
        }
    }

    #[test]
    fn the_same_look_later_moves_no_time(wanted in any_wanted(), seen in any_seen(), later in 0_i64..600) {
        let status = super::status(&wanted, &seen, None, at(0));
        let again = super::status(&wanted, &seen, Some(&status), at(later));
        if again.phase == status.phase {
            prop_assert_eq!(again.since, status.since);
            prop_assert_eq!(again.steps, status.steps);
        }
    }
}
