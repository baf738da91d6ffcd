use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

fn restart(at_once: u32) -> Restart {
    Restart {
        id: Uuid::nil(),
        of: Vec::new(),
        outdated_before: at(0),
        not_before: at(0),
        not_after: at(3_600),
        at_once,
        stopped: None,
        done: 0,
        failed: 0,
        left: None,
        started_at: at(0),
    }
}

fn candidate(uid: &str, ready: bool, outdated: bool) -> Candidate {
    Candidate {
        pod: Some((uid.to_owned(), ready)),
        outdated,
        waits: false,
        current: false,
        fresh: !outdated,
        broken: false,
    }
}

fn fleet(count: usize) -> BTreeMap<WorkspaceId, Candidate> {
    let one = |_| (WorkspaceId::random(), candidate("old", true, true));
    (0..count).map(one).collect()
}

/// Does what was said at once, as a cluster in which everything comes back would.
fn obey(all: &mut BTreeMap<WorkspaceId, Candidate>, moves: &[Move], comes_back: bool) {
    for one in moves {
        match one {
            Move::Down(workspace) => all.get_mut(workspace).unwrap().pod = None,
            Move::Up(workspace) => {
                *all.get_mut(workspace).unwrap() = candidate("new", comes_back, false);
            }
        }
    }
}

#[test]
fn all_go_round_and_never_more_than_so_many_at_once() {
    let restart = restart(4);
    let mut all = fleet(30);
    let mut restarting = Restarting::default();
    for second in 0..200 {
        let moves = restarting.step(&restart, &all, at(second));
        let not_back = all
            .values()
            .filter(|one| one.outdated || one.pod.is_none())
            .count();
        obey(&mut all, &moves, true);
        assert!(
            restarting.left(&all, at(second)) as usize
                >= all.values().filter(|one| one.outdated).count()
        );
        assert!(restarting.left(&all, at(second)) as usize <= not_back + 4);
        let down = all
            .values()
            .filter(|one| one.pod.as_ref().is_none_or(|(_, ready)| !ready));
        assert!(down.count() <= 4);
    }
    assert!(all.values().all(|one| !one.outdated));
    assert_eq!(restarting.outcome(&restart, &all, at(200)), (30, 0, None));
    assert_eq!(restarting.left(&all, at(200)), 0);
    let (.., stopped) = restarting.outcome(&restart, &all, at(3_600));
    assert!(stopped.unwrap().contains("no outdated pod"));
}

#[test]
fn it_stops_itself_when_pods_do_not_come_back() {
    let restart = restart(2);
    let mut all = fleet(40);
    let mut restarting = Restarting::default();
    let mut stopped = None;
    let mut second = 0;
    while stopped.is_none() && second < 3_600 {
        let moves = restarting.step(&restart, &all, at(second));
        obey(&mut all, &moves, false);
        stopped = restarting.outcome(&restart, &all, at(second)).2;
        second += 10;
    }
    assert!(stopped.unwrap().contains("not get ready"));
    let touched = all
        .values()
        .filter(|one| !one.outdated || one.pod.is_none())
        .count();
    assert!(touched <= 6, "{touched} of 40 were taken down");
    assert!(
        restarting.step(&restart, &all, at(second)).is_empty(),
        "and goes no further"
    );
}

#[test]
fn a_person_who_stops_meanwhile_is_obeyed() {
    let restart = restart(1);
    let mut all = fleet(1);
    let workspace = *all.keys().next().unwrap();
    let mut restarting = Restarting::default();
    assert_eq!(
        restarting.step(&restart, &all, at(0)),
        [Move::Down(workspace)]
    );
    assert!(restarting.is_down(workspace));
    all.clear();
    assert!(restarting.step(&restart, &all, at(1)).is_empty());
    assert!(!restarting.is_down(workspace));
}

#[test]
fn an_observer_that_starts_again_goes_on() {
    let restart = Restart {
        done: 7,
        failed: 1,
        ..restart(1)
    };
    let mut all = fleet(1);
    let mut first = Restarting::default();
    let moves = first.step(&restart, &all, at(0));
    obey(&mut all, &moves, true);
    // Another one knows nothing of it: the pod is away, so its workspace is simply brought up again.
    let mut second = Restarting::default();
    assert!(second.step(&restart, &all, at(1)).is_empty());
    assert!(!second.is_down(*all.keys().next().unwrap()));
    assert_eq!(second.outcome(&restart, &all, at(1)), (7, 1, None));
    let back = candidate("new", true, false);
    all.values_mut().for_each(|one| *one = back.clone());
    assert!(second.step(&restart, &all, at(2)).is_empty());
    assert_eq!(second.outcome(&restart, &all, at(2)), (8, 1, None));
}

#[test]
fn an_observer_that_starts_again_takes_no_more_down_than_may_be() {
    let restart = restart(3);
    let mut all = fleet(9);
    let moves = Restarting::default().step(&restart, &all, at(0));
    obey(&mut all, &moves, true);
    assert_eq!(all.values().filter(|one| one.pod.is_none()).count(), 3);
    let mut second = Restarting::default();
    assert!(second.step(&restart, &all, at(1)).is_empty());
    // What stays away for reasons of its own holds up nobody for ever, and is not the restart's failure.
    let moves = second.step(&restart, &all, at(400));
    assert_eq!(moves.len(), 3);
    assert_eq!(second.outcome(&restart, &all, at(400)), (0, 0, None));
}

#[test]
fn a_release_that_crashes_is_not_waited_for() {
    let restart = restart(4);
    let mut all = fleet(40);
    let mut restarting = Restarting::default();
    let stopped = (0..600).find_map(|second| {
        let moves = restarting.step(&restart, &all, at(second));
        obey(&mut all, &moves, false);
        all.values_mut()
            .for_each(|one| one.broken = one.pod.is_some() && one.fresh);
        let stopped = restarting.outcome(&restart, &all, at(second)).2;
        stopped.map(|_| second)
    });
    assert!(stopped.is_some_and(|second| second < 70), "{stopped:?}");
    let touched = all.values().filter(|one| one.fresh).count();
    assert_eq!(touched, 4, "of 40 were taken down");
}

#[test]
fn who_does_not_have_the_release_yet_is_waited_for_and_goes_round_once() {
    let restart = restart(9);
    let mut all = fleet(1);
    let mut restarting = Restarting::default();
    let set = |all: &mut BTreeMap<WorkspaceId, Candidate>, outdated, waits| {
        all.values_mut()
            .for_each(|one| (one.outdated, one.waits) = (outdated, waits));
    };
    set(&mut all, false, true);
    assert!(restarting.step(&restart, &all, at(0)).is_empty());
    assert_eq!(restarting.left(&all, at(5)), 1);
    set(&mut all, true, false);
    for second in 1..4 {
        let moves = restarting.step(&restart, &all, at(second));
        obey(&mut all, &moves, true);
    }
    assert_eq!(restarting.outcome(&restart, &all, at(4)), (1, 0, None));
    assert_eq!(restarting.left(&all, at(5)), 0);
    // Another change, which is not the restart's.
    set(&mut all, true, false);
    assert!(restarting.step(&restart, &all, at(5)).is_empty());
    assert_eq!(restarting.left(&all, at(5)), 0);
}

#[test]
fn who_runs_the_release_is_left_alone_by_what_changes_later() {
    let restart = restart(9);
    let mut all = fleet(1);
    let workspace = *all.keys().next().unwrap();
    let set = |all: &mut BTreeMap<WorkspaceId, Candidate>, current: bool| {
        all.values_mut()
            .for_each(|one| (one.current, one.outdated) = (current, !current));
    };
    // The Namespace has the release, the StatefulSet has not yet.
    let mut early = Restarting::default();
    set(&mut all, true);
    assert!(early.step(&restart, &all, at(0)).is_empty());
    set(&mut all, false);
    assert_eq!(early.left(&all, at(2)), 1);
    assert_eq!(early.step(&restart, &all, at(2)), [Move::Down(workspace)]);
    // It had it for long when somebody changed its plan.
    let mut restarting = Restarting::default();
    set(&mut all, true);
    assert!(restarting.step(&restart, &all, at(0)).is_empty());
    set(&mut all, false);
    assert!(restarting.step(&restart, &all, at(31)).is_empty());
    assert_eq!(restarting.left(&all, at(31)), 0);
}

#[test]
fn one_that_was_found_on_its_way_may_still_be_due() {
    let restart = restart(9);
    let mut all = fleet(1);
    let workspace = *all.keys().next().unwrap();
    let mut restarting = Restarting::default();
    // A person started it just before the cluster had the release.
    all.insert(
        workspace,
        Candidate {
            pod: None,
            outdated: false,
            ..candidate("old", true, false)
        },
    );
    assert!(restarting.step(&restart, &all, at(0)).is_empty());
    all.insert(workspace, candidate("old", true, true));
    assert_eq!(
        restarting.step(&restart, &all, at(1)),
        [Move::Down(workspace)]
    );
}

#[test]
fn what_one_took_down_the_next_one_brings_up() {
    let first = restart(1);
    let all = fleet(1);
    let workspace = *all.keys().next().unwrap();
    let mut restarting = Restarting::default();
    assert_eq!(
        restarting.step(&first, &all, at(0)),
        [Move::Down(workspace)]
    );
    let next = Restart {
        id: Uuid::from_u128(1),
        ..first
    };
    // It does not concern this one.
    let moves = restarting.step(&next, &BTreeMap::new(), at(1));
    assert_eq!(moves, [Move::Up(workspace)]);
}

#[test]
fn one_that_crashes_once_and_comes_back_is_no_failure() {
    let restart = restart(1);
    let mut all = fleet(1);
    let mut restarting = Restarting::default();
    for second in 0..200 {
        let moves = restarting.step(&restart, &all, at(second));
        obey(&mut all, &moves, false);
        for one in all.values_mut() {
            one.broken = one.fresh && second % 50 < 40;
        }
        assert_eq!(restarting.outcome(&restart, &all, at(second)).1, 0);
    }
}
