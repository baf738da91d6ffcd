//! Feeds: ids under versionstamps, signals that wake whoever follows one, floors below which one is trimmed.

use coditect_core::{CellName, TenantId, Version};
use foundationdb_tuple::{Versionstamp, pack};
use uuid::Uuid;

use super::key;
use crate::store::{Key, KeyRange};

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
/// `revocation/…`: sign-ins that ended before their time, under versionstamps.
#[must_use]
pub fn revocation_feed() -> Key {
    key(&("revocation",))
}
/// `revocation_signal`: changes with every entry of the feed of revocations; what the API watches.
#[must_use]
pub fn revocation_signal() -> Key {
    key(&("revocation_signal",))
}
/// `revocation_floor`: revocations at or below this version are gone.
#[must_use]
pub fn revocation_floor() -> Key {
    key(&("revocation_floor",))
}
/// `counted/…`: what processes of the API let through of rate limits, under versionstamps.
#[must_use]
pub fn counted_feed() -> Key {
    key(&("counted",))
}
/// `counted_signal`: changes with every entry of the feed of what was counted; what the API watches.
#[must_use]
pub fn counted_signal() -> Key {
    key(&("counted_signal",))
}
/// `counted_by/{process}`: how far a process of the API is with its notes.
#[must_use]
pub fn counted_by(process: Uuid) -> Key {
    key(&("counted_by", process))
}
/// Every process that notes what it let through.
#[must_use]
pub fn counting() -> KeyRange {
    KeyRange::below(&key(&("counted_by",)))
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

/// `audit/{t}/…`: who decided what, ids only, under versionstamps.
#[must_use]
pub fn audit(tenant: TenantId) -> Key {
    key(&("audit", tenant.as_uuid()))
}
