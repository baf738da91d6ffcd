//! The Git server, with the real `git` as its client, and with clients that behave badly.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod git_support;

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::{Shard, health::Health};
use coditect_renderer::git::{
    GitServeLimits, GitServer, MaintenanceConfig, Occasion, ShardTree, Tokens, join_small_packs,
};
use flate2::{Compression, write::GzEncoder};
use git_support::{Cell, assert_clean, finish, git, head_of, put, try_git, user};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "a token that is long enough";

/// A server of one cell, `local`.
struct Served {
    cell: Cell,
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

async fn serve(cell: Cell, limits: GitServeLimits) -> Served {
    let file = cell.folder.path().join("token");
    fs::write(&file, TOKEN).unwrap();
    let (health, path) = (Health::default(), cell.path());
    let tokens = Tokens::open(file, health.clone()).unwrap();
    let find =
        move |name: &coditect_core::CellName| (name.as_str() == "local").then(|| path.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = GitServer::new(Arc::new(find), tokens, limits);
    let running = tokio::spawn(server.run(listener, health, stop.clone()));
    Served {
        cell,
        address,
        stop,
        running,
    }
}

impl Served {
    fn url(&self) -> String {
        format!(
            "http://argocd:{}@{}/local.git",
            escaped(TOKEN),
            self.address
        )
    }

    fn bare_url(&self) -> String {
        format!("http://{}/local.git", self.address)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.cell.folder.path().join(name)
    }

    /// Runs the real `git` beside the server.
    async fn git(&self, arguments: &[&str]) -> (bool, String) {
        let folder = self.cell.folder.path().to_owned();
        run(folder, arguments).await
    }

    async fn clone_to(&self, name: &str, options: &[&str]) -> PathBuf {
        let url = self.url();
        let arguments = [options, &["clone", "-q", &url, name]].concat();
        let (done, said) = self.git(&arguments).await;
        assert!(done, "{said}");
        self.folder(name)
    }

    /// Every process that works in the repository: `git upload-pack` and its helpers change into it.
    fn processes(&self) -> usize {
        working_in(&self.cell.path())
    }

    async fn until_no_process(&self) {
        until_nobody_works_in(&self.cell.path()).await;
    }

    async fn stop(self) -> Cell {
        self.stop.cancel();
        self.running.await.unwrap();
        self.cell
    }
}

fn working_in(repository: &Path) -> usize {
    let works_there = |entry: &fs::DirEntry| {
        fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == repository)
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter(works_there).count()
}

async fn until_nobody_works_in(repository: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while working_in(repository) > 0 {
        assert!(Instant::now() < deadline, "a process is left");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn run(folder: PathBuf, arguments: &[&str]) -> (bool, String) {
    let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        let mut words = vec!["-c", "credential.helper=", "-c", "core.askPass=true"];
        words.extend(arguments.iter().map(String::as_str));
        try_git(&folder, &words)
    })
    .await
    .unwrap()
}

fn escaped(token: &str) -> String {
    token.replace(' ', "%20")
}

/// A cell whose pack is larger than what sockets and servers buffer.
fn large() -> Cell {
    let cell = Cell::new();
    let mut batch = cell.repository.begin(None, &ShardTree::empty());
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    for n in 0..32 {
        let mut bytes = Vec::with_capacity(1 << 20);
        while bytes.len() < 1 << 20 {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            bytes.extend(noise.to_le_bytes());
        }
        batch.put(Shard::of(user(n)), user(n), &bytes).unwrap();
    }
    finish(batch, 1, Occasion::FullReconcile).publish().unwrap();
    cell
}

/// A request as bytes; the body follows.
fn head(served: &Served, method: &str, path: &str, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n{more}\r\n",
        served.address
    )
}

fn upload_head(served: &Served, more: &str) -> String {
    head(
        served,
        "POST",
        "/local.git/git-upload-pack",
        &format!(
            "content-type: application/x-git-upload-pack-request\r\ngit-protocol: version=2\r\n{more}"
        ),
    )
}

/// Sends all of it and reads until the server closes.
async fn exchange(served: &Served, bytes: Vec<u8>) -> String {
    let address = served.address;
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut answer = Vec::new();
        // A server that refuses a body may reset the connection after its answer.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .unwrap()
}

/// Protocol 2's question for the branches.
fn ls_refs() -> Vec<u8> {
    b"0014command=ls-refs\n0015agent=a-test/1.0\n00010009peel\n000csymrefs\n0000".to_vec()
}

/// Protocol 2's request for everything of a commit.
fn fetch_all(commit: &str) -> Vec<u8> {
    let line = |text: String| format!("{:04x}{text}", text.len() + 4);
    [
        line("command=fetch\n".into()),
        "0001".into(),
        line("no-progress\n".into()),
        line(format!("want {commit}\n")),
        line("done\n".into()),
        "0000".into(),
    ]
    .concat()
    .into_bytes()
}

fn with_length(mut head: String, body: &[u8]) -> Vec<u8> {
    head.truncate(head.len() - 2);
    let mut bytes = format!(
        "{head}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_version_clones_and_fetches() {
    let (cell, first) = Cell::with_users(30);
    let served = serve(cell, GitServeLimits::default()).await;
    for version in ["0", "1", "2"] {
        let option = format!("protocol.version={version}");
        let clone = served
            .clone_to(&format!("clone{version}"), &["-c", &option])
            .await;
        assert_eq!(
            git(&clone, &["rev-parse", "HEAD"]),
            first.commit.to_string()
        );
        assert_eq!(git(&clone, &["symbolic-ref", "HEAD"]), "refs/heads/main");
        assert_clean(&clone);
    }
    let second = served
        .cell
        .commit(&first, 2, |batch| assert!(put(batch, 100, 0)));
    for version in ["0", "1", "2"] {
        let (option, clone) = (
            format!("protocol.version={version}"),
            served.folder(&format!("clone{version}")),
        );
        let (done, said) = run(clone.clone(), &["-c", &option, "fetch", "-q", "origin"]).await;
        assert!(done, "{said}");
        assert_eq!(
            git(&clone, &["rev-parse", "origin/main"]),
            second.commit.to_string()
        );
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_a_commit_is_empty_and_not_an_error() {
    let served = serve(Cell::new(), GitServeLimits::default()).await;
    for version in ["0", "2"] {
        let option = format!("protocol.version={version}");
        let clone = served
            .clone_to(&format!("clone{version}"), &["-c", &option])
            .await;
        assert_eq!(git(&clone, &["for-each-ref"]), "");
    }
    served.stop().await;
}

/// As Argo CD's repo server does it: `git fetch origin <sha> --depth 1 --force --prune`, where the branch may have
/// moved on since it asked for the commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_no_longer_the_head_is_fetched_by_its_id() {
    let (cell, first) = Cell::with_users(30);
    let second = cell.commit(&first, 2, |batch| assert!(put(batch, 100, 0)));
    let third = cell.commit(&second, 3, |batch| assert!(put(batch, 101, 0)));
    // On the disk, and on no branch: a renderer that lost the branch leaves such.
    let mut batch = cell.repository.begin(Some(third.commit), &third.tree);
    assert!(put(&mut batch, 102, 0));
    let lost = finish(batch, 4, Occasion::Changes).commit().to_string();
    let served = serve(cell, GitServeLimits::default()).await;
    for version in ["0", "2"] {
        let option = format!("protocol.version={version}");
        let name = format!("shallow{version}");
        git(served.cell.folder.path(), &["init", "-q", &name]);
        let folder = served.folder(&name);
        git(&folder, &["remote", "add", "origin", &served.url()]);
        let fetch = async |commit: &str| {
            run(
                folder.clone(),
                &[
                    "-c", &option, "fetch", "origin", commit, "--depth", "1", "--force", "--prune",
                ],
            )
            .await
        };
        for commit in [second.commit.to_string(), third.commit.to_string()] {
            let (done, said) = fetch(&commit).await;
            assert!(done, "protocol {version}: {said}");
            assert_eq!(git(&folder, &["rev-parse", "FETCH_HEAD"]), commit);
            assert_eq!(git(&folder, &["rev-list", "--count", "FETCH_HEAD"]), "1");
        }
        if version == "0" {
            let (done, said) = fetch(&lost).await;
            assert!(!done && said.contains("not our ref"), "{said}");
        }
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_without_a_token_or_learns_which_cells_there_are() {
    let (cell, _) = Cell::with_users(1);
    let served = serve(cell, GitServeLimits::default()).await;
    let wrong = served.url().replace("long", "wrong");
    for url in [served.bare_url(), wrong] {
        let (done, said) = served.git(&["ls-remote", &url]).await;
        assert!(!done && said.contains("Authentication failed"), "{said}");
    }
    let client = reqwest::Client::new();
    for path in ["local.git", "other.git", "", "local"] {
        let url = format!(
            "http://{}/{path}/info/refs?service=git-upload-pack",
            served.address
        );
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        assert!(
            answer.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Basic ")
        );
        let known = client.get(&url).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(
            known.status(),
            if path == "local.git" { 200 } else { 404 },
            "{path}"
        );
    }
    let header = format!("http.extraHeader=Authorization: Bearer {TOKEN}");
    let (done, said) = served
        .git(&["-c", &header, "ls-remote", &served.bare_url()])
        .await;
    assert!(done, "{said}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_replaced_while_the_server_runs() {
    let (cell, _) = Cell::with_users(1);
    let served = serve(cell, GitServeLimits::default()).await;
    let file = served.folder("token");
    let new = "another token that is long enough";
    let new_url = served.url().replace(&escaped(TOKEN), &escaped(new));
    fs::write(&file, format!("{TOKEN}\n{new}\n")).unwrap();
    for url in [&served.url(), &new_url] {
        let (done, said) = served.git(&["ls-remote", url]).await;
        assert!(done, "{said}");
    }
    fs::write(&file, new).unwrap();
    assert!(!served.git(&["ls-remote", &served.url()]).await.0);
    assert!(served.git(&["ls-remote", &new_url]).await.0);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_pushes_and_nobody_speaks_the_dumb_protocol() {
    let (cell, first) = Cell::with_users(2);
    let served = serve(cell, GitServeLimits::default()).await;
    let clone = served.clone_to("clone", &[]).await;
    git(&clone, &["commit", "-q", "--allow-empty", "-m", "mine"]);
    let (done, said) = run(clone, &["push", "origin", "HEAD:main"]).await;
    assert!(!done && said.contains("403"), "{said}");
    assert_eq!(head_of(&served.cell.path()), first.commit.to_string());
    let client = reqwest::Client::new();
    for (path, word) in [
        ("info/refs", "smart HTTP"),
        ("HEAD", "smart HTTP"),
        ("info/refs?service=git-receive-pack", "Nobody pushes"),
    ] {
        let url = format!("{}/{path}", served.bare_url());
        let answer = client.get(url).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
        assert!(answer.text().await.unwrap().contains(word), "{path}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clones_are_whole_while_commits_come_and_packs_are_joined() {
    let (cell, mut published) = Cell::with_users(50);
    let served = serve(cell, GitServeLimits::default()).await;
    let repository = served.cell.repository.clone();
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let (url, folder) = (served.url(), served.cell.folder.path().to_owned());
            tokio::spawn(async move {
                let name = format!("reader{reader}");
                for round in 0..6 {
                    let at = folder.join(&name);
                    let (done, said) = if round % 3 == 0 {
                        let _ = fs::remove_dir_all(&at);
                        run(folder.clone(), &["clone", "-q", &url, &name]).await
                    } else {
                        run(at.clone(), &["fetch", "-q", "origin"]).await
                    };
                    assert!(done, "{said}");
                    assert_clean(&at);
                }
            })
        })
        .collect();
    let config = MaintenanceConfig::new("local".parse().unwrap());
    let mut version = 2;
    while readers.iter().any(|reader| !reader.is_finished()) {
        published = served.cell.commit(&published, version, |batch| {
            assert!(put(batch, 1_000 + u128::from(version), 0));
        });
        if version % 7 == 0 {
            join_small_packs(&repository, &config).await.unwrap();
        }
        version += 1;
        tokio::task::yield_now().await;
    }
    for reader in readers {
        reader.await.unwrap();
    }
    let last = served.clone_to("last", &[]).await;
    assert_eq!(
        git(&last, &["rev-parse", "HEAD"]),
        published.commit.to_string()
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_clients_share_two_processes() {
    let (cell, first) = Cell::with_users(20);
    let limits = GitServeLimits {
        processes: 2,
        ..GitServeLimits::default()
    };
    let served = Arc::new(serve(cell, limits).await);
    let clients: Vec<_> = (0..20)
        .map(|client| {
            let served = Arc::clone(&served);
            tokio::spawn(async move { served.clone_to(&format!("client{client}"), &[]).await })
        })
        .collect();
    let mut most = 0;
    while clients.iter().any(|client| !client.is_finished()) {
        // Each of two may have its one helper.
        most = most.max(served.processes());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(most <= 4, "{most} processes at once");
    for client in clients {
        let clone = client.await.unwrap();
        assert_eq!(
            git(&clone, &["rev-parse", "HEAD"]),
            first.commit.to_string()
        );
    }
    Arc::into_inner(served).unwrap().stop().await;
}

/// Begins an upload and waits until the server reads its body, so holds a process for it.
fn occupy(served: &Served) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).unwrap();
    let head = upload_head(
        served,
        "transfer-encoding: chunked\r\nexpect: 100-continue\r\n",
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_queue_clients_are_told_to_come_again() {
    let (cell, _) = Cell::with_users(1);
    let limits = GitServeLimits {
        processes: 1,
        queue: 0,
        ..GitServeLimits::default()
    };
    let served = serve(cell, limits).await;
    let occupant = occupy(&served);
    let url = format!("{}/info/refs?service=git-upload-pack", served.bare_url());
    let client = reqwest::Client::new();
    let ask = async || client.get(&url).bearer_auth(TOKEN).send().await.unwrap();
    let answer = ask().await;
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers()["retry-after"].as_bytes()
        ),
        (503, &b"1"[..])
    );
    // It goes away: its process ends, and its place is free.
    drop(occupant);
    served.until_no_process().await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask().await.status() != 200 {
        assert!(Instant::now() < deadline);
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_ends_its_request_loses_its_place() {
    let (cell, _) = Cell::with_users(1);
    let limits = GitServeLimits {
        processes: 1,
        stall: Duration::from_millis(100),
        ..GitServeLimits::default()
    };
    let served = serve(cell, limits).await;
    let mut occupant = occupy(&served);
    // It waits in the queue until then.
    let (done, said) = served.git(&["ls-remote", &served.url()]).await;
    assert!(done, "{said}");
    let mut answer = String::new();
    occupant.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    served.until_no_process().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_cut_off_and_its_process_ended() {
    let limits = GitServeLimits {
        stall: Duration::from_millis(200),
        ..GitServeLimits::default()
    };
    let served = serve(large(), limits).await;
    let mut stream = TcpStream::connect(served.address).unwrap();
    let request = fetch_all(&head_of(&served.cell.path()));
    stream
        .write_all(&with_length(upload_head(&served, ""), &request))
        .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    served.until_no_process().await;
    // What was under way arrives; then the connection is broken off, never ended as if that were all.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < 32 << 20 && !rest.ends_with(b"0\r\n\r\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_killed_leaves_no_process() {
    let served = serve(large(), GitServeLimits::default()).await;
    // In the middle of the answer.
    let mut stream = TcpStream::connect(served.address).unwrap();
    let request = fetch_all(&head_of(&served.cell.path()));
    stream
        .write_all(&with_length(upload_head(&served, ""), &request))
        .unwrap();
    stream.read_exact(&mut [0; 1024]).unwrap();
    assert!(served.processes() > 0);
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    served.until_no_process().await;
    // A real one, as it begins to receive.
    let mut clone = Command::new("git")
        .args(["clone", "--progress", &served.url(), "killed"])
        .current_dir(served.cell.folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut stderr = clone.stderr.take().unwrap();
    while !said.windows(9).any(|word| word == b"Receiving") {
        let mut byte = [0];
        stderr.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    clone.kill().unwrap();
    clone.wait().unwrap();
    served.until_no_process().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_unpacked_and_bounded() {
    let (cell, first) = Cell::with_users(1);
    let limits = GitServeLimits {
        body: 4096,
        ..GitServeLimits::default()
    };
    let served = serve(cell, limits).await;
    let packed = |bytes: &[u8]| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let plain = upload_head(&served, "");
    let gzip = upload_head(&served, "content-encoding: gzip\r\n");
    let listed = format!("{} refs/heads/main", first.commit);
    for (head, body, expected) in [
        (&plain, ls_refs(), listed.as_str()),
        (&gzip, packed(&ls_refs()), &listed),
        (&gzip, ls_refs(), "HTTP/1.1 400"),
        (&plain, vec![b'0'; 5000], "HTTP/1.1 413"),
        (&gzip, packed(&vec![b'0'; 1 << 20]), "HTTP/1.1 413"),
    ] {
        let answer = exchange(&served, with_length(head.clone(), &body)).await;
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
    served.until_no_process().await;
    served.stop().await;
}

/// A fetch whose request is long enough for the real `git` to compress it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_much_history_of_its_own_fetches() {
    let (cell, first) = Cell::with_users(5);
    let served = serve(cell, GitServeLimits::default()).await;
    let clone = served.clone_to("clone", &[]).await;
    for n in 0..200 {
        git(
            &clone,
            &["commit", "-q", "--allow-empty", "-m", &n.to_string()],
        );
    }
    let second = served
        .cell
        .commit(&first, 2, |batch| assert!(put(batch, 100, 0)));
    for version in ["0", "2"] {
        let option = format!("protocol.version={version}");
        let (done, said) = run(clone.clone(), &["-c", &option, "fetch", "-q", "origin"]).await;
        assert!(done, "{said}");
        assert_eq!(
            git(&clone, &["rev-parse", "origin/main"]),
            second.commit.to_string()
        );
        git(
            &clone,
            &[
                "update-ref",
                "refs/remotes/origin/main",
                &first.commit.to_string(),
            ],
        );
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_read_is_an_error_and_not_an_empty_answer() {
    let (cell, _) = Cell::with_users(1);
    let served = serve(cell, GitServeLimits::default()).await;
    fs::remove_file(served.cell.path().join("HEAD")).unwrap();
    let url = format!("{}/info/refs?service=git-upload-pack", served.bare_url());
    let answer = reqwest::Client::new()
        .get(url)
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 500);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_idle_connections_at_once_and_running_fetches_after_a_while() {
    let limits = GitServeLimits {
        drain: Duration::from_millis(50),
        ..GitServeLimits::default()
    };
    let (cell, _) = Cell::with_users(1);
    let served = serve(cell, limits).await;
    let _idle = TcpStream::connect(served.address).unwrap();
    let _occupant = occupy(&served);
    let path = served.cell.path();
    let cell = served.stop().await;
    until_nobody_works_in(&path).await;
    drop(cell);
}
