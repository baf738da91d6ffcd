//! Letters on their way to a server that speaks real SMTP.

mod server;

use std::{io::Write, time::Duration};

use coditect_core::{Email, health::Health};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::{Delivery, Letter, Mail, Relay, setting};
use crate::rate::Tally;
use server::{Manner, Received, Server};

fn ada() -> Email {
    "ada@example.com".parse().unwrap()
}

fn relay(address: String) -> Relay {
    let mut relay = Relay::new(address, "Coditect <no-reply@example.com>");
    relay.first_retry = Duration::from_millis(1);
    relay
}

fn mail(relay: Relay) -> Mail {
    let app = "https://app.example".to_owned();
    let stopping = CancellationToken::new();
    let delivery = Delivery::Relay(relay);
    Mail::open(
        &delivery,
        app,
        &Tally::of_a_test(),
        Health::default(),
        stopping,
    )
    .unwrap()
}

fn file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

async fn next(server: &mut Server) -> Received {
    let limit = Duration::from_secs(30);
    let letter = tokio::time::timeout(limit, server.letters.recv());
    let mut letter = letter.await.unwrap().unwrap();
    // Long lines come as quoted-printable (RFC 2045, section 6.7).
    letter.data = letter.data.replace("=\r\n", "").replace("=3D", "=");
    letter
}

fn reset(code: &str) -> Letter {
    Letter::ResetPassword {
        code: code.to_owned(),
    }
}

#[tokio::test]
async fn a_letter_arrives_as_it_was_written() {
    let mut server = Server::start(Manner::default()).await;
    let mail = mail(relay(format!("smtp+plain://127.0.0.1:{}", server.port)));
    mail.send(&ada(), &reset("c0de"));
    let letter = next(&mut server).await;
    assert!(letter.from.contains("<no-reply@example.com>"), "{letter:?}");
    assert!(letter.to.contains("<ada@example.com>"), "{letter:?}");
    for expected in [
        "From: Coditect <no-reply@example.com>",
        "To: ada@example.com",
        "Subject: Set a new password",
        "Auto-Submitted: auto-generated",
        "text/plain",
        "text/html",
        "https://app.example/forgot#code=c0de",
    ] {
        assert!(
            letter.data.contains(expected),
            "{expected}: {}",
            letter.data
        );
    }
}

#[tokio::test]
async fn what_the_relay_does_not_take_now_is_offered_again_and_what_it_refuses_is_not() {
    let refusals = ["451 busy", "450 later", "250 ok", "550 no such mailbox"].into();
    let mut server = Server::start(Manner {
        refusals,
        tls: false,
    })
    .await;
    let mail = mail(relay(format!("smtp+plain://127.0.0.1:{}", server.port)));
    mail.send(&ada(), &reset("first"));
    assert!(next(&mut server).await.data.contains("code=first"));
    // The fourth recipient is refused for good.
    mail.send(&ada(), &reset("second"));
    mail.drain().await;
    mail.send(&ada(), &reset("third"));
    assert!(next(&mut server).await.data.contains("code=third"));
    let commands = server.commands.lock().unwrap().clone();
    let offered = commands.iter().filter(|line| line.starts_with("RCPT TO:"));
    assert_eq!(offered.count(), 5, "{commands:?}");
}

#[tokio::test]
async fn a_letter_waits_for_a_relay_that_is_away() {
    let health = Health::default();
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = unused.local_addr().unwrap().port();
    drop(unused);
    let setting = relay(format!("smtp+plain://127.0.0.1:{nobody}"));
    let app = "https://app.example".to_owned();
    let mail = Mail::open(
        &Delivery::Relay(setting),
        app,
        &Tally::of_a_test(),
        health.clone(),
        CancellationToken::new(),
    )
    .unwrap();
    mail.send(&ada(), &reset("c0de"));
    // All six tries, milliseconds apart.
    mail.0.sending.close();
    mail.0.sending.wait().await;
    let state = format!("{:?}", health.snapshot()["mail"]);
    assert!(
        state.contains("Degraded") && state.contains("--mail-relay"),
        "{state}"
    );
    assert!(!state.contains("ada@"), "{state}");
}

#[tokio::test]
async fn over_starttls_the_relay_is_who_it_says_and_learns_who_we_are() {
    let tls = || Manner {
        tls: true,
        ..Manner::default()
    };
    let mut server = Server::start(tls()).await;
    let (certificate, password) = (file(&server.certificate), file("s3cret\n"));
    let mut setting = relay(format!("smtp://localhost:{}", server.port));
    setting.authority = Some(certificate.path().to_owned());
    setting.user = Some("coditect".to_owned());
    setting.password_file = Some(password.path().to_owned());
    mail(setting.clone()).send(&ada(), &reset("c0de"));
    let letter = next(&mut server).await;
    assert!(letter.is_encrypted);
    assert_eq!(letter.login.as_deref(), Some("\0coditect\0s3cret"));

    // One that vouches for itself alone is sent nothing.
    setting.authority = None;
    let stranger = mail(setting.clone());
    stranger.send(&ada(), &reset("c0de"));
    stranger.0.sending.close();
    stranger.0.sending.wait().await;
    // Nor one that does not encrypt.
    let mut plain = Server::start(Manner::default()).await;
    setting.address = format!("smtp://localhost:{}", plain.port);
    let mail = mail(setting);
    mail.send(&ada(), &reset("c0de"));
    mail.0.sending.close();
    mail.0.sending.wait().await;
    assert!(server.letters.try_recv().is_err() && plain.letters.try_recv().is_err());
    let commands = plain.commands.lock().unwrap().clone();
    assert!(
        !commands.is_empty() && commands.iter().all(|line| !line.starts_with("AUTH")),
        "{commands:?}"
    );
}

#[tokio::test]
async fn an_address_gets_so_many_letters_of_a_kind_and_no_more() {
    let open = Mail::open(
        &Delivery::Mailbox,
        String::new(),
        &Tally::of_a_test(),
        Health::default(),
        CancellationToken::new(),
    );
    let mail = open.unwrap();
    for _ in 0..10 {
        mail.send(&ada(), &reset("c0de"));
    }
    mail.send(&ada(), &Letter::PasswordChanged);
    mail.send(&"bob@example.com".parse().unwrap(), &reset("c0de"));
    let kept = mail.mailbox().unwrap().newest_first();
    let subjects: Vec<_> = kept.iter().map(|kept| kept.letter.subject).collect();
    let reset = "Set a new password";
    assert_eq!(
        subjects,
        [reset, "Your password was changed", reset, reset, reset]
    );
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let with = |adjust: fn(&mut Relay)| {
        let mut relay = Relay::new("smtps://mail.example.com", "no-reply@example.com");
        adjust(&mut relay);
        let error = super::relay::SmtpRelay::open(&relay).map(|_| ());
        error.unwrap_err().to_string()
    };
    assert!(with(|relay| relay.address.clear()).starts_with("mail_relay "));
    assert!(with(|relay| relay.from = "nobody".to_owned()).starts_with("mail_from "));
    assert!(with(|relay| relay.user = Some("a".to_owned())).starts_with("mail_password_file "));
    assert!(with(|relay| relay.password_file = Some("x".into())).starts_with("mail_user "));
    let missing = with(|relay| relay.authority = Some("nowhere.pem".into()));
    assert!(missing.contains("nowhere.pem cannot be read"), "{missing}");
    assert!(setting::Endpoint::parse("smtps://mail.example.com").is_ok());
}
