//! However people join, are removed, come back, hand over and are forgotten, in whatever order: the tenant has an
//! owner, what was left behind is with a member, and every list agrees with what it lists.

use std::sync::Arc;

use coditect_core::{AccountId, InvitationId, RequestId, TenantId, UserId};
use coditect_registry::{
    Operation,
    check::check,
    operation::{
        AcceptInvitation, ChangeRole, DeleteAccount, HandOver, Heir, Invite, MarkAccount,
        RemoveMember, RestoreAccount, RestoreMember,
    },
    record::{Role, User},
    store::Store,
};
use proptest::{collection::vec, prelude::*, test_runner::TestCaseError};

use crate::support::{World, at, placement};

const PEOPLE: usize = 4;

/// Something that somebody tries. Numbers count people, and users in the order they came to be.
#[derive(Clone, Debug)]
enum Step {
    Join {
        by: usize,
        who: usize,
        role: Role,
    },
    Remove {
        by: usize,
        user: usize,
    },
    Restore {
        by: usize,
        user: usize,
    },
    Change {
        by: usize,
        user: usize,
        role: Role,
    },
    HandOver {
        by: usize,
        user: usize,
        to: Option<usize>,
    },
    Ask {
        who: usize,
        grace: i64,
    },
    TakeBack {
        who: usize,
    },
    Erase {
        who: usize,
    },
    Wait {
        seconds: i64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..PEOPLE;
    let user = 0..2 * PEOPLE;
    let role = prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)];
    let step = prop_oneof![
        4 => (who.clone(), who.clone(), role.clone())
            .prop_map(|(by, who, role)| Step::Join { by, who, role }),
        4 => (who.clone(), user.clone()).prop_map(|(by, user)| Step::Remove { by, user }),
        2 => (who.clone(), user.clone()).prop_map(|(by, user)| Step::Restore { by, user }),
        2 => (who.clone(), user.clone(), role)
            .prop_map(|(by, user, role)| Step::Change { by, user, role }),
        4 => (who.clone(), user.clone(), proptest::option::of(user))
            .prop_map(|(by, user, to)| Step::HandOver { by, user, to }),
        3 => (who.clone(), 50_i64..300).prop_map(|(who, grace)| Step::Ask { who, grace }),
        2 => who.clone().prop_map(|who| Step::TakeBack { who }),
        1 => who.prop_map(|who| Step::Erase { who }),
        2 => (1_i64..200).prop_map(|seconds| Step::Wait { seconds }),
    ];
    vec(step, 1..40)
}

/// A tenant, who might belong to it, and how late it is.
struct Tenancy {
    world: World,
    tenant: TenantId,
    accounts: Vec<AccountId>,
    users: Vec<UserId>,
    now: i64,
}

impl Tenancy {
    async fn new() -> Self {
        let world = World::new().await;
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            people.push(world.sign_up(&email(n)).await);
        }
        Self {
            world,
            tenant: people[0].tenant,
            accounts: people.iter().map(|person| person.account).collect(),
            users: vec![people[0].user],
            now: 10,
        }
    }

    async fn attempt<O: Operation>(&self, operation: O) -> Option<O::Output> {
        let request = RequestId::random();
        self.world.registry.apply(request, &operation).await.ok()
    }

    async fn take(&mut self, step: &Step) {
        self.now += 1;
        let (tenant, at) = (self.tenant, at(self.now));
        let until = crate::support::at(self.now + 100);
        let account = |number: &usize| self.accounts[*number];
        let user = |number: &usize| self.users[number % self.users.len()];
        match step {
            Step::Join { by, who, role } => self.join(*by, *who, *role).await,
            Step::Remove { by, user: of } => {
                self.attempt(RemoveMember {
                    by: account(by),
                    tenant,
                    user: user(of),
                    until,
                    at,
                })
                .await;
            }
            Step::Restore { by, user: of } => {
                self.attempt(RestoreMember {
                    by: account(by),
                    tenant,
                    user: user(of),
                    at,
                })
                .await;
            }
            Step::Change { by, user: of, role } => {
                self.attempt(ChangeRole {
                    by: account(by),
                    tenant,
                    user: user(of),
                    role: *role,
                    at,
                })
                .await;
            }
            Step::HandOver { by, user: of, to } => {
                self.attempt(HandOver {
                    by: account(by),
                    tenant,
                    user: user(of),
                    to: to
                        .as_ref()
                        .map_or(Heir::Organisation, |to| Heir::Member(user(to))),
                    at,
                })
                .await;
            }
            Step::Ask { who, grace } => {
                self.attempt(MarkAccount {
                    account: account(who),
                    until: crate::support::at(self.now + grace),
                    at,
                })
                .await;
            }
            Step::TakeBack { who } => {
                let account = account(who);
                self.attempt(RestoreAccount { account, at }).await;
            }
            Step::Erase { who } => {
                let account = account(who);
                self.attempt(DeleteAccount { account, at }).await;
            }
            Step::Wait { seconds } => {
                self.now += seconds;
                self.world.bury_due(self.now).await;
            }
        }
    }

    async fn join(&mut self, by: usize, who: usize, role: Role) {
        let (tenant, invitation) = (self.tenant, InvitationId::random());
        let invite = Invite {
            by: self.accounts[by],
            tenant,
            invitation,
            email: email(who).parse().unwrap(),
            role,
            proof_hash: "proof".into(),
            expires_at: at(self.now + 100),
            at: at(self.now),
        };
        self.attempt(invite).await;
        let accept = AcceptInvitation {
            account: self.accounts[who],
            tenant,
            invitation,
            proof_hash: "proof".into(),
            placement: placement(),
            at: at(self.now),
        };
        if let Some(joined) = self.attempt(accept).await {
            self.users.push(joined.user);
        }
    }

    async fn hold_true(&self) -> Result<(), TestCaseError> {
        let store = Arc::clone(&self.world.store) as Arc<dyn Store>;
        let report = check(&store, None, &|_| {}).await.unwrap();
        prop_assert_eq!(report.findings, []);
        let mut view = self.world.view().await;
        let (users, _) = view.members_after(self.tenant, None, 1_000).await.unwrap();
        let exists = view.tenant(self.tenant).await.unwrap().is_some();
        prop_assert_eq!(exists, !users.is_empty());
        let users: Vec<User> = users.into_iter().map(|(_, user)| user).collect();
        // Who stays, or may come back by their own decision.
        let members = |user: &&User| user.custody.is_none() && user.removal.is_none();
        prop_assert_eq!(
            users.iter().filter(members).count() > 0,
            users
                .iter()
                .filter(members)
                .any(|user| user.role == Role::Owner),
            "no owner: {:?}",
            users
        );
        // What was left behind is with somebody who belongs to the tenant.
        for left in users.iter().filter(|user| user.custody.is_some()) {
            let has = users
                .iter()
                .any(|user| user.custody.is_none() && user.account == left.account);
            prop_assert!(has, "nobody has {:?}: {:?}", left, users);
        }
        Ok(())
    }
}

fn email(number: usize) -> String {
    format!("p{number}@example.com")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_tenant_is_never_left_in_disorder(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut tenancy = Tenancy::new().await;
            for step in &steps {
                tenancy.take(step).await;
                tenancy.hold_true().await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}
