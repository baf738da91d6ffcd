//! Changes that wait for approval, on a real repository: what stands meanwhile, and what lets them pass.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cell_support;

use std::{fs, time::Duration};

use cell_support::{World, local};
use coditect_core::{ApprovalReason, InvitationId, RequestId, Standing, UserId};
use coditect_registry::{
    keys,
    operation::{
        AcceptInvitation, DeleteUser, Invite, MoveApproval, Placement, Provisioned, SetHold,
        SetPlan,
    },
    record::{ApprovalRequest, ApprovalState, AwaitedApproval, Role},
    store::Store,
};
use coditect_renderer::{git::CellRepository, verify::verify};
use jiff::Timestamp;
use tokio::time::sleep;

const NO_PRO: &str = "plans: [pro]\n";

/// A cell with these rules and people on the plan starter.
async fn cell(rules: &str, people: usize) -> (World, Vec<Provisioned>) {
    let world = World::new().await;
    world.write("tenants/approvals.yaml", rules);
    let mut all = Vec::new();
    for number in 0..people {
        all.push(world.sign_up(number).await);
    }
    (world, all)
}

async fn upgrade(world: &World, of: &Provisioned, plan: &str) {
    let plan: coditect_core::PlanName = plan.parse().unwrap();
    let inputs = world.inputs.borrow().clone();
    let limits = inputs.policy.plans()[&plan].limits;
    let set = SetPlan {
        actor: None,
        tenant: of.tenant,
        plan,
        limits,
        at: Timestamp::now(),
    };
    world
        .registry
        .apply(RequestId::random(), &set)
        .await
        .unwrap();
}

/// Makes the person of this number a member of the host's tenant too.
async fn join(world: &World, host: &Provisioned, number: usize) -> UserId {
    let guest = world.sign_up(number).await;
    let inputs = world.inputs.borrow().clone();
    let catalogue = inputs.policy.catalogue();
    let invite = Invite {
        by: host.account,
        tenant: host.tenant,
        invitation: InvitationId::random(),
        email: format!("p{number}@example.com").parse().unwrap(),
        role: Role::Member,
        proof_hash: "proof".into(),
        expires_at: Timestamp::now() + Duration::from_secs(60),
        at: Timestamp::now(),
    };
    let accept = AcceptInvitation {
        account: guest.account,
        tenant: host.tenant,
        invitation: invite.invitation,
        proof_hash: "proof".into(),
        placement: Placement {
            plan: "starter".parse().unwrap(),
            limits: catalogue.plans[&"starter".parse().unwrap()].limits,
            cells: catalogue.cells.values().cloned().collect(),
        },
        at: Timestamp::now(),
    };
    let request = RequestId::random;
    world.registry.apply(request(), &invite).await.unwrap();
    let joined = world.registry.apply(request(), &accept).await.unwrap();
    joined.user
}

async fn awaited(world: &World, user: UserId) -> Option<AwaitedApproval> {
    let mut view = world.registry.view().await.unwrap();
    let mut all = view.awaited_approvals(&local()).await.unwrap();
    all.remove(&user)
}

async fn request(world: &World, of: &AwaitedApproval) -> ApprovalRequest {
    let mut view = world.registry.view().await.unwrap();
    view.approval(&local(), of.change).await.unwrap().unwrap()
}

/// Waits until the user waits for another generation than this.
async fn waits(world: &World, user: UserId, not_for: u64) -> AwaitedApproval {
    for _ in 0..3_000 {
        if let Some(found) = awaited(world, user).await
            && found.asked.generation != not_for
        {
            return found;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("never waits: {:?}", world.health.snapshot());
}

async fn waits_no_more(world: &World, user: UserId) {
    for _ in 0..3_000 {
        if awaited(world, user).await.is_none() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("waits for ever: {:?}", world.health.snapshot());
}

/// What a merged proposal adds to the policy.
fn approve(world: &World, request: &ApprovalRequest) {
    approve_as(world, &request.change.to_string(), request);
}

/// The same in a file of this name.
fn approve_as(world: &World, name: &str, request: &ApprovalRequest) {
    let mut text = format!(
        "tenant: {}\ncell: {}\nreasons: [reviewed]\nusers:\n",
        request.tenant, request.cell
    );
    for asked in &request.users {
        text.push_str(&format!(
            "  - user: {}\n    generation: {}\n    intentHash: {:?}\n",
            asked.user, asked.generation, asked.intent_hash
        ));
    }
    world.write(&format!("tenants/approvals/{name}.yaml"), &text);
}

/// Everyone of whom registry and Git differ, and everyone who waits.
async fn compared(world: &World) -> (usize, Vec<UserId>) {
    let inputs = world.inputs.borrow().clone();
    let repository = CellRepository::open(world.path()).unwrap();
    let report = verify(&world.registry, &local(), repository, inputs, |_, _| {})
        .await
        .unwrap();
    assert!(report.troubles.is_empty(), "{:?}", report.troubles);
    (
        report.differences.len(),
        report.awaiting.into_keys().collect(),
    )
}

async fn committed(world: &World, user: UserId) -> Option<u64> {
    let mut view = world.registry.view().await.unwrap();
    let committed = view.committed(&local(), user).await.unwrap();
    committed.map(|committed| committed.generation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_waits_until_it_is_approved_and_nobody_else_does() {
    let (world, people) = cell(NO_PRO, 2).await;
    let (running, stop) = world.start();
    world
        .until("two users", |world| world.users().len() == 2)
        .await;
    let user = people[0].user;
    let before = world.file(user).unwrap();
    let stood = world.intent_in_git(user);
    upgrade(&world, &people[0], "pro").await;
    let found = waits(&world, user, 0).await;
    assert_eq!(
        found.asked.reasons,
        [ApprovalReason::Plan {
            plan: "pro".parse().unwrap()
        }]
    );
    assert_eq!(found.before, Some(stood.clone()));
    assert_eq!(request(&world, &found).await.state, ApprovalState::Waiting);

    // Neighbours go on; what stands is what stood; the registry does not take it for published.
    let late = world.sign_up(7).await;
    world
        .until("the late one", |world| world.users().contains(&late.user))
        .await;
    assert_eq!(world.file(user).unwrap(), before);
    assert_eq!(committed(&world, user).await, Some(stood.generation));
    world
        .until("said", |world| {
            world.said().contains("1 user(s) wait for approval")
        })
        .await;
    assert_eq!(compared(&world).await, (0, vec![user]));

    // A hold passes at once, under the generation that stands.
    let hold = SetHold {
        by: people[1].account,
        user,
        held: true,
        at: Timestamp::now(),
    };
    world
        .registry
        .apply(RequestId::random(), &hold)
        .await
        .unwrap();
    let held = waits(&world, user, found.asked.generation).await;
    let intent = world.intent_in_git(user);
    assert_eq!(
        (intent.standing, intent.plan.as_str(), intent.generation),
        (Standing::Suspended, "starter", stood.generation)
    );
    assert_ne!(held.change, found.change);
    assert_eq!(
        request(&world, &found).await.state,
        ApprovalState::Overtaken
    );
    assert_eq!(compared(&world).await, (0, vec![user]));

    // The approval of what was wanted before lets nothing pass.
    approve(&world, &request(&world, &found).await);
    let late = world.sign_up(8).await;
    world
        .until("the policy is in force", |world| {
            world.users().contains(&late.user)
        })
        .await;
    assert_eq!(world.intent_in_git(user).plan.as_str(), "starter");

    approve(&world, &request(&world, &held).await);
    world
        .until("approved", |world| {
            world.intent_in_git(user).plan.as_str() == "pro"
        })
        .await;
    waits_no_more(&world, user).await;
    let commit = world.inputs.borrow().commit.unwrap().to_string();
    assert_eq!(
        request(&world, &held).await.state,
        ApprovalState::Approved { commit }
    );
    assert_eq!(compared(&world).await, (0, vec![]));

    // A lost repository is filled again without asking anybody, though no approval stands any more.
    stop.cancel();
    running.await.unwrap();
    fs::remove_dir_all(world.path()).unwrap();
    fs::remove_dir_all(world.folder.path().join("policy/tenants/approvals")).unwrap();
    world.write("tenants/approvals.yaml", NO_PRO);
    let (running, stop) = world.start();
    world
        .until("everybody is back", |world| world.users().len() == 4)
        .await;
    assert_eq!(world.intent_in_git(user).plan.as_str(), "pro");
    assert_eq!(awaited(&world, user).await, None);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_declined_is_not_asked_again_and_stands_back_until_something_else_is_wanted() {
    let (world, people) = cell(NO_PRO, 1).await;
    let (running, stop) = world.start();
    let user = people[0].user;
    world
        .until("the user", |world| world.users().len() == 1)
        .await;
    upgrade(&world, &people[0], "pro").await;
    let found = waits(&world, user, 0).await;
    let decline = MoveApproval {
        cell: local(),
        change: found.change,
        expected: 1,
        to: ApprovalState::Rejected {
            at: Timestamp::now(),
        },
        at: Timestamp::now(),
    };
    world
        .registry
        .apply(RequestId::random(), &decline)
        .await
        .unwrap();
    // Everything is looked at again, and a lost repository gives what stood.
    stop.cancel();
    running.await.unwrap();
    fs::remove_dir_all(world.path()).unwrap();
    let (running, stop) = world.start();
    world
        .until("rendered again", |world| {
            world.users().len() == 1 && world.said().contains("1 user(s) wait for approval")
        })
        .await;
    assert_eq!(awaited(&world, user).await, Some(found.clone()));
    assert_eq!(world.intent_in_git(user), found.before.clone().unwrap());
    let all = world
        .registry
        .view()
        .await
        .unwrap()
        .approvals(&local())
        .await
        .unwrap();
    assert_eq!(all.len(), 1, "{all:?}");

    upgrade(&world, &people[0], "starter").await;
    waits_no_more(&world, user).await;
    assert_eq!(
        request(&world, &found).await.state,
        ApprovalState::Overtaken
    );
    world
        .until("published", |world| {
            world.intent_in_git(user).generation > found.asked.generation
        })
        .await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_user_who_needs_an_approval_has_no_file_until_then() {
    let (world, people) = cell("cells: [local]\n", 2).await;
    let (running, stop) = world.start();
    let found = waits(&world, people[0].user, 0).await;
    let other = waits(&world, people[1].user, 0).await;
    // Two tenants, two changes, and neither is in Git.
    assert_ne!(found.change, other.change);
    assert_eq!(found.before, None);
    let mut all: Vec<_> = people.iter().map(|person| person.user).collect();
    all.sort();
    assert_eq!(compared(&world).await, (0, all));
    approve(&world, &request(&world, &found).await);
    world
        .until("the approved one", |world| {
            world.users() == [people[0].user].into()
        })
        .await;
    waits_no_more(&world, people[0].user).await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_without_a_request_of_their_own_stays_until_it_is_approved() {
    let (world, people) = cell("tenantDeletion: true\n", 2).await;
    let (running, stop) = world.start();
    world
        .until("two users", |world| world.users().len() == 2)
        .await;
    let user = people[0].user;
    let delete = DeleteUser {
        user,
        at: Timestamp::now(),
    };
    world
        .registry
        .apply(RequestId::random(), &delete)
        .await
        .unwrap();
    let found = waits(&world, user, 0).await;
    assert_eq!(found.asked.reasons, [ApprovalReason::Deletion]);
    assert_eq!(world.users().len(), 2);
    assert_eq!(compared(&world).await, (0, vec![user]));
    approve(&world, &request(&world, &found).await);
    world.until("gone", |world| world.users().len() == 1).await;
    waits_no_more(&world, user).await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_of_a_tenant_at_once_wait_as_one_change_and_none_passes_alone() {
    let (world, people) = cell("usersAbove: 2\n", 1).await;
    let mut users = vec![people[0].user];
    for number in 1..4 {
        users.push(join(&world, &people[0], number).await);
    }
    let (running, stop) = world.start();
    world
        .until("everybody", |world| world.users().len() == 7)
        .await;
    upgrade(&world, &people[0], "pro").await;
    let found = waits(&world, users[0], 0).await;
    let asked = request(&world, &found).await;
    assert_eq!(asked.users.len(), 4);
    assert_eq!(
        found.asked.reasons,
        [ApprovalReason::Users { users: 4, above: 2 }]
    );
    // One of them is touched again, and is still one of many.
    let hold = SetHold {
        by: people[0].account,
        user: users[1],
        held: true,
        at: Timestamp::now(),
    };
    world
        .registry
        .apply(RequestId::random(), &hold)
        .await
        .unwrap();
    let generation = found.asked.generation;
    let again = waits(&world, users[1], generation).await;
    assert_ne!(again.change, found.change);
    assert_eq!(world.intent_in_git(users[1]).plan.as_str(), "starter");
    for change in [&asked, &request(&world, &again).await] {
        approve(&world, change);
    }
    world
        .until("all of them", |world| {
            let plan = |user: &UserId| world.intent_in_git(*user).plan;
            users.iter().all(|user| plan(user).as_str() == "pro")
        })
        .await;
    for user in &users {
        waits_no_more(&world, *user).await;
    }
    assert_eq!(compared(&world).await, (0, vec![]));
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_merged_approval_names_passes_and_whom_it_leaves_out_does_not() {
    let (world, people) = cell(NO_PRO, 1).await;
    let users = [people[0].user, join(&world, &people[0], 1).await];
    let (running, stop) = world.start();
    world
        .until("everybody", |world| world.users().len() == 3)
        .await;
    upgrade(&world, &people[0], "pro").await;
    let found = waits(&world, users[0], 0).await;
    let asked = request(&world, &found).await;
    assert_eq!(asked.users.len(), 2);
    let (mut named, mut left_out) = (asked.clone(), asked.clone());
    named.users.retain(|asked| asked.user == users[0]);
    left_out.users.retain(|asked| asked.user == users[1]);

    approve(&world, &named);
    waits_no_more(&world, users[0]).await;
    assert_eq!(world.intent_in_git(users[0]).plan.as_str(), "pro");
    assert_eq!(world.intent_in_git(users[1]).plan.as_str(), "starter");
    let other = awaited(&world, users[1]).await.unwrap();
    assert_eq!(other.change, found.change);
    assert_eq!(request(&world, &other).await.state, ApprovalState::Waiting);

    // After all.
    approve_as(&world, "the-rest", &left_out);
    waits_no_more(&world, users[1]).await;
    assert_eq!(request(&world, &found).await.state.word(), "approved");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renderer_that_died_between_its_commit_and_the_registry_asks_when_it_is_back() {
    let (world, people) = cell(NO_PRO, 1).await;
    let (running, stop) = world.start();
    let user = people[0].user;
    world
        .until("the user", |world| world.users().len() == 1)
        .await;
    upgrade(&world, &people[0], "pro").await;
    let found = waits(&world, user, 0).await;
    let stands = world.file(user);
    stop.cancel();
    running.await.unwrap();
    // As if it had never been told.
    let mut transaction = world.store.begin().await.unwrap();
    transaction.clear(&keys::awaited_approval(&local(), user));
    transaction.clear(&keys::approval(&local(), found.change));
    transaction.commit().await.unwrap();
    let (running, stop) = world.start();
    let again = waits(&world, user, 0).await;
    assert_ne!(again.change, found.change);
    assert_eq!((again.asked, again.before), (found.asked, found.before));
    assert_eq!(world.file(user), stands);
    stop.cancel();
    running.await.unwrap();
}
