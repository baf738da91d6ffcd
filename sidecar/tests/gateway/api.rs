//! The API's side of the contract, on loopback; stricter than the real one.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{
    AccountId, LoginId, WorkspaceId,
    sidecar::{
        self, Access, Contents, Credential, ENTRY_TOKEN_TYPE, Entry, FileBatch, Heartbeat, Redeem,
        Restored, SharedState, Wanted, entry_audience,
    },
};
use ed25519_dalek::{Signer, SigningKey};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use uuid::Uuid;

pub(crate) const ISSUER: &str = "https://app.test";
pub(crate) const WEB_APP: &str = "https://app.test";
pub(crate) const PROJECTED: &str = "projected-token";
const CREDENTIAL: &str = "credential-1";

/// The API.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<State>,
    tasks: Mutex<JoinSet<()>>,
}

pub(crate) struct State {
    pub(crate) workspace: WorkspaceId,
    codes: Mutex<BTreeMap<String, (WorkspaceId, Value)>>,
    keys: Mutex<BTreeMap<String, SigningKey>>,
    /// What the JWKS holds, by id.
    published: Mutex<BTreeSet<String>>,
    access: watch::Sender<Access>,
    pub(crate) away: AtomicBool,
    /// Reports of files are taken and not answered.
    pub(crate) stuck: watch::Sender<bool>,
    pub(crate) redeemed: AtomicUsize,
    pub(crate) fetched_keys: AtomicUsize,
    /// Every call but those for access and keys: path and body.
    pub(crate) calls: Mutex<Vec<(String, Value)>>,
    /// Everything that was taken of files.
    pub(crate) batches: Mutex<Vec<FileBatch>>,
    /// Hashes of contents that are there already.
    pub(crate) has: Mutex<BTreeSet<String>>,
    /// What is wanted back, and what was said of each.
    pub(crate) wanted_back: Mutex<BTreeMap<Uuid, &'static str>>,
    pub(crate) brought_back: Mutex<Vec<(Uuid, Restored)>>,
    pub(crate) shared: Mutex<SharedState>,
    /// What the model answers; none if there is no model.
    pub(crate) model: Mutex<Option<&'static str>>,
}

impl Api {
    pub(crate) async fn start(workspace: WorkspaceId) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let access = Access {
            version: "0".to_owned(),
            keys: vec!["k1".to_owned()],
            ..Access::default()
        };
        let state = Arc::new(State {
            workspace,
            codes: Mutex::default(),
            keys: Mutex::new([("k1".to_owned(), SigningKey::from_bytes(&[1; 32]))].into()),
            published: Mutex::new(["k1".to_owned()].into()),
            access: watch::channel(access).0,
            away: AtomicBool::new(false),
            stuck: watch::Sender::default(),
            redeemed: AtomicUsize::new(0),
            fetched_keys: AtomicUsize::new(0),
            calls: Mutex::default(),
            batches: Mutex::default(),
            has: Mutex::default(),
            wanted_back: Mutex::default(),
            brought_back: Mutex::default(),
            shared: Mutex::default(),
            model: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let state = Arc::clone(&state);
                        async move { Ok::<_, Infallible>(state.answer(request).await) }
                    });
                    let served =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // Gateways come and go.
                    let _ = served.await;
                });
            }
        });
        Self {
            address,
            state,
            tasks: Mutex::new(tasks),
        }
    }

    /// Stops to listen; open connections end with their exchange.
    pub(crate) fn stop(&self) {
        self.state.away.store(true, Ordering::SeqCst);
        self.tasks.lock().unwrap().abort_all();
    }
}

impl State {
    /// What a good token says.
    pub(crate) fn claims(&self, login: LoginId) -> Value {
        let now = Timestamp::now().as_second();
        json!({
            "iss": ISSUER, "aud": entry_audience(self.workspace), "sub": AccountId::random(), "sid": login,
            "iat": now, "exp": now + 600,
        })
    }

    /// A token that says this, signed by the key of that name.
    pub(crate) fn sign(&self, key: &str, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "typ": ENTRY_TOKEN_TYPE, "kid": key});
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.keys.lock().unwrap()[key].sign(signed.as_bytes());
        format!(
            "{signed}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes())
        )
    }

    pub(crate) fn token(&self, login: LoginId) -> String {
        self.sign("k1", &self.claims(login))
    }

    /// A one-time code for a login to this workspace, or another one.
    pub(crate) fn code(&self, workspace: WorkspaceId, claims: Value) -> String {
        let code = uuid::Uuid::new_v4().simple().to_string();
        let mut codes = self.codes.lock().unwrap();
        codes.insert(code.clone(), (workspace, claims));
        code
    }

    pub(crate) fn add_key(&self, id: &str, publish: bool) {
        let key = SigningKey::from_bytes(&rand::random());
        self.keys.lock().unwrap().insert(id.to_owned(), key);
        if publish {
            self.published.lock().unwrap().insert(id.to_owned());
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Access)) {
        self.access.send_modify(|access| {
            change(access);
            let version: u64 = access.version.parse().unwrap();
            access.version = (version + 1).to_string();
        });
    }

    pub(crate) fn unpublish(&self, key: &str) {
        self.published.lock().unwrap().remove(key);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let status = |status| {
            let mut answer = Response::new(Full::default());
            *answer.status_mut() = status;
            answer
        };
        if self.away.load(Ordering::SeqCst) {
            return status(StatusCode::SERVICE_UNAVAILABLE);
        }
        let json = |value: Value| Response::new(Full::from(value.to_string()));
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let bearer = request.headers().get("authorization").cloned();
        let method = request.method().clone();
        if path == sidecar::KEYS_PATH {
            self.fetched_keys.fetch_add(1, Ordering::SeqCst);
            let (keys, published) = (self.keys.lock().unwrap(), self.published.lock().unwrap());
            let jwk = |(id, key): (&String, &SigningKey)| {
                let x = BASE64_URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
                json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x})
            };
            let keys: Vec<Value> = keys
                .iter()
                .filter(|(id, _)| published.contains(*id))
                .map(jwk)
                .collect();
            return json(json!({ "keys": keys }));
        }
        if path == sidecar::CREDENTIAL_PATH {
            assert_eq!(method, Method::POST);
            if bearer.unwrap() != format!("Bearer {PROJECTED}").as_str() {
                return status(StatusCode::UNAUTHORIZED);
            }
            let credential = Credential {
                credential: CREDENTIAL.to_owned(),
                expires_at: Timestamp::now() + SignedDuration::from_mins(5),
                issuer: ISSUER.to_owned(),
                web_app: WEB_APP.to_owned(),
            };
            return json(serde_json::to_value(credential).unwrap());
        }
        if bearer.unwrap() != format!("Bearer {CREDENTIAL}").as_str() {
            return status(StatusCode::UNAUTHORIZED);
        }
        if path == sidecar::ACCESS_PATH {
            assert_eq!(method, Method::GET);
            let mut access = self.access.subscribe();
            if let Some(after) = query.strip_prefix("after=") {
                let after = after.split('&').next().unwrap().to_owned();
                let changed = access.wait_for(|access| access.version != after);
                let _ = timeout(Duration::from_secs(20), changed).await;
            }
            let access = access.borrow().clone();
            return json(serde_json::to_value(access).unwrap());
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        self.calls.lock().unwrap().push((path.clone(), said));
        if let Some(id) = path.strip_prefix(&format!("{}/", sidecar::RESTORES_PATH)) {
            let id: Uuid = id.parse().unwrap();
            if method == Method::POST {
                let outcome: Restored = serde_json::from_slice(&body).unwrap();
                self.brought_back.lock().unwrap().push((id, outcome));
                return status(StatusCode::NO_CONTENT);
            }
            return match self.wanted_back.lock().unwrap().get(&id) {
                Some(content) => Response::new(Full::from(*content)),
                None => status(StatusCode::NOT_FOUND),
            };
        }
        match path.as_str() {
            sidecar::WANTED_PATH => {
                let asked: Contents = serde_json::from_slice(&body).unwrap();
                let has = self.has.lock().unwrap();
                let contents = asked.contents.iter();
                let wanted = contents.map(|one| !has.contains(&one.sha256)).collect();
                json(serde_json::to_value(Wanted { wanted }).unwrap())
            }
            sidecar::REDEEM_PATH => {
                assert_eq!(method, Method::POST);
                self.redeemed.fetch_add(1, Ordering::SeqCst);
                let redeem: Redeem = serde_json::from_slice(&body).unwrap();
                let code = self.codes.lock().unwrap().remove(&redeem.code);
                match code.filter(|(workspace, _)| *workspace == self.workspace) {
                    Some((_, claims)) => {
                        let token = self.sign("k1", &claims);
                        json(serde_json::to_value(Entry { token }).unwrap())
                    }
                    None => status(StatusCode::NOT_FOUND),
                }
            }
            sidecar::FILES_PATH => {
                let mut stuck = self.stuck.subscribe();
                let _ = stuck.wait_for(|stuck| !stuck).await;
                let batch: FileBatch = serde_json::from_slice(&body).unwrap();
                let mut batches = self.batches.lock().unwrap();
                let before = batches.iter().filter(|before| before.queue == batch.queue);
                if before.map(|before| before.number).max() < Some(batch.number) {
                    batches.push(batch);
                }
                status(StatusCode::NO_CONTENT)
            }
            sidecar::STATE_PATH if method == Method::GET => {
                json(serde_json::to_value(&*self.shared.lock().unwrap()).unwrap())
            }
            sidecar::STATE_PATH => {
                let state: SharedState = serde_json::from_slice(&body).unwrap();
                let mut shared = self.shared.lock().unwrap();
                if state.revision <= shared.revision {
                    return status(StatusCode::CONFLICT);
                }
                *shared = state;
                status(StatusCode::NO_CONTENT)
            }
            sidecar::LLM_PATH => match *self.model.lock().unwrap() {
                Some(answer) => Response::new(Full::from(answer)),
                None => status(StatusCode::NOT_FOUND),
            },
            sidecar::HEARTBEAT_PATH => {
                assert_eq!(method, Method::PUT);
                let _: Heartbeat = serde_json::from_slice(&body).unwrap();
                status(StatusCode::NO_CONTENT)
            }
            path => panic!("the API has no {path}"),
        }
    }
}
