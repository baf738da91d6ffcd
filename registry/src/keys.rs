//! Where each record lives. Tuple-encoded, so that keys sort by their parts on every back end; a person's
//! data lies below the account's and the user's own prefixes, so that erasing is clearing ranges.

use coditect_core::{
    AccountId, CellName, Email, LoginId, RegistrationId, RequestId, Slug, TenantId, UserId,
    Version, WorkspaceId,
};
use foundationdb_tuple::{TuplePack, Versionstamp, pack, unpack};
use jiff::Timestamp;
use uuid::Uuid;

use crate::store::{Key, KeyRange};

fn key<T: TuplePack>(parts: &T) -> Key {
    pack(parts)
}

/// `epoch`: which life of the registry this is.
#[must_use]
pub fn epoch() -> Key {
    key(&("epoch",))
}

/// `account/{a}`: all that is known of a person.
#[must_use]
pub fn account_all(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("account", account.as_uuid())))
}
/// `account/{a}/profile`.
#[must_use]
pub fn account(account: AccountId) -> Key {
    key(&("account", account.as_uuid(), "profile"))
}
/// `account/{a}/credential`.
#[must_use]
pub fn credential(account: AccountId) -> Key {
    key(&("account", account.as_uuid(), "credential"))
}
/// `account/{a}/refresh/{family}`: one sign-in.
#[must_use]
pub fn login(account: AccountId, login: LoginId) -> Key {
    key(&("account", account.as_uuid(), "refresh", login.as_uuid()))
}
/// Every sign-in of the account.
#[must_use]
pub fn logins(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("account", account.as_uuid(), "refresh")))
}
/// `registration/{id}`: a sign-up and how far it is; what its status URL shows.
#[must_use]
pub fn registration(registration: RegistrationId) -> Key {
    key(&("registration", registration.as_uuid()))
}

/// `registration_age/{hour}/{id}`: for the janitor.
#[must_use]
pub fn registration_age(at: Timestamp, registration: RegistrationId) -> Key {
    key(&(
        "registration_age",
        at.as_second() / 3600,
        registration.as_uuid(),
    ))
}
/// Every sign-up older than `before`, by whole hours.
#[must_use]
pub fn registrations_before(before: Timestamp) -> KeyRange {
    KeyRange {
        begin: KeyRange::below(&key(&("registration_age",))).begin,
        end: key(&("registration_age", before.as_second() / 3600)),
    }
}

/// `email/{normalised}` → account.
#[must_use]
pub fn email(email: &Email) -> Key {
    key(&("email", email.as_str()))
}
/// `slug/{dns label}` → workspace; permanent, so that a host name is never given out again.
#[must_use]
pub fn slug(slug: &Slug) -> Key {
    key(&("slug", slug.as_str()))
}
/// `membership/{a}/{t}` → user.
#[must_use]
pub fn membership(account: AccountId, tenant: TenantId) -> Key {
    key(&("membership", account.as_uuid(), tenant.as_uuid()))
}
/// Every tenant the account belongs to.
#[must_use]
pub fn memberships(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("membership", account.as_uuid())))
}

/// `tenant/{t}/profile`.
#[must_use]
pub fn tenant(tenant: TenantId) -> Key {
    key(&("tenant", tenant.as_uuid(), "profile"))
}
/// Everything of the tenant.
#[must_use]
pub fn tenant_all(tenant: TenantId) -> KeyRange {
    KeyRange::below(&key(&("tenant", tenant.as_uuid())))
}
/// `tenant/{t}/member/{u}` → account.
#[must_use]
pub fn member(tenant: TenantId, user: UserId) -> Key {
    key(&("tenant", tenant.as_uuid(), "member", user.as_uuid()))
}
/// Every user of the tenant.
#[must_use]
pub fn members(tenant: TenantId) -> KeyRange {
    KeyRange::below(&key(&("tenant", tenant.as_uuid(), "member")))
}
/// `tenant/{t}/user/{u}/profile`.
#[must_use]
pub fn user(tenant: TenantId, user: UserId) -> Key {
    key(&(
        "tenant",
        tenant.as_uuid(),
        "user",
        user.as_uuid(),
        "profile",
    ))
}
/// Everything of the user.
#[must_use]
pub fn user_all(tenant: TenantId, user: UserId) -> KeyRange {
    KeyRange::below(&key(&("tenant", tenant.as_uuid(), "user", user.as_uuid())))
}
/// `tenant/{t}/user/{u}/workspace/…`: all records of all the user's workspaces.
#[must_use]
pub fn workspaces(tenant: TenantId, user: UserId) -> KeyRange {
    KeyRange::below(&key(&(
        "tenant",
        tenant.as_uuid(),
        "user",
        user.as_uuid(),
        "workspace",
    )))
}
/// `tenant/{t}/user/{u}/workspace/{w}/{part}`, where part is `profile`, `status`, `power` or `metering`.
#[must_use]
pub fn workspace(
    tenant: TenantId,
    user: UserId,
    workspace: WorkspaceId,
    part: WorkspacePart,
) -> Key {
    let part = match part {
        WorkspacePart::Profile => "profile",
        WorkspacePart::Status => "status",
        WorkspacePart::Power => "power",
        WorkspacePart::Metering => "metering",
    };
    key(&(
        "tenant",
        tenant.as_uuid(),
        "user",
        user.as_uuid(),
        "workspace",
        workspace.as_uuid(),
        part,
    ))
}
/// Everything of one workspace.
#[must_use]
pub fn workspace_all(tenant: TenantId, user: UserId, workspace: WorkspaceId) -> KeyRange {
    KeyRange::below(&key(&(
        "tenant",
        tenant.as_uuid(),
        "user",
        user.as_uuid(),
        "workspace",
        workspace.as_uuid(),
    )))
}

/// The records of one workspace: decisions, what was seen of it, and whether its pod should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkspacePart {
    /// Name and dates.
    Profile,
    /// What the observer saw; never feeds the change feed.
    Status,
    /// Whether its pod should run.
    Power,
    /// Until when its running time is counted.
    Metering,
}

/// `tenant/{t}/user/{u}/usage/{YYYY-MM}/seconds`: how long the user's workspaces ran in that month (atomic).
#[must_use]
pub fn usage_seconds(tenant: TenantId, user: UserId, month: &str) -> Key {
    key(&(
        "tenant",
        tenant.as_uuid(),
        "user",
        user.as_uuid(),
        "usage",
        month,
        "seconds",
    ))
}

/// `user/{u}` → tenant and cell.
#[must_use]
pub fn user_place(user: UserId) -> Key {
    key(&("user", user.as_uuid()))
}
/// `workspace/{w}` → tenant, user and cell.
#[must_use]
pub fn workspace_place(workspace: WorkspaceId) -> Key {
    key(&("workspace", workspace.as_uuid()))
}

/// `cell/{c}/user/{u}`: the user's intent, where the renderer reads a whole cell in one range.
#[must_use]
pub fn intent(cell: &CellName, user: UserId) -> Key {
    key(&("cell", cell.as_str(), "user", user.as_uuid()))
}
/// Every intent of the cell.
#[must_use]
pub fn intents(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("cell", cell.as_str(), "user")))
}
/// `cell/{c}/committed/{u}`: which commit holds which generation; status, written by the renderer.
#[must_use]
pub fn committed(cell: &CellName, user: UserId) -> Key {
    key(&("cell", cell.as_str(), "committed", user.as_uuid()))
}
/// What Git holds of every user of the cell.
#[must_use]
pub fn all_committed(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("cell", cell.as_str(), "committed")))
}
/// `cell/{c}/load`: how many users the cell has (atomic).
#[must_use]
pub fn cell_load(cell: &CellName) -> Key {
    key(&("cell", cell.as_str(), "load"))
}

/// `change/{cell}/…`: the change feed, user ids under versionstamps.
#[must_use]
pub fn change_feed(cell: &CellName) -> Key {
    key(&("change", cell.as_str()))
}
/// `change_signal/{cell}`: changes with every entry of the feed; what a renderer watches.
#[must_use]
pub fn change_signal(cell: &CellName) -> Key {
    key(&("change_signal", cell.as_str()))
}
/// `power/{cell}/…`: the power feed, workspace ids under versionstamps.
#[must_use]
pub fn power_feed(cell: &CellName) -> Key {
    key(&("power", cell.as_str()))
}
/// `power_signal/{cell}`: changes with every entry of the power feed; what an observer watches.
#[must_use]
pub fn power_signal(cell: &CellName) -> Key {
    key(&("power_signal", cell.as_str()))
}
/// `power_floor/{cell}`: entries of the power feed at or below this version are gone.
#[must_use]
pub fn power_floor(cell: &CellName) -> Key {
    key(&("power_floor", cell.as_str()))
}
/// `published/{cell}`: the checkpoint of the newest commit that the registry was told of.
#[must_use]
pub fn published(cell: &CellName) -> Key {
    key(&("published", cell.as_str()))
}
/// `feed_floor/{cell}`: entries of the change feed at or below this version are gone.
#[must_use]
pub fn feed_floor(cell: &CellName) -> Key {
    key(&("feed_floor", cell.as_str()))
}
/// The part of a feed that lies behind `version`.
#[must_use]
pub fn feed_after(feed: &Key, version: Version) -> KeyRange {
    let mut begin = feed.clone();
    let mut stamp = [0xff; 10];
    stamp[..8].copy_from_slice(&version.0.to_be_bytes());
    begin.extend(pack(&Versionstamp::complete(stamp, u16::MAX)));
    begin.push(0x00);
    KeyRange {
        begin,
        end: KeyRange::below(feed).end,
    }
}
/// The part of a feed behind `after`, up to and including `until`.
#[must_use]
pub fn feed_between(feed: &Key, after: Version, until: Version) -> KeyRange {
    KeyRange {
        begin: feed_after(feed, after).begin,
        end: feed_after(feed, until).begin,
    }
}
/// The commit version of a feed's entry.
#[must_use]
pub fn stamp_of(key: &[u8]) -> Option<Version> {
    // The code 0x33, ten bytes of version and batch order, two of order within the transaction.
    let stamp = key.get(key.len().checked_sub(13)?..)?;
    let version = stamp.strip_prefix(&[0x33])?.first_chunk::<8>()?;
    Some(Version(u64::from_be_bytes(*version)))
}
/// The part of a feed up to and including `version`.
#[must_use]
pub fn feed_until(feed: &Key, version: Version) -> KeyRange {
    KeyRange {
        begin: KeyRange::below(feed).begin,
        end: feed_after(feed, version).begin,
    }
}

/// `lease/{cell}`.
#[must_use]
pub fn lease(cell: &CellName) -> Key {
    key(&("lease", cell.as_str()))
}
/// `tombstone/{cell}/{u}`; permanent.
#[must_use]
pub fn user_tombstone(cell: &CellName, user: UserId) -> Key {
    key(&("tombstone", cell.as_str(), user.as_uuid()))
}
/// `tombstone/{cell}/{w}`; permanent.
#[must_use]
pub fn workspace_tombstone(cell: &CellName, workspace: WorkspaceId) -> Key {
    key(&("tombstone", cell.as_str(), workspace.as_uuid()))
}
/// Every tombstone of the cell.
#[must_use]
pub fn tombstones(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("tombstone", cell.as_str())))
}
/// `reap/{cell}/{id}`: a user or workspace that has a tombstone and whose objects are still in the cluster.
#[must_use]
pub fn reap(cell: &CellName, id: Uuid) -> Key {
    key(&("reap", cell.as_str(), id))
}
/// Everything of the cell that is still to be removed from its cluster.
#[must_use]
pub fn reap_list(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("reap", cell.as_str())))
}

/// `activity/{cell}/{w}`: when the workspace was last used.
#[must_use]
pub fn activity(cell: &CellName, workspace: WorkspaceId) -> Key {
    key(&("activity", cell.as_str(), workspace.as_uuid()))
}
/// Activity of every workspace of the cell.
#[must_use]
pub fn activities(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("activity", cell.as_str())))
}
/// `quarantine/{cell}/{u}`: that the cluster refuses what Git asks for the user.
#[must_use]
pub fn quarantine(cell: &CellName, user: UserId) -> Key {
    key(&("quarantine", cell.as_str(), user.as_uuid()))
}
/// Everyone of the cell who is quarantined.
#[must_use]
pub fn quarantines(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("quarantine", cell.as_str())))
}
/// `restart/{cell}`: the newest restart of the cell's pods within a window.
#[must_use]
pub fn restart(cell: &CellName) -> Key {
    key(&("restart", cell.as_str()))
}
/// `cell_state/{cell}`: how the cell fares, as its observer says.
#[must_use]
pub fn cell_state(cell: &CellName) -> Key {
    key(&("cell_state", cell.as_str()))
}

/// `grace/{second}/{id}`: what is due for its tombstone then.
#[must_use]
pub fn grace(until: Timestamp, id: Uuid) -> Key {
    key(&("grace", until.as_second(), id))
}
/// Everything whose grace period ends at or before `now`.
#[must_use]
pub fn grace_until(now: Timestamp) -> KeyRange {
    KeyRange {
        begin: KeyRange::below(&key(&("grace",))).begin,
        end: key(&("grace", now.as_second() + 1)),
    }
}

/// `txn/{request id}`: that this request was done, and its answer.
#[must_use]
pub fn transaction(request: RequestId) -> Key {
    key(&("txn", request.as_uuid()))
}
/// `txn_age/{hour}/{request id}`: for the janitor.
#[must_use]
pub fn transaction_age(at: Timestamp, request: RequestId) -> Key {
    key(&("txn_age", at.as_second() / 3600, request.as_uuid()))
}
/// Every request older than `before`, by whole hours.
#[must_use]
pub fn transactions_before(before: Timestamp) -> KeyRange {
    KeyRange {
        begin: KeyRange::below(&key(&("txn_age",))).begin,
        end: key(&("txn_age", before.as_second() / 3600)),
    }
}
/// The request behind a key of [`transaction_age`].
#[must_use]
pub fn request_of(key: &[u8]) -> Option<RequestId> {
    let (_, _, id): (String, i64, Uuid) = unpack(key).ok()?;
    Some(RequestId::from_bytes(*id.as_bytes()))
}

/// `audit/{t}/…`: who decided what, ids only, under versionstamps.
#[must_use]
pub fn audit(tenant: TenantId) -> Key {
    key(&("audit", tenant.as_uuid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(feed: &Key, version: u64, batch: u16, order: u16) -> Key {
        let mut stamp = [0; 10];
        stamp[..8].copy_from_slice(&version.to_be_bytes());
        stamp[8..].copy_from_slice(&batch.to_be_bytes());
        [feed.clone(), pack(&Versionstamp::complete(stamp, order))].concat()
    }

    #[test]
    fn a_feed_is_cut_at_a_version_without_loss_or_overlap() {
        let feed = change_feed(&"local".parse().unwrap());
        for (version, behind) in [(6, false), (7, false), (8, true)] {
            for (batch, order) in [(0, 0), (3, 2), (u16::MAX, u16::MAX)] {
                let key = stamped(&feed, version, batch, order);
                assert_eq!(stamp_of(&key), Some(Version(version)));
                assert_eq!(
                    feed_after(&feed, Version(7)).contains(&key),
                    behind,
                    "{version} {batch} {order}"
                );
                assert_eq!(
                    feed_until(&feed, Version(7)).contains(&key),
                    !behind,
                    "{version} {batch} {order}"
                );
            }
        }
    }

    #[test]
    fn one_cells_feed_does_not_hold_anothers() {
        let (a, b): (CellName, CellName) = ("cell-1".parse().unwrap(), "cell-10".parse().unwrap());
        assert!(!KeyRange::below(&change_feed(&a)).contains(&stamped(&change_feed(&b), 1, 0, 0)));
        assert!(!intents(&a).contains(&intent(&b, UserId::random())));
    }

    #[test]
    fn a_person_lies_below_their_own_prefixes() {
        let (account_id, tenant_id, user_id, workspace_id) = (
            AccountId::random(),
            TenantId::random(),
            UserId::random(),
            WorkspaceId::random(),
        );
        assert!(account_all(account_id).contains(&account(account_id)));
        assert!(account_all(account_id).contains(&login(account_id, LoginId::random())));
        assert!(user_all(tenant_id, user_id).contains(&user(tenant_id, user_id)));
        for part in [
            WorkspacePart::Profile,
            WorkspacePart::Status,
            WorkspacePart::Power,
            WorkspacePart::Metering,
        ] {
            assert!(user_all(tenant_id, user_id).contains(&workspace(
                tenant_id,
                user_id,
                workspace_id,
                part
            )));
            assert!(
                workspace_all(tenant_id, user_id, workspace_id).contains(&workspace(
                    tenant_id,
                    user_id,
                    workspace_id,
                    part
                ))
            );
        }
        assert!(
            user_all(tenant_id, user_id).contains(&usage_seconds(tenant_id, user_id, "2026-03"))
        );
        assert!(!user_all(tenant_id, UserId::random()).contains(&user(tenant_id, user_id)));
    }
}
