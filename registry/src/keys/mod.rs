//! Where each record lives. Tuple-encoded, so that keys sort by their parts on every back end; a person's
//! data lies below the account's and the user's own prefixes, so that erasing is clearing ranges.
//! [`layout`] lists every kind of key with who writes and reads it; [`parse`] tells which kind a key is.

mod account;
mod cell;
mod feed;
mod import;
mod layout;
mod ledger;
mod parse;
mod portable;
mod tenant;
mod tuple;
mod unique;
mod upkeep;
mod workspace;

use foundationdb_tuple::{TuplePack, pack};

pub use account::*;
pub use cell::*;
pub use feed::*;
pub(crate) use import::*;
pub use layout::{Export, KeyKind, OnErasure, layout};
pub use ledger::*;
pub(crate) use parse::segment_fits;
pub use parse::{KeyError, KeyPart, ParsedKey, parse};
pub use portable::{Portable, portable, portables};
pub use tenant::*;
pub use unique::*;
pub use upkeep::*;
pub use workspace::*;

use crate::store::Key;

fn key<T: TuplePack>(parts: &T) -> Key {
    pack(parts)
}

/// `epoch`: which life of the registry this is.
#[must_use]
pub fn epoch() -> Key {
    key(&("epoch",))
}

#[cfg(test)]
mod tests {
    use coditect_core::{AccountId, CellName, LoginId, TenantId, UserId, Version, WorkspaceId};
    use foundationdb_tuple::Versionstamp;

    use super::*;
    use crate::store::KeyRange;

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
            WorkspacePart::Gateway,
            WorkspacePart::Restores,
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
