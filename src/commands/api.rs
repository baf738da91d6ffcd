use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use coditect_api::{
    ApiConfig, ApiState, Delivery, KeyRing, Objects, Plain, PlanChanges, Rates, SignUp,
    Verification, serve_behind,
};
use coditect_core::{AccountId, Catalogue, Error, Result, health::Health};
use coditect_registry::{
    Registry,
    store::{Store, remote},
};
use coditect_renderer::inputs::Inputs;
use serde::Serialize;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    address,
    cli::Output,
    data::Data,
    exit::Exit,
    local_runtime::{self, Doors, Tokens},
    mail::Mail,
    observability, output,
    policy::Source,
    providers::Providers,
    reading::Reader,
    stop,
    tls::Tls,
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

    /// Whether a new person must prove that the e-mail address is theirs, by the code of a letter, before anything of
    /// theirs exists. `email` needs --mail-relay (or dev, which shows letters at /dev/mailbox) and is what `api` does;
    /// `none` lets anybody take any address and is what `dev` does.
    #[arg(long, value_enum, env = "CODITECT_VERIFICATION")]
    verification: Option<Proof>,

    /// Whether anybody may sign up now: the switch to throw while sign-ups are being abused.
    #[arg(long, value_enum, default_value_t, env = "CODITECT_SIGN_UP")]
    sign_up: Door,

    #[command(flatten)]
    providers: Providers,

    /// An account that administers the installation; may be given several times. `GET /api/v5/me` tells one's own.
    #[arg(
        long = "administrator",
        value_name = "ACCOUNT",
        env = "CODITECT_ADMINISTRATORS",
        value_delimiter = ','
    )]
    administrators: Vec<AccountId>,

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

    /// How many new workspaces the people of one network (an IPv4 address, 64 bits of an IPv6 address) get an hour.
    #[arg(
        long,
        value_name = "N",
        default_value_t = Rates::default().new_workspaces_an_hour,
        env = "CODITECT_NEW_WORKSPACES_AN_HOUR",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    new_workspaces_an_hour: u32,

    /// Switch rate limits off: for load tests.
    #[arg(long, env = "CODITECT_NO_RATE_LIMITS")]
    no_rate_limits: bool,

    #[command(flatten)]
    pub(crate) policy: Source,

    #[command(flatten)]
    mail: Mail,

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
    /// Whether letters that go nowhere else are shown to this machine.
    has_mailbox: bool,
    /// Whether it speaks HTTPS itself, by an authority of its own.
    tls: bool,
}

impl Server {
    /// People prove their addresses, and plans are paid for.
    pub(crate) const fn production() -> Mode {
        Mode {
            verification: Proof::Email,
            plan_changes: PlanChanges::Billing,
            has_mailbox: false,
            tls: false,
        }
    }

    /// Nothing needs proof or payment.
    pub(crate) const fn development(tls: bool) -> Mode {
        Mode {
            verification: Proof::None,
            plan_changes: PlanChanges::SelfService,
            has_mailbox: true,
            tls,
        }
    }

    /// Refuses a public URL at which people may not be served like that.
    ///
    /// # Errors
    /// `Invalid` with what can be done.
    pub(crate) fn check_public_url(&self, tls: bool) -> Result<()> {
        let url = self.public(&format!("{}://{}", address::scheme(tls), self.listen));
        address::check(&url, tls)
    }

    /// Whether letters go nowhere but to the page that `dev` has for them.
    pub(crate) fn keeps_letters(&self) -> bool {
        matches!(self.mail.delivery(Delivery::Mailbox), Delivery::Mailbox)
    }

    /// Where people reach what listens at `url`.
    fn public(&self, url: &str) -> String {
        self.public_url.clone().unwrap_or_else(|| url.to_owned())
    }

    /// Origins of the workspaces that the process at `url` answers for, in which `{host}` is a workspace's.
    pub(crate) fn workspaces_beside(&self, url: &str) -> String {
        address::beside(&self.public(url))
    }

    fn config(&self, url: &str, mode: Mode, local: Option<&Local>) -> ApiConfig {
        let mut config = ApiConfig::new(self.public(url));
        if local.is_some() {
            config.workspace_url_template = address::beside(&config.public_url);
        }
        config.origins.clone_from(&self.origins);
        config.web_app.clone_from(&self.web_app);
        config.web_app_folder.clone_from(&self.web_app_folder);
        let of_pods = local.map(|local| local.tokens.folder().to_owned());
        config.cell_keys = of_pods.or_else(|| self.cell_keys.clone());
        // Where the public address is this machine's own, its name is as good as its number.
        for scheme in ["http", "https"] {
            let by_number = format!("{scheme}://127.0.0.1:");
            if let Some(port) = config.public_url.strip_prefix(&by_number) {
                config.origins.push(format!("{scheme}://localhost:{port}"));
            }
        }
        config.verification = match self.verification.unwrap_or(mode.verification) {
            Proof::None => Verification::None,
            Proof::Email => Verification::Email,
        };
        config.mail = self.mail.delivery(match mode.has_mailbox {
            true => Delivery::Mailbox,
            false => Delivery::None,
        });
        config.providers = self.providers.configured();
        config.administrators = self.administrators.iter().copied().collect();
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
        config.rates = (!self.no_rate_limits).then(|| Rates {
            new_workspaces_an_hour: self.new_workspaces_an_hour,
            ..Rates::default()
        });
        config
    }

    /// Every setting as it would be used.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let or_mode = |value: Option<String>| {
            value.unwrap_or_else(|| "as the command says: none in dev, email otherwise".into())
        };
        let mut settings = vec![
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
            ("administrators", self.administrators.len().to_string()),
            (
                "plan-changes",
                match self.plan_changes {
                    None => "as the command says: self-service in dev, billing otherwise".into(),
                    Some(Plans::SelfService) => "self-service".into(),
                    Some(Plans::Billing) => "billing".into(),
                },
            ),
            ("trusted-proxy-hops", self.trusted_proxy_hops.to_string()),
            (
                "new-workspaces-an-hour",
                self.new_workspaces_an_hour.to_string(),
            ),
            ("audit-days", self.keep.described()),
            (
                "rate-limits",
                if self.no_rate_limits {
                    "off".into()
                } else {
                    "on".into()
                },
            ),
        ];
        settings.extend(self.mail.described());
        settings.extend(self.providers.settings());
        settings
    }
}

/// What an API is served with whose workspaces run on this machine.
#[derive(Clone)]
pub(crate) struct Local {
    /// Where they answer.
    pub(crate) doors: Doors,
    /// By which it knows their pods.
    pub(crate) tokens: Arc<Tokens>,
}

/// A serving API with everything it needs.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) url: String,
    /// Where people reach it.
    pub(crate) public_url: String,
    /// The certificate of the authority that vouches for both, and whether it is a new one; none without TLS.
    pub(crate) authority: Option<(PathBuf, bool)>,
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
        local: Option<Local>,
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
        let (policy, inputs) = server.policy.own(data, &health).await?;
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
        let url = format!("{}://{address}", address::scheme(mode.tls));
        let public_url = server.public(&url);
        let keys = KeyRing::open(data.keys())?;
        let registry = registry.with_identity_key(keys.identity_key());
        let (catalogue, follow) = catalogues(inputs.clone());
        let tls = match mode.tls {
            true => {
                let policy = Arc::clone(&catalogue.borrow());
                Some(Tls::open(&data.tls(), &public_url, address.ip(), &policy)?)
            }
            false => None,
        };
        let app = server.web_app.as_deref().unwrap_or(&public_url);
        for cell in catalogue.borrow().cells.values() {
            if let Some(shared) = address::shared(app, &cell.domain) {
                tracing::warn!(
                    app,
                    workspaces = cell.domain,
                    "both lie below {shared}: unless that is a public suffix, a workspace's page can set cookies for the \
                     web app, and SameSite keeps nothing apart; give workspaces a domain of their own"
                );
            }
        }
        if let Some(local) = &local {
            local.tokens.publish(catalogue.borrow().cells.keys())?;
        }
        let state = ApiState::new(
            registry.clone(),
            server.config(&url, mode, local.as_ref()),
            catalogue.clone(),
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
        let authority = tls
            .as_ref()
            .map(|tls| (tls.file().to_owned(), tls.is_new()));
        let https = tls.as_ref().map(|tls| tls.https(&public_url)).transpose()?;
        if let Some(tls) = tls {
            beside.spawn(tls.renew(catalogue, health.clone(), stop.clone()));
        }
        let closing = stop.clone();
        let serving = tokio::spawn(async move {
            let front = local_runtime::before(local.map(|local| local.doors).unwrap_or_default());
            match https {
                None => serve_behind(listener, Plain, state, front, closing).await,
                Some(https) => serve_behind(listener, https, state, front, closing).await,
            }
        });
        Ok(Self {
            url,
            public_url,
            authority,
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
