//! A registry to try operations on.

use std::sync::Arc;

use coditect_core::{
    CellSummary, Entitlement, Kind, Limits, PlanName, PodSize, RegistrationId, RequestId, Result,
    UserId, WorkspaceId,
};
use coditect_registry::{
    Operation, Registry, View,
    keys::{self, OnErasure},
    operation::{BuryDue, CreateWorkspace, Placement, Provisioned, Register, Verification},
    record::{IdentityKey, RegistrationState},
    store::{
        Isolation, KeyRange, Store,
        faulty::{Fault, FaultyStore},
        memory::MemoryStore,
    },
};
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) const LIMITS: Limits = Limits {
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
};

pub(crate) fn identity_key() -> IdentityKey {
    IdentityKey::new(&[7; 32])
}

pub(crate) fn cell(name: &str, capacity: u32) -> CellSummary {
    CellSummary {
        name: name.parse().unwrap(),
        capacity,
        closed: false,
        storage_class: "standard-rwo".parse().unwrap(),
        domain: "workspaces.example".into(),
        held: false,
        readiness: coditect_core::Readiness::default(),
    }
}

pub(crate) fn placement() -> Placement {
    Placement {
        plan: "free".parse().unwrap(),
        limits: LIMITS,
        cells: vec![cell("local", 1_000)],
    }
}

pub(crate) fn entitlement(plan: &str) -> Entitlement {
    Entitlement {
        plan: plan.parse::<PlanName>().unwrap(),
        limits: LIMITS,
        storage_class: None,
    }
}

pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) store: Arc<FaultyStore>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let store = FaultyStore::new(MemoryStore::new());
        let registry = Registry::open(Arc::clone(&store) as Arc<dyn Store>)
            .await
            .unwrap();
        Self { registry, store }
    }

    /// With a key for the hashes of erased identities.
    pub(crate) async fn with_identity_key() -> Self {
        let world = Self::new().await;
        Self {
            registry: world.registry.with_identity_key(identity_key()),
            ..world
        }
    }

    pub(crate) async fn view(&self) -> View {
        self.registry.view().await.unwrap()
    }

    pub(crate) fn register(email: &str) -> Register {
        Register {
            registration: RegistrationId::random(),
            email: email.parse().unwrap(),
            display_name: "Ada Lovelace".parse().unwrap(),
            password_hash: "$argon2id$test".into(),
            terms: None,
            verification: Verification::None,
            placement: placement(),
            at: at(0),
        }
    }

    pub(crate) async fn sign_up(&self, email: &str) -> Provisioned {
        let register = Self::register(email);
        self.registry
            .apply(RequestId::random(), &register)
            .await
            .unwrap();
        self.provisioned(register.registration).await.unwrap()
    }

    pub(crate) async fn provisioned(&self, registration: RegistrationId) -> Option<Provisioned> {
        match self
            .registry
            .view()
            .await
            .unwrap()
            .registration(registration)
            .await
            .unwrap()?
            .state
        {
            RegistrationState::Complete {
                account,
                tenant,
                user,
                workspace,
                ..
            } => Some(Provisioned {
                account,
                tenant,
                user,
                workspace,
            }),
            _ => None,
        }
    }

    pub(crate) async fn create(&self, person: &Provisioned, name: &str) -> Result<WorkspaceId> {
        let create = CreateWorkspace {
            account: person.account,
            user: person.user,
            name: name.parse().unwrap(),
            entitlement: entitlement("free"),
            cell: cell("local", 1_000),
            at: at(1),
        };
        self.registry.apply(RequestId::random(), &create).await
    }

    /// Does something as a hard life would have it: its commit's result is unknown, and the client sends it again.
    /// Neither changes anything twice.
    pub(crate) async fn once<O: Operation>(&self, operation: &O) -> Result<O::Output> {
        let request = RequestId::random();
        // An operation that is idempotent by itself is told what it finds, so its first answer counts.
        if !O::IDEMPOTENT {
            self.store.inject(Fault::CommitThenUnknown, 1);
        }
        let first = self.registry.apply(request, operation).await;
        self.store.heal();
        if let Ok(first) = &first {
            let before = self.bytes().await;
            let again = self.registry.apply(request, operation).await.unwrap();
            assert!(
                self.bytes().await == before,
                "{} sent again changes something",
                O::NAME
            );
            if !O::IDEMPOTENT {
                assert_eq!(
                    serde_json::to_value(first).unwrap(),
                    serde_json::to_value(&again).unwrap(),
                    "{} sent again answers otherwise",
                    O::NAME
                );
            }
        }
        first
    }

    /// As [`World::once`], of what must be done.
    pub(crate) async fn done<O: Operation>(&self, operation: &O) -> O::Output {
        match self.once(operation).await {
            Ok(output) => output,
            Err(error) => panic!("{}: {error:?}", O::NAME),
        }
    }

    /// As [`World::once`], of what must be refused, and change nothing.
    pub(crate) async fn refused<O: Operation>(&self, operation: &O) -> Kind {
        let before = self.bytes().await;
        match self.once(operation).await {
            Ok(_) => panic!("{} is not refused", O::NAME),
            Err(error) => {
                assert!(
                    self.bytes().await == before,
                    "{} is refused and changes something",
                    O::NAME
                );
                error.kind().clone()
            }
        }
    }

    /// Every key and value of the store.
    pub(crate) async fn entries(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut transaction = self.store.begin().await.unwrap();
        let mut rest = KeyRange {
            begin: vec![0],
            end: vec![0xff],
        };
        let mut entries = Vec::new();
        loop {
            let page = transaction
                .range(&rest, 1_000, false, Isolation::Snapshot)
                .await
                .unwrap();
            let Some((last, _)) = page.entries.last() else {
                return entries;
            };
            rest = rest.after(last);
            entries.extend(page.entries);
        }
    }

    /// Every key that holds the id in any place, but for those of which the layout says that they outlive the person.
    pub(crate) async fn traces(&self, id: Uuid) -> Vec<String> {
        let text = id.to_string();
        let mut found = Vec::new();
        for (key, value) in self.entries().await {
            let parsed = keys::parse(&key).unwrap();
            let holds = key.windows(16).any(|bytes| bytes == id.as_bytes())
                || holds(&key, &text)
                || holds(&value, &text);
            if holds && !matches!(parsed.kind.erasure, OnErasure::Kept(_)) {
                found.push(parsed.to_string());
            }
        }
        found
    }

    /// Every key and value of the store in one heap of bytes.
    pub(crate) async fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in self.entries().await {
            bytes.extend(key);
            bytes.extend(value);
        }
        bytes
    }

    /// The keys of a range: what the operations of a janitor's lists are given.
    pub(crate) async fn keys_of(&self, range: &KeyRange) -> Vec<Vec<u8>> {
        let mut keys = self.entries().await;
        keys.retain(|(key, _)| range.contains(key));
        keys.into_iter().map(|(key, _)| key).collect()
    }

    /// Buries what is due, each in a transaction of its own, and says how many were due.
    pub(crate) async fn bury_due(&self, seconds: i64) -> usize {
        let due = self.keys_of(&keys::grace_until(at(seconds))).await;
        for entry in &due {
            let bury = BuryDue {
                entries: vec![entry.clone()],
                at: at(seconds),
            };
            self.done(&bury).await;
        }
        due.len()
    }

    pub(crate) async fn generation(&self, user: UserId) -> u64 {
        let cell = "local".parse().unwrap();
        self.registry
            .view()
            .await
            .unwrap()
            .intent(&cell, user)
            .await
            .unwrap()
            .unwrap()
            .intent
            .generation
    }
}

pub(crate) fn holds(heap: &[u8], needle: &str) -> bool {
    heap.windows(needle.len())
        .any(|window| window == needle.as_bytes())
}
