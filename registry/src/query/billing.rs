//! What a tenant may use and pays, and what its users used.

use coditect_core::{ExternalId, Limits, Result, TenantId, UserId};

use crate::{
    keys,
    record::{Billing, Invoice, License, UsageKind},
    registry::View,
};

/// What a user used in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Seconds that workspaces ran.
    pub seconds: u64,
    /// Requests to a language model.
    pub llm_requests: u64,
    /// Tokens sent to a language model.
    pub llm_input_tokens: u64,
    /// Tokens that a language model wrote.
    pub llm_output_tokens: u64,
}

impl Usage {
    /// The limits that are reached: what the person cannot use any more this month.
    #[must_use]
    pub fn reached(&self, limits: &Limits) -> Vec<UsageKind> {
        let hours = u64::from(limits.hours_per_month);
        let requests = u64::from(limits.llm_requests_per_month);
        let mut reached = Vec::new();
        if self.seconds >= hours * 3_600 {
            reached.push(UsageKind::Seconds);
        }
        if self.llm_requests >= requests {
            reached.push(UsageKind::LlmRequests);
        }
        reached
    }
}

impl View {
    /// What a user used in a month, which is given as [`crate::operation::month_of`] writes it; nothing if there is
    /// no such user.
    ///
    /// # Errors
    /// As the store.
    pub async fn usage(&mut self, user: UserId, month: &str) -> Result<Usage> {
        let Some(place) = self.place(user).await? else {
            return Ok(Usage::default());
        };
        let mut used = [0; UsageKind::ALL.len()];
        for (number, kind) in used.iter_mut().zip(UsageKind::ALL) {
            let key = keys::usage(place.tenant, user, month, kind.name());
            *number = u64::try_from(self.tx.number(&key).await?).unwrap_or(0);
        }
        let [seconds, llm_requests, llm_input_tokens, llm_output_tokens] = used;
        Ok(Usage {
            seconds,
            llm_requests,
            llm_input_tokens,
            llm_output_tokens,
        })
    }

    /// What a tenant may use now; none if it was made before licences were kept and its plan never changed.
    ///
    /// # Errors
    /// As the store.
    pub async fn license(&mut self, tenant: TenantId) -> Result<Option<License>> {
        Ok(self.tx.get(&keys::license(tenant)).await?)
    }

    /// The licences that a tenant had before, oldest first.
    ///
    /// # Errors
    /// As the store.
    pub async fn license_history(&mut self, tenant: TenantId) -> Result<Vec<License>> {
        let found = self.tx.scan_all(&keys::license_histories(tenant)).await?;
        Ok(found.into_iter().map(|(_, license)| license).collect())
    }

    /// A tenant at Stripe, if it ever paid.
    ///
    /// # Errors
    /// As the store.
    pub async fn billing(&mut self, tenant: TenantId) -> Result<Option<Billing>> {
        Ok(self.tx.get(&keys::billing(tenant)).await?)
    }

    /// Whose a customer of Stripe's is.
    ///
    /// # Errors
    /// As the store.
    pub async fn tenant_by_customer(&mut self, customer: &ExternalId) -> Result<Option<TenantId>> {
        Ok(self.tx.get(&keys::stripe_customer(customer)).await?)
    }

    /// A tenant's invoices, also when the tenant is gone.
    ///
    /// # Errors
    /// As the store.
    pub async fn invoices(&mut self, tenant: TenantId) -> Result<Vec<Invoice>> {
        let found = self.tx.scan_all(&keys::invoices(tenant)).await?;
        Ok(found.into_iter().map(|(_, invoice)| invoice).collect())
    }
}
