//! Hands a request on to a process of this machine, as a reverse proxy does.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    response::Response,
};
use hyper::{client::conn::http1, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Headers that concern one connection only (RFC 9110 section 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What a client could claim of itself; only the proxy's own word counts.
const CLAIMS: [HeaderName; 4] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// A connection to a process that has answered nothing yet.
pub(crate) struct Connection(http1::SendRequest<Body>);

/// Connects to a process.
///
/// # Errors
/// If nobody listens there.
pub(crate) async fn connect(address: SocketAddr) -> std::io::Result<Connection> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(std::io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to a workspace ended early");
        }
    });
    Ok(Connection(sender))
}

/// Whether the process answers `GET /health` with 200.
///
/// # Errors
/// If it does not speak HTTP.
pub(crate) async fn is_healthy(address: SocketAddr) -> Result<bool, std::io::Error> {
    let status = ask(address, Method::GET, "/health", Body::empty()).await?;
    Ok(status == StatusCode::OK)
}

/// Tells a gateway, on its port within the pod, that neither terminals nor tasks do anything.
///
/// # Errors
/// If it does not take it.
pub(crate) async fn say_idle(inside: SocketAddr) -> Result<(), std::io::Error> {
    match ask(inside, Method::PUT, "/activity", Body::from("{}")).await? {
        StatusCode::NO_CONTENT => Ok(()),
        status => Err(std::io::Error::other(format!("it answers {status}"))),
    }
}

async fn ask(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: Body,
) -> Result<StatusCode, std::io::Error> {
    let Connection(mut sender) = connect(address).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .body(body)
        .map_err(std::io::Error::other)?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(std::io::Error::other)?;
    Ok(answer.status())
}

/// Hands the request on and gives the answer back as it comes, piece by piece; both ways if it changes protocol.
///
/// # Errors
/// If the process goes away before it has answered.
pub(crate) async fn forward(
    Connection(mut sender): Connection,
    mut request: Request,
    client: Option<IpAddr>,
) -> Result<Response, hyper::Error> {
    let upgrade = protocol(request.headers());
    let on_client = request.extensions_mut().remove::<OnUpgrade>();
    let (parts, body) = request.into_parts();
    let outgoing = outgoing(parts, body, upgrade.as_ref(), client);
    let mut answer = sender.send_request(outgoing).await?;
    let accepted = (answer.status() == StatusCode::SWITCHING_PROTOCOLS)
        .then(|| protocol(answer.headers()))
        .flatten();
    strip(answer.headers_mut());
    if let (Some(protocol), Some(on_client)) = (accepted, on_client) {
        insert_upgrade(answer.headers_mut(), protocol);
        let on_workspace = hyper::upgrade::on(&mut answer);
        tokio::spawn(join(on_client, on_workspace));
    }
    Ok(answer.map(Body::new))
}

/// The request as the process gets it.
fn outgoing(
    parts: Parts,
    body: Body,
    upgrade: Option<&HeaderValue>,
    client: Option<IpAddr>,
) -> hyper::Request<Body> {
    let mut outgoing = hyper::Request::new(body);
    *outgoing.method_mut() = parts.method;
    // In origin form, whatever form it came in (RFC 9112 section 3.2.1).
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    *outgoing.uri_mut() = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
    let mut headers = parts.headers;
    strip(&mut headers);
    for claim in &CLAIMS {
        headers.remove(claim);
    }
    if let Some(authority) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(header::HOST, host);
    }
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert("x-forwarded-host", host);
    }
    headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
    if let Some(address) = client.and_then(|address| address.to_string().parse().ok()) {
        headers.insert("x-forwarded-for", address);
    }
    if let Some(protocol) = upgrade {
        insert_upgrade(&mut headers, protocol.clone());
    }
    *outgoing.headers_mut() = headers;
    outgoing
}

/// The protocol that a message wants to change to.
fn protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let named = connection_names(headers).any(|name| name == header::UPGRADE);
    headers.get(header::UPGRADE).filter(|_| named).cloned()
}

fn insert_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

fn connection_names(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> + '_ {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
}

/// Removes what concerns the connection it came over.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_names(headers).collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        // These frame the message or say whom it is for; nobody may name them away.
        if !matches!(*name, header::HOST | header::CONTENT_LENGTH) {
            headers.remove(name);
        }
    }
}

/// Passes everything on both ways until both have ended.
async fn join(client: OnUpgrade, workspace: OnUpgrade) {
    match tokio::try_join!(client, workspace) {
        Ok((client, workspace)) => {
            let (mut client, mut workspace) = (TokioIo::new(client), TokioIo::new(workspace));
            if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut workspace).await {
                tracing::debug!(%error, "a socket to a workspace ended");
            }
        }
        Err(error) => tracing::debug!(%error, "a protocol was not changed after all"),
    }
}

/// The same request without its body, for whoever answers in the process's place.
pub(crate) fn without_body(request: &Request) -> Request {
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy
}

#[cfg(test)]
mod tests;
