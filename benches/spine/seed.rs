//! An installation filled through the registry.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use coditect_core::{CellName, CellSummary, RegistrationId, RequestId};
use coditect_registry::{
    Registry,
    operation::{Placement, Register, Verification},
    store::{Store, embedded::EmbeddedStore},
};
use coditect_renderer::inputs::Inputs;
use jiff::Timestamp;
use tokio::task::JoinSet;

/// How many sign-ups are under way at once while seeding: they share fsyncs.
const AT_ONCE: usize = 64;

pub(crate) struct Installation {
    pub(crate) registry: Registry,
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) cells: Vec<CellSummary>,
    next: AtomicUsize,
}

impl Installation {
    /// Opens the installation in `folder` with so many cells, each like the sample's.
    pub(crate) async fn open(folder: &Path, cells: usize) -> Arc<Self> {
        let policy = folder.join("policy");
        if !policy.exists() {
            plant(&policy, cells);
        }
        let inputs = Arc::new(Inputs::load(&policy).unwrap());
        // A cell is meant for 5,000 users; the peers are measured at twice that.
        let roomy = |cell| CellSummary {
            capacity: u32::MAX,
            ..cell
        };
        let cells = inputs.policy.catalogue().cells;
        let cells = cells.into_values().map(roomy).collect();
        let store = EmbeddedStore::open(folder.join("registry.redb")).unwrap();
        let registry = Registry::open(store as Arc<dyn Store>).await.unwrap();
        Arc::new(Self {
            registry,
            inputs,
            cells,
            next: AtomicUsize::new(0),
        })
    }

    /// Signs up one person in the cell given.
    pub(crate) async fn sign_up(&self, cell: &CellSummary) {
        let catalogue = self.inputs.policy.catalogue();
        let plan = &catalogue.plans[catalogue.default_plan.as_ref().unwrap()];
        let register = Register {
            registration: RegistrationId::random(),
            email: format!("p{}@example.com", self.next.fetch_add(1, Ordering::Relaxed))
                .parse()
                .unwrap(),
            display_name: "Ada Lovelace".parse().unwrap(),
            password_hash:
                "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaVsg".into(),
            terms: None,
            verification: Verification::None,
            placement: Placement {
                plan: plan.name.clone(),
                limits: plan.limits,
                cells: vec![cell.clone()],
            },
            at: Timestamp::now(),
        };
        self.registry
            .apply(RequestId::random(), &register)
            .await
            .unwrap();
    }

    /// Signs up so many people, spread over the cells.
    pub(crate) async fn fill(self: &Arc<Self>, users: usize) {
        let mut running = JoinSet::new();
        for number in 0..users {
            if running.len() >= AT_ONCE {
                running.join_next().await.unwrap().unwrap();
            }
            let this = Arc::clone(self);
            running
                .spawn(async move { this.sign_up(&this.cells[number % this.cells.len()]).await });
        }
        running.join_all().await;
    }

    pub(crate) fn repository(folder: &Path, cell: &CellName) -> std::path::PathBuf {
        folder.join("cells").join(format!("{cell}.git"))
    }
}

/// The repository's own sample policy, with as many cells as asked for.
fn plant(folder: &Path, cells: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for part in ["tenants", "templates"] {
        copy(&root.join(part), &folder.join(part));
    }
    let sample = std::fs::read_to_string(folder.join("tenants/cells/local.yaml")).unwrap();
    for number in 0..cells {
        let name = if number == 0 {
            "local".to_owned()
        } else {
            format!("cell-{number}")
        };
        std::fs::write(folder.join(format!("tenants/cells/{name}.yaml")), &sample).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
