//! Registries to export, and what to compare.

use std::{
    io::{BufReader, Cursor},
    sync::Arc,
};

use coditect_core::{
    CellSummary, Limits, PodSize, Readiness, RegistrationId, RequestId, Result, UserId, WorkspaceId,
};
use coditect_registry::{
    Registry,
    dump::{self, Exported, Imported},
    keys::{self, Export, KeyKind},
    operation::{MarkWorkspace, Placement, Register, Verification},
    store::{Isolation, KeyRange, Store, memory::MemoryStore},
};
use foundationdb_tuple::{Element, pack};
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) fn memory() -> Arc<dyn Store> {
    MemoryStore::new()
}

pub(crate) fn register(email: &str) -> Register {
    Register {
        registration: RegistrationId::random(),
        email: email.parse().unwrap(),
        display_name: "Ada Lovelace".parse().unwrap(),
        password_hash: "$argon2id$test".into(),
        terms: None,
        verification: Verification::None,
        placement: Placement {
            plan: "free".parse().unwrap(),
            limits: Limits {
                storage_gib: 1,
                hours_per_month: 10,
                llm_requests_per_month: 100,
                workspaces: 2,
                idle_minutes: 30,
                pod: PodSize {
                    cpu_millis: 1000,
                    cpu_request_millis: 100,
                    memory_mib: 1024,
                    ephemeral_storage_mib: 1024,
                    pids: 512,
                },
            },
            cells: vec![CellSummary {
                name: "local".parse().unwrap(),
                capacity: 1_000_000,
                closed: false,
                storage_class: "standard-rwo".parse().unwrap(),
                domain: "workspaces.example".into(),
                held: false,
                readiness: Readiness::default(),
            }],
        },
        at: at(0),
    }
}

/// Signs up so many people; one of them wants a workspace gone.
pub(crate) async fn people(store: &Arc<dyn Store>, count: usize) -> Vec<(UserId, WorkspaceId)> {
    let registry = Registry::open(Arc::clone(store)).await.unwrap();
    let mut all = Vec::new();
    for number in 0..count {
        let register = register(&format!("p{number}@example.com"));
        registry
            .apply(RequestId::random(), &register)
            .await
            .unwrap();
        let made = registry
            .view()
            .await
            .unwrap()
            .registration(register.registration)
            .await
            .unwrap()
            .unwrap();
        if let coditect_registry::record::RegistrationState::Complete {
            account,
            user,
            workspace,
            ..
        } = made.state
        {
            if number == 0 {
                let mark = MarkWorkspace {
                    account,
                    workspace,
                    until: at(604_800),
                    at: at(1),
                };
                registry.apply(RequestId::random(), &mark).await.unwrap();
            }
            all.push((user, workspace));
        }
    }
    all
}

/// A key of every kind, with parts of the types that it wants.
pub(crate) fn a_key_of(kind: &KeyKind, seed: u8) -> Vec<u8> {
    let mut elements: Vec<Element<'static>> = Vec::new();
    for (place, segment) in kind.pattern.split('/').enumerate() {
        elements.push(match segment {
            "{hour}" | "{second}" | "{n}" | "{chunk}" | "{ts}" => {
                Element::Int(i64::from(seed) * 300)
            }
            "{version}" => {
                Element::Versionstamp(foundationdb_tuple::Versionstamp::complete([seed; 10], 0))
            }
            "{cell}" => Element::String(format!("cell-{seed}").into()),
            // A name may look like an id, and hold what separates parts and ends lines.
            "{subject}" => Element::String(Uuid::from_bytes([seed; 16]).to_string().into()),
            "{path}" => Element::String(format!("a/b\n\0\"{seed}").into()),
            segment if !segment.starts_with('{') => Element::String(segment.to_owned().into()),
            _ => Element::Uuid(Uuid::from_bytes(
                [seed, place as u8].repeat(8).try_into().unwrap(),
            )),
        });
        // Names of the rest: where an id does not fit, a text does.
        if place + 1 == kind.pattern.split('/').count() {
            break;
        }
    }
    let ids: Vec<usize> = elements
        .iter()
        .enumerate()
        .filter(|(_, element)| matches!(element, Element::Uuid(_)))
        .map(|(place, _)| place)
        .collect();
    for choice in 0..1_u32 << ids.len() {
        let mut tried = elements.clone();
        for (bit, place) in ids.iter().enumerate() {
            if choice >> bit & 1 == 1 {
                tried[*place] = Element::String(format!("text-{seed}").into());
            }
        }
        let key = pack(&tried);
        if keys::parse(&key).is_ok_and(|parsed| parsed.kind.pattern == kind.pattern) {
            return key;
        }
    }
    panic!("no key of {}", kind.pattern);
}

/// Everything in the store that an export holds: keys without stamps, and values.
pub(crate) async fn content(store: &Arc<dyn Store>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = KeyRange {
        begin: vec![0],
        end: vec![0xff],
    };
    loop {
        let mut transaction = store.begin().await.unwrap();
        let page = transaction
            .range(&rest, 1_000, false, Isolation::Snapshot)
            .await
            .unwrap();
        for (key, value) in &page.entries {
            match keys::parse(key).unwrap().kind.export {
                Export::Yes => found.push((key.clone(), value.clone())),
                Export::AsSequence => found.push((key[..key.len() - 13].to_vec(), value.clone())),
                Export::No => {}
            }
        }
        match page.entries.last() {
            Some((last, _)) if page.more => rest = rest.after(last),
            _ => return found,
        }
    }
}

pub(crate) async fn export(store: &Arc<dyn Store>) -> (Vec<u8>, Exported) {
    let mut out = Vec::new();
    let exported = dump::export(store, &mut out, &|_| {}).await.unwrap();
    assert_eq!(exported.bytes, out.len() as u64);
    (out, exported)
}

pub(crate) async fn import(store: &Arc<dyn Store>, lines: &[u8]) -> Result<Imported> {
    let mut file = BufReader::new(Cursor::new(lines.to_vec()));
    dump::import(store, &mut file, &|_, _| {}).await
}
