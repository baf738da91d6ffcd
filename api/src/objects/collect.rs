//! Removes the bytes that nothing refers to any more: the registry's list says which, and from when on. Nothing is ever
//! removed because it is not known: storage that belongs to another registry loses nothing.

use coditect_core::{RequestId, Result};
use coditect_registry::{Registry, operation::NoteDiscarded, record::Discard};
use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::Objects;

/// How many entries are read at a time, and dealt with at the same time.
const PAGE: usize = 1_000;
const AT_ONCE: usize = 8;

/// What became of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many entries are done.
    pub removed: u64,
    /// How many could not be dealt with: the log says why. They stay for the next time.
    pub left: u64,
}

/// Removes what is due at `now`. Several processes do no harm.
///
/// # Errors
/// As the registry.
pub async fn collect(registry: &Registry, objects: &Objects, now: Timestamp) -> Result<Collected> {
    let mut collected = Collected::default();
    loop {
        let due = registry.view().await?.discards(now, PAGE).await?;
        let found = due.len();
        let done = stream::iter(due)
            .map(|discard| one(registry, objects, discard, now))
            .buffer_unordered(AT_ONCE);
        let done = done.filter(|done| std::future::ready(*done)).count().await;
        collected.removed += done as u64;
        if found < PAGE || done == 0 {
            collected.left = (found - done) as u64;
            break;
        }
    }
    metrics::counter!("coditect_api_objects_removed_total").increment(collected.removed);
    Ok(collected)
}

/// Bytes first: an entry that is gone with its bytes left would never come back.
async fn one(registry: &Registry, objects: &Objects, discard: Discard, now: Timestamp) -> bool {
    let removed = match discard.all_below {
        true => objects.remove_below(&discard.object).await,
        false => objects.remove(&discard.object).await,
    };
    let noted = match removed {
        Ok(()) => {
            let noted = NoteDiscarded { discard, at: now };
            registry.apply(RequestId::random(), &noted).await
        }
        Err(error) => Err(error),
    };
    noted
        .inspect_err(|error| {
            tracing::warn!(
                error = error.chain(),
                "bytes of a file's version cannot be removed now"
            );
        })
        .is_ok()
}
