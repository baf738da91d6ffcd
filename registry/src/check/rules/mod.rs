//! What must be true of one entry and its counterparts.

mod cells;
mod expiring;
mod people;
mod tenants;
mod upkeep;

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use coditect_core::TenantId;
use uuid::Uuid;

use super::Problem;
use crate::{
    keys::{self, KeyPart, ParsedKey},
    keyspace::readable,
    record::{Grace, Mark, Record, decode, encode, inspect},
    store::{Key, StoreError, Value},
    tx::Tx,
};

/// An entry under examination.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

/// What was found out about it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) problem: Problem,
    pub(super) other: Option<Key>,
    pub(super) why: Cow<'static, str>,
    pub(super) fix: Fix,
}

/// What puts it right.
#[derive(Debug)]
pub(super) enum Fix {
    Clear(Key),
    Put(Key, Value),
    /// Nobody but a person can know; what they may do.
    ByHand(&'static str),
}

impl Fix {
    pub(super) const fn repairs(&self) -> bool {
        !matches!(self, Self::ByHand(_))
    }

    pub(super) fn remedy(&self) -> String {
        match self {
            Self::Clear(key) => format!("remove {}", readable(key)),
            Self::Put(key, _) => format!("write {}", readable(key)),
            Self::ByHand(what) => (*what).to_owned(),
        }
    }
}

/// Which rules hold for which kind of key. A kind without a row is no index and has none.
#[derive(Clone, Copy)]
enum Rule {
    Account,
    Provider,
    Email,
    OAuth,
    Membership,
    Custody,
    StripeCustomer,
    ApiKeyHash,
    ApiKey,
    Billing,
    PlanChange,
    Member,
    Staying,
    User,
    UserPlace,
    WorkspaceProfile,
    WorkspacePart,
    WorkspacePlace,
    Intent,
    OfUserInCell,
    Activity,
    Approval,
    AwaitedApproval,
    Reap,
    Tombstone,
    Grace,
    Request,
    RequestAge,
    Registration,
    RegistrationAge,
    AddressOfRegistration,
    AddressOfInvitation,
    Invitation,
    Session,
    SignIn,
    Login,
    StripeEvent,
    EmailChange,
    PasswordReset,
    Expiry,
}

const RULES: [(&str, Rule); 47] = [
    (
        "address/{email}/invitation/{t}/{i}",
        Rule::AddressOfInvitation,
    ),
    ("tenant/{t}/invitation/{i}", Rule::Invitation),
    ("tenant/{t}/user/{u}/sessions/{s}", Rule::Session),
    ("account/{a}/sign_in/{family}", Rule::SignIn),
    ("account/{a}/refresh/{family}", Rule::Login),
    ("stripe_event/{event}", Rule::StripeEvent),
    ("account/{a}/email_change", Rule::EmailChange),
    ("account/{a}/password_reset", Rule::PasswordReset),
    ("expiry/{hour}/{what}/{name}", Rule::Expiry),
    ("account/{a}/profile", Rule::Account),
    ("account/{a}/provider/{provider}", Rule::Provider),
    ("email/{email}", Rule::Email),
    ("oauth/{provider}/{subject}", Rule::OAuth),
    ("membership/{a}/{t}", Rule::Membership),
    ("custody/{a}/{u}", Rule::Custody),
    ("stripe_customer/{customer}", Rule::StripeCustomer),
    ("api_key/{hash}", Rule::ApiKeyHash),
    ("tenant/{t}/user/{u}/api_keys/{k}", Rule::ApiKey),
    ("tenant/{t}/billing", Rule::Billing),
    ("plan_change/{t}", Rule::PlanChange),
    ("tenant/{t}/member/{u}", Rule::Member),
    ("tenant/{t}/staying/{n}/{ts}/{u}", Rule::Staying),
    ("tenant/{t}/user/{u}/profile", Rule::User),
    ("user/{u}", Rule::UserPlace),
    (
        "tenant/{t}/user/{u}/workspace/{w}/profile",
        Rule::WorkspaceProfile,
    ),
    (
        "tenant/{t}/user/{u}/workspace/{w}/status",
        Rule::WorkspacePart,
    ),
    (
        "tenant/{t}/user/{u}/workspace/{w}/power",
        Rule::WorkspacePart,
    ),
    (
        "tenant/{t}/user/{u}/workspace/{w}/metering",
        Rule::WorkspacePart,
    ),
    (
        "tenant/{t}/user/{u}/workspace/{w}/gateway",
        Rule::WorkspacePart,
    ),
    (
        "tenant/{t}/user/{u}/workspace/{w}/file_count",
        Rule::WorkspacePart,
    ),
    (
        "tenant/{t}/user/{u}/workspace/{w}/snapshot_bytes",
        Rule::WorkspacePart,
    ),
    (
        "tenant/{t}/user/{u}/workspace/{w}/restores",
        Rule::WorkspacePart,
    ),
    ("workspace/{w}", Rule::WorkspacePlace),
    ("cell/{cell}/user/{u}", Rule::Intent),
    ("cell/{cell}/committed/{u}", Rule::OfUserInCell),
    ("quarantine/{cell}/{u}", Rule::OfUserInCell),
    ("approval/{cell}/{change}", Rule::Approval),
    ("awaited_approval/{cell}/{u}", Rule::AwaitedApproval),
    ("activity/{cell}/{w}", Rule::Activity),
    ("reap/{cell}/{id}", Rule::Reap),
    ("tombstone/{cell}/{id}", Rule::Tombstone),
    ("grace/{second}/{id}", Rule::Grace),
    ("txn/{request}", Rule::Request),
    ("txn_age/{hour}/{request}", Rule::RequestAge),
    ("registration/{registration}", Rule::Registration),
    (
        "registration_age/{hour}/{registration}",
        Rule::RegistrationAge,
    ),
    (
        "address/{email}/registration/{registration}",
        Rule::AddressOfRegistration,
    ),
];

static BY_PATTERN: LazyLock<HashMap<&'static str, Rule>> =
    LazyLock::new(|| RULES.into_iter().collect());

/// What is wrong with the entry, of what `tx` sees.
pub(super) async fn look(tx: &mut Tx, entry: Entry<'_>) -> Result<Vec<Found>, StoreError> {
    let parsed = match keys::parse(entry.key) {
        Ok(parsed) => parsed,
        Err(why) => {
            return Ok(vec![Found {
                problem: Problem::Unknown,
                other: None,
                why: format!("the key {why}").into(),
                fix: Fix::ByHand("if a newer coditect wrote it, check with that one"),
            }]);
        }
    };
    if let Err(why) = inspect(parsed.kind.pattern, entry.value) {
        return Ok(vec![Found {
            problem: Problem::Unreadable,
            other: None,
            why: why.to_string().into(),
            fix: Fix::ByHand("take it from a backup"),
        }]);
    }
    let Some(rule) = BY_PATTERN.get(parsed.kind.pattern) else {
        return Ok(Vec::new());
    };
    let mut at = At {
        tx,
        entry,
        parsed: &parsed,
        found: Vec::new(),
    };
    let looked = match rule {
        Rule::Account => people::account(&mut at).await,
        Rule::Provider => people::provider(&mut at).await,
        Rule::Email => people::email(&mut at).await,
        Rule::OAuth => people::oauth(&mut at).await,
        Rule::Membership => people::membership(&mut at).await,
        Rule::Custody => people::custody(&mut at).await,
        Rule::StripeCustomer => tenants::stripe_customer(&mut at).await,
        Rule::Billing => tenants::billing(&mut at).await,
        Rule::PlanChange => upkeep::plan_change(&mut at).await,
        Rule::ApiKeyHash => tenants::api_key_hash(&mut at).await,
        Rule::ApiKey => match tenants::api_key(&mut at).await {
            Ok(()) => expiring::api_key(&mut at).await,
            failed => failed,
        },
        Rule::AddressOfInvitation => expiring::address_of_invitation(&mut at).await,
        Rule::Invitation => expiring::invitation(&mut at).await,
        Rule::Session => expiring::session(&mut at).await,
        Rule::SignIn => expiring::sign_in(&mut at).await,
        Rule::Login => expiring::login(&mut at).await,
        Rule::StripeEvent => expiring::stripe_event(&mut at).await,
        Rule::EmailChange => expiring::email_change(&mut at).await,
        Rule::PasswordReset => expiring::password_reset(&mut at).await,
        Rule::Expiry => expiring::listed(&mut at).await,
        Rule::Member => tenants::member(&mut at).await,
        Rule::Staying => tenants::staying(&mut at).await,
        Rule::User => tenants::user(&mut at).await,
        Rule::UserPlace => tenants::user_place(&mut at).await,
        Rule::WorkspaceProfile => tenants::workspace(&mut at).await,
        Rule::WorkspacePart => tenants::workspace_part(&mut at).await,
        Rule::WorkspacePlace => tenants::workspace_place(&mut at).await,
        Rule::Intent => cells::intent(&mut at).await,
        Rule::OfUserInCell => cells::of_user(&mut at).await,
        Rule::Approval => expiring::approval(&mut at).await,
        Rule::AwaitedApproval => cells::awaited_approval(&mut at).await,
        Rule::Activity => cells::activity(&mut at).await,
        Rule::Reap => cells::reap(&mut at).await,
        Rule::Tombstone => cells::tombstone(&mut at).await,
        Rule::Grace => upkeep::grace(&mut at).await,
        Rule::Request => upkeep::request(&mut at).await,
        Rule::RequestAge => upkeep::request_age(&mut at).await,
        Rule::Registration => upkeep::registration(&mut at).await,
        Rule::RegistrationAge => upkeep::registration_age(&mut at).await,
        Rule::AddressOfRegistration => upkeep::address_of_registration(&mut at).await,
    };
    let mut found = at.found;
    match looked {
        Ok(()) => {}
        // Its own value was read, so it is a counterpart's that cannot be; that one is found by itself as well.
        Err(StoreError::Corrupt(why)) => found.push(Found {
            problem: Problem::Unreadable,
            other: None,
            why: format!("what it points to cannot be read: {why}").into(),
            fix: Fix::ByHand("take it from a backup"),
        }),
        Err(other) => return Err(other),
    }
    Ok(found)
}

/// The tenant whose record it is, if the key says so.
pub(super) fn tenant_of(parsed: &ParsedKey) -> Option<TenantId> {
    let mut segments = parsed.kind.pattern.split('/').zip(&parsed.parts);
    segments.find_map(|(segment, part)| match part {
        KeyPart::Id(id) if segment == "{t}" => Some(TenantId::from_bytes(*id.as_bytes())),
        _ => None,
    })
}

/// One entry within one transaction, and what has been found.
struct At<'a, 'tx> {
    tx: &'tx mut Tx,
    entry: Entry<'a>,
    parsed: &'a ParsedKey,
    found: Vec<Found>,
}

impl At<'_, '_> {
    /// The entry's record.
    fn record<T: Record>(&self) -> Result<T, StoreError> {
        decode(self.entry.value)
    }

    /// The record at another key.
    async fn get<T: Record>(&mut self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.tx.get(key).await
    }

    /// Whether anything is at another key.
    async fn is_there(&mut self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.tx.get_bytes(key).await?.is_some())
    }

    /// The ids in the key, in their order. Its kind says how many there are.
    fn ids<const N: usize>(&self) -> Result<[[u8; 16]; N], StoreError> {
        let ids: Vec<[u8; 16]> = self
            .parsed
            .parts
            .iter()
            .filter_map(|part| match part {
                KeyPart::Id(id) => Some(*id.as_bytes()),
                _ => None,
            })
            .collect();
        ids.try_into()
            .map_err(|_| StoreError::Corrupt("a key with other ids than its kind has".to_owned()))
    }

    /// The text in the key at this place among its parts.
    fn text<T: std::str::FromStr>(&self, place: usize) -> Result<T, StoreError> {
        match self.parsed.parts.get(place) {
            Some(KeyPart::Text(text)) => text.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| {
            StoreError::Corrupt(format!(
                "a key of {} with a name that is none",
                self.parsed.kind.pattern
            ))
        })
    }

    /// The entry points to what is not there, or not its: it goes.
    fn dangling(&mut self, other: Key, why: &'static str) {
        let fix = Fix::Clear(self.entry.key.to_vec());
        self.add(Problem::Dangling, other, why, fix);
    }

    /// What should point to the entry does not: it is written.
    fn missing<T: Record>(
        &mut self,
        other: Key,
        record: &T,
        why: &'static str,
    ) -> Result<(), StoreError> {
        let fix = Fix::Put(other.clone(), encode(record)?);
        self.add(Problem::Missing, other, why, fix);
        Ok(())
    }

    /// What is marked for deletion is on the list by which its grace period ends.
    async fn graced(
        &mut self,
        mark: Option<&Mark>,
        id: Uuid,
        due: &Grace,
        why: &'static str,
    ) -> Result<(), StoreError> {
        let Some(mark) = mark else {
            return Ok(());
        };
        let key = keys::grace(mark.until, id);
        if self.get::<Grace>(&key).await?.is_none() {
            self.missing(key, due, why)?;
        }
        Ok(())
    }

    /// Something only a person can put right.
    fn by_hand(&mut self, problem: Problem, other: Key, why: &'static str, remedy: &'static str) {
        self.add(problem, other, why, Fix::ByHand(remedy));
    }

    fn add(&mut self, problem: Problem, other: Key, why: &'static str, fix: Fix) {
        self.found.push(Found {
            problem,
            other: Some(other),
            why: why.into(),
            fix,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_about_a_kind_that_there_is() {
        for (pattern, _) in RULES {
            assert!(
                keys::layout().iter().any(|kind| kind.pattern == pattern),
                "{pattern}"
            );
        }
        assert_eq!(BY_PATTERN.len(), RULES.len());
    }
}
