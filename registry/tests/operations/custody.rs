//! What somebody left behind: handed over with the work and without what was anybody's own.

use coditect_core::{ApiKeyId, ConversationId, Kind, Power, SessionId, Standing};
use coditect_registry::{
    operation::{
        AppendMessage, DeleteAccount, HandOver, Heir, IssueApiKey, MarkAccount, OpenSession,
        Provisioned, RestoreAccount, SetPower,
    },
    record::{Author, PowerCause, Role},
};

use crate::{
    members::{change, join, remove, role},
    observer::local,
    support::{World, at, holds},
};

/// The user of somebody who was removed goes to somebody else.
fn over(by: &Provisioned, user: &Provisioned, to: Heir) -> HandOver {
    HandOver {
        by: by.account,
        tenant: user.tenant,
        user: user.user,
        to,
        at: at(40),
    }
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
    world.done(&over(&ada, &bob, Heir::Member(eve.user))).await;
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

/// Everything that an account may leave in a user that it has.
async fn leave_traces(world: &World, account: &Provisioned, user: &Provisioned) {
    world
        .done(&AppendMessage {
            account: account.account,
            user: user.user,
            conversation: ConversationId::random(),
            title: None,
            author: Author::User,
            model: None,
            content: "words-of-eve".into(),
            at: at(41),
        })
        .await;
    world
        .done(&OpenSession {
            account: account.account,
            session: SessionId::random(),
            workspace: user.workspace,
            state: "layout-of-eve".into(),
            at: at(41),
        })
        .await;
    world
        .done(&IssueApiKey {
            account: account.account,
            user: user.user,
            api_key: ApiKeyId::random(),
            name: "key-of-eve".into(),
            prefix: "cod".into(),
            hash: "e".repeat(64),
            scopes: [].into(),
            expires_at: None,
            at: at(41),
        })
        .await;
    world
        .done(&SetPower {
            account: account.account,
            workspace: user.workspace,
            power: Power::On,
            at: at(41),
        })
        .await;
}

/// Nothing of Eve is in Bob's user, which is off and Ada's.
async fn assert_adas(world: &World, ada: &Provisioned, bob: &Provisioned) {
    let heap = world.bytes().await;
    for trace in ["words-of-eve", "layout-of-eve", "key-of-eve"] {
        assert!(!holds(&heap, trace), "{trace} is left");
    }
    let mut view = world.view().await;
    assert_eq!(
        view.custodies(ada.account).await.unwrap(),
        [(ada.tenant, bob.user)]
    );
    let workspace = view.workspace(ada.account, bob.workspace).await.unwrap();
    assert_eq!(
        (workspace.power.power, workspace.power.cause),
        (Power::Off, PowerCause::HandedOver)
    );
}

#[tokio::test]
async fn what_a_custodian_says_and_does_there_goes_to_nobody_else() {
    for erased in [false, true] {
        let world = World::new().await;
        let ada = world.sign_up("ada@example.com").await;
        let bob = join(&world, &ada, "bob@example.com").await;
        let eve = join(&world, &ada, "eve@example.com").await;
        world.done(&remove(&ada, &bob)).await;
        world.done(&over(&ada, &bob, Heir::Member(eve.user))).await;
        leave_traces(&world, &eve, &bob).await;
        if erased {
            let erase = DeleteAccount {
                account: eve.account,
                at: at(42),
            };
            world.done(&erase).await;
        } else {
            world.done(&over(&ada, &bob, Heir::Organisation)).await;
        }
        assert_adas(&world, &ada, &bob).await;
    }
}

#[tokio::test]
async fn who_is_removed_keeps_nothing_that_others_left() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    world.done(&remove(&ada, &bob)).await;
    world.done(&over(&ada, &bob, Heir::Member(eve.user))).await;
    leave_traces(&world, &eve, &bob).await;
    world.done(&remove(&ada, &eve)).await;
    assert_adas(&world, &ada, &bob).await;
    world.done(&over(&ada, &eve, Heir::Organisation)).await;
    world
        .done(&DeleteAccount {
            account: eve.account,
            at: at(50),
        })
        .await;
    assert_eq!(
        world.traces(eve.account.as_uuid()).await,
        Vec::<String>::new()
    );
    let mut view = world.view().await;
    for left in [&bob, &eve] {
        let (_, user) = view.user(left.user).await.unwrap().unwrap();
        assert_eq!(user.account, ada.account);
    }
}

#[tokio::test]
async fn an_admin_takes_nothing_that_an_owner_left() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    world.done(&change(&ada, &bob, Role::Owner)).await;
    world.done(&change(&ada, &eve, Role::Admin)).await;
    world.done(&remove(&ada, &bob)).await;
    world.done(&over(&ada, &bob, Heir::Organisation)).await;
    assert_eq!(role(&world, &bob).await, Role::Member);
    let taken = over(&eve, &bob, Heir::Member(eve.user));
    assert_eq!(world.refused(&taken).await, Kind::Forbidden);
    assert_eq!(world.refused(&remove(&eve, &bob)).await, Kind::Forbidden);
    // However often it was handed over.
    world.done(&over(&ada, &bob, Heir::Member(ada.user))).await;
    assert_eq!(world.refused(&taken).await, Kind::Forbidden);
    world.done(&over(&ada, &bob, Heir::Member(eve.user))).await;
}

#[tokio::test]
async fn what_is_handed_over_again_lives_on() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = join(&world, &ada, "eve@example.com").await;
    world.done(&remove(&ada, &bob)).await;
    world.done(&over(&ada, &bob, Heir::Organisation)).await;
    world.done(&remove(&ada, &bob)).await;
    world.done(&over(&ada, &bob, Heir::Member(eve.user))).await;
    assert_eq!(world.bury_due(5_000).await, 0);
    let workspace = world
        .view()
        .await
        .workspace(eve.account, bob.workspace)
        .await
        .unwrap();
    assert_eq!(workspace.row.intent.standing, Standing::Active);
}

#[tokio::test]
async fn nobody_takes_the_work_of_who_asked_to_be_forgotten() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let ask = MarkAccount {
        account: bob.account,
        until: at(2_000),
        at: at(31),
    };
    // Removed before or after: either way the person asked.
    world.done(&remove(&ada, &bob)).await;
    world.done(&ask).await;
    let over = over(&ada, &bob, Heir::Organisation);
    assert_eq!(world.refused(&over).await, Kind::Conflict);
    world
        .done(&RestoreAccount {
            account: bob.account,
            at: at(32),
        })
        .await;
    world.done(&over).await;
}
