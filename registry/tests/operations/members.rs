//! Members: invited once, and never above whoever invites.

use coditect_core::{InvitationId, Kind};
use coditect_registry::{
    operation::{
        AcceptInvitation, BuryMissing, ChangeRole, DeclineInvitation, Invite, MarkAccount,
        Provisioned, RemoveMember, RestoreAccount, RestoreMember, RevokeInvitation,
    },
    record::Role,
};

use crate::{
    observer::local,
    support::{World, at, holds, placement},
};

pub(crate) fn invite(by: &Provisioned, email: &str, role: Role) -> Invite {
    Invite {
        by: by.account,
        tenant: by.tenant,
        invitation: InvitationId::random(),
        email: email.parse().unwrap(),
        role,
        proof_hash: "proof".into(),
        expires_at: at(600_000),
        at: at(20),
    }
}

pub(crate) fn accept(person: &Provisioned, invite: &Invite) -> AcceptInvitation {
    AcceptInvitation {
        account: person.account,
        tenant: invite.tenant,
        invitation: invite.invitation,
        proof_hash: "proof".into(),
        placement: placement(),
        at: at(21),
    }
}

/// Signs somebody up and makes them a member of the host's tenant.
pub(crate) async fn join(world: &World, host: &Provisioned, email: &str) -> Provisioned {
    let person = world.sign_up(email).await;
    let invite = invite(host, email, Role::Member);
    world.done(&invite).await;
    let joined = world.done(&accept(&person, &invite)).await;
    Provisioned {
        account: person.account,
        tenant: host.tenant,
        user: joined.user,
        workspace: joined.workspace,
    }
}

pub(crate) fn remove(by: &Provisioned, user: &Provisioned) -> RemoveMember {
    RemoveMember {
        by: by.account,
        tenant: user.tenant,
        user: user.user,
        until: at(1_000),
        at: at(30),
    }
}

/// Git's history says that the user was deleted on purpose.
pub(crate) fn missing(user: &Provisioned) -> BuryMissing {
    BuryMissing {
        cell: local(),
        users: vec![user.user],
        workspaces: Vec::new(),
        requested: true,
        at: at(50),
    }
}

pub(crate) fn restore(by: &Provisioned, user: &Provisioned) -> RestoreMember {
    RestoreMember {
        by: by.account,
        tenant: user.tenant,
        user: user.user,
        at: at(35),
    }
}

pub(crate) fn change(by: &Provisioned, user: &Provisioned, role: Role) -> ChangeRole {
    ChangeRole {
        by: by.account,
        tenant: user.tenant,
        user: user.user,
        role,
        at: at(25),
    }
}

pub(crate) async fn role(world: &World, person: &Provisioned) -> Role {
    world
        .view()
        .await
        .user(person.user)
        .await
        .unwrap()
        .unwrap()
        .1
        .role
}

#[tokio::test]
async fn an_invitation_is_for_one_address_and_one_use() {
    let world = World::new().await;
    let (ada, bob, eve) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
        world.sign_up("eve@example.com").await,
    );
    let invite = invite(&ada, "bob@example.com", Role::Admin);
    world.done(&invite).await;
    assert_eq!(world.refused(&accept(&eve, &invite)).await, Kind::NotFound);
    let wrong = AcceptInvitation {
        proof_hash: "guess".into(),
        ..accept(&bob, &invite)
    };
    assert_eq!(world.refused(&wrong).await, Kind::NotFound);
    let late = AcceptInvitation {
        at: at(600_000),
        ..accept(&bob, &invite)
    };
    assert_eq!(world.refused(&late).await, Kind::NotFound);
    let mine = world
        .view()
        .await
        .invitations_of(&"bob@example.com".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(mine.len(), 1);

    let joined = world.done(&accept(&bob, &invite)).await;
    assert_eq!(world.refused(&accept(&bob, &invite)).await, Kind::NotFound);
    let mut view = world.view().await;
    let (tenant, user) = view.user(joined.user).await.unwrap().unwrap();
    assert_eq!((tenant, user.role), (ada.tenant, Role::Admin));
    assert_eq!(view.memberships(bob.account).await.unwrap().len(), 2);
    assert_eq!(view.cell_load(&local()).await.unwrap(), 4);
    let row = view.intent(&local(), joined.user).await.unwrap().unwrap();
    assert_eq!(row.intent.workspaces[0].id, joined.workspace);
    let (members, more) = view.members_after(ada.tenant, None, 10).await.unwrap();
    assert_eq!((members.len(), more), (2, false));
    assert!(!holds(&world.bytes().await, "proof"));
}

#[tokio::test]
async fn nobody_invites_or_promotes_above_themselves() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    assert_eq!(
        world
            .refused(&invite(&bob, "x@example.com", Role::Member))
            .await,
        Kind::Forbidden
    );
    world.done(&change(&ada, &bob, Role::Admin)).await;
    assert_eq!(
        world
            .refused(&invite(&bob, "x@example.com", Role::Owner))
            .await,
        Kind::Forbidden
    );
    assert_eq!(
        world.refused(&change(&bob, &eve, Role::Owner)).await,
        Kind::Forbidden
    );
    assert_eq!(
        world.refused(&change(&bob, &ada, Role::Member)).await,
        Kind::Forbidden
    );
    assert_eq!(world.refused(&remove(&bob, &ada)).await, Kind::Forbidden);
    world.done(&change(&bob, &eve, Role::Admin)).await;
    assert_eq!(role(&world, &eve).await, Role::Admin);
    assert_eq!(
        world
            .refused(&invite(&ada, "bob@example.com", Role::Member))
            .await,
        Kind::Conflict,
        "a member already"
    );
    let stranger = world.sign_up("stranger@example.com").await;
    assert_eq!(
        world
            .refused(&Invite {
                by: stranger.account,
                ..invite(&ada, "x@example.com", Role::Member)
            })
            .await,
        Kind::NotFound
    );
}

#[tokio::test]
async fn an_invitation_is_taken_back_declined_and_replaced() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = world.sign_up("bob@example.com").await;
    let first = invite(&ada, "bob@example.com", Role::Member);
    world.done(&first).await;
    let second = invite(&ada, "bob@example.com", Role::Admin);
    world.done(&second).await;
    assert_eq!(world.refused(&accept(&bob, &first)).await, Kind::NotFound);
    world
        .done(&DeclineInvitation {
            account: bob.account,
            tenant: ada.tenant,
            invitation: second.invitation,
            proof_hash: "proof".into(),
            at: at(22),
        })
        .await;
    let third = invite(&ada, "bob@example.com", Role::Member);
    world.done(&third).await;
    world
        .done(&RevokeInvitation {
            by: ada.account,
            tenant: ada.tenant,
            invitation: third.invitation,
            at: at(23),
        })
        .await;
    assert_eq!(world.refused(&accept(&bob, &third)).await, Kind::NotFound);
    assert!(
        world
            .view()
            .await
            .invitations(ada.tenant)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(!holds(&world.bytes().await, "proof"));
}

#[tokio::test]
async fn an_invitation_ends_with_what_whoever_made_it_may() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = world.sign_up("eve@example.com").await;
    world.done(&change(&ada, &bob, Role::Admin)).await;
    let invite = invite(&bob, "eve@example.com", Role::Admin);
    world.done(&invite).await;
    // Less than before, then gone.
    world.done(&change(&ada, &bob, Role::Member)).await;
    assert_eq!(world.refused(&accept(&eve, &invite)).await, Kind::NotFound);
    world.done(&change(&ada, &bob, Role::Admin)).await;
    world.done(&remove(&ada, &bob)).await;
    assert_eq!(world.refused(&accept(&eve, &invite)).await, Kind::NotFound);
    world.done(&restore(&ada, &bob)).await;
    world.done(&accept(&eve, &invite)).await;
}

#[tokio::test]
async fn an_account_on_its_way_out_joins_nobody() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let invite = invite(&ada, "bob@example.com", Role::Member);
    world.done(&invite).await;
    world
        .done(&MarkAccount {
            account: bob.account,
            until: at(900),
            at: at(20),
        })
        .await;
    assert_eq!(world.refused(&accept(&bob, &invite)).await, Kind::Conflict);
    world
        .done(&RestoreAccount {
            account: bob.account,
            at: at(20),
        })
        .await;
    world.done(&accept(&bob, &invite)).await;
}
