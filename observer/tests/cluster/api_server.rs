//! A small API server: lists in pages and order, label selectors, merge patches, preconditions, Namespaces that
//! end slowly. It takes no deletion of what carries no tombstone, and no patch but that annotation.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Plural, namespace (empty for none), name.
type Key = (String, String, String);

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Value>,
    version: u64,
    /// Every change that was tried: method, path, status.
    changes: Vec<(String, String, u16)>,
    /// Answered for a list of this plural, once for each entry.
    trouble: Vec<(&'static str, u16)>,
    lists: usize,
}

#[derive(Clone)]
pub(crate) struct ApiServer {
    state: Arc<Mutex<State>>,
    pub(crate) client: Client,
}

impl ApiServer {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&served);
                let service = service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { Ok::<_, Infallible>(answer(&state, request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        let config = Config::new(format!("http://{address}").parse().unwrap());
        Self {
            state,
            client: Client::try_from(config).unwrap(),
        }
    }

    /// Puts an object there, as its owner would.
    pub(crate) fn put(&self, plural: &str, mut object: Value) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        let version = state.version;
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.insert("resourceVersion".into(), json!(version.to_string()));
        metadata
            .entry("uid")
            .or_insert_with(|| json!(format!("uid-{version}")));
        let key = key_of(plural, &object);
        state.objects.insert(key, object);
    }

    pub(crate) fn remove(&self, plural: &str, namespace: &str, name: &str) {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        self.state.lock().unwrap().objects.remove(&key);
    }

    pub(crate) fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        self.state.lock().unwrap().objects.get(&key).cloned()
    }

    /// Changes an object behind everybody's back.
    pub(crate) fn change(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) {
        let mut object = self.get(plural, namespace, name).unwrap();
        change(&mut object);
        self.put(plural, object);
    }

    /// Every change that was tried, and how it was answered.
    pub(crate) fn changes(&self) -> Vec<(String, String, u16)> {
        self.state.lock().unwrap().changes.clone()
    }

    /// The next list of this kind is answered so.
    pub(crate) fn trouble(&self, plural: &'static str, status: u16) {
        self.state.lock().unwrap().trouble.push((plural, status));
    }

    /// How many lists were answered.
    pub(crate) fn lists(&self) -> usize {
        self.state.lock().unwrap().lists
    }

    /// What the namespace controller does in the end.
    pub(crate) fn end_namespace(&self, namespace: &str) {
        let mut state = self.state.lock().unwrap();
        state.objects.retain(|(plural, within, name), _| {
            within != namespace && !(plural == "namespaces" && name == namespace)
        });
    }
}

fn key_of(plural: &str, object: &Value) -> Key {
    let text = |field: &str| {
        object["metadata"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (plural.to_owned(), text("namespace"), text("name"))
}

/// What a path asks for.
struct Asked {
    plural: String,
    /// None: cluster-wide.
    namespace: Option<String>,
    name: Option<String>,
}

fn asked(path: &str) -> Asked {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let rest = if parts[0] == "api" {
        &parts[2..]
    } else {
        &parts[3..]
    };
    let own = |text: &&str| (*text).to_owned();
    match rest {
        ["namespaces", namespace, plural, rest @ ..] => Asked {
            plural: own(plural),
            namespace: Some(own(namespace)),
            name: rest.first().map(own),
        },
        [plural, rest @ ..] => Asked {
            plural: own(plural),
            namespace: None,
            name: rest.first().map(own),
        },
        [] => panic!("no resource in {path}"),
    }
}

async fn answer(state: &Mutex<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let query: BTreeMap<String, String> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), decoded(value)))
        .collect();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut state = state.lock().unwrap();
    let asked = asked(uri.path());
    let answered = match (&method, &asked.name) {
        (&Method::GET, None) => list(&mut state, &asked, &query),
        (&Method::GET, Some(name)) => get(&state, &asked, name),
        (&Method::PATCH, Some(name)) => patch(&mut state, &asked, name, &body),
        (&Method::DELETE, Some(name)) => delete(&mut state, &asked, name, &body),
        _ => Err((405, "not here".to_owned(), Value::Null)),
    };
    let (status, value) = match answered {
        Ok(value) => (200, value),
        Err((status, message, metadata)) => (
            status,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": metadata,
                "message": message, "reason": reason(status), "code": status}),
        ),
    };
    if method != Method::GET {
        let change = (method.to_string(), uri.path().to_owned(), status);
        state.changes.push(change);
    }
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(value.to_string())))
        .unwrap()
}

/// The API server's own words for its answers.
fn reason(status: u16) -> &'static str {
    match status {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        _ => "InternalError",
    }
}

type Answer = Result<Value, (u16, String, Value)>;

fn decoded(value: &str) -> String {
    value
        .replace("%2F", "/")
        .replace("%3D", "=")
        .replace("%7C", "|")
        .replace("%2C", ",")
}

fn list(state: &mut State, asked: &Asked, query: &BTreeMap<String, String>) -> Answer {
    state.lists += 1;
    let after = query.get("continue").cloned();
    let troubled = state.trouble.iter().position(|(plural, status)| {
        *plural == asked.plural && (*status != 410 || after.is_some())
    });
    if let Some(at) = troubled {
        let (_, status) = state.trouble.remove(at);
        // Where to go on is told with a page that is forgotten, as the API server does.
        let metadata = json!({"continue": after});
        return Err((status, "trouble".to_owned(), metadata));
    }
    let limit: usize = query
        .get("limit")
        .map_or(usize::MAX, |limit| limit.parse().unwrap());
    let selector = query.get("labelSelector").map_or("", String::as_str);
    let chosen = |(plural, namespace, _): &Key, object: &Value| {
        *plural == asked.plural
            && asked
                .namespace
                .as_ref()
                .is_none_or(|asked| asked == namespace)
            && selected(selector, object)
    };
    let place = |(_, namespace, name): &Key| format!("{namespace}|{name}");
    let mut found: Vec<(&Key, &Value)> = state
        .objects
        .iter()
        .filter(|(key, object)| chosen(key, object))
        .filter(|(key, _)| after.as_ref().is_none_or(|after| place(key) > *after))
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let token = found.last().filter(|_| more).map(|(key, _)| place(key));
    // Elements of a list do not say what they are.
    let items: Vec<Value> = found
        .iter()
        .map(|(_, object)| {
            let mut object = (*object).clone();
            let fields = object.as_object_mut().unwrap();
            fields.remove("kind");
            fields.remove("apiVersion");
            object
        })
        .collect();
    Ok(json!({"kind": "List", "apiVersion": "v1", "items": items,
        "metadata": {"resourceVersion": state.version.to_string(), "continue": token}}))
}

fn selected(selector: &str, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    selector
        .split(',')
        .filter(|part| !part.is_empty())
        .all(|part| match part.split_once('=') {
            Some((label, value)) => labels[label] == value.trim_start_matches('='),
            None => !labels[part].is_null(),
        })
}

fn found<'a>(
    state: &'a State,
    asked: &Asked,
    name: &str,
) -> Result<(Key, &'a Value), (u16, String, Value)> {
    let namespace = asked.namespace.clone().unwrap_or_default();
    let key = (asked.plural.clone(), namespace, name.to_owned());
    match state.objects.get(&key) {
        Some(object) => Ok((key, object)),
        None => Err((404, format!("{name} not found"), Value::Null)),
    }
}

fn get(state: &State, asked: &Asked, name: &str) -> Answer {
    Ok(found(state, asked, name)?.1.clone())
}

fn patch(state: &mut State, asked: &Asked, name: &str, body: &Value) -> Answer {
    let (key, object) = found(state, asked, name)?;
    let metadata = &body["metadata"];
    for field in ["uid", "resourceVersion"] {
        if !metadata[field].is_null() && metadata[field] != object["metadata"][field] {
            return Err((409, format!("{field} is another"), Value::Null));
        }
    }
    let annotations = metadata["annotations"].as_object();
    let only = annotations.is_some_and(|annotations| {
        annotations.keys().eq(["coditect.ai/tombstone"])
            && object["metadata"]["annotations"]["coditect.ai/tombstone"].is_null()
    });
    if !only || body.as_object().unwrap().len() != 1 {
        return Err((403, "that annotation only".to_owned(), Value::Null));
    }
    let mut object = object.clone();
    state.version += 1;
    let fields = object["metadata"].as_object_mut().unwrap();
    fields.insert("resourceVersion".into(), json!(state.version.to_string()));
    let all = fields.entry("annotations").or_insert_with(|| json!({}));
    for (name, value) in annotations.into_iter().flatten() {
        all[name] = value.clone();
    }
    state.objects.insert(key, object.clone());
    Ok(object)
}

fn delete(state: &mut State, asked: &Asked, name: &str, body: &Value) -> Answer {
    let (key, object) = found(state, asked, name)?;
    let conditions = &body["preconditions"];
    for field in ["uid", "resourceVersion"] {
        if conditions[field].is_null() {
            return Err((403, format!("a deletion without {field}"), Value::Null));
        }
        if conditions[field] != object["metadata"][field] {
            return Err((409, format!("{field} is another"), Value::Null));
        }
    }
    if object["metadata"]["annotations"]["coditect.ai/tombstone"].is_null() {
        return Err((
            403,
            "only what carries the annotation".to_owned(),
            Value::Null,
        ));
    }
    let object = object.clone();
    if asked.plural == "namespaces" || !object["metadata"]["finalizers"].is_null() {
        let ending = state.objects.get_mut(&key).unwrap();
        ending["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
    } else {
        state.objects.remove(&key);
    }
    Ok(object)
}
