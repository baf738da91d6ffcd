//! Which sign-ins of others an operator has switched on.

use std::{net::IpAddr, path::PathBuf};

use axum::http::Uri;
use coditect_core::{Error, Result};

/// Google's issuer (its OpenID Connect documentation, "Discovery document").
pub const GOOGLE: &str = "https://accounts.google.com";
/// GitHub's own address; GitHub Enterprise has another.
pub const GITHUB: &str = "https://github.com";

/// A sign-in of somebody else's that people may use here.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Whose.
    pub service: Service,
    /// How the provider knows this installation.
    pub client_id: String,
    /// File with the secret that goes with it. Read at every sign-in, so that it can be replaced while the API runs.
    pub client_secret_file: PathBuf,
}

/// Whose sign-in, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// Google, or another OpenID provider in its place.
    Google {
        /// The issuer, exactly as the provider spells it.
        issuer: String,
    },
    /// GitHub, or GitHub Enterprise.
    GitHub {
        /// Where people sign in, without a slash at the end.
        url: String,
    },
}

impl ProviderConfig {
    /// The address, checked: encrypted, or on this machine.
    ///
    /// # Errors
    /// `Invalid` naming the setting.
    pub(crate) fn check(&self) -> Result<()> {
        let (setting, text) = match &self.service {
            Service::Google { issuer } => ("google_issuer", issuer),
            Service::GitHub { url } => ("github_url", url),
        };
        if !is_safe(text) || text.ends_with('/') && matches!(self.service, Service::GitHub { .. }) {
            let what = "must be like https://accounts.example.com, without a slash at its end";
            return Err(Error::invalid(setting, what));
        }
        if self.client_id.trim().is_empty() {
            return Err(Error::invalid("client_id", "is empty"));
        }
        Ok(())
    }
}

/// Whether secrets may go there: over TLS, or to this machine itself.
pub(super) fn is_safe(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else {
        return false;
    };
    let Some(host) = url.host() else {
        return false;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let authority = url.authority().map_or("", |authority| authority.as_str());
    !authority.contains('@')
        && match url.scheme_str() {
            Some("https") => true,
            Some("http") => here,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_nowhere_in_the_clear() {
        for url in [
            GOOGLE,
            GITHUB,
            "http://127.0.0.1:5556/dex",
            "http://[::1]:1",
        ] {
            assert!(is_safe(url), "{url}");
        }
        for url in [
            "http://accounts.google.com",
            "https://me:secret@github.com",
            "ftp://github.com",
            "github.com",
            "http://127.0.0.1.example.com",
            "",
        ] {
            assert!(!is_safe(url), "{url}");
        }
    }
}
