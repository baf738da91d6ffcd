//! A running API and a client that forgets nothing of an answer.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, Once, OnceLock},
    time::Duration,
};

use coditect_api::{
    ApiConfig, ApiState, Hashing, KeyRing, Objects, PlanChanges, Verification, metrics_builder,
    serve,
};
use coditect_core::{
    Catalogue, CellSummary, Limits, Plan, PodSize, RequestId, WorkspaceId, catalogue::Override,
    health::Health,
};
use coditect_registry::{
    Registry,
    operation::NoteCommitted,
    store::{faulty::FaultyStore, memory::MemoryStore},
};
use jiff::{SignedDuration, Timestamp};
use metrics_exporter_prometheus::PrometheusHandle;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) use crate::answer::{Answer, Person};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// One recorder for the test process, as in a real one.
pub(crate) fn metrics_handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| metrics_builder().install_recorder().unwrap())
        .clone()
}

thread_local! {
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Writes a line of the log to where the thread's test collects it, if it does.
struct ToTest;

impl io::Write for ToTest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.iter_mut().for_each(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects what this thread logs from now on. A test's server runs on the test's own thread.
pub(crate) fn capture_log() {
    LOG.set(Some(Vec::new()));
}

/// What was logged since.
pub(crate) fn captured_log() -> String {
    String::from_utf8(LOG.take().unwrap_or_default()).unwrap()
}

/// One subscriber for the test process, set before anything is logged.
fn log_to_tests() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let builder = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::DEBUG);
        builder.with_writer(|| ToTest).init();
    });
}

pub(crate) struct App {
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    pub(crate) registry: Registry,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) policy: watch::Sender<Arc<Catalogue>>,
    pub(crate) health: Health,
    pub(crate) keys: KeyRing,
    pub(crate) state: ApiState,
    /// Where the contents of files are kept.
    pub(crate) folder: TempDir,
    pub(crate) objects: Objects,
    pub(crate) stop: CancellationToken,
    pub(crate) server: JoinHandle<coditect_core::Result<()>>,
    clock: Arc<Mutex<Timestamp>>,
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut ApiConfig)) -> Self {
        log_to_tests();
        let store = FaultyStore::new(MemoryStore::new());
        let registry = Registry::open(store.clone()).await.unwrap();
        let clock = Arc::new(Mutex::new(Timestamp::now()));
        let keys = KeyRing::ephemeral().unwrap();
        Self::over((store, registry, clock, keys), None, adjust).await
    }

    /// Another API over the same registry, which takes the same tokens.
    pub(crate) async fn beside(&self, adjust: impl FnOnce(&mut ApiConfig)) -> Self {
        let parts = (
            self.store.clone(),
            self.registry.clone(),
            Arc::clone(&self.clock),
            self.keys.clone(),
        );
        Self::over(parts, Some(&self.base), adjust).await
    }

    async fn over(
        (store, registry, clock, keys): (
            Arc<FaultyStore>,
            Registry,
            Arc<Mutex<Timestamp>>,
            KeyRing,
        ),
        public_url: Option<&str>,
        adjust: impl FnOnce(&mut ApiConfig),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut config = ApiConfig::new(public_url.unwrap_or(&base));
        config.verification = Verification::None;
        config.plan_changes = PlanChanges::SelfService;
        config.rates = None;
        // Real hashing takes most of a test's time and is tested where it is written.
        config.hashing = Hashing {
            memory_kib: 64,
            passes: 1,
            workers: 2,
            queue: 64,
        };
        adjust(&mut config);
        let (policy, policies) = watch::channel(Arc::new(catalogue()));
        let health = Health::default();
        let now = {
            let clock = Arc::clone(&clock);
            move || *clock.lock().unwrap()
        };
        let state = ApiState::with_clock(
            registry.clone(),
            config,
            policies,
            health.clone(),
            keys.clone(),
            metrics_handle(),
            now,
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::folder(folder.path()).unwrap();
        state.keep_files_in(objects.clone());
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, state.clone(), stop.clone()));
        Self {
            base,
            client: reqwest::Client::new(),
            registry,
            store,
            policy,
            health,
            keys,
            state,
            folder,
            objects,
            stop,
            server,
            clock,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }

    /// Lets time pass, for everything that goes by the API's clock.
    pub(crate) fn advance(&self, seconds: i64) {
        let mut clock = self.clock.lock().unwrap();
        *clock += SignedDuration::from_secs(seconds);
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(
            Method::from_bytes(method.as_bytes()).unwrap(),
            format!("{}{path}", self.base),
        )
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("POST", path).json(body)).await
    }

    /// A request of a signed-in person.
    pub(crate) async fn call(
        &self,
        person: &Person,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let request = self.request(method, path).bearer_auth(&person.token);
        self.send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// As [`App::call`], with one more header.
    pub(crate) async fn call_with(
        &self,
        person: &Person,
        method: &str,
        path: &str,
        header: (&str, &str),
        body: Option<Value>,
    ) -> Answer {
        let request = self
            .request(method, path)
            .bearer_auth(&person.token)
            .header(header.0, header.1);
        self.send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    pub(crate) async fn register(&self, email: &str) -> Answer {
        self.post(
            "/api/v5/auth/register",
            &json!({ "email": email, "password": PASSWORD, "display_name": "Ada" }),
        )
        .await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        self.post(
            "/api/v5/auth/login",
            &json!({ "email": email, "password": password }),
        )
        .await
    }

    pub(crate) async fn refresh(&self, cookie: &str) -> Answer {
        self.send(
            self.request("POST", "/api/v5/auth/refresh")
                .header("cookie", cookie),
        )
        .await
    }

    /// Signs a new person up and in.
    pub(crate) async fn person(&self, email: &str) -> Person {
        let accepted = self.register(email).await.expect(202).json();
        let session = format!("{}/session", accepted["status_url"].as_str().unwrap());
        Person::of(&self.send(self.request("POST", &session)).await.expect(200))
    }

    /// The person as the API shows them.
    pub(crate) async fn me(&self, person: &Person) -> Value {
        let answer = self.call(person, "GET", "/api/v5/me", None).await;
        answer.expect(200).json()
    }

    /// The person's workspaces.
    pub(crate) async fn workspaces(&self, person: &Person) -> Vec<Value> {
        self.call(person, "GET", "/api/v5/workspaces", None)
            .await
            .expect(200)
            .json()["items"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// The path of the person's first workspace.
    pub(crate) async fn workspace(&self, person: &Person) -> String {
        format!(
            "/api/v5/workspaces/{}",
            self.workspaces(person).await[0]["id"].as_str().unwrap()
        )
    }

    /// Does what a renderer does once a commit with the workspace's newest state is published.
    pub(crate) async fn commit(&self, person: &Person, path: &str, commit: &str) {
        let me = self.me(person).await;
        let user = me["user_id"].as_str().unwrap().parse().unwrap();
        let cell = "local".parse().unwrap();
        let row = self
            .registry
            .view()
            .await
            .unwrap()
            .intent(&cell, user)
            .await
            .unwrap()
            .unwrap();
        let id: WorkspaceId = path.rsplit('/').next().unwrap().parse().unwrap();
        assert!(row.intent.workspace(id).is_some());
        let noted = NoteCommitted {
            cell,
            commit: commit.to_owned(),
            rows: vec![row],
            checkpoint: None,
            at: self.now(),
        };
        self.registry
            .apply(RequestId::random(), &noted)
            .await
            .unwrap();
    }

    /// Waits until what answered requests left behind is done.
    pub(crate) async fn settled(&self) {
        self.state.settled().await;
    }

    /// Everything the registry holds, as one number: unchanged if nothing was written.
    pub(crate) async fn version(&self) -> u64 {
        self.registry
            .view()
            .await
            .unwrap()
            .version()
            .await
            .unwrap()
            .0
    }

    pub(crate) fn set_override(&self, tenant: &str, reviewed: Override) {
        let tenant = tenant.parse().unwrap();
        self.policy.send_modify(|policy| {
            let mut changed = (**policy).clone();
            changed.overrides.insert(tenant, reviewed);
            *policy = Arc::new(changed);
        });
    }
}

/// What an API with this configuration works with, or why it does not.
pub(crate) async fn state(config: ApiConfig) -> coditect_core::Result<ApiState> {
    let registry = Registry::open(MemoryStore::new()).await?;
    let (_, policies) = watch::channel(Arc::new(catalogue()));
    ApiState::new(
        registry,
        config,
        policies,
        Health::default(),
        KeyRing::ephemeral()?,
        metrics_handle(),
    )
}

pub(crate) fn limits(storage_gib: u32, workspaces: u32) -> Limits {
    let pod = PodSize {
        cpu_millis: 1_000,
        cpu_request_millis: 250,
        memory_mib: 1_024,
        ephemeral_storage_mib: 2_048,
        pids: 512,
    };
    Limits {
        storage_gib,
        hours_per_month: 10,
        llm_requests_per_month: 100,
        workspaces,
        idle_minutes: 30,
        pod,
    }
}

fn catalogue() -> Catalogue {
    let plan = |name: &str, price, storage, workspaces| Plan {
        name: name.parse().unwrap(),
        price_cents_per_month: price,
        limits: limits(storage, workspaces),
    };
    let plans = [
        plan("free", 0, 1, 2),
        plan("starter", 2_900, 10, 5),
        plan("pro", 9_900, 100, 20),
    ];
    let cell = CellSummary {
        name: "local".parse().unwrap(),
        capacity: 5_000,
        closed: false,
        storage_class: "standard-rwo".parse().unwrap(),
        domain: "ide.example".to_owned(),
        held: false,
        readiness: coditect_core::Readiness::default(),
    };
    Catalogue {
        plans: plans
            .into_iter()
            .map(|plan| (plan.name.clone(), plan))
            .collect(),
        default_plan: Some("free".parse().unwrap()),
        overrides: BTreeMap::new(),
        cells: [(cell.name.clone(), cell)].into(),
        grace_days: 7,
    }
}

/// Longest time to wait for something that must happen; reached only when it does not.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
