//! Plans and licences, usage against limits, Stripe's events: each once, none older over a newer one.

use coditect_core::{InvitationId, Kind, Limits};
use coditect_registry::{
    janitor::{Janitor, Retention},
    keys,
    operation::{
        AcceptInvitation, Applied, ApplyStripeEvent, DeleteAccount, FollowPlan, Invite,
        LinkCustomer, Provisioned, RecordUsage, SetPlan, Subscription, month_of,
    },
    record::{Invoice, Role, StripeEvent, UsageKind, decode},
};

use crate::{
    cast::external,
    observer::local,
    support::{LIMITS, World, at, placement},
};

fn set_plan(person: &Provisioned, plan: &str, seconds: i64) -> SetPlan {
    SetPlan {
        actor: Some(person.account),
        tenant: person.tenant,
        plan: plan.parse().unwrap(),
        limits: Limits {
            storage_gib: 10,
            ..LIMITS
        },
        at: at(seconds),
    }
}

fn link(person: &Provisioned, customer: &str) -> LinkCustomer {
    LinkCustomer {
        actor: Some(person.account),
        tenant: person.tenant,
        customer: external(customer),
        at: at(1),
    }
}

fn event(name: &str, happened: i64, plan: &str) -> ApplyStripeEvent {
    ApplyStripeEvent {
        event: external(name),
        happened_at: at(happened),
        customer: external("cus_1"),
        subscription: Some(Subscription {
            id: Some(external("sub_1")),
            status: Some("active".into()),
            paid_until: Some(at(1_000)),
            plan: Some((plan.parse().unwrap(), LIMITS)),
        }),
        fetched_at: None,
        invoice: None,
        at: at(happened + 1),
    }
}

#[tokio::test]
async fn every_change_of_plan_is_in_the_history() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    for (plan, seconds) in [("starter", 10), ("starter", 15), ("pro", 20)] {
        world.done(&set_plan(&ada, plan, seconds)).await;
    }
    let mut view = world.view().await;
    let now = view.license(ada.tenant).await.unwrap().unwrap();
    assert_eq!(
        (
            now.number,
            now.plan.as_str(),
            now.since,
            now.until,
            now.limits.storage_gib
        ),
        (3, "pro", at(20), None, 10)
    );
    let before = view.license_history(ada.tenant).await.unwrap();
    let said: Vec<_> = before
        .iter()
        .map(|license| {
            (
                license.number,
                license.plan.as_str(),
                license.since,
                license.until,
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (1, "free", at(0), Some(at(10))),
            (2, "starter", at(10), Some(at(20)))
        ]
    );
}

#[tokio::test]
async fn usage_counts_once_and_stops_at_the_limit() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let record = |kind, amount, limit| RecordUsage {
        user: ada.user,
        kind,
        amount,
        limit,
        at: at(5),
    };
    world
        .done(&record(UsageKind::LlmRequests, 98, Some(100)))
        .await;
    world
        .done(&record(UsageKind::LlmRequests, 2, Some(100)))
        .await;
    assert_eq!(
        world
            .refused(&record(UsageKind::LlmRequests, 1, Some(100)))
            .await,
        Kind::LimitReached {
            limit: "llm_requests"
        }
    );
    world
        .done(&record(UsageKind::LlmOutputTokens, 7, None))
        .await;
    world
        .done(&record(UsageKind::LlmInputTokens, 5, None))
        .await;
    let mut view = world.view().await;
    let usage = view.usage(ada.user, &month_of(at(5))).await.unwrap();
    assert_eq!(
        (
            usage.llm_requests,
            usage.llm_output_tokens,
            usage.llm_input_tokens,
            usage.seconds
        ),
        (100, 7, 5, 0)
    );
    assert_eq!(usage.reached(&LIMITS), [UsageKind::LlmRequests]);
    let next = view.usage(ada.user, "2099-01").await.unwrap();
    assert!(next.reached(&LIMITS).is_empty());
    let nobody = RecordUsage {
        user: coditect_core::UserId::random(),
        ..record(UsageKind::LlmRequests, 1, None)
    };
    assert_eq!(world.refused(&nobody).await, Kind::NotFound);
}

#[tokio::test]
async fn a_customer_belongs_to_one_tenant() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    world.done(&link(&ada, "cus_1")).await;
    world.done(&link(&ada, "cus_1")).await;
    assert_eq!(world.refused(&link(&bob, "cus_1")).await, Kind::Conflict);
    assert_eq!(world.refused(&link(&ada, "cus_2")).await, Kind::Conflict);
    let mut view = world.view().await;
    assert_eq!(
        view.tenant_by_customer(&external("cus_1")).await.unwrap(),
        Some(ada.tenant)
    );
    world
        .done(&DeleteAccount {
            account: ada.account,
            at: at(2),
        })
        .await;
    world.done(&link(&bob, "cus_1")).await;
}

#[tokio::test]
async fn events_apply_once_and_in_their_own_order() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    assert_eq!(
        world.done(&event("evt_0", 5, "pro")).await,
        Applied::Unknown,
        "nobody has that customer"
    );
    world.done(&link(&ada, "cus_1")).await;
    assert_eq!(world.done(&event("evt_2", 20, "pro")).await, Applied::Now);
    assert_eq!(
        world.done(&event("evt_2", 20, "free")).await,
        Applied::Before
    );
    assert_eq!(
        world.done(&event("evt_1", 10, "starter")).await,
        Applied::Outdated
    );
    let mut view = world.view().await;
    assert_eq!(
        view.tenant(ada.tenant)
            .await
            .unwrap()
            .unwrap()
            .plan
            .as_str(),
        "pro"
    );
    let billing = view.billing(ada.tenant).await.unwrap().unwrap();
    assert_eq!(
        (billing.as_of, billing.status.as_deref()),
        (Some(at(20)), Some("active"))
    );
    let entries = world.entries().await;
    let (_, outdated) = entries
        .iter()
        .find(|(key, _)| *key == keys::stripe_event(&external("evt_1")))
        .unwrap();
    assert!(!decode::<StripeEvent>(outdated).unwrap().applied);
}

#[tokio::test]
async fn of_two_events_of_one_second_stripe_is_asked() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    world.done(&link(&ada, "cus_1")).await;
    assert_eq!(world.done(&event("evt_1", 20, "pro")).await, Applied::Now);
    assert_eq!(
        world.done(&event("evt_2", 20, "pro")).await,
        Applied::Now,
        "it says the same"
    );
    let before = world.plan(&ada).await;
    for again in 0..2 {
        assert_eq!(
            world.done(&event("evt_3", 20, "starter")).await,
            Applied::Ambiguous,
            "{again}"
        );
    }
    assert_eq!(world.plan(&ada).await, before);
    let fetched = |name, plan, seconds| ApplyStripeEvent {
        fetched_at: Some(at(seconds)),
        ..event(name, 20, plan)
    };
    assert_eq!(
        world.done(&fetched("evt_3", "starter", 25)).await,
        Applied::Now
    );
    assert_eq!(world.plan(&ada).await, "starter");
    // Two that ask at once: what was asked earlier does not undo what was asked later.
    assert_eq!(
        world.done(&fetched("evt_4", "pro", 24)).await,
        Applied::Outdated
    );
    assert_eq!(world.plan(&ada).await, "starter");
    // A question that was overtaken by a newer event.
    assert_eq!(world.done(&event("evt_6", 40, "pro")).await, Applied::Now);
    assert_eq!(
        world.done(&fetched("evt_5", "starter", 39)).await,
        Applied::Outdated
    );
    assert_eq!(world.plan(&ada).await, "pro");
}

#[tokio::test]
async fn the_last_invoice_is_kept_though_the_tenant_has_ended() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    world.done(&link(&ada, "cus_1")).await;
    world
        .done(&DeleteAccount {
            account: ada.account,
            at: at(10),
        })
        .await;
    assert_eq!(
        world.done(&event("evt_1", 11, "free")).await,
        Applied::Unknown,
        "there is nothing to keep"
    );
    let last = ApplyStripeEvent {
        invoice: Some((
            external("in_last"),
            Invoice {
                customer: external("cus_1"),
                number: None,
                amount: 2_900,
                currency: "usd".into(),
                issued_at: at(12),
                keep_until: at(300_000_000),
            },
        )),
        ..event("evt_2", 12, "free")
    };
    assert_eq!(world.done(&last).await, Applied::Ended);
    assert_eq!(world.done(&last).await, Applied::Before);
    let invoices = world.view().await.invoices(ada.tenant).await.unwrap();
    assert_eq!(invoices.len(), 1);
}

impl World {
    async fn plan(&self, person: &Provisioned) -> String {
        let tenant = self.view().await.tenant(person.tenant).await.unwrap();
        tenant.unwrap().plan.to_string()
    }

    /// Whether each user of a tenant has this plan and volumes of this size.
    async fn everybody_has(&self, person: &Provisioned, plan: &str, gib: u32) -> Vec<bool> {
        let rows = self.view().await.intents(&local()).await.unwrap().rows;
        rows.into_iter()
            .map(|row| row.intent)
            .filter(|intent| intent.tenant == person.tenant)
            .map(|intent| {
                let mut volumes = intent.workspaces.iter();
                intent.plan.as_str() == plan && volumes.all(|volume| volume.storage_gib == gib)
            })
            .collect()
    }
}

/// A tenant of so many users that no transaction holds them all.
pub(crate) async fn crowd(world: &World, users: usize) -> Provisioned {
    let ada = world.sign_up("ada@example.com").await;
    for number in 1..users {
        joins(world, &ada, number).await;
    }
    ada
}

async fn joins(world: &World, ada: &Provisioned, number: usize) {
    let email = format!("p{number}@example.com");
    let account = world.sign_up(&email).await.account;
    let invitation = InvitationId::random();
    world
        .apply(&Invite {
            by: ada.account,
            tenant: ada.tenant,
            invitation,
            email: email.parse().unwrap(),
            role: Role::Member,
            proof_hash: "p".into(),
            expires_at: at(1_000),
            at: at(1),
        })
        .await;
    world
        .apply(&AcceptInvitation {
            account,
            tenant: ada.tenant,
            invitation,
            proof_hash: "p".into(),
            placement: placement(),
            at: at(2),
        })
        .await;
}

#[tokio::test]
async fn a_change_of_plan_reaches_every_user_of_a_large_tenant_whatever_happens_meanwhile() {
    let world = World::new().await;
    let ada = crowd(&world, 450).await;
    let feed = world.view().await.version().await.unwrap();
    assert!(world.apply(&set_plan(&ada, "pro", 10)).await);
    let (tenant, license) = {
        let mut view = world.view().await;
        let tenant = view.tenant(ada.tenant).await.unwrap().unwrap();
        (tenant, view.license(ada.tenant).await.unwrap().unwrap())
    };
    assert_eq!(
        (tenant.plan.as_str(), license.plan.as_str()),
        ("pro", "pro"),
        "decided at once"
    );
    let followed = world.everybody_has(&ada, "pro", 10).await;
    assert_eq!(followed.iter().filter(|one| **one).count(), 200);

    // Whoever did that is gone; somebody joins; a janitor comes.
    joins(&world, &ada, 1_000).await;
    let mut janitor = Janitor::new(world.registry.clone(), Retention::default());
    let done = janitor.pass(at(11)).await.unwrap();
    assert_eq!(done["plan_changes"], 1);
    let followed = world.everybody_has(&ada, "pro", 10).await;
    let behind = followed.iter().filter(|one| !**one).count();
    assert!(followed.len() == 451 && behind <= 1, "{behind} behind");
    let told = world
        .view()
        .await
        .changes_after(&local(), feed, 10_000)
        .await;
    let everybody = world.view().await.intents(&local()).await.unwrap().rows;
    let of_tenant = everybody
        .iter()
        .filter(|row| row.intent.tenant == ada.tenant);
    let told = told.unwrap().users;
    assert!(
        of_tenant
            .into_iter()
            .all(|row| told.contains(&row.intent.user))
    );
    assert!(janitor.pass(at(12)).await.unwrap().is_empty());

    // A second change overtakes the first: everybody follows the newest.
    assert!(world.apply(&set_plan(&ada, "starter", 20)).await);
    assert!(world.apply(&set_plan(&ada, "free", 21)).await);
    let follow = FollowPlan {
        tenant: ada.tenant,
        at: at(22),
    };
    assert!(world.apply(&follow).await);
    assert!(!world.apply(&follow).await);
    assert!(!world.apply(&follow).await, "there is nothing left");
    let followed = world.everybody_has(&ada, "free", 10).await;
    assert!(followed.len() == 451 && followed.iter().filter(|one| !**one).count() <= 1);
}
