//! A number that some add to blindly and others read and write.

use std::sync::Arc;

use coditect_registry::store::{Isolation::Snapshot, StoreError};
use futures::future::join_all;

use crate::{
    access::{number, transact},
    bench::on_every_store,
    linearizable::{History, Model},
};

const CLIENTS: i64 = 6;
const EACH: i64 = 10;

struct Counter;

#[derive(Clone, Copy, Debug)]
enum Call {
    /// Adds without looking.
    Add(i64),
    /// Reads, adds one and writes.
    Increment,
    Read,
}

impl Model for Counter {
    type State = i64;
    type Call = Call;
    /// What was read, or 0.
    type Answer = i64;

    fn apply(state: &i64, call: &Call, answer: Option<&i64>) -> Option<i64> {
        let (expected, after) = match call {
            Call::Add(delta) => (0, state + delta),
            Call::Increment => (*state, state + 1),
            Call::Read => (*state, *state),
        };
        answer
            .is_none_or(|answer| *answer == expected)
            .then_some(after)
    }

    fn only_looks(call: &Call, _: &i64) -> bool {
        matches!(call, Call::Read)
    }
}

on_every_store! {
    async fn additions_and_increments_of_one_number_are_linearisable(bench) {
        let history = Arc::new(History::<Counter>::new());
        let clients = (0..CLIENTS).map(|client| {
            let (store, history) = (Arc::clone(&bench.store), Arc::clone(&history));
            tokio::spawn(async move {
                for n in 0..EACH {
                    let call = match (client + n) % 3 {
                        0 => Call::Add(n + 1),
                        1 => Call::Increment,
                        _ => Call::Read,
                    };
                    let began = history.now();
                    let (answer, _) = transact(&*store, move |transaction| Box::pin(async move {
                        match call {
                            Call::Add(delta) => {
                                transaction.add(b"n", delta);
                                Ok(0)
                            }
                            Call::Increment => {
                                let was = number(transaction, "n").await?;
                                transaction.set(b"n", &(was + 1).to_le_bytes());
                                Ok(was)
                            }
                            // A snapshot is of one moment too, between its beginning and its answer.
                            Call::Read => {
                                let stored = transaction.get(b"n", Snapshot).await?;
                                Ok(stored.map_or(0, |bytes| i64::from_le_bytes(bytes.try_into().unwrap())))
                            }
                        }
                    }))
                    .await?;
                    history.note(call, Some(answer), began);
                }
                Ok::<_, StoreError>(())
            })
        });
        for client in join_all(clients).await {
            client.unwrap()?;
        }
        Arc::into_inner(history).unwrap().check();
    }
}
