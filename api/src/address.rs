//! Where a request comes from.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{Extensions, HeaderMap, header, request::Parts},
};

use crate::state::ApiState;

/// The client's address: the connection's, or the one that the outermost of our own proxies saw.
pub(crate) fn client_address(request: &Request, trusted_hops: usize) -> IpAddr {
    address(request.extensions(), request.headers(), trusted_hops)
}

/// Where a sign-in comes from: the client's address, and what the browser calls itself.
pub(crate) struct CameFrom {
    pub(crate) address: IpAddr,
    pub(crate) agent: Option<String>,
}

impl FromRequestParts<ApiState> for CameFrom {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Infallible> {
        let agent = parts.headers.get(header::USER_AGENT);
        Ok(Self {
            address: address(
                &parts.extensions,
                &parts.headers,
                state.config.trusted_proxy_hops,
            ),
            agent: agent
                .and_then(|agent| agent.to_str().ok())
                .map(str::to_owned),
        })
    }
}

fn address(extensions: &Extensions, headers: &HeaderMap, trusted_hops: usize) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    // Without a connection (a test that calls the router) everybody counts as one.
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| {
        address.ip()
    });
    forwarded(headers, trusted_hops).unwrap_or(peer)
}

/// Each proxy appends the address it was called from, so only the last `trusted_hops` entries are to be
/// believed; what stands before them the client may have written itself.
pub(crate) fn forwarded(headers: &HeaderMap, trusted_hops: usize) -> Option<IpAddr> {
    if trusted_hops == 0 {
        return None;
    }
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    let entries: Vec<&str> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    let entry = entries.get(entries.len().checked_sub(trusted_hops)?)?;
    entry
        .parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(lines: &[&str], hops: usize) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        forwarded(&headers, hops).map(|address| address.to_string())
    }

    #[test]
    fn only_what_our_own_proxies_wrote_is_believed() {
        assert_eq!(with(&["203.0.113.9"], 0), None);
        assert_eq!(
            with(&["6.6.6.6, 203.0.113.9"], 1).as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(
            with(&["6.6.6.6", "203.0.113.9, 10.0.0.1"], 2).as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(
            with(&["[2001:db8::1]:443"], 1).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(with(&["203.0.113.9"], 2), None);
        assert_eq!(with(&["who knows"], 1), None);
        assert_eq!(with(&[], 1), None);
    }
}
