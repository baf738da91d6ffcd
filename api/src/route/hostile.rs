//! What hostile bytes reach of the routes' own parsing.

use axum::http::HeaderMap;

use super::{entity, paging::Paging};
use crate::extract::Query;

/// A list's page.
pub(crate) fn page(query: Query) {
    let Ok([limit, cursor]) = query.take(["limit", "cursor"]) else {
        return;
    };
    if let Ok(page) = Paging::new(limit, cursor) {
        assert!((1..=100).contains(&page.limit), "{page:?}");
        let _ = page.after_id(|id| id);
    }
}

/// On which state of a thing a change is to be based.
pub(crate) fn conditions(headers: &HeaderMap) {
    let _ = entity::expected_revision(headers);
}
