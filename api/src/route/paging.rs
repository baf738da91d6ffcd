//! Pages by cursor: how many, and behind what.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{Error, Result};

/// Most items on one page.
const LARGEST_PAGE: usize = 100;
/// Items on a page if nobody says how many.
const USUAL_PAGE: usize = 50;

/// Which page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// How many items, 1 to 100.
    pub(super) limit: usize,
    /// What the last item of the page before is called.
    pub(super) after: Option<Vec<u8>>,
}

impl Paging {
    /// The page that these parameters ask for.
    ///
    /// # Errors
    /// `Invalid` naming the parameter.
    pub(super) fn new(limit: Option<String>, cursor: Option<String>) -> Result<Self> {
        Ok(Self {
            limit: limit.map_or(Ok(USUAL_PAGE), |text| page_size(&text))?,
            after: cursor.map(|text| parse(&text)).transpose()?,
        })
    }

    /// The id that the page begins behind.
    ///
    /// # Errors
    /// `Invalid` if the cursor holds none.
    pub(super) fn after_id<T>(&self, id: impl Fn([u8; 16]) -> T) -> Result<Option<T>> {
        let after = self.after.as_deref().map(<[u8; 16]>::try_from);
        after
            .transpose()
            .map(|after| after.map(id))
            .map_err(|_| strange())
    }
}

/// The cursor of the page behind what is called so.
pub(super) fn cursor(last: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(last)
}

/// A cursor that no page has given.
pub(super) fn strange() -> Error {
    Error::invalid("cursor", "is not one that a page has given")
}

pub(super) fn page_size(text: &str) -> Result<usize> {
    let size = text
        .parse()
        .ok()
        .filter(|size| (1..=LARGEST_PAGE).contains(size));
    size.ok_or_else(|| {
        Error::invalid(
            "limit",
            format!("must be a number from 1 to {LARGEST_PAGE}"),
        )
    })
}

fn parse(text: &str) -> Result<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| strange())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_given() {
        let page = Paging::new(Some("7".into()), Some(cursor([9; 16]))).unwrap();
        assert_eq!(page.limit, 7);
        assert_eq!(page.after_id(|id| id).unwrap(), Some([9; 16]));
        let first = Paging::new(None, None).unwrap();
        assert_eq!((first.limit, first.after), (USUAL_PAGE, None));
    }

    #[test]
    fn what_is_no_page_is_named() {
        for (limit, cursor, field) in [
            (Some("0"), None, "limit"),
            (Some("101"), None, "limit"),
            (Some("ten"), None, "limit"),
            (None, Some("*"), "cursor"),
        ] {
            let error = Paging::new(limit.map(str::to_owned), cursor.map(str::to_owned));
            assert!(error.unwrap_err().to_string().starts_with(field));
        }
        let short = Paging::new(None, Some(cursor([1; 3]))).unwrap();
        assert!(short.after_id(|id| id).is_err());
    }
}
