//! A person's copy holds what the registry holds of them, and of nobody else, and no secret.

use std::collections::BTreeSet;

use coditect_core::AccountId;
use coditect_registry::{
    Copied,
    keys::{Portable, portables},
    operation::{NoteCopy, RemoveMember},
};

use crate::{
    cast,
    members::join,
    support::{World, at},
};

async fn copy(world: &World, account: AccountId) -> Vec<Copied> {
    let mut copy = world.registry.personal_copy(account).await.unwrap();
    let mut all = Vec::new();
    while let Some(page) = copy.next().await.unwrap() {
        all.extend(page);
    }
    all
}

#[tokio::test]
async fn a_copy_holds_everything_of_the_person_and_no_secret() {
    let world = World::with_identity_key().await;
    let ada = cast::ada(&world).await;
    let all = copy(&world, ada.person.account).await;
    let text = serde_json::to_string(
        &all.iter()
            .map(|copied| (copied.name, &copied.key, &copied.value))
            .collect::<Vec<_>>(),
    )
    .unwrap();
    for words in [
        "@ada.example",
        "Countess Lovelace",
        "subject-of-ada",
        "203.0.113.77",
        "agent-of-ada",
        "key-of-ada",
        "layout-of-ada",
        "words-of-ada",
        "path-of-ada",
        "title-of-ada",
    ] {
        assert!(text.contains(words), "{words}");
    }
    for secret in [
        "sealed-of-ada",
        "proof-of-ada",
        "password_hash",
        &ada.api_key_hash,
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    let names: BTreeSet<_> = all.iter().map(|copied| copied.name).collect();
    let decided = portables()
        .iter()
        .filter_map(|(_, decision)| match decision {
            Portable::Yes(name, _) => Some(*name),
            Portable::No(_) => None,
        });
    let missing: Vec<_> = decided.filter(|name| !names.contains(name)).collect();
    // She was never quarantined, nor invited, nor waits for approval; and nothing was committed for her.
    for name in &missing {
        assert!(
            [
                "quarantines",
                "approvals",
                "invitations",
                "commits",
                "licences-before",
                "workspace-metering"
            ]
            .contains(name),
            "{missing:?}"
        );
    }
}

#[tokio::test]
async fn a_copy_holds_nothing_of_others() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let remove = RemoveMember {
        by: ada.account,
        tenant: ada.tenant,
        user: bob.user,
        until: at(900_000),
        at: at(50),
    };
    world.done(&remove).await;
    let text = |all: &[Copied]| format!("{all:?}");
    let (of_ada, of_bob) = (
        text(&copy(&world, ada.account).await),
        text(&copy(&world, bob.account).await),
    );
    assert!(of_ada.contains("ada@example.com") && !of_ada.contains("bob@example.com"));
    assert!(of_bob.contains("bob@example.com") && !of_bob.contains("ada@example.com"));
    // What she decided about him is hers; the contract of her tenant is none of his.
    assert!(of_ada.contains("member_removed") && !of_bob.contains("member_removed"));
    let licences = |all: &str| all.matches("name: \"licences\"").count();
    assert_eq!((licences(&of_ada), licences(&of_bob)), (1, 1));
    assert!(copy(&world, AccountId::random()).await.is_empty());
}

#[tokio::test]
async fn that_a_copy_was_taken_is_written_down() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let note = NoteCopy {
        account: ada.account,
        at: at(60),
    };
    world.done(&note).await;
    let newest = world.view().await.audit(ada.tenant, 1).await.unwrap();
    assert_eq!(newest[0].actor, Some(ada.account));
    let told = serde_json::to_value(&newest[0]).unwrap();
    assert_eq!(told["action"], "personal_copy_taken");
}
