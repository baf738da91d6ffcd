//! What an operator decides about mail.

use std::{path::PathBuf, time::Duration};

use axum::http::Uri;
use coditect_core::{Error, Result};

/// What becomes of letters.
#[derive(Clone, Debug, Default)]
pub enum Delivery {
    /// None is sent: this installation has no mail.
    #[default]
    None,
    /// They are kept in memory and shown at `/dev/mailbox`, to this machine alone: for development.
    Mailbox,
    /// They are handed to a relay.
    Relay(Relay),
}

/// The SMTP server that takes letters.
#[derive(Clone, Debug)]
pub struct Relay {
    /// `smtps://mail.example.com` speaks TLS from the beginning (port 465), `smtp://…` goes over to TLS by STARTTLS and
    /// sends nothing without it (port 587), `smtp+plain://127.0.0.1` encrypts nothing and is for a relay on this machine
    /// alone (port 25). A port may follow.
    pub address: String,
    /// Who letters are from: `Coditect <no-reply@example.com>`, or the address alone.
    pub from: String,
    /// Whom the relay knows us as, with the password in the file below; none: it asks nobody.
    pub user: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// File with the certificate (PEM) of an authority to trust beside those of the system.
    pub authority: Option<PathBuf>,
    /// How long to wait before a letter that was not taken is tried again; each time five times as long.
    pub first_retry: Duration,
}

impl Relay {
    /// A relay that asks nobody who they are.
    #[must_use]
    pub fn new(address: impl Into<String>, from: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            from: from.into(),
            user: None,
            password_file: None,
            authority: None,
            first_retry: Duration::from_secs(2),
        }
    }
}

/// Where a relay is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
}

/// How letters are kept from being read on their way to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Not at all.
    None,
    /// By TLS, after asking for it.
    StartTls,
    /// By TLS from the first byte.
    Tls,
}

impl Endpoint {
    /// # Errors
    /// `Invalid` naming the setting.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let bad = || {
            let message = format!(
                "must be like smtps://mail.example.com, smtp://mail.example.com:587 (STARTTLS) or \
                 smtp+plain://127.0.0.1:25, without user, password or path: {text:?}"
            );
            Error::invalid("mail_relay", message)
        };
        let address: Uri = text.parse().map_err(|_| bad())?;
        let (encryption, usual) = match address.scheme_str() {
            Some("smtps") => (Encryption::Tls, 465),
            Some("smtp") => (Encryption::StartTls, 587),
            Some("smtp+plain") => (Encryption::None, 25),
            _ => return Err(bad()),
        };
        let authority = address.authority().ok_or_else(bad)?;
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty()
            || authority.as_str().contains('@')
            || address.query().is_some()
            || !matches!(address.path(), "" | "/")
        {
            return Err(bad());
        }
        let is_here = host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if encryption == Encryption::None && !is_here {
            let message = format!(
                "{text} would send links that open accounts over the network for everybody to read; use smtps:// or smtp://"
            );
            return Err(Error::invalid("mail_relay", message));
        }
        Ok(Self {
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(usual),
            encryption,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_says_how_a_relay_is_spoken_to() {
        for (text, host, port, encryption) in [
            (
                "smtps://mail.example.com",
                "mail.example.com",
                465,
                Encryption::Tls,
            ),
            (
                "smtps://mail.example.com:4465",
                "mail.example.com",
                4465,
                Encryption::Tls,
            ),
            (
                "smtp://mail.example.com",
                "mail.example.com",
                587,
                Encryption::StartTls,
            ),
            ("smtp+plain://127.0.0.1", "127.0.0.1", 25, Encryption::None),
            ("smtp+plain://[::1]:2525", "::1", 2525, Encryption::None),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(
                (endpoint.host.as_str(), endpoint.port, endpoint.encryption),
                (host, port, encryption)
            );
        }
    }

    #[test]
    fn what_is_no_relay_or_would_be_read_on_its_way_is_refused() {
        for text in [
            "",
            "mail.example.com",
            "https://mail.example.com",
            "smtps://user:secret@mail.example.com",
            "smtps://mail.example.com/path",
            "smtps://mail.example.com?tls=no",
            "smtp+plain://mail.example.com",
        ] {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("mail_relay "), "{text}: {error}");
        }
    }
}
