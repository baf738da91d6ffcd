//! The threads that serve people. A connection stays on the thread that it was given to, and so does the way from there
//! to the IDE: an exchange never waits for another thread to be woken, which would cost more than all that we look at.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use coditect_core::{Error, Result};
use tokio::{
    net::TcpListener,
    runtime,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

use crate::{
    app::App,
    proxy::Proxy,
    route,
    server::{self, Accepted, Acceptor},
};

/// How many: one goes on while another is busy with something large.
const WORKERS: usize = 2;

/// The threads. They end, with what they serve, when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    /// Connections for it, and how many it has.
    queue: UnboundedSender<Accepted>,
    open: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts them.
    ///
    /// # Errors
    /// `Internal` if there are no more threads to be had.
    pub(crate) fn start(app: &Arc<App>) -> Result<Self> {
        let workers = (0..WORKERS).map(|number| Worker::start(number, Arc::clone(app)));
        Ok(Self(workers.collect::<Result<_>>()?))
    }

    /// Accepts connections for as long as it is polled; each goes to the thread that has the fewest.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let acceptor = Acceptor::new(listener);
        loop {
            let accepted = acceptor.next().await;
            let workers = self.0.iter();
            if let Some(idlest) = workers.min_by_key(|worker| worker.open.load(Ordering::Relaxed)) {
                idlest.open.fetch_add(1, Ordering::Relaxed);
                // It takes them for as long as we are here.
                let _ = idlest.queue.send(accepted);
            }
        }
    }
}

impl Worker {
    fn start(number: usize, app: Arc<App>) -> Result<Self> {
        let failed = |error| Error::internal("no thread to serve people").because(error);
        let (queue, connections) = unbounded_channel();
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        thread::Builder::new()
            .name(format!("people-{number}"))
            .spawn(move || runtime.block_on(work(app, connections, counted)))
            .map_err(failed)?;
        Ok(Self { queue, open })
    }
}

/// Serves connections until no more can come.
async fn work(app: Arc<App>, mut queue: UnboundedReceiver<Accepted>, open: Arc<AtomicUsize>) {
    let proxy = Arc::new(Proxy::new(app.ide));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = queue.recv() => {
                let Some(accepted) = accepted else { return };
                let (app, proxy) = (Arc::clone(&app), Arc::clone(&proxy));
                connections.spawn(server::serve(accepted, move |request| {
                    route::answer(Arc::clone(&app), Arc::clone(&proxy), request)
                }));
            }
            Some(_) = connections.join_next() => {
                open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
