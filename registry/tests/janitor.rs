//! What has had its time goes, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use coditect_core::{AccountId, RequestId, TenantId, UserId, WorkspaceId};
use coditect_registry::{
    Registry,
    janitor::{Janitor, REGISTRATIONS, REQUESTS, Retention},
    keys,
    operation::BeginEpoch,
    record::{
        Action, AuditEntry, Expiring, Grace, Registration, RegistrationState, UserPlace, encode,
    },
    store::{
        Isolation, KeyRange, Store, StoreError,
        faulty::{Fault, FaultyStore},
        memory::MemoryStore,
    },
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 3_600 * hours).unwrap()
}

async fn world(retention: Retention) -> (Arc<dyn Store>, Registry, Janitor) {
    let store = MemoryStore::new() as Arc<dyn Store>;
    let registry = Registry::open(Arc::clone(&store)).await.unwrap();
    let janitor = Janitor::new(registry.clone(), retention);
    (store, registry, janitor)
}

async fn count(store: &Arc<dyn Store>, range: &KeyRange) -> usize {
    let mut transaction = store.begin().await.unwrap();
    let (mut rest, mut count) = (range.clone(), 0);
    loop {
        let page = transaction
            .range(&rest, 1_000, false, Isolation::Snapshot)
            .await
            .unwrap();
        count += page.entries.len();
        match page.entries.last() {
            Some((last, _)) if page.more => rest = rest.after(last),
            _ => return count,
        }
    }
}

fn whole() -> KeyRange {
    KeyRange {
        begin: vec![0],
        end: vec![0xff],
    }
}

#[tokio::test]
async fn sign_ups_are_forgotten_when_their_day_is_over() {
    let (store, registry, mut janitor) = world(Retention::default()).await;
    let before = count(&store, &whole()).await;
    // More than one transaction takes.
    for _ in 0..120 {
        let id = coditect_core::RegistrationId::random();
        let pending = Registration {
            at: at(0),
            state: RegistrationState::Void,
        };
        let mut transaction = store.begin().await.unwrap();
        transaction.set(&keys::registration(id), &encode(&pending).unwrap());
        transaction.set(&keys::registration_age(at(0), id), &encode(&id).unwrap());
        transaction.commit().await.unwrap();
    }
    let day = REGISTRATIONS.as_hours();
    assert_eq!(janitor.pass(at(day)).await.unwrap().len(), 0);
    let removed = janitor.pass(at(day + 1)).await.unwrap();
    assert_eq!(removed["registrations"], 120);
    assert_eq!(count(&store, &whole()).await, before);
    assert_eq!(janitor.pass(at(day + 1)).await.unwrap().len(), 0);
    drop(registry);
}

#[tokio::test]
async fn answers_are_kept_as_long_as_a_client_may_ask_again() {
    let (store, registry, mut janitor) = world(Retention::default()).await;
    let mut first = None;
    for _ in 0..70 {
        let request = RequestId::random();
        first.get_or_insert(request);
        // Any operation that is not idempotent leaves an answer; this is what one leaves.
        let mut transaction = store.begin().await.unwrap();
        let answer = coditect_registry::record::TransactionRecord {
            at: at(0),
            operation: "anything".to_owned(),
            output: serde_json::Value::Null,
        };
        transaction.set(&keys::transaction(request), &encode(&answer).unwrap());
        transaction.set(
            &keys::transaction_age(at(0), request),
            &encode(&coditect_core::Version::default()).unwrap(),
        );
        transaction.commit().await.unwrap();
    }
    let day = REQUESTS.as_hours();
    assert_eq!(janitor.pass(at(day)).await.unwrap().len(), 0);
    assert_eq!(janitor.pass(at(day + 1)).await.unwrap()["requests"], 70);
    let mut transaction = store.begin().await.unwrap();
    let key = keys::transaction(first.unwrap());
    assert_eq!(
        transaction.get(&key, Isolation::Snapshot).await.unwrap(),
        None
    );
    // An idempotent operation leaves none.
    let begin = BeginEpoch {
        epoch: coditect_core::Epoch::random(),
        at: at(0),
    };
    let before = count(&store, &whole()).await;
    registry.apply(RequestId::random(), &begin).await.unwrap();
    assert_eq!(count(&store, &whole()).await, before);
}

#[tokio::test]
async fn an_audit_is_kept_for_ever_or_as_long_as_the_operator_says() {
    let tenants: Vec<TenantId> = (0..30).map(|_| TenantId::random()).collect();
    for (retention, days, left_each) in [(None, 400, 20), (Some(90), 400, 0), (Some(90), 100, 10)] {
        let (store, _registry, mut janitor) = world(Retention {
            audit: retention.map(|days| SignedDuration::from_hours(24 * days)),
        })
        .await;
        for tenant in &tenants {
            let mut transaction = store.begin().await.unwrap();
            // Ten decisions of day 0, ten of day 50.
            for day in (0..20).map(|number| number / 10 * 50) {
                let entry = AuditEntry {
                    at: at(24 * day),
                    actor: None,
                    action: Action::ProfileChanged,
                };
                transaction.append(&keys::audit(*tenant), &encode(&entry).unwrap());
            }
            transaction.commit().await.unwrap();
        }
        let removed = janitor.pass(at(24 * days)).await.unwrap();
        let gone = 30 * (20 - left_each);
        assert_eq!(removed.get("audit").copied().unwrap_or(0), gone as u64);
        for tenant in &tenants {
            let left = count(&store, &KeyRange::below(&keys::audit(*tenant))).await;
            assert_eq!(left, left_each, "kept {retention:?}, after {days} days");
        }
        // The next round begins a day later, and finds no more.
        assert_eq!(janitor.pass(at(24 * days)).await.unwrap().len(), 0);
    }
}

async fn write(store: &Arc<dyn Store>, entries: &[(Vec<u8>, Vec<u8>)]) {
    let mut transaction = store.begin().await.unwrap();
    for (key, value) in entries {
        transaction.set(key, value);
    }
    transaction.commit().await.unwrap();
}

/// A user who is due and cannot be buried: the place is there, and no record.
fn nobody(hours: i64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let user = UserId::random();
    let place = UserPlace {
        tenant: TenantId::random(),
        cell: "local".parse().unwrap(),
    };
    vec![
        (keys::user_place(user), encode(&place).unwrap()),
        (
            keys::grace(at(hours), user.as_uuid()),
            encode(&Grace::User { user }).unwrap(),
        ),
    ]
}

/// Something whose time has come and that is gone already: its entry goes.
fn gone(hours: i64) -> (Vec<u8>, Vec<u8>) {
    let workspace = WorkspaceId::random();
    (
        keys::grace(at(hours), workspace.as_uuid()),
        encode(&Grace::Workspace { workspace }).unwrap(),
    )
}

#[tokio::test]
async fn what_cannot_be_buried_holds_up_nothing_and_is_tried_again_a_day_later() {
    let (store, registry, mut janitor) = world(Retention::default()).await;
    write(&store, &nobody(1)).await;
    // A value that nobody can read.
    let unreadable = keys::grace(at(1), Uuid::from_bytes([7; 16]));
    write(&store, &[(unreadable.clone(), b"\x01{".to_vec())]).await;
    for _ in 0..3 {
        write(&store, &[gone(2)]).await;
    }
    let expired = Expiring::PasswordReset {
        account: AccountId::random(),
    };
    let broken = keys::expiry(at(0), "password_reset", "unreadable");
    write(
        &store,
        &[
            (broken.clone(), b"\x01{".to_vec()),
            (expired.key(at(1)), encode(&expired).unwrap()),
        ],
    )
    .await;
    let removed = janitor.pass(at(10)).await.unwrap();
    assert_eq!((removed["marked"], removed["expired"]), (3, 1));
    assert_eq!(janitor.put_off(), 3);
    assert!(janitor.pass(at(33)).await.unwrap().is_empty());

    // Put right by now.
    let mut transaction = store.begin().await.unwrap();
    let (user, _) = nobody_of(&store).await;
    transaction.clear(&user);
    transaction.clear(&broken);
    transaction.commit().await.unwrap();
    assert!(janitor.pass(at(33)).await.unwrap().is_empty(), "not yet");
    let removed = janitor.pass(at(34)).await.unwrap();
    assert_eq!((removed["marked"], removed.get("expired")), (1, None));
    assert_eq!(janitor.put_off(), 1, "{unreadable:?} is as it was");
    // Another process tries at once.
    let mut other = Janitor::new(registry, Retention::default());
    assert!(other.pass(at(35)).await.unwrap().is_empty());
    assert_eq!(other.put_off(), 1);
}

async fn nobody_of(store: &Arc<dyn Store>) -> (Vec<u8>, Vec<u8>) {
    let mut transaction = store.begin().await.unwrap();
    let range = KeyRange {
        begin: keys::user_place(UserId::from_bytes([0; 16])),
        end: keys::user_place(UserId::from_bytes([0xff; 16])),
    };
    let page = transaction
        .range(&range, 1, false, Isolation::Snapshot)
        .await
        .unwrap();
    page.entries.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_store_that_does_not_answer_puts_off_little_and_for_a_short_time() {
    let memory = FaultyStore::new(MemoryStore::new());
    let store = Arc::clone(&memory) as Arc<dyn Store>;
    let registry = Registry::open(Arc::clone(&store)).await.unwrap();
    let mut janitor = Janitor::new(registry, Retention::default());
    for _ in 0..20 {
        write(&store, &[gone(1)]).await;
    }
    memory.inject_always(Fault::Commit(StoreError::Unavailable("full".into())));
    janitor.pass(at(10)).await.unwrap_err();
    memory.heal();
    let minutes = |minutes| at(10) + SignedDuration::from_mins(minutes);
    let removed = janitor.pass(minutes(1)).await.unwrap();
    assert_eq!(removed["marked"], 17);
    let removed = janitor.pass(minutes(11)).await.unwrap();
    assert_eq!(removed["marked"], 3);
    assert_eq!(janitor.put_off(), 0);
}
