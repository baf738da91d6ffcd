//! Remotes over SSH and HTTPS with credentials by files: a real `sshd`, and Git's own server behind HTTPS and a password.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "git_access/https.rs"]
mod https;

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use coditect_renderer::git::{GitAccess, PolicyRemote, PolicyRemoteConfig};
use https::Https;
use tempfile::TempDir;

/// Runs a program to its end and gives what it printed.
fn run(program: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A bare repository with a commit, below a folder whose name holds a space.
fn repository(folder: &TempDir) -> PathBuf {
    let place = folder.path().join("of people");
    fs::create_dir(&place).unwrap();
    run(
        "git",
        &place,
        &["init", "-q", "--bare", "-b", "main", "policy.git"],
    );
    run("git", &place, &["clone", "-q", "policy.git", "desk"]);
    let desk = place.join("desk");
    let who = [
        "-c",
        "user.name=a person",
        "-c",
        "user.email=p@example.invalid",
    ];
    let commit = ["commit", "-q", "--allow-empty", "-m", "first"];
    run("git", &desk, &[&who[..], &commit].concat());
    run("git", &desk, &["push", "-q", "origin", "HEAD:main"]);
    place.join("policy.git")
}

fn remote(folder: &TempDir, copy: &str, url: &str, access: GitAccess) -> PolicyRemote {
    let mut config = PolicyRemoteConfig::new(url, "main", folder.path().join(copy));
    config.access = access;
    PolicyRemote::open(config).unwrap()
}

/// Reads, and makes a branch.
async fn both_ways(remote: &PolicyRemote) {
    let main = remote.look().await.unwrap().main;
    let branch = "coditect/approvals/1";
    remote.put_branch(branch, None, main).await.unwrap();
    assert_eq!(remote.look().await.unwrap().ours[branch], main);
}

async fn refused(remote: &PolicyRemote) -> String {
    remote.look().await.unwrap_err().chain()
}

/// An SSH server of this machine's own user.
struct Sshd {
    child: Child,
    port: u16,
}

impl Sshd {
    fn start(folder: &Path) -> Self {
        for name in ["host", "person", "stranger"] {
            let file = folder.join(name);
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-f"];
            run(
                "ssh-keygen",
                folder,
                &[&arguments[..], &[file.to_str().unwrap()]].concat(),
            );
        }
        fs::copy(folder.join("person.pub"), folder.join("authorized")).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let here = folder.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host\nAuthorizedKeysFile {here}/authorized\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\n"
        );
        let file = folder.join("sshd_config");
        fs::write(&file, config).unwrap();
        // sshd asks to be called by its whole path.
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut sshd = Self { child, port };
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert_eq!(sshd.child.try_wait().unwrap(), None, "sshd ended");
            thread::sleep(Duration::from_millis(20));
        }
        sshd
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn over_ssh_by_a_key_and_only_with_a_host_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(&folder);
    // The names of key and hosts hold a space.
    let keys = folder.path().join("of people");
    let sshd = {
        let plain = folder.path().join("sshd");
        fs::create_dir(&plain).unwrap();
        let sshd = Sshd::start(&plain);
        for name in ["host.pub", "person", "stranger"] {
            fs::copy(plain.join(name), keys.join(name)).unwrap();
            fs::set_permissions(keys.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        sshd
    };
    let host = fs::read_to_string(keys.join("host.pub")).unwrap();
    let port = sshd.port;
    fs::write(keys.join("hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
    let other = fs::read_to_string(folder.path().join("sshd/person.pub")).unwrap();
    fs::write(
        keys.join("other hosts"),
        format!("[127.0.0.1]:{port} {other}"),
    )
    .unwrap();
    fs::write(keys.join("no hosts"), "").unwrap();
    let user = run("id", folder.path(), &["-un"]);
    let url = format!(
        "ssh://{}@127.0.0.1:{port}{}",
        user.trim(),
        repository.display()
    );
    let with = |key: &str, hosts: &str| GitAccess {
        ssh_key: Some(keys.join(key)),
        known_hosts: Some(keys.join(hosts)),
        ..GitAccess::default()
    };
    both_ways(&remote(&folder, "a", &url, with("person", "hosts"))).await;

    let unknown = refused(&remote(&folder, "b", &url, with("person", "no hosts"))).await;
    assert!(
        unknown.contains("Host key verification failed"),
        "{unknown}"
    );
    let swapped = refused(&remote(&folder, "c", &url, with("person", "other hosts"))).await;
    assert!(
        swapped.contains("IDENTIFICATION HAS CHANGED") || swapped.contains("verification failed"),
        "{swapped}"
    );
    let stranger = refused(&remote(&folder, "d", &url, with("stranger", "hosts"))).await;
    assert!(stranger.contains("Permission denied"), "{stranger}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_by_a_password_that_is_read_again_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(&folder);
    let https = Https::start(repository.parent().unwrap(), "coditect", "s3cret-t0ken").await;
    let password = folder.path().join("a token");
    let authority = folder.path().join("ca.pem");
    fs::write(&authority, &https.certificate).unwrap();
    fs::write(&password, "an-old-one\n").unwrap();
    let url = format!("https://localhost:{}/policy.git", https.port);
    let access = GitAccess {
        user: "coditect".to_owned(),
        password: Some(password.clone()),
        ca: Some(authority),
        ..GitAccess::default()
    };
    let there = remote(&folder, "a", &url, access.clone());
    let wrong = refused(&there).await;
    assert!(
        wrong.contains("Authentication failed") && !wrong.contains("an-old-one"),
        "{wrong}"
    );
    fs::write(&password, "s3cret-t0ken").unwrap();
    both_ways(&there).await;

    let trusts_nobody = GitAccess { ca: None, ..access };
    let unknown = refused(&remote(&folder, "b", &url, trusts_nobody)).await;
    assert!(unknown.contains("certificate"), "{unknown}");
}
