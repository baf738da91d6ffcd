//! What Stripe tells: each event once, and never an older one over a newer.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, ExternalId, Limits, PlanName, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::{SetPlan, set_plan};
use crate::{
    keys,
    record::{Action, Billing, Expiring, Invoice, StripeEvent, Tenant},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Links a tenant to its customer at Stripe, each of whom belongs to one tenant.
pub struct LinkCustomer {
    /// Who decided; none for the billing system.
    pub actor: Option<AccountId>,
    /// The tenant.
    pub tenant: TenantId,
    /// The customer.
    pub customer: ExternalId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for LinkCustomer {
    const NAME: &'static str = "link_customer";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        tx.require::<Tenant>(&keys::tenant(self.tenant), "there is no tenant of that id")
            .await?;
        let index = keys::stripe_customer(&self.customer);
        match tx.get::<TenantId>(&index).await? {
            Some(tenant) if tenant == self.tenant => return Ok(()),
            Some(_) => {
                return Err(Error::conflict("this customer belongs to another tenant").into());
            }
            None => {}
        }
        let key = keys::billing(self.tenant);
        if tx.get::<Billing>(&key).await?.is_some() {
            return Err(Error::conflict("this tenant has another customer at Stripe").into());
        }
        tx.put(&index, &self.tenant)?;
        tx.put(
            &key,
            &Billing {
                customer: self.customer.clone(),
                subscription: None,
                status: None,
                paid_until: None,
                as_of: None,
                fetched_at: None,
            },
        )?;
        let action = Action::CustomerLinked {
            customer: self.customer.clone(),
        };
        tx.audit(self.tenant, self.at, self.actor, action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// What an event says of the subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its id; none if it ended.
    pub id: Option<ExternalId>,
    /// Its status, as Stripe names it.
    pub status: Option<String>,
    /// Until when it is paid.
    pub paid_until: Option<Timestamp>,
    /// The plan that the tenant has by it, and what that allows; none if the plan stays.
    pub plan: Option<(PlanName, Limits)>,
}

/// Applies an event of Stripe's.
pub struct ApplyStripeEvent {
    /// The event.
    pub event: ExternalId,
    /// When it happened at Stripe.
    pub happened_at: Timestamp,
    /// Whose.
    pub customer: ExternalId,
    /// What it says of the subscription, if it does.
    pub subscription: Option<Subscription>,
    /// When the subscription was asked of Stripe, if it was (before the question was sent): what it says is then of that
    /// moment.
    pub fetched_at: Option<Timestamp>,
    /// The invoice it brings, if it does.
    pub invoice: Option<(ExternalId, Invoice)>,
    /// Now.
    pub at: Timestamp,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// It was applied.
    Now,
    /// It had come before.
    Before,
    /// What it says of the subscription is older than what is known; its invoice was kept.
    Outdated,
    /// Another event of the same second says otherwise, and Stripe's times do not tell which was first. Nothing was
    /// done: ask Stripe for the subscription and send the event again with that, under another request id.
    Ambiguous,
    /// The customer's tenant has ended. The invoice was kept.
    Ended,
    /// No tenant has that customer: not ours, or one that has ended and there is no invoice to keep.
    Unknown,
}

#[async_trait]
impl Operation for ApplyStripeEvent {
    const NAME: &'static str = "apply_stripe_event";
    type Output = Applied;

    async fn run(&self, tx: &mut Tx) -> Result<Applied, Abort> {
        let seen = keys::stripe_event(&self.event);
        if tx.get::<StripeEvent>(&seen).await?.is_some() {
            return Ok(Applied::Before);
        }
        let living = tx
            .get::<TenantId>(&keys::stripe_customer(&self.customer))
            .await?;
        let (tenant, applied) = match (living, &self.subscription) {
            (Some(tenant), Some(subscription)) => {
                (tenant, self.subscribe(tx, tenant, subscription).await?)
            }
            (Some(tenant), None) => (tenant, Applied::Now),
            (None, _) => {
                let ended = keys::invoice_customer(&self.customer);
                match tx.get::<TenantId>(&ended).await? {
                    Some(tenant) if self.invoice.is_some() => (tenant, Applied::Ended),
                    _ => return Ok(Applied::Unknown),
                }
            }
        };
        if applied == Applied::Ambiguous {
            return Ok(applied);
        }
        if let Some((id, invoice)) = &self.invoice {
            tx.put(&keys::invoice(tenant, id), invoice)?;
        }
        let record = StripeEvent {
            at: self.at,
            tenant,
            applied: applied == Applied::Now,
        };
        tx.put(&seen, &record)?;
        let expiring = Expiring::StripeEvent {
            event: self.event.clone(),
        };
        tx.expire(&expiring, record.expires_at())?;
        Ok(applied)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Whether an event says nothing else than what is known.
fn says(subscription: &Subscription, billing: &Billing) -> bool {
    subscription.id == billing.subscription
        && subscription.status == billing.status
        && subscription.paid_until == billing.paid_until
}

impl ApplyStripeEvent {
    async fn subscribe(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        subscription: &Subscription,
    ) -> Result<Applied, Abort> {
        let key = keys::billing(tenant);
        let billing: Billing = tx
            .require(&key, "this tenant has no customer at Stripe")
            .await?;
        if billing.as_of.is_some_and(|as_of| as_of > self.happened_at)
            || self.fetched_at.is_some() && self.fetched_at < billing.fetched_at
        {
            return Ok(Applied::Outdated);
        }
        if billing.as_of == Some(self.happened_at) && self.fetched_at.is_none() {
            return if says(subscription, &billing)
                && self.has_plan(tx, tenant, subscription).await?
            {
                Ok(Applied::Now)
            } else {
                Ok(Applied::Ambiguous)
            };
        }
        tx.put(
            &key,
            &Billing {
                subscription: subscription.id.clone(),
                status: subscription.status.clone(),
                paid_until: subscription.paid_until,
                as_of: Some(self.happened_at),
                fetched_at: self.fetched_at.or(billing.fetched_at),
                ..billing
            },
        )?;
        let action = Action::SubscriptionChanged {
            event: self.event.clone(),
        };
        tx.audit(tenant, self.at, None, action)?;
        if let Some((plan, limits)) = &subscription.plan {
            let set = SetPlan {
                actor: None,
                tenant,
                plan: plan.clone(),
                limits: *limits,
                at: self.at,
            };
            set_plan(tx, &set).await?;
        }
        Ok(Applied::Now)
    }

    /// Whether the tenant has the plan that the event gives it, if it does.
    async fn has_plan(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        subscription: &Subscription,
    ) -> Result<bool, Abort> {
        let Some((plan, _)) = &subscription.plan else {
            return Ok(true);
        };
        let record = tx.get::<Tenant>(&keys::tenant(tenant)).await?;
        Ok(record.is_some_and(|record| record.plan == *plan))
    }
}
