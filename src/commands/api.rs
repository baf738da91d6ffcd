use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use coditect_api::{
    ApiConfig, ApiState, KeyRing, Objects, PlanChanges, Rates, SignUp, Verification,
};
use coditect_core::{Catalogue, Error, Result, health::Health};
use coditect_registry::{
    Registry,
    store::{Store, remote},
};
use coditect_renderer::{inputs::Inputs, watch::PolicyWatch};
use serde::Serialize;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Output,
    data::Data,
    exit::Exit,
    local_runtime::{self, Doors},
    observability, output,
    reading::Reader,
    stop,
    upkeep::{self, Keep},
    waiting,
};

/// Serve the HTTP API, and the registry to other processes of this machine.
#[derive(Debug, Args)]
pub(crate) struct Api {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    server: Server,
}

/// How the API is served.
#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// Where to listen; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8080",
        env = "CODITECT_LISTEN"
    )]
    pub(crate) listen: SocketAddr,

    /// Where people reach the API, if not where it listens (`https://api.example.com`).
    #[arg(long, value_name = "URL", env = "CODITECT_PUBLIC_URL")]
    public_url: Option<String>,

    /// Another origin whose pages may call the API with credentials; may be given several times.
    #[arg(
        long = "origin",
        value_name = "ORIGIN",
        env = "CODITECT_ORIGINS",
        value_delimiter = ','
    )]
    origins: Vec<String>,

    /// Origin of the web app, if it is not the public URL: the only one whose pages may frame a workspace.
    #[arg(long, value_name = "ORIGIN", env = "CODITECT_WEB_APP")]
    web_app: Option<String>,

    /// Folder of the built web app (`frontend/dist`), to be served at this address.
    #[arg(long, value_name = "DIR", env = "CODITECT_WEB_APP_FOLDER")]
    web_app_folder: Option<PathBuf>,

    /// Folder of what the cells' clusters publish of their keys (`<cell>/openid-configuration.json` and
    /// `<cell>/jwks.json`), by which workspaces' gateways are known.
    #[arg(long, value_name = "DIR", env = "CODITECT_CELL_KEYS")]
    cell_keys: Option<PathBuf>,

    /// Folder of the contents of files' versions, if it is not `objects` in the data folder. API processes on several
    /// machines share one.
    #[arg(long, value_name = "DIR", env = "CODITECT_OBJECTS")]
    objects: Option<PathBuf>,

    /// Whether a new person must prove that the e-mail address is theirs. `none` is for development alone.
    #[arg(long, value_enum, env = "CODITECT_VERIFICATION")]
    verification: Option<Proof>,

    /// Whether anybody may sign up now: the switch to throw while sign-ups are being abused.
    #[arg(long, value_enum, default_value_t, env = "CODITECT_SIGN_UP")]
    sign_up: Door,

    /// Whether people change their plan themselves, or a payment does. `self-service` is for installations that
    /// sell nothing.
    #[arg(long, value_enum, env = "CODITECT_PLAN_CHANGES")]
    plan_changes: Option<Plans>,

    /// How many proxies of our own stand before the API.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        env = "CODITECT_TRUSTED_PROXY_HOPS"
    )]
    trusted_proxy_hops: usize,

    /// Switch rate limits off: for load tests.
    #[arg(long, env = "CODITECT_NO_RATE_LIMITS")]
    no_rate_limits: bool,

    #[command(flatten)]
    keep: Keep,
}

/// Whether anybody may sign up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Door {
    /// Anybody may.
    #[default]
    Open,
    /// Nobody may now; they are asked to come back.
    Closed,
}

/// Who changes a tenant's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Plans {
    /// Whoever belongs to it.
    SelfService,
    /// A payment.
    Billing,
}

/// Whether a new person must prove their address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proof {
    /// No proof.
    None,
    /// By a link in an e-mail.
    Email,
}

#[derive(Serialize)]
struct Ready {
    url: String,
}

impl Api {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let stop = stop::on_signal();
        let running = Running::start(
            &self.data,
            &self.server,
            Server::production(),
            None,
            stop.clone(),
        )
        .await?;
        match output {
            Output::Text => output::line(&format!("serves {}", running.url)),
            Output::Json => output::json(&Ready {
                url: running.url.clone(),
            })?,
        }
        running.until_stopped().await
    }
}

/// What `dev` decides otherwise than a production server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    verification: Proof,
    plan_changes: PlanChanges,
}

impl Server {
    /// People prove their addresses, and plans are paid for.
    pub(crate) const fn production() -> Mode {
        Mode {
            verification: Proof::Email,
            plan_changes: PlanChanges::Billing,
        }
    }

    /// Nothing needs proof or payment.
    pub(crate) const fn development() -> Mode {
        Mode {
            verification: Proof::None,
            plan_changes: PlanChanges::SelfService,
        }
    }

    fn config(&self, url: &str, mode: Mode, local: bool) -> ApiConfig {
        let mut config = ApiConfig::new(self.public_url.clone().unwrap_or_else(|| url.to_owned()));
        if local {
            config.workspace_url_template = beside(&config.public_url);
        }
        config.origins.clone_from(&self.origins);
        config.web_app.clone_from(&self.web_app);
        config.web_app_folder.clone_from(&self.web_app_folder);
        config.cell_keys.clone_from(&self.cell_keys);
        // Where the public address is this machine's own, its name is as good as its number.
        if let Some(port) = config.public_url.strip_prefix("http://127.0.0.1:") {
            config.origins.push(format!("http://localhost:{port}"));
        }
        config.verification = match self.verification.unwrap_or(mode.verification) {
            Proof::None => Verification::None,
            Proof::Email => Verification::Email,
        };
        config.sign_up = match self.sign_up {
            Door::Open => SignUp::Open,
            Door::Closed => SignUp::Closed,
        };
        config.plan_changes = match self.plan_changes {
            None => mode.plan_changes,
            Some(Plans::SelfService) => PlanChanges::SelfService,
            Some(Plans::Billing) => PlanChanges::Billing,
        };
        config.trusted_proxy_hops = self.trusted_proxy_hops;
        config.rates = (!self.no_rate_limits).then(Rates::default);
        config
    }

    /// Every setting as it would be used.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let or_mode = |value: Option<String>| {
            value.unwrap_or_else(|| "as the command says: none in dev, email otherwise".into())
        };
        vec![
            ("listen", self.listen.to_string()),
            (
                "public-url",
                self.public_url
                    .clone()
                    .unwrap_or_else(|| format!("http://{}", self.listen)),
            ),
            (
                "origins",
                if self.origins.is_empty() {
                    "none".into()
                } else {
                    self.origins.join(", ")
                },
            ),
            (
                "web-app",
                self.web_app
                    .clone()
                    .unwrap_or_else(|| "the public URL".into()),
            ),
            (
                "web-app-folder",
                self.web_app_folder.as_ref().map_or_else(
                    || "none: a small page in its place".into(),
                    |folder| folder.display().to_string(),
                ),
            ),
            (
                "cell-keys",
                self.cell_keys.as_ref().map_or_else(
                    || "none: no workspace's gateway is known".into(),
                    |folder| folder.display().to_string(),
                ),
            ),
            (
                "objects",
                self.objects.as_ref().map_or_else(
                    || "in the data folder".into(),
                    |folder| folder.display().to_string(),
                ),
            ),
            (
                "verification",
                or_mode(
                    self.verification
                        .map(|proof| format!("{proof:?}").to_lowercase()),
                ),
            ),
            ("sign-up", format!("{:?}", self.sign_up).to_lowercase()),
            (
                "plan-changes",
                match self.plan_changes {
                    None => "as the command says: self-service in dev, billing otherwise".into(),
                    Some(Plans::SelfService) => "self-service".into(),
                    Some(Plans::Billing) => "billing".into(),
                },
            ),
            ("trusted-proxy-hops", self.trusted_proxy_hops.to_string()),
            ("audit-days", self.keep.described()),
            (
                "rate-limits",
                if self.no_rate_limits {
                    "off".into()
                } else {
                    "on".into()
                },
            ),
        ]
    }
}

/// A serving API with everything it needs.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) registry: Registry,
    pub(crate) inputs: watch::Receiver<Arc<Inputs>>,
    pub(crate) health: Health,
    serving: tokio::task::JoinHandle<Result<()>>,
    pub(crate) beside: JoinSet<()>,
    stop: CancellationToken,
}

impl Running {
    /// Opens the installation and serves the API, and the registry if this process owns it.
    pub(crate) async fn start(
        data: &Data,
        server: &Server,
        mode: Mode,
        doors: Option<Doors>,
        stop: CancellationToken,
    ) -> Result<Self> {
        let metrics = observability::metrics()?;
        let health = Health::default();
        let owned = if data.store().is_cluster() {
            data.create()?;
            None
        } else {
            let store = data.own()?;
            let socket = remote::serve(store.engine(), data.socket()).await?;
            Some((Registry::open(store as Arc<dyn Store>).await?, socket))
        };
        crate::sample::plant(&data.policy())?;
        let (policy, inputs) = PolicyWatch::own(data.policy(), health.clone()).await?;
        let listener = super::bind(server.listen).await?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::internal("a socket without address").because(error))?;
        let (registry, socket) = match owned {
            Some((registry, socket)) => (registry, Some(socket)),
            None => {
                let router = coditect_api::ops_router(health.clone(), metrics.clone(), None);
                let opening = data.in_cluster(&health, &stop);
                (waiting::answering(&listener, router, opening).await?, None)
            }
        };
        let url = format!("http://{address}");
        let keys = KeyRing::open(data.keys())?;
        let (catalogue, follow) = catalogues(inputs.clone());
        let state = ApiState::new(
            registry.clone(),
            server.config(&url, mode, doors.is_some()),
            catalogue,
            health.clone(),
            keys,
            metrics,
        )?;

        state.read_git_by(Arc::new(Reader::new(data.clone())));
        let folder = server.objects.clone().unwrap_or_else(|| data.objects());
        let objects = Objects::folder(&folder)?;
        state.keep_files_in(objects.clone());

        let mut beside = JoinSet::new();
        if let Some(socket) = socket {
            let closing = stop.clone();
            beside.spawn(async move {
                closing.cancelled().await;
                socket.shutdown().await;
            });
        }
        beside.spawn(policy.run(stop.clone()));
        beside.spawn(stop::or(stop.clone(), follow));
        beside.spawn(upkeep::run(
            registry.clone(),
            objects,
            server.keep,
            health.clone(),
            stop.clone(),
        ));
        let closing = stop.clone();
        let serving = tokio::spawn(async move {
            match doors {
                None => coditect_api::serve(listener, state, closing).await,
                Some(doors) => {
                    let front = local_runtime::before(doors);
                    coditect_api::serve_behind(listener, state, front, closing).await
                }
            }
        });
        Ok(Self {
            url,
            registry,
            inputs,
            health,
            serving,
            beside,
            stop,
        })
    }

    /// Waits until everything has stopped in order.
    pub(crate) async fn until_stopped(self) -> Result<Exit> {
        let served = self
            .serving
            .await
            .map_err(|error| Error::internal("the server panicked").because(error))?;
        self.stop.cancel();
        self.beside.join_all().await;
        served.map(|()| Exit::Done)
    }
}

/// Workspaces that this process answers for are reached as it is: by the same scheme and port.
fn beside(public_url: &str) -> String {
    let (scheme, authority) = public_url.split_once("://").unwrap_or(("http", public_url));
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    match port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(port) => format!("{scheme}://{{host}}:{port}"),
        None => format!("{scheme}://{{host}}"),
    }
}

/// What the API needs of the policy, always of the newest edition.
pub(super) fn catalogues(
    mut inputs: watch::Receiver<Arc<Inputs>>,
) -> (watch::Receiver<Arc<Catalogue>>, impl Future<Output = ()>) {
    let (newest, receiver) = watch::channel(Arc::new(inputs.borrow().policy.catalogue()));
    let follow = async move {
        while inputs.changed().await.is_ok() {
            let catalogue = Arc::new(inputs.borrow_and_update().policy.catalogue());
            newest.send_replace(catalogue);
        }
    };
    (receiver, follow)
}
