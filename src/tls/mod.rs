//! HTTPS of `coditect dev --tls`: an authority of its own, and a certificate that is always a fresh one.

mod authority;
mod https;

use std::{
    collections::BTreeSet,
    fmt,
    net::IpAddr,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use coditect_core::{Catalogue, Error, Result, health::Health};
use jiff::Timestamp;
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::authority::Authority;
pub(crate) use self::https::Https;
use crate::address::host;

/// How often a new certificate is given; each lasts thirty times as long.
const ANEW: Duration = Duration::from_secs(24 * 60 * 60);
/// What health calls it.
const PART: &str = "tls";

/// What HTTPS is served by.
pub(crate) struct Tls {
    authority: Authority,
    /// The names under which this process is reached whatever the policy says.
    own: BTreeSet<String>,
    shown: Arc<Shown>,
}

/// The certificate that is shown to whoever connects.
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Tls {
    /// Opens the authority in `folder`, and has it vouch for the host of `public_url`, the address on which is listened,
    /// this machine, and the hosts of the policy's workspaces.
    ///
    /// # Errors
    /// `Invalid` if the public URL names no host; `Unavailable` if the folder cannot be used.
    pub(crate) fn open(
        folder: &Path,
        public_url: &str,
        listen: IpAddr,
        policy: &Catalogue,
    ) -> Result<Self> {
        let mut own = BTreeSet::from(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        own.insert(listen.to_string());
        own.insert(host(public_url)?);
        let (names, now) = (names(&own, policy), Timestamp::now());
        let authority = Authority::open(folder, &names, now)?;
        let first = authority.certify(&names, now)?;
        Ok(Self {
            authority,
            own,
            shown: Arc::new(Shown(RwLock::new(Arc::new(first)))),
        })
    }

    /// Where the authority's certificate is.
    pub(crate) fn file(&self) -> &Path {
        &self.authority.file
    }

    /// Whether nobody can have trusted the authority yet.
    pub(crate) const fn is_new(&self) -> bool {
        self.authority.is_new
    }

    /// What answers connections, for people who reach it at `public_url`.
    ///
    /// # Errors
    /// `Internal` if TLS cannot be set up.
    pub(crate) fn https(&self, public_url: &str) -> Result<Https> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS cannot be set up").because(error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Https::new(config, public_url))
    }

    /// Shows a new certificate every day, and when the policy has come to have other hosts.
    pub(crate) async fn renew(
        self,
        mut policies: watch::Receiver<Arc<Catalogue>>,
        health: Health,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                Ok(()) = policies.changed() => {}
                () = tokio::time::sleep(ANEW) => {}
                () = stop.cancelled() => return,
            }
            let names = names(&self.own, &policies.borrow_and_update());
            match self.authority.certify(&names, Timestamp::now()) {
                Ok(new) => {
                    let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
                    *shown = Arc::new(new);
                    health.ok(PART, "its certificate is fresh");
                }
                Err(error) => {
                    let why = format!(
                        "{}; start again, and trust the authority that is made then",
                        error.chain()
                    );
                    tracing::error!(why, "the certificate stays as it was");
                    health.degraded(PART, why);
                }
            }
        }
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&shown))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

fn names(own: &BTreeSet<String>, policy: &Catalogue) -> Vec<String> {
    let cells = policy.cells.values();
    let wildcards: BTreeSet<String> = cells.map(|cell| format!("*.{}", cell.domain)).collect();
    own.union(&wildcards).cloned().collect()
}
