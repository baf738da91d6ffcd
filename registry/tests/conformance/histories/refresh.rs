//! Refresh tokens: several tabs with one, and somebody who copied an old one.

use std::sync::Arc;

use coditect_core::{AccountId, LoginId};
use coditect_registry::{
    operation::{EndLogin, OpenLogin, RotateRefresh, Rotation},
    record::RegistrationState,
    store::StoreError,
};
use futures::future::join_all;

use super::{ask, look, registry, settled};
use crate::{
    bench::on_every_store,
    linearizable::{History, Model},
    support::{World, at},
};

/// Seconds in which the token before the current one still yields the current one.
const GRACE: i64 = 10;

struct SignIn;

#[derive(Clone, Copy, Debug)]
enum Call {
    Open,
    Rotate { counter: u64, at: i64 },
    End,
}

impl Model for SignIn {
    /// The current token's number, and the second it was made in. None: nobody is signed in.
    type State = Option<(u64, i64)>;
    type Call = Call;
    type Answer = Option<Rotation>;

    fn apply(
        state: &Self::State,
        call: &Call,
        answer: Option<&Option<Rotation>>,
    ) -> Option<Self::State> {
        let (expected, after) = match (*call, *state) {
            (Call::Open, _) => (None, Some((0, 0))),
            (Call::End, _) => (None, None),
            (Call::Rotate { .. }, None) => (Some(Rotation::Ended), None),
            (Call::Rotate { counter, at }, Some((current, _))) if counter == current => (
                Some(Rotation::Current(current + 1)),
                Some((current + 1, at)),
            ),
            (Call::Rotate { counter, at }, Some((current, since)))
                if counter + 1 == current && at - since < GRACE =>
            {
                (Some(Rotation::Current(current)), *state)
            }
            (Call::Rotate { .. }, Some(_)) => (Some(Rotation::Reused), None),
        };
        answer
            .is_none_or(|answer| *answer == expected)
            .then_some(after)
    }
}

async fn rotates(
    registry: coditect_registry::Registry,
    history: Arc<History<SignIn>>,
    (account, login): (AccountId, LoginId),
    tab: i64,
) -> Result<(), StoreError> {
    let mut counter = 0;
    for n in 0..8 {
        // One of the tabs is asleep for long, and one was copied: it never learns of a newer token.
        let now = if tab == 3 { 20 * n } else { n };
        let rotate = RotateRefresh {
            account,
            login,
            counter,
            at: at(now),
        };
        let call = Call::Rotate { counter, at: now };
        let began = history.now();
        let answer = settled(ask(&registry, &rotate).await)?;
        history.note(call, Some(Some(answer)), began);
        match answer {
            Rotation::Current(next) if tab != 4 => counter = next,
            Rotation::Current(_) => {}
            Rotation::Reused | Rotation::Ended => break,
        }
    }
    Ok(())
}

on_every_store! {
    async fn rotations_of_one_sign_in_are_linearisable(bench) {
        let registry = registry(bench).await?;
        let register = World::register("ada@example.org");
        settled(ask(&registry, &register).await)?;
        let id = register.registration;
        let record = look(&registry, move |view| Box::pin(view.registration(id))).await?;
        let RegistrationState::Complete { account, .. } = record.unwrap().state else {
            panic!("nobody else has the address");
        };
        for (tabs, ends) in [(3, false), (5, false), (3, true)] {
            let login = LoginId::random();
            let history = Arc::new(History::<SignIn>::new());
            let open = OpenLogin { account, login, credential_of: None, from: None, at: at(0) };
            let began = history.now();
            settled(ask(&registry, &open).await)?;
            history.note(Call::Open, Some(None), began);
            let tabs = (0..tabs).map(|tab| {
                tokio::spawn(rotates(registry.clone(), Arc::clone(&history), (account, login), tab))
            });
            let tabs: Vec<_> = tabs.collect();
            if ends {
                let end = EndLogin { account, login, at: at(4) };
                let began = history.now();
                settled(ask(&registry, &end).await)?;
                history.note(Call::End, Some(None), began);
            }
            for tab in join_all(tabs).await {
                tab.unwrap()?;
            }
            Arc::into_inner(history).unwrap().check();
        }
    }
}
