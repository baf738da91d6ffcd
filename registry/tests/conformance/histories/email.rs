//! One address, a hundred people who sign up with it at once.

use std::sync::Arc;

use coditect_core::{AccountId, Email};
use coditect_registry::{record::RegistrationState, store::StoreError};
use futures::future::join_all;

use super::{ask, look, registry, settled};
use crate::{
    bench::on_every_store,
    linearizable::{History, Model},
    support::World,
};

const EMAIL: &str = "ada@example.org";

struct Address;

#[derive(Debug)]
enum Call {
    Register,
    Look,
}

impl Model for Address {
    /// Whose the address is.
    type State = Option<AccountId>;
    type Call = Call;
    /// The account that a sign-up made, or that a look found.
    type Answer = Option<AccountId>;

    fn apply(
        state: &Option<AccountId>,
        call: &Call,
        answer: Option<&Option<AccountId>>,
    ) -> Option<Option<AccountId>> {
        match (call, state, answer?) {
            (Call::Register, None, Some(made)) => Some(Some(*made)),
            (Call::Register, Some(_), None) => Some(*state),
            (Call::Register, ..) => None,
            (Call::Look, ..) => (answer? == state).then_some(*state),
        }
    }

    fn only_looks(call: &Call, answer: &Option<AccountId>) -> bool {
        matches!(call, Call::Look) || answer.is_none()
    }
}

on_every_store! {
    async fn of_a_hundred_racing_sign_ups_with_one_address_one_gets_it(bench) {
        let registry = registry(bench).await?;
        let history = Arc::new(History::<Address>::new());
        let sign_ups = (0..100).map(|_| {
            let (registry, history) = (registry.clone(), Arc::clone(&history));
            tokio::spawn(async move {
                let register = World::register(EMAIL);
                let began = history.now();
                settled(ask(&registry, &register).await)?;
                let answered = history.now();
                let id = register.registration;
                let record = look(&registry, move |view| Box::pin(view.registration(id))).await?;
                let made = match record.unwrap().state {
                    RegistrationState::Complete { account, .. } => Some(account),
                    RegistrationState::Void => None,
                    RegistrationState::Pending { .. } => panic!("nothing was to be proved"),
                };
                history.note_at(Call::Register, made, began, answered);
                Ok::<_, StoreError>(made)
            })
        });
        let looks = (0..4).map(|_| {
            let (registry, history) = (registry.clone(), Arc::clone(&history));
            tokio::spawn(async move {
                for _ in 0..10 {
                    let began = history.now();
                    let found = look(&registry, |view| Box::pin(async move {
                        let email: Email = EMAIL.parse()?;
                        view.account_by_email(&email).await
                    }))
                    .await?;
                    history.note(Call::Look, Some(found.map(|(account, _)| account)), began);
                    tokio::task::yield_now().await;
                }
                Ok::<_, StoreError>(None)
            })
        });
        let mut winners = Vec::new();
        for done in join_all(sign_ups.chain(looks)).await {
            winners.extend(done.unwrap()?);
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let people = look(&registry, |view| Box::pin(async move { view.cell_load(&"local".parse()?).await })).await?;
        assert_eq!(people, 1, "who lost has no place in a cell");
        Arc::into_inner(history).unwrap().check();
    }
}
