//! What every handler works with.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, Uri};
use coditect_core::{AccountId, Catalogue, Error, Kind, Result, WorkspaceId, health::Health};
use coditect_registry::Registry;
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    after::AfterAnswers,
    cell_keys::CellKeys,
    config::{ApiConfig, Verification},
    gateway_token::GatewayTokens,
    identity::Providers,
    key_ring::KeyRing,
    mail::Mail,
    objects::Objects,
    password::Passwords,
    rate::{Limits, Tally},
    repositories::Repositories,
    revoked::Revoked,
    route::{Site, name_of_origin},
    token::AccessTokens,
    web_app::WebApp,
};

/// How many wishes may be told before a gateway that waits has heard the first; one that missed some looks.
const RESTORES: usize = 256;

/// Everything the API needs to answer. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct ApiState(Arc<Parts>);

/// The parts of an [`ApiState`]; opaque from outside.
pub struct Parts {
    pub(crate) registry: Registry,
    pub(crate) config: ApiConfig,
    pub(crate) catalogue: watch::Receiver<Arc<Catalogue>>,
    pub(crate) health: Health,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) tokens: AccessTokens,
    pub(crate) gateways: GatewayTokens,
    /// Sign-ins of others.
    pub(crate) providers: Providers,
    /// By which clusters' tokens of pods are known.
    pub(crate) cells: CellKeys,
    /// Who ended their sign-in lately.
    pub(crate) revoked: Revoked,
    repositories: OnceLock<Arc<dyn Repositories>>,
    objects: OnceLock<Objects>,
    /// In which workspace somebody has just asked for a file back.
    pub(crate) restores: broadcast::Sender<WorkspaceId>,
    /// The built web app, if it is served here.
    pub(crate) web: Option<WebApp>,
    /// The only origin whose pages may frame a workspace.
    pub(crate) web_app: String,
    pub(crate) passwords: Passwords,
    /// What requests leave behind.
    pub(crate) after_answers: AfterAnswers,
    /// Letters to people.
    pub(crate) mail: Mail,
    pub(crate) limits: Option<Limits>,
    /// What limits let through, for other processes of the API.
    pub(crate) tally: Arc<Tally>,
    pub(crate) origins: Vec<String>,
    /// The host names of those origins: never taken for a workspace's.
    pub(crate) own_hosts: Vec<String>,
    /// Cancelled when the server stops: event streams end, readiness goes.
    pub(crate) stopping: CancellationToken,
    streams: Mutex<HashMap<AccountId, usize>>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl ApiState {
    /// Puts the parts together.
    ///
    /// # Errors
    /// `Invalid` naming the setting that makes no sense.
    pub fn new(
        registry: Registry,
        config: ApiConfig,
        catalogue: watch::Receiver<Arc<Catalogue>>,
        health: Health,
        keys: KeyRing,
        metrics: PrometheusHandle,
    ) -> Result<Self> {
        Self::with_clock(
            registry,
            config,
            catalogue,
            health,
            keys,
            metrics,
            Timestamp::now,
        )
    }

    /// As [`ApiState::new`], with another clock: for tests of what happens after hours.
    ///
    /// # Errors
    /// As [`ApiState::new`].
    pub fn with_clock(
        registry: Registry,
        config: ApiConfig,
        catalogue: watch::Receiver<Arc<Catalogue>>,
        health: Health,
        keys: KeyRing,
        metrics: PrometheusHandle,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self> {
        let origins = config.allowed_origins()?;
        let (web_app, stopping) = (config.web_app_origin()?, CancellationToken::new());
        let tally = Arc::new(Tally::new(keys.clone()));
        let mail = Mail::open(
            &config.mail,
            web_app.clone(),
            &tally,
            health.clone(),
            stopping.clone(),
        )?;
        if config.verification == Verification::Email && !mail.is_on() {
            mail.is_missed();
        }
        Ok(Self(Arc::new(Parts {
            own_hosts: origins
                .iter()
                .filter_map(|origin| name_of_origin(origin))
                .collect(),
            origins,
            repositories: OnceLock::new(),
            objects: OnceLock::new(),
            restores: broadcast::Sender::new(RESTORES),
            providers: Providers::new(&config.providers, &config.public_url)?,
            web: match &config.web_app_folder {
                Some(folder) => Some(WebApp::load(folder)?),
                None => None,
            },
            after_answers: AfterAnswers::new(),
            mail,
            web_app,
            gateways: GatewayTokens::new(keys.clone(), config.public_url.clone()),
            cells: CellKeys::open(config.cell_keys.clone())?,
            revoked: Revoked::new(),
            tokens: AccessTokens::new(
                keys,
                config.public_url.clone(),
                config.access_token_lifetime,
            ),
            passwords: Passwords::new(&config.hashing)?,
            limits: config
                .rates
                .as_ref()
                .map(|rates| Limits::new(rates, &tally)),
            tally,
            stopping,
            streams: Mutex::new(HashMap::new()),
            clock: Box::new(clock),
            registry,
            config,
            catalogue,
            health,
            metrics,
        })))
    }

    /// From now on what Git holds is read by this. Only the first call counts.
    pub fn read_git_by(&self, repositories: Arc<dyn Repositories>) {
        // A second reader would read the same repositories.
        let _ = self.0.repositories.set(repositories);
    }

    /// What reads Git, if anything does.
    pub(crate) fn repositories(&self) -> Option<Arc<dyn Repositories>> {
        self.0.repositories.get().cloned()
    }

    /// From now on the contents of files' versions are kept there. Only the first call counts; without one none are kept.
    pub fn keep_files_in(&self, objects: Objects) {
        // A second place would hold half of them.
        let _ = self.0.objects.set(objects);
    }

    /// Where contents are kept, if they are.
    pub(crate) fn objects(&self) -> Option<&Objects> {
        self.0.objects.get()
    }

    /// Waits until what answered requests left behind is done.
    pub async fn settled(&self) {
        self.after_answers.drain().await;
    }

    /// The time that everything here goes by.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue.borrow())
    }

    /// Whose the host of a request is, by the cells of the policy in force.
    #[must_use]
    pub fn site(&self, target: &Uri, headers: &HeaderMap) -> Site {
        let policy = self.policy();
        let cells = policy.cells.iter();
        let domains = cells.map(|(cell, summary)| (cell, summary.domain.as_str()));
        Site::of(target, headers, &self.own_hosts, domains)
    }

    /// A place for one more event stream of the account, given back when dropped.
    pub(crate) fn open_stream(&self, account: AccountId) -> Result<OpenStream> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let open = streams.entry(account).or_default();
        if *open >= self.config.streams_per_account {
            let message = format!(
                "at most {} event streams may be open at a time; close one",
                self.config.streams_per_account
            );
            return Err(Error::new(
                Kind::TooMany {
                    retry_after: Duration::from_secs(5),
                },
                message,
            ));
        }
        *open += 1;
        metrics::gauge!("coditect_api_event_streams").increment(1.0);
        Ok(OpenStream {
            state: self.clone(),
            account,
        })
    }
}

impl std::ops::Deref for ApiState {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// One open event stream.
pub(crate) struct OpenStream {
    state: ApiState,
    account: AccountId,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut streams = self
            .state
            .streams
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = streams.get_mut(&self.account) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.account);
            }
        }
        metrics::gauge!("coditect_api_event_streams").decrement(1.0);
    }
}
