//! What the registry promises to people who act at the same time, each promise recorded as a history and
//! held against a model of it.

mod counters;
mod email;
mod erasure;
mod feed;
mod lease;
mod refresh;
mod registers;

use std::sync::Arc;

use coditect_core::{Error, Kind, RequestId, Result};
use coditect_registry::{Operation, Registry, View, store::StoreError};
use futures::future::BoxFuture;

use crate::bench::Bench;

/// A registry in the bench's store.
async fn registry(bench: &Bench) -> Result<Registry, StoreError> {
    settled(Registry::open(Arc::clone(&bench.store)).await)
}

fn is_busy(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable)
}

/// What the registry answered; if it was too busy to, the check proves nothing and is begun anew.
fn settled<T>(answer: Result<T>) -> Result<T, StoreError> {
    answer.map_err(|error| {
        assert!(is_busy(&error), "{error:?}");
        StoreError::TooOld
    })
}

/// Does an operation as somebody who sends their request again until it is answered.
async fn ask<O: Operation>(registry: &Registry, operation: &O) -> Result<O::Output> {
    let request = RequestId::random();
    for _ in 0..100 {
        match registry.apply(request, operation).await {
            Err(error) if is_busy(&error) => {}
            answered => return answered,
        }
    }
    Err(Error::unavailable("a hundred times"))
}

/// Looks at the registry until a look succeeds.
async fn look<T>(
    registry: &Registry,
    look: impl for<'a> Fn(&'a mut View) -> BoxFuture<'a, Result<T>>,
) -> Result<T, StoreError> {
    let mut last = StoreError::TooOld;
    for _ in 0..100 {
        let mut view = match registry.view().await {
            Ok(view) => view,
            Err(error) => {
                last = settled::<T>(Err(error)).err().unwrap_or(last);
                continue;
            }
        };
        match settled(look(&mut view).await) {
            Ok(seen) => return Ok(seen),
            Err(error) => last = error,
        }
    }
    Err(last)
}
