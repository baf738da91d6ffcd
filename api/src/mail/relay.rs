//! Handing letters to a relay by SMTP (RFC 5321).

use std::{fs, path::Path, time::Duration};

use coditect_core::{Email, Error, Result};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use uuid::Uuid;

use super::{
    letter::Written,
    setting::{Encryption, Endpoint, Relay},
};

/// Longest time for one step of a conversation with the relay.
const PATIENCE: Duration = Duration::from_secs(20);

/// A relay.
pub(super) struct SmtpRelay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// For the log.
    pub(super) name: String,
}

/// Why a letter was not taken, without anything of the person in it: servers repeat addresses in what they answer.
#[derive(Debug)]
pub(super) struct Failure {
    /// Whether trying again makes no sense.
    pub(super) is_final: bool,
    pub(super) why: String,
}

impl SmtpRelay {
    /// # Errors
    /// `Invalid` or `Unavailable` naming the setting or the file that is not usable.
    pub(super) fn open(setting: &Relay) -> Result<Self> {
        let endpoint = Endpoint::parse(&setting.address)?;
        let from: Mailbox = setting.from.parse().map_err(|_| {
            let message = format!(
                "must be like Coditect <no-reply@example.com>, not {:?}",
                setting.from
            );
            Error::invalid("mail_from", message)
        })?;
        let tls = match endpoint.encryption {
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(parameters(&endpoint, setting)?),
            Encryption::Tls => Tls::Wrapper(parameters(&endpoint, setting)?),
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(endpoint.host.clone())
                .port(endpoint.port)
                .tls(tls)
                .timeout(Some(PATIENCE))
                .hello_name(ClientId::Domain(from.email.domain().to_owned()));
        match (&setting.user, &setting.password_file) {
            (Some(user), Some(file)) => {
                let password = read(file)?;
                let password = password.trim_end_matches(['\r', '\n']).to_owned();
                builder = builder.credentials(Credentials::new(user.clone(), password));
            }
            (None, None) => {}
            (Some(_), None) => {
                let message = "is needed where a user for the mail relay is given";
                return Err(Error::invalid("mail_password_file", message));
            }
            (None, Some(_)) => {
                let message = "is needed where a password for the mail relay is given";
                return Err(Error::invalid("mail_user", message));
            }
        }
        Ok(Self {
            transport: builder.build(),
            from,
            name: format!("{}:{}", endpoint.host, endpoint.port),
        })
    }

    /// Hands one letter over.
    pub(super) async fn send(&self, to: &Email, letter: &Written) -> Result<(), Failure> {
        let message = self.message(to, letter)?;
        self.transport.send(message).await.map_err(describe)?;
        Ok(())
    }

    fn message(&self, to: &Email, letter: &Written) -> Result<Message, Failure> {
        let unusable = |why: &str| Failure {
            is_final: true,
            why: why.to_owned(),
        };
        let address: Address = to
            .as_str()
            .parse()
            .map_err(|_| unusable("the address cannot be written in SMTP"))?;
        let id = format!("<{}@{}>", Uuid::new_v4(), self.from.email.domain());
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(letter.subject)
            .message_id(Some(id))
            .multipart(MultiPart::alternative_plain_html(
                letter.text(),
                letter.html(),
            ))
            .map_err(|_| unusable("the letter cannot be encoded"))?;
        // No absence notice is sent back to a program (RFC 3834, section 5).
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        let value = HeaderValue::new(name, "auto-generated".to_owned());
        message.headers_mut().insert_raw(value);
        Ok(message)
    }
}

fn describe(error: smtp::Error) -> Failure {
    let why = match error.status() {
        Some(code) => format!("it answered {code}"),
        None => {
            let mut why = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                why = format!("{why}: {cause}");
                source = cause.source();
            }
            why
        }
    };
    Failure {
        is_final: error.is_permanent(),
        why,
    }
}

fn parameters(endpoint: &Endpoint, setting: &Relay) -> Result<TlsParameters> {
    let unusable = |error: smtp::Error| {
        Error::invalid("mail_relay", "has a name that TLS cannot check").because(error)
    };
    let mut builder = TlsParameters::builder(endpoint.host.clone());
    if let Some(file) = &setting.authority {
        let certificate = Certificate::from_pem(read(file)?.as_bytes()).map_err(|error| {
            Error::invalid(file.display().to_string(), "must hold a certificate in PEM")
                .because(error)
        })?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(unusable)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|error| {
        let message = format!("{} cannot be read: {error}", file.display());
        Error::unavailable(message).because(error)
    })
}
