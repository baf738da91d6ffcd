//! What a change of policy or templates does to a whole fleet, told before it is merged and from checkouts alone.
//!
//! Each user's intent is read from the cell's repository and resolved with the policy that stands (the base) and the
//! one that is proposed. Users whose shapes are the same on both sides are counted; a shape is rendered once, and a
//! pair of shapes compared once, however many users have it. Nothing here reads a clock, a registry or a cluster.

mod comparison;
mod fields;
mod fleet;
mod intents;
mod markdown;
mod objects;
mod quantity;
mod refusal;
mod report;
mod side;
mod sums;
mod tally;
mod text;
mod totals;
mod words;

use std::{collections::HashMap, sync::Arc};

use coditect_core::{Result, UserIntent};

use self::{
    comparison::{Comparison, compare},
    intents::aligned,
    objects::{objects, placeholders},
    side::{Known, Side},
    tally::Pair,
};
pub use self::{
    fleet::{Cell, Progress, read},
    markdown::{Asked, LONGEST_COMMENT, asked, markdown},
    report::{
        Approval, CellReport, Change, FORMAT, Group, Money, ObjectChange, ObjectCounts, Quota,
        Refusal, Report, Storage, Unrenderable, Users, Workspaces,
    },
    tally::Tally,
    text::{Colours, text},
};
use crate::{
    approval,
    inputs::Inputs,
    render::{Identity, ring_of},
};

/// A base, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base(usize);

/// A policy that is proposed, beside those that stand.
pub struct Plan {
    bases: Vec<Side>,
    after: Side,
}

/// What the proposal does to one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The user's file stays as it is, byte for byte.
    None,
    /// It becomes another one.
    Changed,
}

impl Plan {
    /// Nothing yet to compare the proposal with.
    #[must_use]
    pub fn new(proposed: Arc<Inputs>) -> Self {
        Self {
            bases: Vec::new(),
            after: Side::new(proposed),
        }
    }

    /// Adds a policy that stands in some cells.
    pub fn base(&mut self, inputs: Arc<Inputs>) -> Base {
        self.bases.push(Side::new(inputs));
        Base(self.bases.len() - 1)
    }

    /// Counts one user of the cell at this place in the list, whose file is `file`; says what becomes of it.
    ///
    /// # Errors
    /// `Internal` if the intent cannot be written as JSON, which is a defect.
    pub fn user(
        &self,
        base: Base,
        cell: usize,
        intent: &UserIntent,
        file: Option<&[u8]>,
        tally: &mut Tally,
    ) -> Result<Effect> {
        let side = &self.bases[base.0];
        // Where nobody can keep another ring's release, the file need not be searched for whose it is.
        let rings = [side.policy(), self.after.policy()];
        let stood = file.filter(|_| !rings.iter().all(|policy| policy.has_one_release()));
        let stood = stood.and_then(ring_of);
        let stood = stood.as_ref();
        let (before, after) = (side.shape(intent, stood), self.after.shape(intent, stood));
        let names = Identity::of(intent)?;
        let differs = differs(&before, &after, &names);
        let users = tally.pairs.entry(Pair {
            base: base.0,
            before: Some(before.id),
            after: Some(after.id),
            changed: differs,
        });
        let users = users.or_default();
        users.count += 1;
        users.keeping += u64::from(self.after.keeps(intent, stood));
        users.examples.add(intent.user);
        if differs && after.made.is_ok() {
            users.approved += u64::from(self.is_approved(intent));
        }
        self.price(base, intent, [&before, &after], tally);
        let aside = tally.cells.entry(cell).or_default();
        aside.users += 1;
        let rendered = before.made.as_ref().ok();
        if file.is_some_and(|file| !rendered.is_some_and(|made| made.cut.is(&names, file))) {
            aside.drifted += 1;
            aside.drifted_examples.add(intent.user);
        }
        Ok(match differs {
            true => Effect::Changed,
            false => Effect::None,
        })
    }

    /// Counts one user who comes to want something else; none: there is nothing of the user before, or afterwards. Says
    /// what becomes of their file.
    pub fn intent(
        &self,
        base: Base,
        before: Option<&UserIntent>,
        after: Option<&UserIntent>,
        tally: &mut Tally,
    ) -> Effect {
        let Some(either) = after.or(before) else {
            return Effect::None;
        };
        let [then, now] = aligned(before, after);
        // No file says here whose release the user has: that of their ring before is assumed.
        let rings = self.bases[base.0].policy();
        let stood = before.and_then(|it| rings.ring(it.user, it.tenant, it.ring.as_ref()));
        let stood = stood.map(|ring| &ring.name);
        let before = then.map(|intent| self.bases[base.0].shape(&intent, None));
        let after = now.map(|intent| self.after.shape(&intent, stood));
        let changed = match (&before, &after) {
            (Some(before), Some(after)) => {
                let workspaces = |known: &Known| known.made.as_ref().map_or(0, |it| it.workspaces);
                let names = placeholders(workspaces(before).max(workspaces(after)));
                differs(before, after, &names)
            }
            (Some(gone), None) => gone.made.is_ok(),
            (None, Some(new)) => new.made.is_ok(),
            (None, None) => false,
        };
        if let (Some(before), Some(after)) = (&before, &after) {
            self.price(base, either, [before, after], tally);
        }
        let users = tally.pairs.entry(Pair {
            base: base.0,
            before: before.map(|known| known.id),
            after: after.map(|known| known.id),
            changed,
        });
        let users = users.or_default();
        users.count += 1;
        users.examples.add(either.user);
        match changed {
            true => Effect::Changed,
            false => Effect::None,
        }
    }

    /// What the tenant's plan costs on both sides.
    fn price(&self, base: Base, of: &UserIntent, sides: [&Known; 2], tally: &mut Tally) {
        let price = |side: &Side, known: &Known| {
            let made = known.made.as_ref().ok();
            let plan = made.and_then(|made| side.policy().plans().get(&made.plan));
            plan.map_or(0, |plan| plan.price_cents_per_month)
        };
        let [before, after] = sides;
        let now = price(&self.bases[base.0], before);
        // Whoever could not be rendered any more keeps what they have.
        let then = match after.made.is_ok() {
            true => price(&self.after, after),
            false => now,
        };
        tally.price(of.tenant, (now, then));
    }

    /// Whether one of the proposal's approvals names what the user would come to have.
    fn is_approved(&self, intent: &UserIntent) -> bool {
        let policy = self.after.policy();
        let wanted = approval::provisioned(intent, policy);
        approval::approved_by(policy, &wanted, &approval::asked(&wanted, Vec::new())).is_some()
    }

    /// What counting came to.
    ///
    /// # Errors
    /// `Internal` if what was rendered cannot be read again, which is a defect.
    pub fn report(&self, proposed: &str, tally: &Tally, cells: &[CellReport]) -> Result<Report> {
        let mut compared = HashMap::new();
        let mut pairs: Vec<_> = tally.pairs.iter().collect();
        pairs.sort_by_key(|(pair, _)| **pair);
        for (pair, _) in &pairs {
            let comparison = self.compare(pair)?;
            compared.insert(**pair, comparison);
        }
        Ok(totals::report(self, proposed, tally, &compared, cells))
    }

    fn compare(&self, pair: &Pair) -> Result<Comparison> {
        let read = |known: Option<Arc<Known>>| {
            let made = known.as_ref().and_then(|known| known.made.as_ref().ok());
            made.map(|made| objects(&made.cut, made.workspaces))
                .transpose()
        };
        let before = read(self.bases[pair.base].known(pair.before))?;
        match (read(self.after.known(pair.after))?, pair.after) {
            // A user who cannot be rendered any more keeps the last good file.
            (None, Some(_)) => compare(before.as_ref(), before.as_ref()),
            (after, _) => compare(before.as_ref(), after.as_ref()),
        }
    }
}

/// Whether a user's bytes differ between two shapes.
fn differs(before: &Known, after: &Known, names: &Identity) -> bool {
    match (&before.made, &after.made) {
        (Ok(before), Ok(after)) => match before.cut.always_as(&after.cut) {
            Some(same) => !same,
            None => before.cut.splice(names) != after.cut.splice(names),
        },
        // The last good file stands.
        (_, Err(_)) => false,
        (Err(_), Ok(_)) => true,
    }
}
