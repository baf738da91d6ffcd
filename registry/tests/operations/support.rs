//! A registry to try operations on.

use std::sync::Arc;

use coditect_core::{
    CellSummary, Entitlement, Limits, PlanName, PodSize, RegistrationId, RequestId, UserId,
    WorkspaceId,
};
use coditect_registry::{
    Registry,
    operation::{CreateWorkspace, Placement, Provisioned, Register, Verification},
    record::RegistrationState,
    store::{Isolation, KeyRange, Store, faulty::FaultyStore, memory::MemoryStore},
};
use jiff::Timestamp;

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

    pub(crate) fn register(email: &str) -> Register {
        Register {
            registration: RegistrationId::random(),
            email: email.parse().unwrap(),
            display_name: "Ada Lovelace".parse().unwrap(),
            password_hash: "$argon2id$test".into(),
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

    pub(crate) async fn create(
        &self,
        person: &Provisioned,
        name: &str,
    ) -> coditect_core::Result<WorkspaceId> {
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

    /// Every key and value of the store in one heap of bytes.
    pub(crate) async fn bytes(&self) -> Vec<u8> {
        let mut transaction = self.store.begin().await.unwrap();
        let all = KeyRange {
            begin: vec![0],
            end: vec![0xff],
        };
        let mut bytes = Vec::new();
        let mut rest = all.clone();
        loop {
            let page = transaction
                .range(&rest, 1_000, false, Isolation::Snapshot)
                .await
                .unwrap();
            let Some((last, _)) = page.entries.last() else {
                return bytes;
            };
            rest = all.after(last);
            for (key, value) in page.entries {
                bytes.extend(key);
                bytes.extend(value);
            }
        }
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
