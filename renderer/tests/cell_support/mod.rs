//! A renderer at work on a real repository, over a registry in memory that can be told to fail.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use coditect_core::{
    CellName, Plan, RegistrationId, RequestId, UserId, UserIntent,
    health::{Health, State},
};
use coditect_registry::{
    Registry,
    operation::{Placement, Provisioned, Register, SetPlan, Verification},
    record::RegistrationState,
    store::{Store, faulty::FaultyStore, memory::MemoryStore},
};
use coditect_renderer::{
    git::{CellRepository, Oid, PolicyRepository, ShardTree},
    inputs::Inputs,
    render::intent_of,
    service::{Service, Settings},
};
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

pub(crate) fn local() -> CellName {
    "local".parse().unwrap()
}

/// A cell with its registry, its policy repository and its repository.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) registry: Registry,
    pub(crate) health: Health,
    pub(crate) inputs: watch::Sender<Arc<Inputs>>,
    pub(crate) receiver: watch::Receiver<Arc<Inputs>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let folder = tempfile::tempdir().unwrap();
        for part in ["tenants", "templates"] {
            copy(&root.join(part), &folder.path().join("policy").join(part));
        }
        let inputs = load(&folder.path().join("policy"));
        let (inputs, receiver) = watch::channel(inputs);
        let store = FaultyStore::new(MemoryStore::new());
        let registry = Registry::open(Arc::clone(&store) as Arc<dyn Store>)
            .await
            .unwrap();
        Self {
            folder,
            store,
            registry,
            health: Health::default(),
            inputs,
            receiver,
        }
    }

    /// The policy repository.
    pub(crate) fn policy(&self) -> PolicyRepository {
        PolicyRepository::open_or_init(self.folder.path().join("policy")).unwrap()
    }

    /// Replaces a text in a file of the policy repository and puts the edition in force.
    pub(crate) fn edit(&self, file: &str, before: &str, after: &str) {
        let path = self.folder.path().join("policy").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(before), "{file} has no {before:?}");
        self.write(file, &text.replace(before, after));
    }

    /// Writes a file of the policy repository and puts the edition in force.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let policy = self.folder.path().join("policy");
        let path = policy.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self.inputs.send_replace(load(&policy));
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("local.git")
    }

    pub(crate) fn start(&self) -> (JoinHandle<()>, CancellationToken) {
        let stop = CancellationToken::new();
        let mut settings = Settings::new(local(), self.path());
        settings.poll = Duration::from_millis(50);
        let service = Service::new(
            self.registry.clone(),
            settings,
            self.receiver.clone(),
            self.health.clone(),
        );
        (tokio::spawn(service.run(stop.clone())), stop)
    }

    pub(crate) async fn sign_up(&self, number: usize) -> Provisioned {
        self.sign_up_with(number, None).await
    }

    /// Signs up somebody whose plan may be one that no policy has.
    pub(crate) async fn sign_up_with(&self, number: usize, plan_name: Option<&str>) -> Provisioned {
        let inputs = self.inputs.borrow().clone();
        let catalogue = inputs.policy.catalogue();
        let plan = &catalogue.plans[&"starter".parse().unwrap()];
        let register = Register {
            registration: RegistrationId::random(),
            email: format!("p{number}@example.com").parse().unwrap(),
            display_name: "Ada".parse().unwrap(),
            password_hash: "hash".into(),
            terms: None,
            verification: Verification::None,
            placement: Placement {
                plan: plan_name.map_or_else(|| plan.name.clone(), |name| name.parse().unwrap()),
                limits: plan.limits,
                cells: catalogue.cells.values().cloned().collect(),
            },
            at: Timestamp::now(),
        };
        self.registry
            .apply(RequestId::random(), &register)
            .await
            .unwrap();
        match self
            .registry
            .view()
            .await
            .unwrap()
            .registration(register.registration)
            .await
            .unwrap()
            .unwrap()
            .state
        {
            RegistrationState::Complete {
                account,
                tenant,
                user,
                workspace,
                ..
            } => Provisioned {
                account,
                tenant,
                user,
                workspace,
            },
            other => panic!("{other:?}"),
        }
    }

    /// The person's tenant comes onto the plan `pro`; gives it.
    pub(crate) async fn upgrade(&self, person: &Provisioned) -> Plan {
        let catalogue = self.inputs.borrow().policy.catalogue();
        let plan = &catalogue.plans[&"pro".parse().unwrap()];
        let set = SetPlan {
            actor: None,
            tenant: person.tenant,
            plan: plan.name.clone(),
            limits: plan.limits,
            at: Timestamp::now(),
        };
        let set = self.registry.apply(RequestId::random(), &set);
        set.await.unwrap();
        plan.clone()
    }

    pub(crate) fn users(&self) -> BTreeSet<UserId> {
        let Ok(repository) = CellRepository::open(self.path()) else {
            return BTreeSet::new();
        };
        let Some(head) = repository.head().unwrap() else {
            return BTreeSet::new();
        };
        repository
            .tree(head.commit)
            .unwrap()
            .iter()
            .map(|(_, user, _)| user)
            .collect()
    }

    /// What Git says was wanted for the user.
    pub(crate) fn intent_in_git(&self, user: UserId) -> UserIntent {
        let repository = CellRepository::open(self.path()).unwrap();
        let head = repository.head_commit().unwrap().unwrap();
        let (_, blob) = repository.tree(head).unwrap().find(user).unwrap();
        intent_of(&repository.blob(blob).unwrap()).unwrap()
    }

    pub(crate) fn repository(&self) -> CellRepository {
        CellRepository::open(self.path()).unwrap()
    }

    pub(crate) fn head(&self) -> Oid {
        self.repository().head_commit().unwrap().unwrap()
    }

    pub(crate) fn tree(&self) -> ShardTree {
        self.repository().tree(self.head()).unwrap()
    }

    /// What Git holds of the user now: the blob and its text. None before the first commit of the user.
    pub(crate) fn file(&self, user: UserId) -> Option<(Oid, String)> {
        let repository = CellRepository::open(self.path()).ok()?;
        let head = repository.head_commit().unwrap()?;
        let (_, blob) = repository.tree(head).unwrap().find(user)?;
        Some((
            blob,
            String::from_utf8(repository.blob(blob).unwrap()).unwrap(),
        ))
    }

    /// Waits until `is` holds; panics after a minute with what health said last.
    pub(crate) async fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        for _ in 0..3_000 {
            if is(self) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("never: {what}; {:?}", self.health.snapshot());
    }

    pub(crate) fn said(&self) -> String {
        match self.health.snapshot().remove("renderer/local") {
            Some(State::Ok { detail } | State::Degraded { detail } | State::Failing { detail }) => {
                detail
            }
            None => String::new(),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

fn load(policy: &Path) -> Arc<Inputs> {
    let repository = PolicyRepository::open_or_init(policy).unwrap();
    Arc::new(Inputs::load_and_commit(&repository, policy, "test").unwrap())
}

/// Subjects and bodies of the branch's commits, the newest first.
pub(crate) fn commits(path: &Path) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(path)
        .args(["log", "--format=%s%n%b", "main"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}
