//! What does not agree is found with both keys, and put right.

use std::sync::Arc;

use coditect_core::{CellName, ExternalId, LoginId, RequestId, UserId, WorkspaceId};
use coditect_registry::{
    Registry,
    check::{Problem, Report, check},
    keys,
    operation::{ApplyStripeEvent, LinkCustomer, MarkAccount, OpenLogin},
    record::{UserPlace, encode},
    store::{Isolation, KeyRange, Store, embedded::EmbeddedStore},
};
use foundationdb_tuple::pack;
use uuid::Uuid;

use crate::support::{at, content, memory, people, register};

pub(crate) async fn look(store: &Arc<dyn Store>) -> Report {
    check(store, None, &|_| {}).await.unwrap()
}

pub(crate) async fn repair(store: &Arc<dyn Store>) -> Report {
    check(store, Some(at(60)), &|_| {}).await.unwrap()
}

pub(crate) async fn write(store: &Arc<dyn Store>, key: &[u8], value: Option<&[u8]>) {
    let mut transaction = store.begin().await.unwrap();
    match value {
        Some(value) => transaction.set(key, value),
        None => transaction.clear(key),
    }
    transaction.commit().await.unwrap();
}

/// The first entry of this kind.
async fn first_of(store: &Arc<dyn Store>, pattern: &str) -> (Vec<u8>, Vec<u8>) {
    let mut transaction = store.begin().await.unwrap();
    let word = pattern.split('/').next().unwrap();
    let mut rest = KeyRange::below(&pack(&(word,)));
    loop {
        let page = transaction
            .range(&rest, 1_000, false, Isolation::Snapshot)
            .await
            .unwrap();
        let found = page
            .entries
            .iter()
            .find(|(key, _)| keys::parse(key).unwrap().kind.pattern == pattern);
        if let Some(found) = found {
            return found.clone();
        }
        assert!(page.more, "nothing of {pattern}");
        rest = rest.after(&page.entries.last().unwrap().0);
    }
}

/// Everything but audit, which notes repairs.
pub(crate) async fn state(store: &Arc<dyn Store>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let audit = KeyRange::below(&pack(&("audit",)));
    let mut all = content(store).await;
    all.retain(|(key, _)| !audit.contains(key));
    all
}

#[tokio::test]
async fn a_sound_registry_gives_no_alarm_on_any_back_end() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = EmbeddedStore::open(folder.path().join("registry.redb")).unwrap();
    for store in [memory(), embedded as Arc<dyn Store>] {
        people(&store, 20).await;
        let report = look(&store).await;
        assert_eq!(report.findings, []);
        assert!(report.entries > 20 * 10);
    }
}

#[tokio::test]
async fn an_index_that_is_gone_is_found_and_written_again() {
    let store = memory();
    people(&store, 5).await;
    let whole = state(&store).await;
    for pattern in [
        "email/{email}",
        "slug/{slug}",
        "user/{u}",
        "workspace/{w}",
        "membership/{a}/{t}",
        "tenant/{t}/member/{u}",
        "tenant/{t}/staying/{n}/{ts}/{u}",
        "registration_age/{hour}/{registration}",
        "grace/{second}/{id}",
        "txn_age/{hour}/{request}",
    ] {
        let (key, _) = first_of(&store, pattern).await;
        let name = keys::parse(&key).unwrap().to_string();
        write(&store, &key, None).await;

        let found = look(&store).await;
        let finding = found
            .findings
            .iter()
            .find(|finding| finding.other == name && finding.problem == Problem::Missing);
        let finding = finding.unwrap_or_else(|| panic!("{pattern}: {:?}", found.findings));
        assert!(finding.repairable && !finding.repaired && !finding.key.is_empty());
        assert_eq!(found.repaired, 0, "looking changes nothing");

        // What one repair makes possible may need another look.
        while repair(&store).await.repaired > 0 {}
        assert_eq!(look(&store).await.findings, [], "{pattern}");
        assert_eq!(state(&store).await, whole, "{pattern}");
    }
}

#[tokio::test]
async fn an_entry_that_leads_nowhere_is_found_and_removed() {
    let store = memory();
    people(&store, 5).await;
    let whole = state(&store).await;
    let stranger = Uuid::from_bytes([0x77; 16]);
    let cell: CellName = "local".parse().unwrap();
    let place = UserPlace {
        tenant: coditect_core::TenantId::from_bytes([0x77; 16]),
        cell: cell.clone(),
    };
    let copied = |pattern: &'static str| first_of(&store, pattern);
    let dangling = [
        (
            pack(&("email", "nobody@example.com")),
            copied("email/{email}").await.1,
        ),
        (
            keys::user_place(UserId::from_bytes([0x77; 16])),
            encode(&place).unwrap(),
        ),
        (
            pack(&("workspace", stranger)),
            copied("workspace/{w}").await.1,
        ),
        (
            pack(&("membership", stranger, stranger)),
            copied("membership/{a}/{t}").await.1,
        ),
        (
            pack(&("tenant", stranger, "member", stranger)),
            copied("tenant/{t}/member/{u}").await.1,
        ),
        (
            pack(&("tenant", stranger, "staying", 0, 7_i64, stranger)),
            copied("tenant/{t}/staying/{n}/{ts}/{u}").await.1,
        ),
        (
            pack(&("custody", stranger, stranger)),
            encode(&place.tenant).unwrap(),
        ),
        (
            pack(&(
                "tenant",
                stranger,
                "user",
                stranger,
                "workspace",
                stranger,
                "power",
            )),
            copied("tenant/{t}/user/{u}/workspace/{w}/power").await.1,
        ),
        (
            pack(&("grace", 1_900_000_000_i64, stranger)),
            copied("grace/{second}/{id}").await.1,
        ),
        (
            pack(&("registration_age", 7_i64, stranger)),
            copied("registration_age/{hour}/{registration}").await.1,
        ),
        (
            pack(&("txn_age", 7_i64, stranger)),
            copied("txn_age/{hour}/{request}").await.1,
        ),
        (
            pack(&("reap", "local", stranger)),
            format!(
                "\x01{{\"user\":\"{stranger}\",\"workspace\":null,\"at\":\"2027-01-01T00:00:00Z\"}}"
            )
            .into_bytes(),
        ),
    ];
    for (key, value) in dangling {
        let name = keys::parse(&key).unwrap().to_string();
        write(&store, &key, Some(&value)).await;
        let found = look(&store).await;
        let finding = found.findings.iter().find(|finding| finding.key == name);
        let finding = finding.unwrap_or_else(|| panic!("{name}: {:?}", found.findings));
        assert!(finding.problem == Problem::Dangling && !finding.other.is_empty());
        repair(&store).await;
        assert_eq!(look(&store).await.findings, [], "{name}");
        assert_eq!(state(&store).await, whole, "{name}");
    }
}

#[tokio::test]
async fn a_cells_number_of_users_is_counted() {
    let store = memory();
    people(&store, 7).await;
    let cell: CellName = "local".parse().unwrap();
    let key = keys::cell_load(&cell);
    for wrong in [Some(&9_i64.to_le_bytes()[..]), None] {
        write(&store, &key, wrong).await;
        let found = look(&store).await;
        assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
        assert!(found.findings[0].why.contains("there are 7"));
        assert_eq!(repair(&store).await.repaired, 1);
        assert_eq!(look(&store).await.findings, []);
    }
}

#[tokio::test]
async fn what_would_never_be_forgotten_is_put_on_its_list_again() {
    let store = memory();
    let registry = Registry::open(Arc::clone(&store)).await.unwrap();
    let register = register("ada@example.com");
    registry
        .apply(RequestId::random(), &register)
        .await
        .unwrap();
    let mut view = registry.view().await.unwrap();
    let (account, _) = view
        .account_by_email(&register.email)
        .await
        .unwrap()
        .unwrap();
    let tenant = view.memberships(account).await.unwrap()[0].0;
    let login = OpenLogin {
        account,
        login: LoginId::random(),
        credential_of: None,
        from: None,
        at: at(1),
    };
    registry.apply(RequestId::random(), &login).await.unwrap();
    let customer: ExternalId = "cus_1".parse().unwrap();
    let link = LinkCustomer {
        actor: None,
        tenant,
        customer: customer.clone(),
        at: at(2),
    };
    registry.apply(RequestId::random(), &link).await.unwrap();
    let event = ApplyStripeEvent {
        event: "evt_1".parse().unwrap(),
        happened_at: at(3),
        customer,
        subscription: None,
        fetched_at: None,
        invoice: None,
        at: at(3),
    };
    registry.apply(RequestId::random(), &event).await.unwrap();
    let mark = MarkAccount {
        account,
        until: at(1_000),
        at: at(4),
    };
    registry.apply(RequestId::random(), &mark).await.unwrap();
    assert_eq!(look(&store).await.findings, []);
    let whole = state(&store).await;
    let mut transaction = store.begin().await.unwrap();
    for word in ["expiry", "grace"] {
        transaction.clear_range(&KeyRange::below(&pack(&(word,))));
    }
    transaction.commit().await.unwrap();
    let found = look(&store).await;
    assert!(found.findings.iter().all(|finding| finding.repairable));
    while repair(&store).await.repaired > 0 {}
    assert_eq!(state(&store).await, whole);
}

/// What only a person can decide is named and left alone.
#[tokio::test]
async fn nobody_is_deleted_by_a_repair() {
    let store = memory();
    let people = people(&store, 4).await;
    let (user, workspace): (UserId, WorkspaceId) = people[2];
    let cell: CellName = "local".parse().unwrap();
    for (key, value) in [
        // Dead and alive.
        (
            keys::user_tombstone(&cell, user),
            Some(b"\x01{\"at\":\"2027-01-01T00:00:00Z\",\"requested\":true}".to_vec()),
        ),
        (
            keys::workspace_tombstone(&cell, workspace),
            Some(b"\x01{\"at\":\"2027-01-01T00:00:00Z\",\"requested\":true}".to_vec()),
        ),
        // A user without an intent.
        (keys::intent(&cell, user), None),
        // Values and keys that are none.
        (
            keys::user_place(UserId::from_bytes([9; 16])),
            Some(b"\x01{".to_vec()),
        ),
        (pack(&("weather", 1_i64)), Some(b"\x01{}".to_vec())),
    ] {
        let mut transaction = store.begin().await.unwrap();
        let was = transaction.get(&key, Isolation::Snapshot).await.unwrap();
        drop(transaction);
        write(&store, &key, value.as_deref()).await;
        let report = repair(&store).await;
        let by_hand = report.findings.iter().filter(|finding| !finding.repairable);
        assert!(by_hand.count() > 0, "{report:?}");
        let mut transaction = store.begin().await.unwrap();
        assert_eq!(
            transaction.get(&key, Isolation::Snapshot).await.unwrap(),
            value
        );
        assert!(
            transaction
                .get(&keys::user_place(user), Isolation::Snapshot)
                .await
                .unwrap()
                .is_some()
        );
        drop(transaction);
        write(&store, &key, was.as_deref()).await;
        repair(&store).await;
        assert_eq!(look(&store).await.findings, []);
    }
}
