//! A mail server that speaks real SMTP over real TCP, as much of it as a relay's client may ask for.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};

/// A letter that the server took.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) data: String,
    /// User and password, if they were shown.
    pub(super) login: Option<String>,
    pub(super) is_encrypted: bool,
}

/// How the server behaves.
#[derive(Default)]
pub(super) struct Manner {
    /// What the next recipients are answered with, instead of being taken.
    pub(super) refusals: VecDeque<&'static str>,
    /// Whether it goes over to TLS when asked.
    pub(super) tls: bool,
}

pub(super) struct Server {
    pub(super) port: u16,
    /// The certificate to trust, if it speaks TLS.
    pub(super) certificate: String,
    pub(super) letters: mpsc::UnboundedReceiver<Received>,
    /// Every command that came, over all connections.
    pub(super) commands: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let (taken, letters) = mpsc::unbounded_channel();
        let commands = Arc::new(Mutex::new(Vec::new()));
        let serving = Serving {
            tls: manner.tls.then(|| TlsAcceptor::from(Arc::new(config))),
            refusals: Arc::new(Mutex::new(manner.refusals)),
            taken,
            commands: Arc::clone(&commands),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().connection(stream));
            }
        });
        Self {
            port,
            certificate: made.cert.pem(),
            letters,
            commands,
        }
    }
}

#[derive(Clone)]
struct Serving {
    tls: Option<TlsAcceptor>,
    refusals: Arc<Mutex<VecDeque<&'static str>>>,
    taken: mpsc::UnboundedSender<Received>,
    commands: Arc<Mutex<Vec<String>>>,
}

impl Serving {
    async fn connection(self, mut stream: TcpStream) {
        stream.write_all(b"220 localhost ESMTP\r\n").await.unwrap();
        let wants_tls = self.talk(&mut stream, false).await;
        if let (true, Some(tls)) = (wants_tls, &self.tls)
            && let Ok(mut stream) = tls.accept(stream).await
        {
            self.talk(&mut stream, true).await;
        }
    }

    /// Talks until the other side goes, or goes over to TLS.
    async fn talk(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        is_encrypted: bool,
    ) -> bool {
        let mut stream = BufReader::new(stream);
        let mut letter = Received::default();
        let mut login = None;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return false;
            }
            let line = line.trim_end().to_owned();
            self.commands.lock().unwrap().push(line.clone());
            let verb = line.to_ascii_uppercase();
            let answer = if verb.starts_with("EHLO") {
                match (&self.tls, is_encrypted) {
                    (Some(_), false) => "250-localhost\r\n250 STARTTLS",
                    (Some(_), true) => "250-localhost\r\n250 AUTH PLAIN",
                    (None, _) => "250 localhost",
                }
            } else if verb == "STARTTLS" {
                stream.write_all(b"220 go ahead\r\n").await.unwrap();
                return true;
            } else if let Some(shown) = line.strip_prefix("AUTH PLAIN ") {
                let shown = BASE64_STANDARD.decode(shown).unwrap();
                login = Some(String::from_utf8(shown).unwrap());
                "235 welcome"
            } else if verb.starts_with("MAIL FROM:") {
                letter = Received {
                    from: line,
                    login: login.clone(),
                    is_encrypted,
                    ..Received::default()
                };
                "250 ok"
            } else if verb.starts_with("RCPT TO:") {
                letter.to = line;
                self.refusals
                    .lock()
                    .unwrap()
                    .pop_front()
                    .unwrap_or("250 ok")
            } else if verb == "DATA" {
                stream.write_all(b"354 go on\r\n").await.unwrap();
                letter.data = read_data(&mut stream).await;
                self.taken.send(std::mem::take(&mut letter)).unwrap();
                "250 taken"
            } else if verb == "QUIT" {
                "221 bye"
            } else {
                "250 ok"
            };
            let answer = format!("{answer}\r\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return false;
            }
        }
    }
}

async fn read_data(stream: &mut (impl AsyncBufReadExt + Unpin)) -> String {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        if line == ".\r\n" {
            return data;
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
