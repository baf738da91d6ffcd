//! Conversations: messages in order, long ones whole, theirs alone.

use coditect_core::{ConversationId, Kind, RequestId};
use coditect_registry::{
    operation::{AppendMessage, DeleteConversation, LONGEST_MESSAGE, Provisioned},
    record::Author,
};

use crate::support::{World, at, holds};

fn append(person: &Provisioned, conversation: ConversationId, content: String) -> AppendMessage {
    AppendMessage {
        account: person.account,
        user: person.user,
        conversation,
        title: Some("a title".into()),
        author: Author::User,
        model: Some("model".into()),
        content,
        at: at(1),
    }
}

#[tokio::test]
async fn messages_come_back_in_order_and_whole() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let conversation = ConversationId::random();
    // Control characters take six bytes each, which is what the chunks are measured by.
    let said = [
        "short".to_owned(),
        "\u{1}".repeat(100_000),
        "ü\"\n".repeat(100_000),
        String::new(),
        "x".repeat(LONGEST_MESSAGE),
    ];
    for (number, content) in (1..).zip(&said) {
        let append = append(&ada, conversation, content.clone());
        assert_eq!(world.done(&append).await, number);
    }
    let mut view = world.view().await;
    let read = view.messages(ada.user, conversation, 1, 10).await.unwrap();
    assert_eq!(
        read.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    for ((_, message), said) in read.iter().zip(&said) {
        assert!(message.content == *said);
    }
    let page = view.messages(ada.user, conversation, 2, 2).await.unwrap();
    assert_eq!(
        page.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [2, 3]
    );
    assert!(page[1].1.content == said[2]);
    let list = view.conversations(ada.user).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].0, list[0].1.messages), (conversation, 5));

    let long = append(&ada, conversation, "x".repeat(LONGEST_MESSAGE + 1));
    assert!(matches!(world.refused(&long).await, Kind::Invalid { .. }));
}

#[tokio::test]
async fn a_conversation_is_deleted_whole_and_is_its_users() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let (first, second) = (ConversationId::random(), ConversationId::random());
    for (conversation, words) in [(first, "first-words "), (second, "second-words ")] {
        world
            .done(&append(&ada, conversation, words.repeat(20_000)))
            .await;
    }
    let foreign = AppendMessage {
        account: bob.account,
        ..append(&ada, first, "mine".into())
    };
    assert_eq!(world.refused(&foreign).await, Kind::NotFound);
    let delete = |account| DeleteConversation {
        account,
        user: ada.user,
        conversation: first,
        at: at(2),
    };
    assert_eq!(world.refused(&delete(bob.account)).await, Kind::NotFound);
    world.done(&delete(ada.account)).await;
    let heap = world.bytes().await;
    assert!(!holds(&heap, "first-words") && holds(&heap, "second-words"));
    assert_eq!(world.traces(first.as_uuid()).await, Vec::<String>::new());
}

#[tokio::test]
async fn racing_messages_each_get_a_number() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let conversation = ConversationId::random();
    let mut racing = tokio::task::JoinSet::new();
    for n in 0..20 {
        let registry = world.registry.clone();
        let append = append(&ada, conversation, format!("message {n}"));
        racing.spawn(async move { registry.apply(RequestId::random(), &append).await.unwrap() });
    }
    let mut numbers = racing.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_answer_that_was_lost_does_not_delete_what_was_said_since() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let conversation = ConversationId::random();
    world
        .done(&append(&ada, conversation, "before".into()))
        .await;
    let delete = DeleteConversation {
        account: ada.account,
        user: ada.user,
        conversation,
        at: at(2),
    };
    let request = RequestId::random();
    world.registry.apply(request, &delete).await.unwrap();
    world
        .done(&append(&ada, conversation, "since".into()))
        .await;
    world.registry.apply(request, &delete).await.unwrap();
    assert!(holds(&world.bytes().await, "since"));
}
