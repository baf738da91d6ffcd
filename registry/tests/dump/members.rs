//! Who left, and what they left behind: a check knows it for what it is.

use std::sync::Arc;

use coditect_core::{InvitationId, RequestId};
use coditect_registry::{
    Registry,
    check::Problem,
    keys,
    operation::{AcceptInvitation, ChangeRole, HandOver, Heir, Invite, Provisioned, RemoveMember},
    record::{RegistrationState, Role, encode},
    store::Store,
};

use crate::{
    checks::{look, repair, state, write},
    support::{at, memory, register},
};

async fn sign_up(registry: &Registry, email: &str) -> Provisioned {
    let register = register(email);
    registry
        .apply(RequestId::random(), &register)
        .await
        .unwrap();
    let mut view = registry.view().await.unwrap();
    let made = view.registration(register.registration).await.unwrap();
    match made.unwrap().state {
        RegistrationState::Complete {
            account,
            tenant,
            user,
            workspace,
            ..
        } => Provisioned {
            account,
            tenant,
            user,
            workspace,
        },
        other => panic!("{other:?}"),
    }
}

async fn join(registry: &Registry, host: &Provisioned, email: &str) -> Provisioned {
    let person = sign_up(registry, email).await;
    let invite = Invite {
        by: host.account,
        tenant: host.tenant,
        invitation: InvitationId::random(),
        email: email.parse().unwrap(),
        role: Role::Member,
        proof_hash: "proof".into(),
        expires_at: at(600_000),
        at: at(1),
    };
    registry.apply(RequestId::random(), &invite).await.unwrap();
    let accept = AcceptInvitation {
        account: person.account,
        tenant: host.tenant,
        invitation: invite.invitation,
        proof_hash: "proof".into(),
        placement: register(email).placement,
        at: at(2),
    };
    let joined = registry.apply(RequestId::random(), &accept).await.unwrap();
    Provisioned {
        user: joined.user,
        workspace: joined.workspace,
        tenant: host.tenant,
        ..person
    }
}

/// Ada's tenant, in which Bob's user was left to Eve, who became an admin, and Joe is removed.
async fn left_behind(store: &Arc<dyn Store>) -> [Provisioned; 4] {
    let registry = Registry::open(Arc::clone(store)).await.unwrap();
    let ada = sign_up(&registry, "ada@example.com").await;
    let bob = join(&registry, &ada, "bob@example.com").await;
    let eve = join(&registry, &ada, "eve@example.com").await;
    let joe = join(&registry, &ada, "joe@example.com").await;
    for person in [&bob, &joe] {
        let remove = RemoveMember {
            by: ada.account,
            tenant: ada.tenant,
            user: person.user,
            until: at(600_000),
            at: at(3),
        };
        registry.apply(RequestId::random(), &remove).await.unwrap();
    }
    let over = HandOver {
        by: ada.account,
        tenant: ada.tenant,
        user: bob.user,
        to: Heir::Member(eve.user),
        at: at(4),
    };
    registry.apply(RequestId::random(), &over).await.unwrap();
    let change = ChangeRole {
        by: ada.account,
        tenant: ada.tenant,
        user: eve.user,
        role: Role::Admin,
        at: at(5),
    };
    registry.apply(RequestId::random(), &change).await.unwrap();
    [ada, bob, eve, joe]
}

#[tokio::test]
async fn whoever_left_and_what_they_left_is_in_order() {
    let store = memory();
    left_behind(&store).await;
    let whole = state(&store).await;
    assert_eq!(look(&store).await.findings, []);
    assert_eq!(repair(&store).await.repaired, 0);
    assert_eq!(state(&store).await, whole);
}

#[tokio::test]
async fn a_custodian_who_does_not_know_of_it_is_told() {
    let store = memory();
    let [_, bob, eve, _] = left_behind(&store).await;
    let whole = state(&store).await;
    write(&store, &keys::custody(eve.account, bob.user), None).await;
    let found = look(&store).await.findings;
    assert_eq!(
        found.iter().map(|each| each.problem).collect::<Vec<_>>(),
        [Problem::Missing]
    );
    assert_eq!(repair(&store).await.repaired, 1);
    assert_eq!(state(&store).await, whole);
}

#[tokio::test]
async fn what_says_that_somebody_has_what_they_have_not_goes() {
    let store = memory();
    let [ada, bob, eve, joe] = left_behind(&store).await;
    let whole = state(&store).await;
    let joined = at(2);
    for (key, value) in [
        // A membership that leads to what was only given.
        (
            keys::membership(bob.account, ada.tenant),
            encode(&bob.user).unwrap(),
        ),
        // A custody of what another has, and of what was never left behind.
        (
            keys::custody(ada.account, bob.user),
            encode(&ada.tenant).unwrap(),
        ),
        (
            keys::custody(eve.account, eve.user),
            encode(&ada.tenant).unwrap(),
        ),
        // A role that she has no more, and somebody who does not stay.
        (
            keys::staying(ada.tenant, Role::Member, joined, eve.user),
            encode(&eve.account).unwrap(),
        ),
        (
            keys::staying(ada.tenant, Role::Member, joined, joe.user),
            encode(&joe.account).unwrap(),
        ),
    ] {
        let name = keys::parse(&key).unwrap().to_string();
        write(&store, &key, Some(&value)).await;
        let found = look(&store).await.findings;
        assert_eq!(
            found
                .iter()
                .map(|each| (each.problem, each.key.as_str()))
                .collect::<Vec<_>>(),
            [(Problem::Dangling, name.as_str())]
        );
        assert_eq!(repair(&store).await.repaired, 1, "{name}");
        assert_eq!(state(&store).await, whole, "{name}");
    }
}
