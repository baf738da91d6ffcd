//! Erasing a person leaves nothing of them: every kind of record, every index, every mention.

use coditect_core::{ErasureId, Kind, TenantId, UserId, Version, WorkspaceId};
use coditect_registry::{
    operation::{
        ChangeRole, DeleteAccount, MarkAccount, Provisioned, RemoveMember, ReplayErasure,
        RestoreAccount,
    },
    record::{ErasedUser, Erasure, LONGEST_UPLOAD, Role, object_prefix},
};

use crate::{
    cast::{self, SECRETS},
    members::join,
    observer::local,
    support::{World, at, holds, identity_key},
};

fn erase(person: &Provisioned) -> DeleteAccount {
    DeleteAccount {
        account: person.account,
        at: at(100),
    }
}

/// Nothing of what Ada said is left, and her ids only where the layout says so.
async fn assert_gone(world: &World, ada: &cast::Cast) {
    let heap = world.bytes().await;
    for secret in SECRETS {
        assert!(!holds(&heap, secret), "{secret} is left");
    }
    assert!(!holds(&heap, &ada.api_key_hash));
    let person = ada.person;
    for id in [
        person.account.as_uuid(),
        person.tenant.as_uuid(),
        person.user.as_uuid(),
        person.workspace.as_uuid(),
        ada.login.as_uuid(),
        ada.session.as_uuid(),
        ada.api_key.as_uuid(),
        ada.conversation.as_uuid(),
        ada.invitation.as_uuid(),
        ada.pending.as_uuid(),
    ] {
        assert_eq!(world.traces(id).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn nothing_is_left_and_the_receipt_says_what_is_kept() {
    let world = World::with_identity_key().await;
    let ada = cast::ada(&world).await;
    let heap = world.bytes().await;
    for secret in SECRETS {
        assert!(holds(&heap, secret), "{secret} was never there");
    }
    let erasure = world.done(&erase(&ada.person)).await;
    assert_gone(&world, &ada).await;

    let mut view = world.view().await;
    let record = view.erasure(erasure).await.unwrap().unwrap();
    assert!(record.complete);
    assert_eq!(record.users.len(), 1);
    assert_eq!(record.users[0].workspaces, [ada.person.workspace]);
    let kept: Vec<_> = record.kept.iter().map(|kept| kept.what.as_str()).collect();
    assert!(kept.contains(&"invoice/{t}/{invoice}"), "{kept:?}");
    let invoices = record
        .kept
        .iter()
        .find(|kept| kept.what.starts_with("invoice/"))
        .unwrap();
    assert_eq!(
        (invoices.count, invoices.until),
        (Some(1), Some(at(300_000_000)))
    );

    assert_eq!(view.invoices(ada.person.tenant).await.unwrap().len(), 1);
    for identity in [
        identity_key().email(&"ada@ada.example".parse().unwrap()),
        identity_key().provider(
            &"google".parse().unwrap(),
            &cast::external("subject-of-ada"),
        ),
    ] {
        assert_eq!(view.erased(&identity).await.unwrap(), Some(erasure));
    }
    let below = object_prefix(ada.person.user, ada.person.workspace);
    for (due, times) in [(at(100), 1), (at(100) + LONGEST_UPLOAD, 2)] {
        let discards = view.discards(due, 10).await.unwrap();
        let of_all = discards
            .iter()
            .filter(|discard| discard.all_below && discard.object == below);
        assert_eq!(
            of_all.count(),
            times,
            "the bytes of the files' snapshots are removed, and again what was still on its way"
        );
    }
    // The sign-in is cut, and the address is free.
    let ended = view.revocations_after(Version(0), 10).await.unwrap().ended;
    assert!(ended.iter().any(|ended| ended.login == ada.login));
    world.sign_up("ada@ada.example").await;
}

#[tokio::test]
async fn without_a_key_no_hash_is_kept() {
    let world = World::new().await;
    let ada = world.sign_up("ada@ada.example").await;
    let erasure = world.done(&erase(&ada)).await;
    let receipt = world.view().await.erasure(erasure).await.unwrap();
    assert!(receipt.unwrap().identities.is_empty());
}

#[tokio::test]
async fn the_grace_period_ends_in_the_same_nothing() {
    let world = World::with_identity_key().await;
    let ada = cast::ada(&world).await;
    let mark = MarkAccount {
        account: ada.person.account,
        until: at(500),
        at: at(100),
    };
    world.done(&mark).await;
    world
        .done(&RestoreAccount {
            account: ada.person.account,
            at: at(101),
        })
        .await;
    assert_eq!(world.bury_due(1_000).await, 0, "it was restored");
    world.done(&mark).await;
    // The user and the account are due at the same time, in transactions of their own.
    while world.bury_due(1_000).await > 0 {}
    assert_gone(&world, &ada).await;
    let (ledger, _) = world.view().await.erasures_after(None, 10).await.unwrap();
    assert!(ledger.iter().any(|(_, record)| record.complete));
}

#[tokio::test]
async fn a_restore_erases_again() {
    let world = World::with_identity_key().await;
    let ada = cast::ada(&world).await;
    // The registry as a backup of before the erasure has it: the ledger is from after it.
    let other = World::with_identity_key().await;
    let replay = ReplayErasure {
        erasure: ErasureId::random(),
        record: ledger_of(&ada),
        at: at(200),
    };
    assert!(world.done(&replay).await, "she was there again");
    assert_gone(&world, &ada).await;
    assert!(
        !other.done(&replay).await,
        "a registry that never knew her writes tombstones and the ledger alone"
    );
    assert!(
        other
            .view()
            .await
            .user_tombstone(&local(), ada.person.user)
            .await
            .unwrap()
            .is_some()
    );
}

/// What the ledger holds of Ada.
fn ledger_of(ada: &cast::Cast) -> Erasure {
    Erasure {
        at: at(100),
        account: ada.person.account,
        complete: true,
        users: vec![ErasedUser {
            tenant: ada.person.tenant,
            user: ada.person.user,
            cell: local(),
            workspaces: vec![ada.person.workspace],
        }],
        identities: vec![identity_key().email(&"ada@ada.example".parse().unwrap())],
        kept: Vec::new(),
        further: 0,
    }
}

#[tokio::test]
async fn an_erasure_of_any_number_of_users_has_its_entry_in_the_ledger() {
    let world = World::new().await;
    // What the last owner of a large organisation takes along: those who were left behind there.
    let tenant = TenantId::random();
    let user = |_| ErasedUser {
        tenant,
        user: UserId::random(),
        cell: local(),
        workspaces: vec![WorkspaceId::random(), WorkspaceId::random()],
    };
    let record = Erasure {
        users: (0..1_500).map(user).collect(),
        ..ledger_of(&cast::ada(&World::new().await).await)
    };
    let erasure = ErasureId::random();
    world
        .done(&ReplayErasure {
            erasure,
            record: record.clone(),
            at: at(200),
        })
        .await;
    let mut view = world.view().await;
    assert_eq!(view.erasure(erasure).await.unwrap().as_ref(), Some(&record));
    let (ledger, more) = view.erasures_after(None, 10).await.unwrap();
    assert_eq!((ledger, more), (vec![(erasure, record)], false));
}

#[tokio::test]
async fn a_tenant_is_never_left_without_an_owner() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    assert_eq!(world.refused(&erase(&ada)).await, Kind::Conflict);
    let mark = MarkAccount {
        account: ada.account,
        until: at(500),
        at: at(100),
    };
    assert_eq!(world.refused(&mark).await, Kind::Conflict);
    world
        .done(&ChangeRole {
            by: ada.account,
            tenant: ada.tenant,
            user: bob.user,
            role: Role::Owner,
            at: at(101),
        })
        .await;
    world.done(&erase(&ada)).await;
    let mut view = world.view().await;
    let (tenant, user) = view.user(bob.user).await.unwrap().unwrap();
    assert_eq!((tenant, user.role), (ada.tenant, Role::Owner));
    assert!(view.tenant(ada.tenant).await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_who_was_removed_restores_themselves() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    world
        .done(&RemoveMember {
            by: ada.account,
            tenant: ada.tenant,
            user: bob.user,
            until: at(900),
            at: at(100),
        })
        .await;
    world
        .done(&MarkAccount {
            account: bob.account,
            until: at(500),
            at: at(101),
        })
        .await;
    world
        .done(&RestoreAccount {
            account: bob.account,
            at: at(102),
        })
        .await;
    let (_, user) = world.view().await.user(bob.user).await.unwrap().unwrap();
    assert!(user.mark.is_some());
    // Once the account itself is due, the user left behind goes with it, sooner than its own time.
    world
        .done(&MarkAccount {
            account: bob.account,
            until: at(500),
            at: at(103),
        })
        .await;
    world.bury_due(600).await;
    assert_eq!(
        world.traces(bob.account.as_uuid()).await,
        Vec::<String>::new()
    );
    assert!(world.view().await.user(bob.user).await.unwrap().is_none());
}
