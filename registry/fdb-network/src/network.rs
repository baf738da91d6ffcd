//! One network, because the client has no more.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use foundationdb::{
    FdbError, FdbResult,
    api::{FdbApiBuilder, NetworkAutoStop},
    options::NetworkOption,
};

/// Where the one network of the process stands.
enum Network {
    NotStarted,
    Runs(#[expect(dead_code, reason = "kept for its end")] NetworkAutoStop),
    /// Stopped, or it could not be started: either happens once.
    Over,
}

static NETWORK: Mutex<Network> = Mutex::new(Network::NotStarted);

/// Why there is no network.
#[derive(Clone, Copy, Debug)]
pub enum NotStarted {
    /// The client library refused, and will: it can be asked once in the life of a process.
    Refused(FdbError),
    /// It has been stopped, or an attempt to start it has failed before.
    Over,
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "{} (error {})", error.message(), error.code()),
            Self::Over => f.write_str("it can be started once in a process"),
        }
    }
}

impl std::error::Error for NotStarted {}

fn network() -> MutexGuard<'static, Network> {
    NETWORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the network with `options`, set in their order, unless it runs already: then they count for nothing.
/// `api_version` is the behaviour asked of the client library, at most that of the headers it was built with, which is
/// also the default.
///
/// # Errors
/// [`NotStarted`]; there is no second attempt.
pub fn start(api_version: Option<i32>, options: Vec<NetworkOption>) -> Result<(), NotStarted> {
    let mut network = network();
    match *network {
        Network::Runs(_) => return Ok(()),
        Network::Over => return Err(NotStarted::Over),
        Network::NotStarted => {}
    }
    *network = Network::Over;
    *network = Network::Runs(boot(api_version, options).map_err(NotStarted::Refused)?);
    Ok(())
}

/// Stops the network, if it runs, and waits for its thread's end. What still waits for an answer of the client gets
/// none. Called again, or while another thread stops it, it returns when the network has stopped.
pub fn stop() {
    *network() = Network::Over;
}

fn boot(api_version: Option<i32>, options: Vec<NetworkOption>) -> FdbResult<NetworkAutoStop> {
    let mut api = FdbApiBuilder::default();
    if let Some(version) = api_version {
        api = api.set_runtime_version(version);
    }
    let mut builder = api.build()?;
    for option in options {
        builder = builder.set_option(option)?;
    }
    stop_at_exit();
    #[expect(
        unsafe_code,
        reason = "the client's way to start; see the crate's documentation"
    )]
    // SAFETY: the guard must be dropped before the process exits. It goes into NETWORK, which `stop` empties, and
    // `stop` has just been made a handler of `atexit`.
    unsafe {
        builder.boot()
    }
}

extern "C" fn at_exit() {
    stop();
}

fn stop_at_exit() {
    #[expect(unsafe_code, reason = "the standard library has no handler for exits")]
    // SAFETY: `at_exit` is a function that takes and returns nothing, as `atexit` asks, and lives for ever. Handlers
    // run in the reverse order of registration, so before the destructors of the client library, which was loaded
    // first. It cannot unwind into C: a panic in an `extern "C"` function aborts.
    let refused = unsafe { libc::atexit(at_exit) };
    // POSIX promises room for 32 handlers; there are a few. Without one, a process that ends without `stop` may crash
    // while it ends, after all its work.
    debug_assert_eq!(refused, 0, "no room for another handler");
}
