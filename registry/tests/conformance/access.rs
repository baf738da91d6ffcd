//! Small helpers over the contract: reading in whole, writing once.

use coditect_core::Version;
use coditect_registry::store::{
    Isolation::{self, Serializable, Snapshot},
    Key, KeyRange, Store, StoreError, Transaction, Value,
};
use futures::future::BoxFuture;
use uuid::Uuid;

/// Marks of finished transactions lie below it, behind [`everything`].
const MARKS: [u8; 3] = [0xfe, 0xfe, 0xff];

/// Every key that a check may use.
pub(crate) fn everything() -> KeyRange {
    KeyRange {
        begin: vec![],
        end: MARKS.to_vec(),
    }
}

pub(crate) fn range(begin: &str, end: &str) -> KeyRange {
    KeyRange {
        begin: begin.into(),
        end: end.into(),
    }
}

pub(crate) async fn value(
    transaction: &mut dyn Transaction,
    key: &str,
) -> Result<Option<String>, StoreError> {
    value_with(transaction, key, Serializable).await
}

pub(crate) async fn value_with(
    transaction: &mut dyn Transaction,
    key: &str,
    isolation: Isolation,
) -> Result<Option<String>, StoreError> {
    let found = transaction.get(key.as_bytes(), isolation).await?;
    Ok(found.map(|value| String::from_utf8(value).unwrap()))
}

/// A value, read as often as it takes.
pub(crate) async fn get(store: &dyn Store, key: &[u8]) -> Result<Option<Value>, StoreError> {
    loop {
        match async { store.begin().await?.get(key, Snapshot).await }.await {
            Err(error) if error.is_retryable() => {}
            read => return read,
        }
    }
}

/// The number at a key, 0 if there is none.
pub(crate) async fn number(
    transaction: &mut dyn Transaction,
    key: &str,
) -> Result<i64, StoreError> {
    let stored = transaction.get(key.as_bytes(), Serializable).await?;
    Ok(stored.map_or(0, |bytes| i64::from_le_bytes(bytes.try_into().unwrap())))
}

/// All entries of a range, read page by page.
pub(crate) async fn pages(
    transaction: &mut dyn Transaction,
    range: &KeyRange,
    limit: usize,
    reverse: bool,
    isolation: Isolation,
) -> Result<Vec<(Key, Value)>, StoreError> {
    let mut all = Vec::new();
    let mut rest = range.clone();
    loop {
        let page = transaction.range(&rest, limit, reverse, isolation).await?;
        assert!(
            page.entries.len() <= limit,
            "{} entries, asked for {limit}",
            page.entries.len()
        );
        assert!(
            !page.entries.is_empty() || !page.more,
            "a page that says more has an entry"
        );
        all.extend(page.entries);
        let Some((last, _)) = all.last().filter(|_| page.more) else {
            return Ok(all);
        };
        if reverse {
            rest.end = last.clone();
        } else {
            rest = rest.after(last);
        }
    }
}

/// Keys and values as text, to compare with.
pub(crate) fn text(entries: &[(Key, Value)]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    entries
        .iter()
        .map(|(key, value)| format!("{}={}", text(key), text(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Does the work until it commits, once, whatever conflicts and whatever is unknown: as the registry does
/// it, a mark that is read and written in the same transaction tells of an attempt that did happen. Then the
/// version given is the one at which the mark was seen.
pub(crate) async fn transact<T>(
    store: &dyn Store,
    work: impl for<'a> Fn(&'a mut dyn Transaction) -> BoxFuture<'a, Result<T, StoreError>>,
) -> Result<(T, Version), StoreError> {
    let mark = [&MARKS[..], Uuid::new_v4().as_bytes()].concat();
    let mut transaction = store.begin().await?;
    let mut unknown: Vec<T> = Vec::new();
    loop {
        let attempt: Result<(T, Version), (Option<T>, StoreError)> = async {
            let none = |error| (None, error);
            if let Some(done) = transaction.get(&mark, Serializable).await.map_err(none)? {
                let version = transaction.read_version().await.map_err(none)?;
                let attempt = usize::from(done[0]);
                return Ok((unknown.swap_remove(attempt), version));
            }
            let answer = work(&mut *transaction).await.map_err(none)?;
            transaction.set(&mark, &[u8::try_from(unknown.len()).unwrap()]);
            match transaction.commit().await {
                Ok(version) => Ok((answer, version)),
                Err(StoreError::UnknownResult) => Err((Some(answer), StoreError::UnknownResult)),
                Err(error) => Err((None, error)),
            }
        }
        .await;
        match attempt {
            Ok(done) => return Ok(done),
            Err((answer, error)) => {
                unknown.extend(answer);
                transaction.reset(error).await?;
            }
        }
    }
}
