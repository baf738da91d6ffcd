//! What is counted user by user: little, since whatever follows from a shape is counted by shape afterwards.

use std::collections::{BTreeSet, HashMap};

use coditect_core::{TenantId, UserId};

/// How many examples are named.
pub(super) const EXAMPLES: usize = 3;

/// A few users, those with the smallest ids: the same ones whatever order they came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Examples(BTreeSet<UserId>);

impl Examples {
    pub(super) fn add(&mut self, user: UserId) {
        self.0.insert(user);
        while self.0.len() > EXAMPLES {
            self.0.pop_last();
        }
    }

    pub(super) fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|user| self.add(*user));
    }

    pub(super) fn to_vec(&self) -> Vec<UserId> {
        self.0.iter().copied().collect()
    }
}

/// A shape that gives way to another, by their numbers: the base, its shape, the new side's shape. None: nothing of the
/// users is there, which is not the same as what cannot be rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pair {
    pub(super) base: usize,
    pub(super) before: Option<usize>,
    pub(super) after: Option<usize>,
    /// Whether the bytes differ.
    pub(super) changed: bool,
}

/// Users of one pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Users {
    pub(super) count: u64,
    pub(super) examples: Examples,
    /// Of them, those whose change an approval in the policy covers.
    pub(super) approved: u64,
    /// Of them, those who keep an earlier ring's release until their own ring has it.
    pub(super) keeping: u64,
}

/// What one cell's repository holds that is not as the base renders it.
#[derive(Clone, Debug, Default)]
pub(super) struct Aside {
    pub(super) users: u64,
    pub(super) drifted: u64,
    pub(super) drifted_examples: Examples,
    pub(super) unreadable: u64,
    pub(super) unreadable_examples: Examples,
}

/// What was counted; several are added up, in any order.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub(super) pairs: HashMap<Pair, Users>,
    /// What tenants' plans cost, before and after, in cents a month. While a tenant's change of plan is on its way its
    /// users may have several: the dearest counts.
    pub(super) tenants: HashMap<TenantId, (u32, u32)>,
    /// By the cell's place in the list.
    pub(super) cells: HashMap<usize, Aside>,
}

impl Tally {
    pub(super) fn price(&mut self, tenant: TenantId, (before, after): (u32, u32)) {
        let known = self.tenants.entry(tenant).or_default();
        *known = (before.max(known.0), after.max(known.1));
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: Self) {
        for (pair, users) in other.pairs {
            let all = self.pairs.entry(pair).or_default();
            all.count += users.count;
            all.approved += users.approved;
            all.keeping += users.keeping;
            all.examples.extend(&users.examples);
        }
        for (tenant, prices) in other.tenants {
            self.price(tenant, prices);
        }
        for (cell, aside) in other.cells {
            let all = self.cells.entry(cell).or_default();
            all.users += aside.users;
            all.drifted += aside.drifted;
            all.drifted_examples.extend(&aside.drifted_examples);
            all.unreadable += aside.unreadable;
            all.unreadable_examples.extend(&aside.unreadable_examples);
        }
    }
}
