//! The number of users of a cell, which is kept beside them.

use std::sync::Arc;

use coditect_core::{CellName, Result};
use jiff::Timestamp;

use super::{
    Problem,
    rules::{Fix, Found},
};
use crate::{
    keys::{self, KeyPart},
    keyspace,
    reader::Reader,
    store::{Isolation, Key, Store, StoreError},
    tx::Tx,
};

/// The cells whose number is wrong, and those that could not be counted.
pub(super) async fn check(store: &Arc<dyn Store>) -> Result<(Vec<(Key, Found)>, Vec<String>)> {
    let (mut wrong, mut not_counted) = (Vec::new(), Vec::new());
    for cell in cells(store).await? {
        let mut tx = Tx::new(store.begin().await?, Isolation::Snapshot);
        let (load, users) = match both(&mut tx, &cell).await {
            // Too many to count at one version.
            Err(StoreError::TooOld) => {
                not_counted.push(cell.to_string());
                continue;
            }
            done => done?,
        };
        if load != users {
            wrong.push((
                keys::cell_load(&cell),
                Found {
                    problem: Problem::Differs,
                    other: Some(keys::intents(&cell).begin),
                    why: format!("says {load} users, and there are {users}").into(),
                    fix: Fix::Put(keys::cell_load(&cell), users.to_le_bytes().to_vec()),
                },
            ));
        }
    }
    Ok((wrong, not_counted))
}

/// Sets the number of this key's cell right, if it is still wrong.
pub(super) async fn mend(store: &Arc<dyn Store>, key: &[u8], at: Timestamp) -> Result<bool> {
    let Some(cell) = cell_of(key) else {
        return Ok(false);
    };
    let mut tx = Tx::new(store.begin().await?, Isolation::Serializable);
    loop {
        let attempt = async {
            let (load, users) = both(&mut tx, &cell).await?;
            if load == users {
                return Ok(false);
            }
            // Added, not set: sign-ups that come in between count.
            tx.add(key, users - load);
            super::audit(&mut tx, key, at)?;
            tx.commit().await?;
            Ok(true)
        }
        .await;
        match attempt {
            Ok(done) => return Ok(done),
            Err::<bool, StoreError>(error) => tx.reset(error).await?,
        }
    }
}

async fn both(tx: &mut Tx, cell: &CellName) -> Result<(i64, i64), StoreError> {
    // Exact: of two repairs at once only one may add.
    let load = tx.exact_number(&keys::cell_load(cell)).await?;
    let mut users = 0;
    let mut rest = keys::intents(cell);
    loop {
        let page = tx.page_bytes(&rest, usize::MAX).await?;
        users += i64::try_from(page.entries.len()).unwrap_or(i64::MAX);
        match page.entries.last() {
            Some((last, _)) if page.more => rest = rest.after(last),
            _ => return Ok((load, users)),
        }
    }
}

/// Every cell that has a user or a number of them.
async fn cells(store: &Arc<dyn Store>) -> Result<Vec<CellName>> {
    let mut reader = Reader::new(Arc::clone(store));
    let mut cells = Vec::new();
    let mut rest = keyspace::below("cell");
    loop {
        let page = reader.page(&rest).await?;
        let Some((first, _)) = page.entries.first() else {
            return Ok(cells);
        };
        match cell_of(first) {
            Some(cell) => {
                // On to the next cell: behind everything of this one.
                rest.begin = keys::cell_all(&cell).end;
                cells.push(cell);
            }
            None => rest = rest.after(first),
        }
    }
}

fn cell_of(key: &[u8]) -> Option<CellName> {
    let parsed = keys::parse(key).ok()?;
    match keyspace::parts(&parsed).next() {
        Some(KeyPart::Text(cell)) => cell.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn of_two_repairs_at_once_one_adds() {
        let store = MemoryStore::new() as Arc<dyn Store>;
        let cell: CellName = "local".parse().unwrap();
        let mut both_of = Vec::new();
        for _ in 0..2 {
            let mut tx = Tx::new(store.begin().await.unwrap(), Isolation::Serializable);
            let (load, users) = both(&mut tx, &cell).await.unwrap();
            tx.add(&keys::cell_load(&cell), users - load + 1);
            both_of.push(tx);
        }
        both_of[0].commit().await.unwrap();
        let second = both_of[1].commit().await;
        assert!(matches!(second, Err(StoreError::Conflict)), "{second:?}");
    }
}
