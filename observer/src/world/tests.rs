//! What watches say, taken in.

use coditect_core::NoticeKind;

use super::*;
use crate::seen::{About, Condition, Edit, Failure, Healed, OperationSeen};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

fn id() -> Id {
    (UserId::random(), WorkspaceId::random())
}

fn namespace(deleting: bool) -> NamespaceSeen {
    NamespaceSeen {
        uid: "n".to_owned(),
        generation: 1,
        runs: None,
        deleting,
        edit: None,
    }
}

fn set(replicas: i32, edit: Option<(&str, i64)>) -> SetSeen {
    SetSeen {
        uid: "s".to_owned(),
        created: at(0),
        replicas,
        pods: 0,
        observed: true,
        update_revision: None,
        edit: edit.map(|(tool, second)| Edit {
            tool: tool.to_owned(),
            at: at(second),
        }),
    }
}

fn pod(node: &str) -> PodSeen {
    PodSeen {
        uid: "p".to_owned(),
        created: at(5),
        deleting: None,
        revision: None,
        node: Some(node.to_owned()),
        ip: None,
        ready: true,
        condition: Condition::Fine,
    }
}

fn shard() -> Shard {
    Shard::new(3).unwrap()
}

fn drifts(world: &World, id: Id) -> Vec<String> {
    let seen = world.seen(id, shard());
    assert!(
        seen.notices
            .iter()
            .all(|notice| notice.kind == NoticeKind::Drift)
    );
    seen.notices
        .into_iter()
        .map(|notice| notice.detail)
        .collect()
}

#[test]
fn a_deleted_stateful_set_is_a_change_by_hand_unless_its_namespace_goes() {
    let (kept, going) = (id(), id());
    let mut world = World::default();
    world.on_namespace(Step::Put(kept.0, namespace(false)), at(0));
    world.on_namespace(Step::Put(going.0, namespace(true)), at(0));
    for one in [kept, going] {
        world.on_set(Step::Put(one, set(1, None)), at(0));
        world.on_set(Step::Gone(one), at(9));
    }
    assert_eq!(
        drifts(&world, kept),
        ["the StatefulSet was deleted; Argo CD makes it again"]
    );
    assert!(drifts(&world, going).is_empty());
    world.forget_old_drifts(at(9) + crate::observe::DRIFT_SHOWN);
    assert!(drifts(&world, kept).is_empty());
}

#[test]
fn an_edit_is_told_once_and_what_stood_before_is_not() {
    let one = id();
    let mut world = World::default();
    world.on_set(Step::Put(one, set(1, Some(("kubectl-edit", 1)))), at(2));
    assert_eq!(
        drifts(&world, one).len(),
        0,
        "it was so when the observer came"
    );
    world.on_set(Step::Put(one, set(1, Some(("kubectl-edit", 1)))), at(3));
    assert_eq!(drifts(&world, one).len(), 0);
    world.on_set(Step::Put(one, set(1, Some(("kubectl-edit", 4)))), at(5));
    world.on_set(Step::Put(one, set(1, None)), at(6));
    assert_eq!(drifts(&world, one).len(), 1);
}

#[test]
fn a_node_that_is_not_ready_or_gone_makes_its_pods_silent() {
    let one = id();
    let mut world = World::default();
    world.on_pod(Step::Put((one.0, one.1, "w-0".to_owned()), pod("node-1")));
    let silent = |world: &World| world.seen(one, shard()).pods[0].node_silent;
    assert!(!silent(&world), "nodes are not known yet");
    world.on_node(Step::Put("node-1".to_owned(), NodeSeen { ready: true }));
    world.on_node(Step::Done);
    assert!(!silent(&world));
    let touched = world.on_node(Step::Put("node-1".to_owned(), NodeSeen { ready: false }));
    assert!(silent(&world) && touched.users.contains(&one.0));
    let touched = world.on_node(Step::Gone("node-1".to_owned()));
    assert!(silent(&world) && touched.users.contains(&one.0));
}

#[test]
fn warnings_are_bounded_and_the_newest_stay() {
    let one = id();
    let mut world = World::default();
    for second in 0..50 {
        let warning = Warning {
            about: About::Set,
            uid: "s".to_owned(),
            reason: "FailedCreate".to_owned(),
            message: String::new(),
            at: at(second),
        };
        world.on_warning(Step::Put(
            (one.0, one.1, format!("event-{second}")),
            warning,
        ));
    }
    let seen = world.seen(one, shard());
    assert_eq!(seen.warnings.len(), MOST_WARNINGS);
    assert_eq!(
        seen.warnings.iter().map(|warning| warning.at).max(),
        Some(at(49))
    );
}

#[test]
fn a_gateway_belongs_to_its_pod() {
    let one = id();
    let mut world = World::default();
    world.on_pod(Step::Put((one.0, one.1, "w-0".to_owned()), pod("node-1")));
    assert_eq!(world.unanswered(), [(one, "p".to_owned(), None)]);
    assert!(world.note_gateway(one, "p".to_owned(), false, at(1)));
    assert!(!world.note_gateway(one, "p".to_owned(), false, at(9)));
    assert_eq!(
        world.seen(one, shard()).gateway,
        Gateway::Silent { since: at(1) }
    );
    assert!(world.note_gateway(one, "p".to_owned(), true, at(10)));
    assert!(world.unanswered().is_empty());
    let mut other = pod("node-1");
    other.uid = "q".to_owned();
    world.on_pod(Step::Put((one.0, one.1, "w-0".to_owned()), other));
    assert_eq!(world.seen(one, shard()).gateway, Gateway::Unasked);
}

fn application(users: &[UserId], attempts: u32, ended: bool, revision: &str) -> ApplicationSeen {
    ApplicationSeen {
        operation: Some(OperationSeen {
            revision: revision.to_owned(),
            started_at: Some(at(0)),
            attempts,
            ended,
            over: false,
            failures: users
                .iter()
                .map(|user| {
                    let failure = Failure {
                        object: "Service s".to_owned(),
                        message: "is invalid".to_owned(),
                    };
                    (*user, failure)
                })
                .collect(),
        }),
        ..ApplicationSeen::default()
    }
}

#[test]
fn a_refusal_counts_for_each_user_and_each_commit() {
    let (a, b) = (UserId::random(), UserId::random());
    let mut world = World::default();
    let repeated = |world: &World| -> Vec<UserId> {
        let all = world.refused().filter(|(_, refused)| refused.is_repeated());
        all.map(|(user, _)| user).collect()
    };
    world.on_application(Step::Put(shard(), application(&[a], 1, true, "c1")));
    world.on_application(Step::Put(shard(), application(&[a], 1, true, "c1")));
    assert_eq!(repeated(&world), [], "the same attempt seen twice is one");
    // The next attempt runs: nothing is forgotten meanwhile.
    world.on_application(Step::Put(shard(), application(&[], 1, false, "")));
    assert_eq!(world.refused().count(), 1);
    world.on_application(Step::Put(shard(), application(&[a, b], 2, true, "c1")));
    assert_eq!(repeated(&world), [a]);
    // A new commit counts anew, and what it does not refuse is fine.
    let touched = world.on_application(Step::Put(shard(), application(&[b], 1, true, "c2")));
    assert!(touched.users.contains(&a));
    assert_eq!((repeated(&world), world.refused().count()), (vec![], 1));
    // Another shard's success is not this one's.
    world.on_application(Step::Put(
        Shard::new(4).unwrap(),
        application(&[], 1, true, "c2"),
    ));
    assert_eq!(world.refused().count(), 1);
}

#[test]
fn what_argo_cd_put_back_is_told_once() {
    let (changed, other) = (id(), id());
    let healed = |second, objects: &[&str]| ApplicationSeen {
        healed: Some(Healed {
            started_at: Some(at(second)),
            objects: [(
                changed.0,
                objects.iter().map(|&object| object.to_owned()).collect(),
            )]
            .into(),
        }),
        ..ApplicationSeen::default()
    };
    let mut world = World::default();
    for id in [changed, other] {
        world.on_set(Step::Put(id, set(1, None)), at(0));
    }
    let quota = ["ResourceQuota q", "StatefulSet w"];
    world.on_application(Step::Put(shard(), healed(1, &quota)));
    assert!(drifts(&world, changed).is_empty(), "it was so before");
    let touched = world.on_application(Step::Put(shard(), healed(5, &quota)));
    assert_eq!(touched.users, [changed.0].into());
    let touched = world.on_application(Step::Put(shard(), healed(5, &quota)));
    assert_eq!(touched, Touched::default(), "told already");
    world.on_application(Step::Put(shard(), healed(6, &["StatefulSet w"])));
    let told = "changed by hand, and put back by Argo CD: ResourceQuota q";
    assert_eq!(drifts(&world, changed), [told]);
    assert!(drifts(&world, other).is_empty());
}
