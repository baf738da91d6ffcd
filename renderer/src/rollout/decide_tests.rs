use coditect_registry::record::{RolloutRestart, RolloutTerms};
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

fn runs(release: &str) -> Runs {
    Runs {
        release: release.parse().unwrap(),
        engine: 1,
    }
}

fn ring(name: &str) -> RolloutRing {
    RolloutRing {
        ring: name.parse().unwrap(),
        release: "v1".parse().unwrap(),
        engine: 1,
        should_run: None,
        ready: None,
        held_back: None,
        restarted: false,
    }
}

const NAMES: [&str; 3] = ["canary", "early", "everyone"];

fn rollout() -> Rollout {
    Rollout {
        from: "v1".parse().unwrap(),
        ring: None,
        state: RolloutState::Advancing,
        users: 0,
        quarantined: 0,
        started_at: at(0),
        changed_at: at(0),
        revision: 1,
        release: Some("v2".parse().unwrap()),
        engine: 1,
        rings: NAMES.map(ring).to_vec(),
        terms: RolloutTerms {
            soak_seconds: 100,
            least_ready: 95,
            patience_seconds: 30,
        },
        restart: RolloutRestart::OnNextStart,
        holds_since: None,
        falls_since: None,
        seen_at: None,
        hurry: None,
        why: String::new(),
        commits: Vec::new(),
    }
}

/// So many rings run v2, the others v1.
fn policy(reached: usize) -> Vec<(RingName, Runs)> {
    let one = |(index, name): (usize, &str)| {
        let release = if index < reached { "v2" } else { "v1" };
        (name.parse().unwrap(), runs(release))
    };
    NAMES.into_iter().enumerate().map(one).collect()
}

fn good() -> Seen {
    Seen {
        users: 100,
        rendered: 100,
        should_run: 40,
        ready: 40,
        quarantined: 0,
        held_back: 0,
        unknown: None,
        restart: Restarts::Over,
    }
}

fn all(seen: &Seen) -> Observed {
    NAMES
        .iter()
        .map(|name| (name.parse().unwrap(), seen.clone()))
        .collect()
}

/// A roll-out whose canary was noted as reached.
fn in_canary() -> Rollout {
    Rollout {
        ring: Some("canary".parse().unwrap()),
        ..rollout()
    }
}

fn waits(look: &Look, says: &str) {
    let Decision::Wait(why) = &look.decision else {
        panic!("{look:?}");
    };
    assert!(why.contains(says), "{why}");
}

#[test]
fn the_first_ring_gets_it_at_once_and_the_next_after_the_soak() {
    let first = decide(&rollout(), &policy(0), &all(&good()), at(0));
    assert_eq!(first.decision, Decision::Promote("canary".parse().unwrap()));
    let mut rollout = in_canary();
    let look = decide(&rollout, &policy(1), &all(&good()), at(10));
    waits(&look, "holds since");
    assert_eq!(look.holds_since, Some(at(10)));
    rollout.holds_since = look.holds_since;
    rollout.seen_at = Some(at(100));
    waits(
        &decide(&rollout, &policy(1), &all(&good()), at(109)),
        "100 s",
    );
    let look = decide(&rollout, &policy(1), &all(&good()), at(110));
    assert_eq!(look.decision, Decision::Promote("early".parse().unwrap()));
}

#[test]
fn a_ring_that_cannot_be_seen_does_not_get_it() {
    let unseen = Seen {
        unknown: Some("cell local is not connected".into()),
        ..good()
    };
    waits(
        &decide(&rollout(), &policy(0), &all(&unseen), at(0)),
        "not connected",
    );
    waits(
        &decide(&rollout(), &policy(0), &Observed::new(), at(0)),
        "nothing is known",
    );
}

#[test]
fn the_soak_begins_when_no_pod_is_left_to_be_restarted() {
    let mut rollout = in_canary();
    let restarting = Seen {
        restart: Restarts::UnderWay("7 pods are still to be restarted".into()),
        ..good()
    };
    rollout.holds_since = Some(at(0));
    rollout.seen_at = Some(at(490));
    let look = decide(&rollout, &policy(1), &all(&restarting), at(500));
    waits(&look, "ring canary: 7 pods");
    assert_eq!(look.holds_since, None);
    // Nobody may skip that either.
    rollout.hurry = rollout.ring.clone();
    waits(
        &decide(&rollout, &policy(1), &all(&restarting), at(500)),
        "7 pods",
    );
    // However many workspaces are ready beside them.
    let failed = Seen {
        restart: Restarts::Failed("4 pods did not get ready".into()),
        ..good()
    };
    let look = decide(&rollout, &policy(1), &all(&failed), at(500));
    let Decision::RollBack(why) = look.decision else {
        panic!("{look:?}");
    };
    assert_eq!(why, "ring canary: 4 pods did not get ready");
}

#[test]
fn a_person_may_skip_the_soak_of_one_ring_and_nothing_else() {
    let mut rollout = in_canary();
    rollout.hurry = Some("canary".parse().unwrap());
    let look = decide(&rollout, &policy(1), &all(&good()), at(1));
    assert_eq!(look.decision, Decision::Promote("early".parse().unwrap()));
    rollout.ring = Some("early".parse().unwrap());
    waits(&decide(&rollout, &policy(2), &all(&good()), at(2)), "holds");
    let half = Seen {
        rendered: 50,
        ..good()
    };
    let rollout = Rollout {
        hurry: Some("canary".parse().unwrap()),
        ..in_canary()
    };
    waits(
        &decide(&rollout, &policy(1), &all(&half), at(1)),
        "50 of 100",
    );
}

#[test]
fn what_was_noted_of_an_earlier_ring_does_not_count_for_this_one() {
    // Killed after the push and before the note.
    let mut rollout = in_canary();
    rollout.holds_since = Some(at(-1_000));
    let look = decide(&rollout, &policy(2), &all(&good()), at(5));
    assert_eq!(look.ring, Some("early".parse().unwrap()));
    assert_eq!(look.holds_since, Some(at(5)));
    waits(&look, "ring early holds");
}

#[test]
fn a_share_that_falls_goes_back_after_the_patience() {
    let bad = Seen {
        ready: 37,
        ..good()
    };
    let mut rollout = in_canary();
    let look = decide(&rollout, &policy(1), &all(&bad), at(1));
    waits(&look, "37 of 40");
    rollout.falls_since = look.falls_since;
    rollout.seen_at = Some(at(1));
    waits(
        &decide(&rollout, &policy(1), &all(&bad), at(30)),
        "37 of 40",
    );
    let look = decide(&rollout, &policy(1), &all(&bad), at(31));
    assert!(matches!(look.decision, Decision::RollBack(_)), "{look:?}");
    // 38 of 40 are 95 %.
    let enough = Seen {
        ready: 38,
        ..good()
    };
    let look = decide(&rollout, &policy(1), &all(&enough), at(31));
    assert_eq!(look.falls_since, None);
    waits(&look, "holds");
}

#[test]
fn what_was_broken_before_does_not_count() {
    let bad = Seen {
        ready: 30,
        ..good()
    };
    let mut rollout = in_canary();
    rollout.terms.patience_seconds = 0;
    let look = decide(&rollout, &policy(1), &all(&bad), at(1));
    assert!(matches!(look.decision, Decision::RollBack(_)), "{look:?}");
    rollout.rings[0].should_run = Some(40);
    rollout.rings[0].ready = Some(30);
    waits(&decide(&rollout, &policy(1), &all(&bad), at(1)), "holds");
}

#[test]
fn more_refused_files_than_the_larger_of_three_and_a_hundredth_go_back_at_once() {
    for (users, quarantined, back) in [
        (100, 3, false),
        (100, 4, true),
        (900, 9, false),
        (900, 10, true),
    ] {
        let seen = Seen {
            users,
            rendered: users - quarantined,
            quarantined,
            // Even where the pods cannot be seen: what the registry holds is known.
            unknown: back.then(|| "not connected".to_owned()),
            ..good()
        };
        let look = decide(&in_canary(), &policy(1), &all(&seen), at(1));
        let went = matches!(look.decision, Decision::RollBack(_));
        assert_eq!(went, back, "{users} {quarantined} {look:?}");
    }
}

#[test]
fn those_that_observers_do_not_quarantine_count_after_the_patience() {
    let bad = Seen {
        quarantined: 3,
        held_back: 1,
        ..good()
    };
    let mut rollout = in_canary();
    let look = decide(&rollout, &policy(1), &all(&bad), at(1));
    waits(&look, "objects of 4 users of 100");
    rollout.falls_since = look.falls_since;
    rollout.seen_at = Some(at(20));
    let look = decide(&rollout, &policy(1), &all(&bad), at(31));
    assert!(matches!(look.decision, Decision::RollBack(_)), "{look:?}");
    // Who was refused before the ring was reached is not the release's doing.
    rollout.rings[0].held_back = Some(1);
    waits(&decide(&rollout, &policy(1), &all(&bad), at(31)), "holds");
}

#[test]
fn what_nobody_looked_at_did_not_hold_meanwhile() {
    let mut rollout = in_canary();
    rollout.holds_since = Some(at(0));
    rollout.seen_at = Some(at(60));
    let look = decide(&rollout, &policy(1), &all(&good()), at(121));
    waits(&look, "holds since");
    assert_eq!(look.holds_since, Some(at(121)));
    let bad = Seen {
        ready: 37,
        ..good()
    };
    rollout.falls_since = Some(at(0));
    let look = decide(&rollout, &policy(1), &all(&bad), at(121));
    waits(&look, "37 of 40");
    assert_eq!(look.falls_since, Some(at(121)));
}

#[test]
fn a_persons_change_of_rings_is_not_overruled() {
    let mut changed = policy(1);
    changed[1].1 = runs("v9");
    let look = decide(&in_canary(), &changed, &all(&good()), at(1));
    assert!(matches!(look.decision, Decision::Pause(_)), "{look:?}");
}

#[test]
fn an_abort_goes_back_where_it_was_reached_and_then_is_over() {
    let aborted = Rollout {
        state: RolloutState::Aborted { why: "why".into() },
        ..in_canary()
    };
    let back = decide(&aborted, &policy(1), &Observed::new(), at(1));
    assert_eq!(back.decision, Decision::RollBack("why".into()));
    let over = decide(&aborted, &policy(0), &Observed::new(), at(1));
    assert_eq!(over.decision, Decision::WentBack("why".into()));
}

fn restarts() -> impl Strategy<Value = Restarts> {
    prop_oneof![
        4 => Just(Restarts::Over),
        1 => Just(Restarts::UnderWay("some are left".to_owned())),
        1 => Just(Restarts::Failed("some failed".to_owned())),
    ]
}

fn seen() -> impl Strategy<Value = Seen> {
    (
        0..400_u64,
        0..6_u64,
        0..200_u64,
        0..6_u64,
        any::<bool>(),
        any::<bool>(),
        restarts(),
    )
        .prop_flat_map(
            |(users, quarantined, should_run, held_back, known, all, restart)| {
                let rendered = if all {
                    users.saturating_sub(quarantined)
                } else {
                    users / 2
                };
                (0..=should_run).prop_map(move |ready| Seen {
                    users,
                    rendered,
                    should_run,
                    ready,
                    quarantined,
                    held_back,
                    unknown: (!known).then(|| "not connected".to_owned()),
                    restart: restart.clone(),
                })
            },
        )
}

proptest! {
    #[test]
    fn it_goes_on_only_on_what_is_known_and_good(
        seen in prop::collection::vec(prop::option::of(seen()), 3),
        reached in 1..=3_usize,
        held in prop::option::of(-200..200_i64),
        seen_before in prop::option::of(0..120_i64),
        paused in any::<bool>(),
        now in 0..200_i64,
    ) {
        let mut rollout = rollout();
        rollout.ring = Some(NAMES[reached - 1].parse().unwrap());
        rollout.holds_since = held.map(at);
        rollout.seen_at = seen_before.map(|seconds| at(now - seconds));
        if paused {
            rollout.state = RolloutState::Paused { why: "why".into() };
        }
        let observed: Observed = NAMES.iter().zip(&seen)
            .filter_map(|(name, seen)| Some((name.parse().unwrap(), seen.clone()?)))
            .collect();
        let look = decide(&rollout, &policy(reached), &observed, at(now));
        let goes_on = matches!(look.decision, Decision::Promote(_) | Decision::Done);
        if goes_on {
            prop_assert!(!paused);
            prop_assert!(held.is_some_and(|held| now - held >= 100));
            prop_assert!(seen_before.is_some_and(|seconds| seconds <= 60));
            let refused: u64 = seen[..reached].iter().flatten().map(|seen| seen.quarantined + seen.held_back).sum();
            let users: u64 = seen[..reached].iter().flatten().map(|seen| seen.users).sum();
            prop_assert!(refused <= 3.max(users / 100));
            for seen in &seen[..reached] {
                let seen = seen.as_ref().expect("unknown is not ready");
                prop_assert_eq!(&seen.unknown, &None);
                prop_assert_eq!(&seen.restart, &Restarts::Over);
                prop_assert!(seen.rendered + seen.quarantined >= seen.users);
                prop_assert!(seen.ready * 100 >= seen.should_run * 95);
            }
        }
        if let Decision::Promote(next) = &look.decision {
            prop_assert_eq!(next.as_str(), NAMES[reached]);
        }
        if matches!(look.decision, Decision::Done) {
            prop_assert_eq!(reached, 3);
        }
        // The same look twice is the same, with what the first remembered.
        rollout.holds_since = look.holds_since;
        rollout.falls_since = look.falls_since;
        rollout.seen_at = Some(at(now));
        let again = decide(&rollout, &policy(reached), &observed, at(now));
        prop_assert_eq!(again.decision, look.decision);
    }
}
