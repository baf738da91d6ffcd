//! Several processes on one store: what happens when one of them dies or stands still.

use std::{ffi::OsString, path::Path, sync::Arc, time::Duration};

use coditect_registry::store::{
    Isolation::Snapshot,
    Store, StoreError,
    embedded::EmbeddedStore,
    memory::MemoryStore,
    optimistic::{CommitRequest, Engine},
    remote::{self, RemoteStore},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::Notify,
};

use crate::child::{self, Process};

async fn put(store: &dyn Store, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    transaction.set(key, value);
    transaction.commit().await.map(drop)
}

async fn get(store: &dyn Store, key: &[u8]) -> Option<Vec<u8>> {
    store
        .begin()
        .await
        .unwrap()
        .get(key, Snapshot)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_server_that_is_started_anew_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let memory = MemoryStore::new();
    let server = remote::serve(memory.engine(), &socket).await.unwrap();
    let store = RemoteStore::connect(&socket).await.unwrap();
    put(&*store, b"a", b"1").await.unwrap();
    let mut open = store.begin().await.unwrap();
    server.shutdown().await;
    assert!(!socket.exists());
    assert!(matches!(
        open.get(b"a", Snapshot).await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(matches!(
        store.begin().await.map(drop),
        Err(StoreError::Unavailable(_))
    ));
    let _server = remote::serve(memory.engine(), &socket).await.unwrap();
    assert_eq!(get(&*store, b"a").await, Some(b"1".to_vec()));
}

#[tokio::test]
async fn waiting_ends_with_the_server_and_can_be_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let memory = MemoryStore::new();
    let server = remote::serve(memory.engine(), &socket).await.unwrap();
    let store = RemoteStore::connect(&socket).await.unwrap();
    let waits = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.changed(b"a", None).await }
    });
    tokio::task::yield_now().await;
    drop(server);
    let _ = waits.await.unwrap();
    let _server = remote::serve(memory.engine(), &socket).await.unwrap();
    put(&*memory, b"a", b"1").await.unwrap();
    store.changed(b"a", None).await.unwrap();
}

#[tokio::test]
async fn one_socket_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let memory = MemoryStore::new();
    let server = remote::serve(memory.engine(), &socket).await.unwrap();
    let refused = remote::serve(memory.engine(), &socket)
        .await
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(&refused, StoreError::NotOpened(why) if why.contains(socket.to_str().unwrap())),
        "{refused}"
    );
    drop(server);
    remote::serve(memory.engine(), &socket).await.unwrap();
}

#[tokio::test]
async fn the_socket_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _server = remote::serve(MemoryStore::new().engine(), &socket)
        .await
        .unwrap();
    assert_eq!(
        std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_place_without_a_server_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let error = RemoteStore::connect(&socket).await.map(drop).unwrap_err();
    assert!(
        matches!(&error, StoreError::NotOpened(why) if why.contains(socket.to_str().unwrap())),
        "{error}"
    );

    let other = UnixListener::bind(&socket).unwrap();
    let (connected, _) = tokio::join!(RemoteStore::connect(&socket), async {
        let (mut stream, _) = other.accept().await.unwrap();
        stream
            .write_all(b"220 mail.example.org ESMTP\r\n")
            .await
            .unwrap();
        stream.read_to_end(&mut Vec::new()).await
    });
    assert!(matches!(connected.map(drop), Err(StoreError::NotOpened(_))));
}

/// An engine whose commits wait until told, and then happen or not.
struct Slow {
    below: Arc<dyn Engine>,
    arrived: Notify,
}

#[async_trait::async_trait]
impl Engine for Slow {
    async fn snapshot(
        &self,
    ) -> Result<Arc<dyn coditect_registry::store::optimistic::Snapshot>, StoreError> {
        self.below.snapshot().await
    }

    async fn commit(&self, _: CommitRequest) -> Result<coditect_core::Version, StoreError> {
        self.arrived.notify_one();
        std::future::pending().await
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.below.changed(key, seen).await
    }
}

#[tokio::test]
async fn a_connection_lost_during_commit_leaves_the_result_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let slow = Arc::new(Slow {
        below: MemoryStore::new().engine(),
        arrived: Notify::new(),
    });
    let server = remote::serve(Arc::clone(&slow) as Arc<dyn Engine>, &socket)
        .await
        .unwrap();
    let store = RemoteStore::connect(&socket).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    transaction.set(b"a", b"1");
    let (committed, ()) = tokio::join!(transaction.commit(), async {
        slow.arrived.notified().await;
        drop(server);
    });
    assert!(
        matches!(committed, Err(StoreError::UnknownResult)),
        "{committed:?}"
    );
}

#[tokio::test]
async fn nonsense_on_the_socket_ends_that_connection_alone() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let memory = MemoryStore::new();
    let _server = remote::serve(memory.engine(), &socket).await.unwrap();
    let store = RemoteStore::connect(&socket).await.unwrap();
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"coditect-store 1\n\xff\xff\xff\xff",
        b"coditect-store 1\n\0\0\0\x02hi",
    ] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        // Ended or reset, as the timing of it goes; but ended.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        put(&*store, b"a", b"1").await.unwrap();
    }
}

/// Serves the store, until killed.
async fn server(place: OsString) {
    let folder = Path::new(&place);
    let store = EmbeddedStore::open(folder.join("registry")).unwrap();
    let _server = remote::serve(store.engine(), folder.join("socket"))
        .await
        .unwrap();
    child::say("serving");
    std::future::pending().await
}

#[tokio::test]
async fn a_killed_server_leaves_no_stale_socket_and_no_lost_commit() {
    if let Some(place) = child::place() {
        return server(place).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut store = None;
    for round in 0..4_u8 {
        let mut process = Process::start(
            "processes::a_killed_server_leaves_no_stale_socket_and_no_lost_commit",
            folder.path(),
        );
        assert_eq!(process.says().unwrap(), ["serving"]);
        let store = match &store {
            Some(store) => store,
            None => store.insert(
                RemoteStore::connect(folder.path().join("socket"))
                    .await
                    .unwrap(),
            ),
        };
        for before in 0..round {
            assert_eq!(get(&**store, &[before]).await, Some(vec![before]));
        }
        put(&**store, &[round], &[round]).await.unwrap();
        process.kill();
        assert!(
            folder.path().join("socket").exists(),
            "the killed process left its socket"
        );
    }
}

/// A client that opens transactions, waits for keys, asks for a great deal, and reads no answer.
async fn greedy(place: OsString) {
    let store = RemoteStore::connect(Path::new(&place).join("socket"))
        .await
        .unwrap();
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(store.begin().await.unwrap());
    }
    let waits = (0..100_u8).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.changed(&[n], None).await })
    });
    let waits: Vec<_> = waits.collect();
    child::say("ready");
    let reads = held.into_iter().map(|mut transaction| async move {
        loop {
            let _ = transaction
                .range(&crate::access::everything(), 1_000, false, Snapshot)
                .await;
        }
    });
    futures::future::join_all(reads).await;
    drop(waits);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_stopped_holds_nobody_up() {
    if let Some(place) = child::place() {
        return greedy(place).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let embedded = EmbeddedStore::open(folder.path().join("registry")).unwrap();
    let server = remote::serve(embedded.engine(), folder.path().join("socket"))
        .await
        .unwrap();
    let other = RemoteStore::connect(folder.path().join("socket"))
        .await
        .unwrap();
    for n in 0..100_u8 {
        put(&*embedded, &[b'k', n], &vec![n; 50_000]).await.unwrap();
    }
    let mut process = Process::start(
        "processes::a_client_that_is_stopped_holds_nobody_up",
        folder.path(),
    );
    assert_eq!(process.says().unwrap(), ["ready"]);
    let pid = Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    for n in 0..200_u8 {
        put(&*other, &[n], b"woken").await.unwrap();
        put(&*embedded, &[n], b"again").await.unwrap();
        assert_eq!(get(&*other, &[n]).await, Some(b"again".to_vec()));
    }
    // It comes back as if nothing had been, and dies without anyone noticing.
    kill_process(pid, Signal::CONT).unwrap();
    process.kill();
    put(&*other, b"last", b"1").await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), server.shutdown())
        .await
        .expect("a shutdown waits for nobody for ever");
}
