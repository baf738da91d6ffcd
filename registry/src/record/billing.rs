//! What a tenant may use, what it pays, what was used.

use coditect_core::{AccountId, ExternalId, Limits, PlanName, TenantId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What a tenant may use, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// Which one of the tenant's it is, from 1.
    pub number: u64,
    /// The plan.
    pub plan: PlanName,
    /// What it allowed when it began, overrides included.
    pub limits: Limits,
    /// Since when.
    pub since: Timestamp,
    /// Until when, once another has begun.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Who decided; none for the billing system.
    pub decided_by: Option<AccountId>,
}

/// A change of plan that has not reached every user of its tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChange {
    /// The tenant's plan.
    pub plan: PlanName,
    /// How large volumes are at least by it, in GiB.
    pub storage_gib: u32,
    /// Users up to and including this one have followed.
    pub after: Option<UserId>,
}

/// A tenant at Stripe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Billing {
    /// The customer.
    pub customer: ExternalId,
    /// The subscription, if there is one.
    pub subscription: Option<ExternalId>,
    /// The subscription's status, as Stripe names it (`active`, `past_due`).
    pub status: Option<String>,
    /// Until when it is paid.
    pub paid_until: Option<Timestamp>,
    /// When the newest event that this record holds happened at Stripe; older ones change nothing, because Stripe
    /// does not send events in order (<https://docs.stripe.com/webhooks#event-ordering>).
    pub as_of: Option<Timestamp>,
    /// When Stripe was last asked for what this record holds, because two events of one second did not tell; by our
    /// clock.
    #[serde(default)]
    pub fetched_at: Option<Timestamp>,
}

/// An invoice: what law requires to be kept. Name and address are on Stripe's copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// The customer it is made out to.
    pub customer: ExternalId,
    /// Its number as printed, if it has one by now.
    pub number: Option<String>,
    /// The amount in the currency's smallest unit.
    pub amount: i64,
    /// The currency's three letters (ISO 4217), in lower case.
    pub currency: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Until when it must be kept.
    pub keep_until: Timestamp,
}

/// That an event of Stripe's was dealt with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StripeEvent {
    /// When it arrived.
    pub at: Timestamp,
    /// The tenant it was about.
    pub tenant: TenantId,
    /// False if a newer one had come before it.
    pub applied: bool,
}

impl StripeEvent {
    /// Stripe sends an event again for up to three days (<https://docs.stripe.com/webhooks#retries>), an operator may
    /// for thirty.
    const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

    /// When it is forgotten.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.at.saturating_add(Self::KEPT).unwrap_or(Timestamp::MAX)
    }
}

/// What is counted of a user's month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageKind {
    /// Seconds that workspaces ran.
    Seconds,
    /// Requests to a language model.
    LlmRequests,
    /// Tokens sent to a language model.
    LlmInputTokens,
    /// Tokens that a language model wrote.
    LlmOutputTokens,
}

impl UsageKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Seconds,
        Self::LlmRequests,
        Self::LlmInputTokens,
        Self::LlmOutputTokens,
    ];

    /// Its name in keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::LlmRequests => "llm_requests",
            Self::LlmInputTokens => "llm_input_tokens",
            Self::LlmOutputTokens => "llm_output_tokens",
        }
    }
}
