//! How letters to people are sent: what the command line says of it.

use std::path::PathBuf;

use clap::Args;
use coditect_api::{Delivery, Relay};

/// Where letters go.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Mail {
    /// The SMTP server that takes letters: `smtps://mail.example.com` (TLS), `smtp://mail.example.com` (STARTTLS), or
    /// `smtp+plain://127.0.0.1` for one on this machine. Without it no letter is sent: nobody can prove an address, and
    /// who forgot the password stays outside; `dev` shows letters at /dev/mailbox instead.
    #[arg(
        long,
        value_name = "URL",
        env = "CODITECT_MAIL_RELAY",
        requires = "mail_from"
    )]
    mail_relay: Option<String>,

    /// Who letters are from: `Coditect <no-reply@example.com>`.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "CODITECT_MAIL_FROM",
        requires = "mail_relay"
    )]
    mail_from: Option<String>,

    /// Whom the mail relay knows us as.
    #[arg(
        long,
        value_name = "USER",
        env = "CODITECT_MAIL_USER",
        requires = "mail_password_file"
    )]
    mail_user: Option<String>,

    /// File with the password for the mail relay.
    #[arg(
        long,
        value_name = "FILE",
        env = "CODITECT_MAIL_PASSWORD_FILE",
        requires = "mail_user"
    )]
    mail_password_file: Option<PathBuf>,

    /// File with the certificate (PEM) of an authority that vouches for the mail relay, beside those of the system.
    #[arg(long, value_name = "FILE", env = "CODITECT_MAIL_AUTHORITY")]
    mail_authority: Option<PathBuf>,
}

impl Mail {
    /// What becomes of letters, `without` a relay.
    pub(crate) fn delivery(&self, without: Delivery) -> Delivery {
        let (Some(address), Some(from)) = (&self.mail_relay, &self.mail_from) else {
            return without;
        };
        let mut relay = Relay::new(address, from);
        relay.user.clone_from(&self.mail_user);
        relay.password_file.clone_from(&self.mail_password_file);
        relay.authority.clone_from(&self.mail_authority);
        Delivery::Relay(relay)
    }

    /// For `coditect config`.
    pub(crate) fn described(&self) -> Vec<(&'static str, String)> {
        let none = |value: Option<String>| value.unwrap_or_else(|| "none".into());
        let file =
            |path: &Option<PathBuf>| none(path.as_ref().map(|path| path.display().to_string()));
        vec![
            (
                "mail-relay",
                self.mail_relay.clone().unwrap_or_else(|| {
                    "none: no letter is sent; dev shows them at /dev/mailbox".into()
                }),
            ),
            ("mail-from", none(self.mail_from.clone())),
            ("mail-user", none(self.mail_user.clone())),
            ("mail-password-file", file(&self.mail_password_file)),
            ("mail-authority", file(&self.mail_authority)),
        ]
    }
}
