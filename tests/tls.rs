//! `coditect dev --tls` as a browser meets it that trusts its authority and nobody else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{fs, process::Stdio, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use support::{Process, World};

fn dev(world: &World) -> Process {
    let mut command = world.command("dev");
    command.args(["--tls", "--listen", "127.0.0.1:0", "--runtime", "none"]);
    command.args([
        "--public-url",
        "https://app.test",
        "--workspace-domain",
        "ws.test",
    ]);
    Process::start(command)
}

fn address(process: &Process) -> String {
    let listens = process.ready["listens"].as_str().unwrap();
    listens.strip_prefix("https://").unwrap().to_owned()
}

/// What is answered to a request for this host, whose certificate must be vouched for by the authority in `file`.
async fn get(process: &Process, file: &str, host: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(file).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address(process)).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let request = format!("GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The end of the connection may come without the end of TLS.
    let _ = stream.read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_trusts_the_authority_once_is_served_by_https_and_by_nothing_else() {
    let world = World::new();
    let process = dev(&world);
    assert_eq!(process.ready["url"], "https://app.test");
    let file = process.ready["authority"].as_str().unwrap().to_owned();
    for host in ["app.test", "localhost", "127.0.0.1"] {
        let answer = get(&process, &file, host).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    let workspace = "calm-lake-2abcd.ws.test";
    assert!(get(&process, &file, workspace).await.is_ok());
    for host in ["other.test", "ws.test", "a.b.ws.test"] {
        assert!(get(&process, &file, host).await.is_err(), "{host}");
    }

    // Not a word of the product over plain HTTP.
    let mut plain = TcpStream::connect(address(&process)).await.unwrap();
    plain
        .write_all(b"GET /health HTTP/1.1\r\nhost: app.test\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.ends_with("HTTPS alone: https://app.test\n"),
        "{answer}"
    );

    // The next start has the same authority, and leaves nothing else behind.
    let kept = fs::read(&file).unwrap();
    process.stop();
    let process = dev(&world);
    assert_eq!(fs::read(&file).unwrap(), kept);
    assert!(get(&process, &file, "app.test").await.is_ok());
    let folder = world.data().join("tls");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
    process.stop();
}

#[test]
fn passwords_never_go_over_a_network_in_the_clear() {
    let world = World::new();
    for (arguments, says) in [
        (&["--public-url", "http://app.test"][..], "--tls"),
        (&["--listen", "0.0.0.0:0"], "--tls"),
        (
            &["--tls", "--public-url", "http://127.0.0.1:8080"],
            "https://",
        ),
        (&["--tls", "--public-url", "https://"], "public-url"),
    ] {
        let output = world
            .command("dev")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
    assert!(!world.data().exists(), "refused before anything is made");
}
