//! Reads cells' repositories, several shards at a time, and counts their users.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use coditect_core::{CellName, Result, Shard, UserId};
use git2::Oid;

use super::{Base, Plan, Tally};
use crate::{
    git::{Checkout, ShardTree},
    render::intent_of,
};

/// A cell to be read.
pub struct Cell {
    /// Its name; users of another one in its repository do not count.
    pub name: CellName,
    /// Its repository.
    pub repository: PathBuf,
    /// What stands there.
    pub base: Base,
}

/// Is told how many users were counted.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

/// Users that one thread takes at a time.
const AT_ONCE: usize = 256;

/// Counts the users of all cells, on so many threads.
///
/// # Errors
/// `Unavailable` if a repository cannot be read.
pub fn read(plan: &Plan, cells: &[Cell], threads: usize, progress: Progress<'_>) -> Result<Tally> {
    let mut tally = Tally::default();
    for (index, cell) in cells.iter().enumerate() {
        let tree = Checkout::open(&cell.repository)?.tree()?;
        let reader = Reader {
            plan,
            cell,
            index,
            users: users(&tree),
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            progress,
        };
        let found = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    let read = reader.run();
                    reader.failed.fetch_or(read.is_err(), Ordering::Relaxed);
                    found
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(read);
                });
            }
        });
        for read in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
            tally.add(read?);
        }
    }
    Ok(tally)
}

/// In the order of the shards, which is roughly that of the pack.
fn users(tree: &ShardTree) -> Vec<(Shard, UserId, Oid)> {
    tree.iter().collect()
}

struct Reader<'a> {
    plan: &'a Plan,
    cell: &'a Cell,
    index: usize,
    users: Vec<(Shard, UserId, Oid)>,
    next: AtomicUsize,
    failed: AtomicBool,
    progress: Progress<'a>,
}

impl Reader<'_> {
    fn run(&self) -> Result<Tally> {
        let checkout = Checkout::open(&self.cell.repository)?;
        let mut tally = Tally::default();
        loop {
            let from = self.next.fetch_add(AT_ONCE, Ordering::Relaxed);
            if from >= self.users.len() || self.failed.load(Ordering::Relaxed) {
                return Ok(tally);
            }
            let to = self.users.len().min(from + AT_ONCE);
            for (shard, user, blob) in &self.users[from..to] {
                checkout.blob(*blob, |file| self.user(*shard, *user, file, &mut tally))??;
            }
            (self.progress)((to - from) as u64);
        }
    }

    fn user(&self, shard: Shard, user: UserId, file: &[u8], tally: &mut Tally) -> Result<()> {
        let intent = intent_of(file).filter(|intent| {
            (intent.user, intent.shard) == (user, shard) && intent.cell == self.cell.name
        });
        match intent {
            Some(intent) => {
                let base = self.cell.base;
                self.plan
                    .user(base, self.index, &intent, Some(file), tally)?;
            }
            None => {
                let aside = tally.cells.entry(self.index).or_default();
                aside.unreadable += 1;
                aside.unreadable_examples.add(user);
            }
        }
        Ok(())
    }
}
