//! What is too much to be removed at once goes in slices, and nothing of it is left.

use coditect_core::{ConversationId, FilePath, Kind};
use coditect_registry::{
    janitor::{Janitor, Retention},
    keys,
    operation::{
        AppendMessage, DeleteAccount, DeleteConversation, DeleteWorkspace, HandOver, Heir,
        Provisioned,
    },
    record::{Author, Conversation, FileMetadata, Message, encode},
    store::{KeyRange, Store},
};

use crate::{
    members::{join, remove},
    support::{World, at, holds},
};

/// More than one slice.
const MANY: u64 = 2_500;

/// A conversation that says it has as many messages as are not removed at once.
async fn talk(world: &World, person: &Provisioned) -> ConversationId {
    let conversation = ConversationId::random();
    let Provisioned { tenant, user, .. } = *person;
    let record = Conversation {
        title: Some("title-of-ada".into()),
        messages: 50_001,
        created_at: at(1),
        updated_at: at(1),
    };
    let message = Message {
        author: Author::User,
        at: at(1),
        model: None,
        content: "words-of-ada".into(),
        chunks: 0,
    };
    let mut transaction = world.store.begin().await.unwrap();
    let key = keys::conversation(tenant, user, conversation);
    transaction.set(&key, &encode(&record).unwrap());
    for number in 1..=MANY {
        let key = keys::message(tenant, user, conversation, number);
        transaction.set(&key, &encode(&message).unwrap());
    }
    transaction.commit().await.unwrap();
    conversation
}

/// As many files as are not removed at once, as their number says.
async fn files(world: &World, person: &Provisioned) {
    let Provisioned {
        tenant,
        user,
        workspace,
        ..
    } = *person;
    let file = FileMetadata {
        size: 1,
        hash: "ab".repeat(32),
        modified_at: at(1),
        reported_at: at(1),
        deleted: false,
    };
    let mut transaction = world.store.begin().await.unwrap();
    transaction.add(&keys::file_count(tenant, user, workspace), 10_001);
    for number in 0..MANY {
        let path: FilePath = format!("path-of-ada/{number}").parse().unwrap();
        let key = keys::file(tenant, user, workspace, &path);
        transaction.set(&key, &encode(&file).unwrap());
    }
    transaction.commit().await.unwrap();
}

async fn count(world: &World, range: &KeyRange) -> u64 {
    world.keys_of(range).await.len() as u64
}

async fn janitor_comes(world: &World) -> u64 {
    let mut janitor = Janitor::new(world.registry.clone(), Retention::default());
    janitor.pass(at(20)).await.unwrap()["purges"]
}

#[tokio::test]
async fn of_a_person_who_is_erased_nothing_leads_to_what_is_left_and_soon_nothing_is() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    talk(&world, &ada).await;
    files(&world, &ada).await;
    world
        .done(&DeleteAccount {
            account: ada.account,
            at: at(10),
        })
        .await;
    let left = world.keys_of(&keys::user_all(ada.tenant, ada.user)).await;
    assert_eq!(left.len() as u64, 2 * MANY, "messages and files alone");
    assert_eq!(janitor_comes(&world).await, 2);
    for id in [
        ada.tenant.as_uuid(),
        ada.user.as_uuid(),
        ada.workspace.as_uuid(),
    ] {
        assert_eq!(world.traces(id).await, Vec::<String>::new());
    }
    assert_eq!(count(&world, &keys::purges()).await, 0);
}

#[tokio::test]
async fn what_is_deleted_in_slices_is_gone_for_its_person_at_once() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let second = world.create(&ada, "second").await.unwrap();
    let (long, short) = (talk(&world, &ada).await, ConversationId::random());
    world
        .done(&AppendMessage {
            account: ada.account,
            user: ada.user,
            conversation: short,
            title: None,
            author: Author::User,
            model: None,
            content: "short-words".into(),
            at: at(2),
        })
        .await;
    files(&world, &ada).await;
    for conversation in [long, short] {
        world
            .done(&DeleteConversation {
                account: ada.account,
                user: ada.user,
                conversation,
                at: at(10),
            })
            .await;
    }
    world
        .done(&DeleteWorkspace {
            account: ada.account,
            workspace: ada.workspace,
            at: at(11),
        })
        .await;
    let again = AppendMessage {
        account: ada.account,
        user: ada.user,
        conversation: long,
        title: None,
        author: Author::User,
        model: None,
        content: "would go with the rest".into(),
        at: at(12),
    };
    assert_eq!(world.refused(&again).await, Kind::Conflict);
    let heap = world.bytes().await;
    assert!(!holds(&heap, "title-of-ada") && !holds(&heap, "short-words"));
    let kept = keys::workspace_all(ada.tenant, ada.user, second);
    let before = count(&world, &kept).await;
    let files = keys::files(ada.tenant, ada.user, ada.workspace);
    assert_eq!(count(&world, &files).await, MANY);
    assert_eq!(janitor_comes(&world).await, 2);
    let heap = world.bytes().await;
    assert!(!holds(&heap, "words-of-ada") && !holds(&heap, "path-of-ada"));
    world.done(&again).await;
    assert!(before > 0 && count(&world, &kept).await == before);
}

#[tokio::test]
async fn what_a_leaver_said_goes_in_slices_and_what_the_next_says_stays() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    talk(&world, &bob).await;
    world.done(&remove(&ada, &bob)).await;
    world
        .done(&HandOver {
            by: ada.account,
            tenant: bob.tenant,
            user: bob.user,
            to: Heir::Member(ada.user),
            at: at(12),
        })
        .await;
    world
        .done(&AppendMessage {
            account: ada.account,
            user: bob.user,
            conversation: ConversationId::random(),
            title: None,
            author: Author::User,
            model: None,
            content: "of the next".into(),
            at: at(13),
        })
        .await;
    assert_eq!(janitor_comes(&world).await, 1);
    let heap = world.bytes().await;
    assert!(!holds(&heap, "words-of-ada") && holds(&heap, "of the next"));
}
