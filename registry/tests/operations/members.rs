//! Members: invited once, never above whoever invites; left behind and handed over.

use coditect_core::{ConversationId, InvitationId, Kind, Power, Standing};
use coditect_registry::{
    operation::{
        AcceptInvitation, AppendMessage, ChangeRole, DeclineInvitation, DeleteAccount, HandOver,
        Heir, Invite, Provisioned, RemoveMember, RevokeInvitation, SetPower,
    },
    record::{Action, Author, Role},
};

use crate::{
    observer::local,
    support::{World, at, holds, placement},
};

fn invite(by: &Provisioned, email: &str, role: Role) -> Invite {
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

fn accept(person: &Provisioned, invite: &Invite) -> AcceptInvitation {
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

fn remove(by: &Provisioned, user: &Provisioned) -> RemoveMember {
    RemoveMember {
        by: by.account,
        tenant: user.tenant,
        user: user.user,
        until: at(1_000),
        at: at(30),
    }
}

fn change(by: &Provisioned, user: &Provisioned, role: Role) -> ChangeRole {
    ChangeRole {
        by: by.account,
        tenant: user.tenant,
        user: user.user,
        role,
        at: at(25),
    }
}

async fn role(world: &World, person: &Provisioned) -> Role {
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
async fn the_last_owner_stays() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    assert_eq!(world.refused(&remove(&ada, &ada)).await, Kind::Conflict);
    assert_eq!(
        world.refused(&change(&ada, &ada, Role::Member)).await,
        Kind::Conflict
    );
    world.done(&change(&ada, &bob, Role::Owner)).await;
    world.done(&remove(&ada, &ada)).await;
    assert_eq!(world.refused(&remove(&bob, &bob)).await, Kind::Conflict);
    let said = world.view().await.audit(ada.tenant, 1).await.unwrap();
    assert_eq!(said[0].action, Action::MemberLeft { user: ada.user });
}

#[tokio::test]
async fn a_leavers_user_is_handed_over_with_its_work_and_without_their_own() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    world
        .done(&AppendMessage {
            account: bob.account,
            user: bob.user,
            conversation: ConversationId::random(),
            title: None,
            author: Author::User,
            model: None,
            content: "words-of-bob".into(),
            at: at(29),
        })
        .await;
    let over = |to| HandOver {
        by: ada.account,
        tenant: ada.tenant,
        user: bob.user,
        to,
        at: at(40),
    };
    assert_eq!(
        world.refused(&over(Heir::Member(eve.user))).await,
        Kind::Conflict,
        "bob has not left"
    );
    world.done(&remove(&ada, &bob)).await;
    assert_eq!(
        world.refused(&over(Heir::Member(bob.user))).await,
        Kind::Conflict
    );
    world.done(&over(Heir::Member(eve.user))).await;

    let mut view = world.view().await;
    let (_, user) = view.user(bob.user).await.unwrap().unwrap();
    assert_eq!(
        (user.account, user.role, user.mark),
        (eve.account, Role::Member, None)
    );
    assert_eq!(
        view.custodies(eve.account).await.unwrap(),
        [(ada.tenant, bob.user)]
    );
    assert_eq!(
        view.memberships(bob.account).await.unwrap().len(),
        1,
        "his own"
    );
    let workspace = view.workspace(eve.account, bob.workspace).await.unwrap();
    assert_eq!(
        (workspace.power.power, workspace.row.intent.standing),
        (Power::Off, Standing::Active)
    );
    assert!(view.workspace(bob.account, bob.workspace).await.is_err());
    assert!(!holds(&world.bytes().await, "words-of-bob"));
    world
        .done(&SetPower {
            account: eve.account,
            workspace: bob.workspace,
            power: Power::On,
            at: at(41),
        })
        .await;
    // Bob's erasure does not reach what is not his any more, and nothing of it is due.
    world
        .done(&DeleteAccount {
            account: bob.account,
            at: at(42),
        })
        .await;
    assert_eq!(world.bury_due(5_000).await, 0);
    assert!(world.view().await.user(bob.user).await.unwrap().is_some());
}

#[tokio::test]
async fn custody_passes_on_when_its_holder_goes() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    world.done(&remove(&ada, &bob)).await;
    world
        .done(&HandOver {
            by: ada.account,
            tenant: ada.tenant,
            user: bob.user,
            to: Heir::Member(eve.user),
            at: at(40),
        })
        .await;
    world
        .done(&DeleteAccount {
            account: eve.account,
            at: at(50),
        })
        .await;
    let holder = world.view().await.custodies(ada.account).await.unwrap();
    assert_eq!(holder, [(ada.tenant, bob.user)]);
    assert_eq!(
        world.traces(eve.account.as_uuid()).await,
        Vec::<String>::new()
    );

    // With the last member it goes, too, and the tenant ends.
    let erasure = world
        .done(&DeleteAccount {
            account: ada.account,
            at: at(60),
        })
        .await;
    let receipt = world.view().await.erasure(erasure).await.unwrap().unwrap();
    let users: Vec<_> = receipt.users.iter().map(|user| user.user).collect();
    assert!(users.contains(&ada.user) && users.contains(&bob.user));
    assert_eq!(
        world.traces(ada.tenant.as_uuid()).await,
        Vec::<String>::new()
    );
    assert_eq!(
        world.view().await.cell_load(&local()).await.unwrap(),
        1,
        "bob's own tenant"
    );
}

#[tokio::test]
async fn somebody_succeeds_the_last_owner_whose_time_is_over() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    world.done(&change(&ada, &eve, Role::Admin)).await;
    // Git's history says that she was deleted; that cannot be refused.
    world
        .done(&coditect_registry::operation::BuryMissing {
            cell: local(),
            users: vec![ada.user],
            workspaces: Vec::new(),
            requested: true,
            at: at(50),
        })
        .await;
    assert_eq!(
        (role(&world, &eve).await, role(&world, &bob).await),
        (Role::Owner, Role::Member)
    );
}
