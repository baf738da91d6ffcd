//! TLS on a connection, before HTTP is spoken.

use std::{io, sync::Arc};

use coditect_api::Opening;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// The first byte of every TLS handshake (RFC 8446 section 5.1), which no request begins with.
const HANDSHAKE: u8 = 22;

/// Answers connections by TLS, and tells those who do not speak it where they are.
#[derive(Clone)]
pub(crate) struct Https {
    acceptor: TlsAcceptor,
    url: Arc<str>,
}

impl Https {
    pub(super) fn new(config: ServerConfig, url: &str) -> Self {
        Self {
            acceptor: Arc::new(config).into(),
            url: url.into(),
        }
    }

    /// Nothing is served without TLS, not even a redirect that somebody on the way could change.
    async fn refuse(&self, stream: &mut TcpStream) -> io::Result<()> {
        // What was sent is read first: closing with something unread would take the answer away again.
        let _ = stream.read(&mut [0; 4096]).await?;
        let text = format!("This address speaks HTTPS alone: {}\n", self.url);
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

impl Opening for Https {
    type Stream = TlsStream<TcpStream>;

    async fn open(&self, mut stream: TcpStream) -> io::Result<Self::Stream> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            self.refuse(&mut stream).await?;
            return Err(io::Error::other("plain HTTP"));
        }
        self.acceptor.accept(stream).await
    }
}
