//! Families of refresh tokens, where they came from, and that their end is told.

use coditect_core::{AccountId, Kind, LoginId, RequestId, TenantId, Version};
use coditect_registry::{
    keys,
    operation::{
        DeleteAccount, EndLogin, EndOtherLogins, OpenLogin, RotateRefresh, Rotation,
        TrimRevocations,
    },
    record::{Action, SignIn, encode},
    store::Store,
};

use crate::support::{World, at};

async fn open(world: &World, account: AccountId) -> LoginId {
    let login = LoginId::random();
    world
        .done(&OpenLogin {
            account,
            login,
            credential_of: None,
            from: Some(("2001:db8::1".parse().unwrap(), Some("a".repeat(1_000)))),
            at: at(0),
        })
        .await;
    login
}

fn rotate(account: AccountId, login: LoginId, counter: u64, seconds: i64) -> RotateRefresh {
    RotateRefresh {
        account,
        login,
        counter,
        at: at(seconds),
    }
}

#[tokio::test]
async fn an_old_token_ends_the_family_and_no_other() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let (stolen, other) = (
        open(&world, ada.account).await,
        open(&world, ada.account).await,
    );
    let say = |login, counter, seconds| rotate(ada.account, login, counter, seconds);
    assert_eq!(world.done(&say(stolen, 0, 100)).await, Rotation::Current(1));
    // A lost answer, or a second tab: the same successor for ten seconds.
    assert_eq!(world.done(&say(stolen, 0, 109)).await, Rotation::Current(1));
    assert_eq!(world.done(&say(stolen, 1, 111)).await, Rotation::Current(2));
    assert_eq!(
        world.done(&say(stolen, 0, 112)).await,
        Rotation::Reused,
        "older than that"
    );
    assert_eq!(world.done(&say(stolen, 2, 113)).await, Rotation::Ended);
    assert_eq!(world.done(&say(other, 0, 113)).await, Rotation::Current(1));
    assert_eq!(
        world.done(&say(other, 0, 123)).await,
        Rotation::Reused,
        "too late"
    );

    let mut view = world.view().await;
    let ended = view.revocations_after(Version(0), 10).await.unwrap().ended;
    let ended: Vec<_> = ended.into_iter().map(|ended| ended.login).collect();
    assert_eq!(ended.len(), 2);
    assert!(ended.contains(&stolen) && ended.contains(&other));
    let audit = view.audit(ada.tenant, 1).await.unwrap();
    assert_eq!(audit[0].action, Action::SignInRevoked { login: other });
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_ends_the_others() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let (here, there) = (
        open(&world, ada.account).await,
        open(&world, ada.account).await,
    );
    world
        .done(&EndOtherLogins {
            account: ada.account,
            keep: Some(here),
            at: at(5),
        })
        .await;
    let audit = world.view().await.audit(ada.tenant, 1).await.unwrap();
    let logins = vec![there];
    assert_eq!(audit[0].action, Action::SignedOutElsewhere { logins });
    let seen = world
        .view()
        .await
        .sign_ins(ada.account, at(6))
        .await
        .unwrap();
    assert_eq!(seen.len(), 2, "also the one that ended");
    for (login, SignIn { address, agent, .. }, family) in seen {
        assert_eq!(family.is_some(), login == here);
        assert_eq!(address, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(agent.unwrap().len(), SignIn::LONGEST_AGENT);
        assert!(login == here || login == there);
    }
    world
        .done(&EndLogin {
            account: ada.account,
            login: here,
            at: at(7),
        })
        .await;
    let signal = world.view().await.revocation_signal().await.unwrap();
    assert_eq!(signal, 2);
    world.registry.revoked(signal - 1).await.unwrap();
}

#[tokio::test]
async fn the_oldest_of_a_hundred_sign_ins_makes_room() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let mut opened = Vec::new();
    for seconds in 0..101 {
        let login = LoginId::random();
        world
            .apply(&OpenLogin {
                account: ada.account,
                login,
                credential_of: None,
                from: None,
                at: at(seconds),
            })
            .await;
        opened.push(login);
    }
    let mut view = world.view().await;
    assert_eq!(
        view.sign_ins(ada.account, at(200)).await.unwrap().len(),
        100
    );
    assert!(
        view.login(ada.account, opened[0], at(200))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        view.login(ada.account, opened[1], at(200))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        world.traces(opened[0].as_uuid()).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn revocations_are_forgotten_up_to_a_floor() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    for seconds in [10, 20] {
        let login = open(&world, ada.account).await;
        world
            .done(&EndLogin {
                account: ada.account,
                login,
                at: at(seconds),
            })
            .await;
    }
    let trim = |seconds| TrimRevocations {
        before: at(seconds),
        limit: 10,
        at: at(100),
    };
    assert_eq!(world.done(&trim(10)).await, 0);
    assert_eq!(world.done(&trim(15)).await, 1);
    let mut view = world.view().await;
    let floor = view.revocation_floor().await.unwrap();
    assert!(floor > Version(0));
    let left = view.revocations_after(floor, 10).await.unwrap().ended;
    assert_eq!(
        left.into_iter().map(|ended| ended.at).collect::<Vec<_>>(),
        [at(20)]
    );
}

#[tokio::test]
async fn nobody_who_is_erased_signs_in_or_rotates() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let login = open(&world, ada.account).await;
    world
        .done(&DeleteAccount {
            account: ada.account,
            at: at(1),
        })
        .await;
    assert_eq!(
        world.done(&rotate(ada.account, login, 0, 2)).await,
        Rotation::Ended
    );
    let again = OpenLogin {
        account: ada.account,
        login: LoginId::random(),
        credential_of: None,
        from: None,
        at: at(3),
    };
    assert_eq!(world.refused(&again).await, Kind::NotFound);
}

#[tokio::test]
async fn an_answer_that_was_lost_ends_nobody_who_signed_in_since() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    open(&world, ada.account).await;
    let end = EndOtherLogins {
        account: ada.account,
        keep: None,
        at: at(5),
    };
    let request = RequestId::random();
    world.registry.apply(request, &end).await.unwrap();
    let since = open(&world, ada.account).await;
    world.registry.apply(request, &end).await.unwrap();
    let left = world.view().await.login(ada.account, since, at(6)).await;
    assert!(left.unwrap().is_some());
}

#[tokio::test]
async fn all_sign_ins_of_a_member_of_many_tenants_end_in_one_transaction() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    for _ in 0..100 {
        world
            .apply(&OpenLogin {
                account: ada.account,
                login: LoginId::random(),
                credential_of: None,
                from: None,
                at: at(0),
            })
            .await;
    }
    // What leads to her tenants is all that counts here.
    let mut transaction = world.store.begin().await.unwrap();
    for _ in 0..300 {
        let key = keys::membership(ada.account, TenantId::random());
        transaction.set(&key, &encode(&ada.user).unwrap());
    }
    transaction.commit().await.unwrap();
    let end = EndOtherLogins {
        account: ada.account,
        keep: None,
        at: at(5),
    };
    world.apply(&end).await;
    let left = world.view().await.sign_ins(ada.account, at(6)).await;
    assert!(left.unwrap().iter().all(|(_, _, login)| login.is_none()));
}

#[tokio::test]
async fn a_token_that_a_restored_registry_never_gave_out_is_no_theft() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let login = open(&world, ada.account).await;
    let before = world.view().await.audit(ada.tenant, 10).await.unwrap();
    assert_eq!(
        world.done(&rotate(ada.account, login, 3, 100)).await,
        Rotation::Ended
    );
    let mut view = world.view().await;
    let after = view.audit(ada.tenant, 10).await.unwrap();
    assert_eq!(before, after, "no alarm");
    assert!(
        view.login(ada.account, login, at(101))
            .await
            .unwrap()
            .is_none()
    );
}
