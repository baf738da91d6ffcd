//! Rate limits: buckets by client address, e-mail, account, tenant or workspace, shared by all processes of the API.

mod limiter;
pub(crate) mod sharing;
mod tally;

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use coditect_core::{AccountId, TenantId, WorkspaceId};
use coditect_registry::record::Counted;
use jiff::SignedDuration;

pub(crate) use self::{
    limiter::{Allowance, Limiter},
    tally::{Bucket, Key, Tally},
};
use crate::{backoff::Backoff, config::Rates};

/// How many people a tenant invites at once, and in an hour: as many as one types.
const INVITATIONS_AN_HOUR: u32 = 50;

/// The limits in force.
pub(crate) struct Limits {
    pub(crate) credentials: Limiter<Caller>,
    pub(crate) guesses: Limiter<[u8; 32]>,
    pub(crate) address: Limiter<Caller>,
    pub(crate) account: Limiter<AccountId>,
    pub(crate) wake: Limiter<Caller>,
    pub(crate) pods: Limiter<Caller>,
    pub(crate) gateway: Limiter<WorkspaceId>,
    pub(crate) workspaces: Limiter<Caller>,
    /// New invitations, by tenant: whoever makes them and takes them back writes letters to anybody.
    pub(crate) invitations: Limiter<TenantId>,
    /// Wrong passwords, by address of the account and network.
    pub(crate) wrong_passwords: Backoff<([u8; 32], Caller)>,
    /// Wrong codes of second factors, by account.
    pub(crate) wrong_codes: Backoff<AccountId>,
}

/// Who a limit counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// A client address.
    Address(IpAddr),
    /// An account.
    Account(AccountId),
}

impl Caller {
    /// The network that one subscriber has: an IPv4 address, or 64 bits of an IPv6 address (RFC 6177), of which
    /// anybody can use as many as they like.
    pub(crate) fn from_address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        })
    }
}

impl Limits {
    pub(crate) fn new(rates: &Rates, tally: &Arc<Tally>) -> Self {
        let limiter = |name, rate| Limiter::new(name, rate, tally);
        let hour = Duration::from_secs(60 * 60);
        Self {
            credentials: limiter("credentials", rates.credentials),
            guesses: Limiter::new("guesses", rates.guesses, tally),
            address: limiter("address", rates.address),
            account: Limiter::new("account", rates.account, tally),
            wake: limiter("wake", rates.wake),
            pods: limiter("pods", rates.pods),
            gateway: Limiter::new("gateway", rates.gateway, tally),
            invitations: Limiter::every(
                "invitations",
                INVITATIONS_AN_HOUR,
                hour / INVITATIONS_AN_HOUR,
                tally,
            ),
            wrong_passwords: Backoff::new("wrong-passwords", tally),
            wrong_codes: Backoff::new("wrong-codes", tally),
            workspaces: Limiter::every(
                "new-workspaces",
                rates.new_workspaces_an_hour,
                hour / rates.new_workspaces_an_hour.max(1),
                tally,
            ),
        }
    }

    /// Counts what another process let through so long ago.
    pub(crate) fn heard(&self, counted: &Counted, age: SignedDuration) {
        let Self {
            credentials,
            guesses,
            address,
            account,
            wake,
            pods,
            gateway,
            workspaces,
            invitations,
            wrong_passwords,
            wrong_codes,
        } = self;
        for limiter in [credentials, address, wake, pods, workspaces] {
            limiter.heard(counted, age);
        }
        guesses.heard(counted, age);
        account.heard(counted, age);
        gateway.heard(counted, age);
        invitations.heard(counted, age);
        wrong_passwords.heard(counted);
        wrong_codes.heard(counted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscriber_has_one_bucket() {
        let key = |text: &str| Caller::from_address(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
