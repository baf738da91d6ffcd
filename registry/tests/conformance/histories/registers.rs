//! One key read, written and compared by many.

use std::sync::Arc;

use coditect_registry::store::{Isolation::Serializable, StoreError};
use futures::future::join_all;

use crate::{
    access::transact,
    bench::on_every_store,
    linearizable::{History, Model},
};

const CLIENTS: u8 = 6;
const EACH: u8 = 12;

struct Register;

#[derive(Clone, Copy, Debug)]
enum Call {
    Read,
    Write(u8),
    Clear,
    /// Writes the second if the first is there.
    Swap(Option<u8>, u8),
}

/// What was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Was(Option<u8>),
    /// Nothing was read.
    Done,
}

impl Model for Register {
    type State = Option<u8>;
    type Call = Call;
    type Answer = Answer;

    fn apply(state: &Option<u8>, call: &Call, answer: Option<&Answer>) -> Option<Option<u8>> {
        let (expected, after) = match call {
            Call::Read => (Answer::Was(*state), *state),
            Call::Write(value) => (Answer::Done, Some(*value)),
            Call::Clear => (Answer::Done, None),
            Call::Swap(from, to) if from == state => (Answer::Was(*state), Some(*to)),
            Call::Swap(..) => (Answer::Was(*state), *state),
        };
        answer
            .is_none_or(|answer| *answer == expected)
            .then_some(after)
    }

    fn only_looks(call: &Call, answer: &Answer) -> bool {
        match (call, answer) {
            (Call::Read, _) => true,
            (Call::Swap(from, _), Answer::Was(was)) => from != was,
            _ => false,
        }
    }
}

on_every_store! {
    async fn reads_writes_and_swaps_of_one_key_are_linearisable(bench) {
        let history = Arc::new(History::<Register>::new());
        let clients = (0..CLIENTS).map(|client| {
            let (store, history) = (Arc::clone(&bench.store), Arc::clone(&history));
            tokio::spawn(async move {
                let mut last = None;
                for n in 0..EACH {
                    let mine = client * EACH + n;
                    let call = match (client + n) % 4 {
                        0 => Call::Write(mine),
                        1 => Call::Swap(last, mine),
                        2 if n % 3 == 0 => Call::Clear,
                        _ => Call::Read,
                    };
                    let began = history.now();
                    let (answer, _) = transact(&*store, move |transaction| Box::pin(async move {
                        let write = match call {
                            Call::Write(value) => Some(Some(value)),
                            Call::Clear => Some(None),
                            Call::Read | Call::Swap(..) => None,
                        };
                        if let Some(write) = write {
                            match write {
                                Some(value) => transaction.set(b"register", &[value]),
                                None => transaction.clear(b"register"),
                            }
                            return Ok(Answer::Done);
                        }
                        let was = transaction.get(b"register", Serializable).await?.map(|value| value[0]);
                        if let Call::Swap(from, to) = call && from == was {
                            transaction.set(b"register", &[to]);
                        }
                        Ok(Answer::Was(was))
                    }))
                    .await?;
                    if let Answer::Was(was) = answer {
                        last = was;
                    }
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
