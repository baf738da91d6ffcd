//! Free ports on loopback.

use std::{collections::BTreeSet, net::TcpListener, sync::Mutex};

use uuid::Uuid;

use crate::{Result, fail};

/// Below what operating systems give to outgoing connections: a process that is started again finds its port free.
const RANGE: std::ops::Range<u16> = 12_000..30_000;

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of 127.0.0.1 that is free now, and that is given out once only.
///
/// # Errors
/// If there is none.
pub(crate) fn free() -> Result<u16> {
    let Ok(mut given) = GIVEN.lock() else {
        fail!("another thread panicked while it took a port");
    };
    let width = RANGE.end - RANGE.start;
    // Several runs may be under way on one machine: each begins to look somewhere else.
    let offset = u16::try_from(Uuid::new_v4().as_u128() % u128::from(width))?;
    for step in 0..width {
        let port = RANGE.start + (offset + step) % width;
        if !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    fail!("no port of 127.0.0.1 in {RANGE:?} is free")
}
