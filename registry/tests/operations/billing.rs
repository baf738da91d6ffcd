//! Plans and licences, usage against limits, Stripe's events: each once, none older over a newer one.

use coditect_core::{Kind, Limits};
use coditect_registry::{
    keys,
    operation::{
        Applied, ApplyStripeEvent, DeleteAccount, LinkCustomer, Provisioned, RecordUsage, SetPlan,
        Subscription, month_of,
    },
    record::{StripeEvent, UsageKind, decode},
};

use crate::{
    cast::external,
    support::{LIMITS, World, at},
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
