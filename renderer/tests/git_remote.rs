//! A hosted remote as the place of truth: real bare repositories, by file and by HTTP, and what can go wrong between
//! a push and the local branch.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod git_support;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use coditect_core::{
    CellName, RegistrationId, RequestId, UserId,
    health::{Health, State},
};
use coditect_registry::{
    Registry,
    operation::{Placement, Register, Verification},
    record::RegistrationState,
    store::{Store, memory::MemoryStore},
};
use coditect_renderer::{
    git::{Occasion, Published, PushError, Remote, RemoteConfig, ShardTree},
    inputs::Inputs,
    service::{Service, Settings},
};
use git_support::{Cell, assert_clean, finish, git, head_of, put};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::{io::AsyncWriteExt, net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

fn local() -> CellName {
    "local".parse().unwrap()
}

fn bare(path: &Path) {
    let (parent, path) = (path.parent().unwrap(), path.to_str().unwrap());
    git(parent, &["init", "-q", "--bare", "-b", "main", path]);
}

fn remote_at(url: impl Into<String>, interval: Duration) -> Remote {
    let mut config = RemoteConfig::new(local(), url);
    config.interval = interval;
    Remote::new(config)
}

fn file_url(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// A registry, a hosted repository, and any number of renderers, each with a volume of its own.
struct World {
    folder: tempfile::TempDir,
    registry: Registry,
    inputs: watch::Receiver<Arc<Inputs>>,
    _inputs: watch::Sender<Arc<Inputs>>,
}

/// A running renderer.
struct Renderer {
    task: JoinHandle<()>,
    stop: CancellationToken,
    health: Health,
}

impl Renderer {
    /// As kill -9 does: nothing is given back.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    fn state(&self) -> Option<State> {
        self.health.snapshot().remove("renderer/local")
    }
}

impl World {
    async fn new() -> Self {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let (sender, inputs) = watch::channel(Arc::new(Inputs::load(&root).unwrap()));
        let store = MemoryStore::new();
        let folder = tempfile::tempdir().unwrap();
        bare(&folder.path().join("hosted.git"));
        Self {
            folder,
            registry: Registry::open(store as Arc<dyn Store>).await.unwrap(),
            inputs,
            _inputs: sender,
        }
    }

    fn hosted(&self) -> PathBuf {
        self.folder.path().join("hosted.git")
    }

    fn volume(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).join("local.git")
    }

    fn start(&self, volume: &str) -> Renderer {
        self.start_with(volume, remote_at(file_url(&self.hosted()), Duration::ZERO))
    }

    fn start_with(&self, volume: &str, remote: Remote) -> Renderer {
        let mut settings = Settings::new(local(), self.volume(volume));
        settings.poll = Duration::from_millis(50);
        settings.lease = Duration::from_millis(600);
        settings.remote = Some(remote);
        let (health, stop) = (Health::default(), CancellationToken::new());
        let (registry, inputs) = (self.registry.clone(), self.inputs.clone());
        let service = Service::new(registry, settings, inputs, health.clone());
        Renderer {
            task: tokio::spawn(service.run(stop.clone())),
            stop,
            health,
        }
    }

    async fn sign_up(&self, number: usize) -> UserId {
        let catalogue = self.inputs.borrow().policy.catalogue();
        let plan = &catalogue.plans[&"starter".parse().unwrap()];
        let register = Register {
            registration: RegistrationId::random(),
            email: format!("p{number}@example.com").parse().unwrap(),
            display_name: "Ada".parse().unwrap(),
            password_hash: "hash".into(),
            terms: None,
            verification: Verification::None,
            placement: Placement {
                plan: plan.name.clone(),
                limits: plan.limits,
                cells: catalogue.cells.values().cloned().collect(),
            },
            at: Timestamp::now(),
        };
        let request = RequestId::random();
        self.registry.apply(request, &register).await.unwrap();
        let mut view = self.registry.view().await.unwrap();
        let registration = view.registration(register.registration).await.unwrap();
        match registration.unwrap().state {
            RegistrationState::Complete { user, .. } => user,
            other => panic!("{other:?}"),
        }
    }

    /// The commit that the registry says holds the user.
    async fn committed(&self, user: UserId) -> Option<String> {
        let mut view = self.registry.view().await.unwrap();
        let runtime = view.runtime(&local(), user).await.unwrap()?;
        runtime.committed.map(|committed| committed.commit)
    }

    async fn until_committed(&self, user: UserId) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(commit) = self.committed(user).await {
                return commit;
            }
            assert!(Instant::now() < deadline, "not committed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn hosted_files(&self) -> Vec<String> {
        let tree = git(
            &self.hosted(),
            &["ls-tree", "-r", "--name-only", "refs/heads/main"],
        );
        tree.lines()
            .filter(|line| line.ends_with(".yaml") && line.starts_with("shards/"))
            .map(str::to_owned)
            .collect()
    }

    fn assert_hosted_has(&self, users: &[UserId]) {
        let files = self.hosted_files();
        assert_eq!(files.len(), users.len(), "{files:?}");
        for user in users {
            assert!(files.iter().any(|file| file.contains(&user.to_string())));
        }
    }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_counts_as_committed_before_the_remote_has_it() {
    let world = World::new().await;
    let renderer = world.start("one");
    let mut users = Vec::new();
    for number in 0..3 {
        users.push(world.sign_up(number).await);
        let commit = world.until_committed(users[number]).await;
        // What the registry names, the remote holds.
        git(
            &world.hosted(),
            &["merge-base", "--is-ancestor", &commit, "refs/heads/main"],
        );
    }
    renderer.stop().await;
    world.assert_hosted_has(&users);
    assert_eq!(head_of(&world.hosted()), head_of(&world.volume("one")));
    assert_clean(&world.hosted());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_volume_begins_with_the_remotes_history() {
    let world = World::new().await;
    let renderer = world.start("one");
    let first = world.sign_up(1).await;
    world.until_committed(first).await;
    renderer.stop().await;
    let before = head_of(&world.hosted());
    let renderer = world.start("two");
    let second = world.sign_up(2).await;
    world.until_committed(second).await;
    renderer.stop().await;
    world.assert_hosted_has(&[first, second]);
    git(
        &world.volume("two"),
        &["merge-base", "--is-ancestor", &before, "refs/heads/main"],
    );
    assert_eq!(head_of(&world.hosted()), head_of(&world.volume("two")));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_remote_is_down_sign_ups_are_kept_and_health_says_so() {
    let world = World::new().await;
    let renderer = world.start("one");
    let first = world.sign_up(1).await;
    world.until_committed(first).await;
    let away = world.folder.path().join("away.git");
    fs::rename(world.hosted(), &away).unwrap();
    let second = world.sign_up(2).await;
    until("health says so", || {
        matches!(renderer.state(), Some(State::Failing { detail }) if detail.contains("place of truth"))
    })
    .await;
    assert_eq!(world.committed(second).await, None);
    assert_eq!(
        head_of(&world.volume("one")),
        head_of(&away),
        "the local branch waits"
    );
    fs::rename(&away, world.hosted()).unwrap();
    world.until_committed(second).await;
    renderer.stop().await;
    world.assert_hosted_has(&[first, second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_renderer_notices_that_the_remote_is_gone_and_back() {
    let world = World::new().await;
    let renderer = world.start("one");
    let user = world.sign_up(1).await;
    world.until_committed(user).await;
    let away = world.folder.path().join("away.git");
    fs::rename(world.hosted(), &away).unwrap();
    until("health says so", || {
        matches!(renderer.state(), Some(State::Degraded { detail }) if detail.contains("does not answer"))
    })
    .await;
    assert!(renderer.health.is_ready(), "there is nothing to push");
    fs::rename(&away, world.hosted()).unwrap();
    until("all is well", || {
        matches!(renderer.state(), Some(State::Ok { .. }))
    })
    .await;
    renderer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_writes_to_the_remote_is_rendered_over_and_stays_in_history() {
    let world = World::new().await;
    let renderer = world.start("one");
    let user = world.sign_up(1).await;
    world.until_committed(user).await;
    let rendered = git(&world.hosted(), &["rev-parse", "refs/heads/main:shards"]);
    let hosted = file_url(&world.hosted());
    git(world.folder.path(), &["clone", "-q", &hosted, "person"]);
    let clone = world.folder.path().join("person");
    let file = &world.hosted_files()[0];
    fs::write(clone.join(file), "kind: Mine\n").unwrap();
    git(&clone, &["commit", "-qam", "mine"]);
    let mine = git(&clone, &["rev-parse", "HEAD"]);
    git(&clone, &["push", "-q", "--force", "origin", "main"]);
    until("it is rendered over", || {
        let shards = git(&world.hosted(), &["rev-parse", "refs/heads/main:shards"]);
        shards == rendered && head_of(&world.hosted()) != mine
    })
    .await;
    // Their commit may have been overtaken by none: the renderer's lease was on what it had seen.
    git(
        &world.hosted(),
        &["merge-base", "--is-ancestor", &mine, "refs/heads/main"],
    );
    renderer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renderer_that_is_killed_is_succeeded_by_one_with_another_volume() {
    let world = World::new().await;
    let one = world.start("one");
    let two = world.start("two");
    let mut users = vec![world.sign_up(0).await];
    world.until_committed(users[0]).await;
    // Whoever leads is killed in the middle of the next sign-ups; the other one takes over.
    let leads = |renderer: &Renderer| matches!(renderer.state(), Some(State::Ok { detail }) if detail.starts_with("leads"));
    let (leader, other, volume) = if leads(&one) {
        (one, two, "one")
    } else {
        (two, one, "two")
    };
    for number in 1..6 {
        users.push(world.sign_up(number).await);
    }
    leader.kill().await;
    for user in &users {
        world.until_committed(*user).await;
    }
    world.assert_hosted_has(&users);
    // The first one comes back with its old volume, and leads again.
    other.stop().await;
    let again = world.start(volume);
    users.push(world.sign_up(6).await);
    world.until_committed(users[6]).await;
    again.stop().await;
    world.assert_hosted_has(&users);
    let merges = git(
        &world.hosted(),
        &["rev-list", "--count", "--min-parents=2", "main"],
    );
    assert_eq!(merges, "0");
    assert_clean(&world.hosted());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_gather_between_two_pushes() {
    let world = World::new().await;
    let interval = Duration::from_secs(1);
    let remote = remote_at(file_url(&world.hosted()), interval);
    let began = Instant::now();
    let renderer = world.start_with("one", remote);
    let mut users = Vec::new();
    for number in 0..30 {
        users.push(world.sign_up(number).await);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    for user in &users {
        world.until_committed(*user).await;
    }
    let commits: u64 = git(&world.hosted(), &["rev-list", "--count", "main"])
        .parse()
        .unwrap();
    // A take-over, what followed it at once, and one an interval.
    let allowed = began.elapsed().as_secs() + 3;
    assert!(commits <= allowed, "{commits} commits, {allowed} allowed");
    renderer.stop().await;
    world.assert_hosted_has(&users);
}

/// A cell and an empty hosted repository beside it.
fn beside() -> (Cell, PathBuf, Remote) {
    let cell = Cell::new();
    let hosted = cell.folder.path().join("hosted.git");
    bare(&hosted);
    let remote = remote_at(file_url(&hosted), Duration::ZERO);
    (cell, hosted, remote)
}

/// kill -9 between the remote's yes and the move of the local branch.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_maker_died_is_taken_over() {
    let (cell, hosted, remote) = beside();
    let mut batch = cell.repository.begin(None, &ShardTree::empty());
    put(&mut batch, 1, 0);
    let prepared = finish(batch, 1, Occasion::FullReconcile);
    let commit = prepared.commit();
    remote.push(&cell.path(), None, commit).await.unwrap();
    drop(prepared);
    assert_eq!(cell.repository.head_commit().unwrap(), None);
    assert_eq!(head_of(&hosted), commit.to_string());
    remote.adopt(&cell.repository).await.unwrap();
    let head = cell.repository.head().unwrap().unwrap();
    assert!(head.commit == commit && head.intact);
    assert_clean(&cell.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_made_on_an_older_head_is_lost_and_changes_nothing() {
    let (_cell, hosted, remote) = beside();
    let (other, theirs) = Cell::with_users(3);
    remote
        .push(&other.path(), None, theirs.commit)
        .await
        .unwrap();
    // Made on nothing, and made on something that is not there any more.
    let (mine, first) = Cell::with_users(2);
    for expected in [None, Some(first.commit)] {
        let outcome = remote.push(&mine.path(), expected, first.commit).await;
        assert!(matches!(outcome, Err(PushError::Moved)), "{outcome:?}");
        assert_eq!(head_of(&hosted), theirs.commit.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_empty_or_was_restored_from_a_backup_gets_the_rest() {
    let (cell, hosted, remote) = beside();
    let first = cell.commit(&cell_start(&cell), 2, |batch| assert!(put(batch, 1, 0)));
    remote.adopt(&cell.repository).await.unwrap();
    assert_eq!(head_of(&hosted), first.commit.to_string());
    let second = cell.commit(&first, 3, |batch| assert!(put(batch, 2, 0)));
    remote
        .push(&cell.path(), Some(first.commit), second.commit)
        .await
        .unwrap();
    git(
        &hosted,
        &["update-ref", "refs/heads/main", &first.commit.to_string()],
    );
    remote.adopt(&cell.repository).await.unwrap();
    assert_eq!(head_of(&hosted), second.commit.to_string());
    assert_eq!(cell.repository.head_commit().unwrap(), Some(second.commit));
}

fn cell_start(cell: &Cell) -> Published {
    let batch = cell.repository.begin(None, &ShardTree::empty());
    finish(batch, 1, Occasion::FullReconcile).publish().unwrap()
}

/// A Git host over HTTP (`git http-backend`) that can lose its answers.
struct Host {
    address: SocketAddr,
    mute: Arc<AtomicBool>,
}

impl Host {
    async fn start(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mute = Arc::new(AtomicBool::new(false));
        let loses = Arc::clone(&mute);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (folder, loses) = (folder.clone(), Arc::clone(&loses));
                let service = service_fn(move |request| {
                    let (folder, loses) = (folder.clone(), Arc::clone(&loses));
                    async move {
                        let pushes = request.method() == "POST"
                            && request.uri().path().ends_with("git-receive-pack");
                        let answer = backend(request, &folder).await;
                        if pushes && loses.swap(false, Ordering::SeqCst) {
                            return Err("the answer is lost");
                        }
                        Ok::<_, &str>(answer)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, mute }
    }
}

async fn backend(request: Request<Incoming>, folder: &Path) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let header = |name: &str| {
        head.headers
            .get(name)
            .map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    };
    let mut child = tokio::process::Command::new("git")
        .args(["-c", "http.receivepack=true", "http-backend"])
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    tokio::spawn(async move {
        // An early answer leaves the rest unread.
        let _ = stdin.write_all(&body).await;
    });
    let output = child.wait_with_output().await.unwrap().stdout;
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let mut answer = Response::builder();
    for line in std::str::from_utf8(&output[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        answer = if name == "Status" {
            answer.status(value[..3].parse::<u16>().unwrap())
        } else {
            answer.header(name, value)
        };
    }
    answer.body(Full::from(output[end + 4..].to_vec())).unwrap()
}

/// The remote takes a commit, and its answer never arrives.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_answer_is_lost_over_http_is_neither_lost_nor_made_twice() {
    let world = World::new().await;
    let host = Host::start(world.folder.path().to_owned()).await;
    let url = format!("http://{}/hosted.git", host.address);
    let renderer = world.start_with("one", remote_at(url, Duration::ZERO));
    let first = world.sign_up(1).await;
    world.until_committed(first).await;
    host.mute.store(true, Ordering::SeqCst);
    let second = world.sign_up(2).await;
    let commit = world.until_committed(second).await;
    assert!(!host.mute.load(Ordering::SeqCst), "an answer was lost");
    renderer.stop().await;
    world.assert_hosted_has(&[first, second]);
    assert_eq!(head_of(&world.hosted()), head_of(&world.volume("one")));
    let touched = git(
        &world.hosted(),
        &[
            "log",
            "--format=%H",
            "main",
            "--",
            &format!("shards/*/{second}.yaml"),
        ],
    );
    assert_eq!(touched.lines().count(), 1, "{touched}");
    git(
        &world.hosted(),
        &["merge-base", "--is-ancestor", &touched, &commit],
    );
}
