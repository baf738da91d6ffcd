//! A cell's lease: who holds it, under which fencing number, and who may still write.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coditect_core::{CellName, Fence, Version};
use coditect_registry::{
    Abort, Operation, Tx, keys,
    operation::{Acquire, AcquireLease, ReleaseLease},
    record::{Lease, decode},
    store::{Isolation::Snapshot, KeyRange, StoreError},
};
use futures::future::join_all;
use jiff::Timestamp;
use uuid::Uuid;

use super::{ask, registry, settled};
use crate::{
    access::pages,
    bench::on_every_store,
    linearizable::{History, Model},
    support::at,
};

/// Seconds a lease lasts.
const LASTS: i64 = 10;

fn cell() -> CellName {
    "local".parse().unwrap()
}

/// Writes something that only the holder may write.
struct Guarded {
    holder: Uuid,
    fence: Fence,
}

#[async_trait]
impl Operation for Guarded {
    const NAME: &'static str = "guarded";
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let lease: Option<Lease> = tx.get(&keys::lease(&cell())).await?;
        let holds =
            lease.is_some_and(|lease| lease.holder == self.holder && lease.fence == self.fence);
        if holds {
            tx.append(b"guarded", &Version(self.fence.0))?;
        }
        Ok(holds)
    }

    fn at(&self) -> Timestamp {
        at(0)
    }
}

struct Leased;

#[derive(Clone, Copy, Debug)]
enum Call {
    Acquire { holder: Uuid, at: i64, above: u64 },
    Release { holder: Uuid, at: i64 },
    Write { holder: Uuid, fence: Fence },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Acquired(Acquire),
    Released,
    Written(bool),
}

impl Model for Leased {
    /// The holder, the fencing number and until when; the number stays when nobody holds it.
    type State = Option<(Uuid, u64, i64)>;
    type Call = Call;
    type Answer = Answer;

    fn apply(state: &Self::State, call: &Call, answer: Option<&Answer>) -> Option<Self::State> {
        let (expected, after) = match (*call, *state) {
            (
                Call::Acquire {
                    holder, at: now, ..
                },
                Some((other, _, until)),
            ) if other != holder && until > now => {
                let until = at(until);
                (Answer::Acquired(Acquire::Busy { until }), *state)
            }
            (Call::Acquire { holder, at, above }, held) => {
                let fence = match held {
                    Some((mine, fence, _)) if mine == holder && fence > above => fence,
                    Some((_, fence, _)) => fence.max(above) + 1,
                    None => above + 1,
                };
                let given = Acquire::Held {
                    fence: Fence(fence),
                };
                (Answer::Acquired(given), Some((holder, fence, at + LASTS)))
            }
            (Call::Release { holder, at }, Some((mine, fence, _))) if mine == holder => {
                (Answer::Released, Some((Uuid::nil(), fence, at)))
            }
            (Call::Release { .. }, _) => (Answer::Released, *state),
            (Call::Write { holder, fence }, held) => {
                let holds =
                    held.is_some_and(|(mine, newest, _)| mine == holder && newest == fence.0);
                (Answer::Written(holds), *state)
            }
        };
        answer
            .is_none_or(|answer| *answer == expected)
            .then_some(after)
    }

    fn only_looks(_: &Call, answer: &Answer) -> bool {
        matches!(
            answer,
            Answer::Written(_) | Answer::Acquired(Acquire::Busy { .. })
        )
    }
}

on_every_store! {
    /// Six who want the lease, each with a clock of its own that runs ahead of the others'; everyone writes
    /// under whatever number they were given last, whether they hold the lease still or not.
    async fn the_lease_is_linearisable_and_old_holders_cannot_write(bench) {
        let registry = registry(bench).await?;
        let history = Arc::new(History::<Leased>::new());
        let contenders = (0..6_i64).map(|contender| {
            let (registry, history) = (registry.clone(), Arc::clone(&history));
            tokio::spawn(async move {
                // Nil is nobody.
                let holder = Uuid::from_u128(u128::from(contender.unsigned_abs()) + 1);
                let mut fences: Vec<Fence> = vec![];
                for n in 0..6 {
                    let now = 4 * n + contender;
                    let above = if contender == 5 && n == 3 { 40 } else { 0 };
                    let acquire = AcquireLease {
                        cell: cell(),
                        holder,
                        above: Fence(above),
                        duration: Duration::from_secs(LASTS.unsigned_abs()),
                        at: at(now),
                    };
                    let began = history.now();
                    let answer = settled(ask(&registry, &acquire).await)?;
                    history.note(Call::Acquire { holder, at: now, above }, Some(Answer::Acquired(answer)), began);
                    if let Acquire::Held { fence } = answer {
                        fences.push(fence);
                    }
                    if let Some(fence) = fences.last().copied() {
                        let began = history.now();
                        let written = settled(ask(&registry, &Guarded { holder, fence }).await)?;
                        history.note(Call::Write { holder, fence }, Some(Answer::Written(written)), began);
                    }
                    if n % 3 == 2 {
                        let release = ReleaseLease { cell: cell(), holder, at: at(now) };
                        let began = history.now();
                        settled(ask(&registry, &release).await)?;
                        history.note(Call::Release { holder, at: now }, Some(Answer::Released), began);
                    }
                }
                Ok::<_, StoreError>((holder, fences))
            })
        });
        let mut holders: BTreeMap<Fence, Uuid> = BTreeMap::new();
        for done in join_all(contenders).await {
            let (holder, fences) = done.unwrap()?;
            for fence in fences {
                let other = holders.insert(fence, holder);
                assert!(other.is_none_or(|other| other == holder), "two holders of {fence:?}");
            }
        }
        assert!(holders.len() > 1, "the lease never changed hands");
        // What was written went through in the order of the numbers.
        let log = pages(&mut *bench.begin().await?, &KeyRange::below(b"guarded"), 100, false, Snapshot).await?;
        let fences: Vec<Version> = log.iter().map(|(_, fence)| decode(fence).unwrap()).collect();
        assert!(fences.is_sorted(), "an old holder wrote after a newer one: {fences:?}");
        Arc::into_inner(history).unwrap().check();
    }
}
