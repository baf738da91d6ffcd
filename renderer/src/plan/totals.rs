//! From counted pairs of shapes to what they come to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use coditect_core::{CellName, PlanName};
use sha2::{Digest, Sha256};

use super::{
    Plan,
    comparison::{Comparison, Hunk},
    report::{
        Approval, CellReport, Change, FORMAT, Group, Money, ObjectChange, Refusal, Report,
        Unrenderable,
    },
    side::{Made, Side},
    sums::{GIB, in_units, storage},
    tally::{Examples, Pair, Tally, Users},
};

/// Users who share something, with a few examples.
#[derive(Default)]
struct Sharing {
    users: u64,
    objects: u64,
    approved: u64,
    examples: Examples,
}

impl Sharing {
    fn add(&mut self, users: &Users, objects: u64) {
        self.users += users.count;
        self.objects += objects * users.count;
        self.approved += users.approved;
        self.examples.extend(&users.examples);
    }
}

#[derive(Default)]
struct Gathered {
    users: u64,
    workspaces: u64,
    cells: BTreeMap<CellName, u64>,
    plans: BTreeMap<PlanName, u64>,
    examples: Examples,
    hunks: BTreeSet<Hunk>,
}

struct Totals {
    report: Report,
    quota: BTreeMap<String, Change>,
    storage: BTreeMap<(CellName, String), Change>,
    refusals: BTreeMap<(String, String, String), Sharing>,
    unrenderable: BTreeMap<String, Sharing>,
    approvals: BTreeMap<(&'static str, String), Sharing>,
    groups: BTreeMap<String, Gathered>,
}

pub(super) fn report(
    plan: &Plan,
    proposed: &str,
    tally: &Tally,
    compared: &HashMap<Pair, Comparison>,
    cells: &[CellReport],
) -> Report {
    let mut totals = Totals {
        report: empty(proposed, tally, cells),
        quota: BTreeMap::new(),
        storage: BTreeMap::new(),
        refusals: BTreeMap::new(),
        unrenderable: BTreeMap::new(),
        approvals: BTreeMap::new(),
        groups: BTreeMap::new(),
    };
    for (pair, users) in &tally.pairs {
        if let Some(comparison) = compared.get(pair) {
            totals.pair(plan, pair, users, comparison);
        }
    }
    totals.finish(plan)
}

fn empty(proposed: &str, tally: &Tally, cells: &[CellReport]) -> Report {
    let cells = cells.iter().enumerate().map(|(index, cell)| {
        let aside = tally.cells.get(&index).cloned().unwrap_or_default();
        CellReport {
            users: aside.users,
            drifted: aside.drifted,
            drifted_examples: aside.drifted_examples.to_vec(),
            unreadable: aside.unreadable,
            unreadable_examples: aside.unreadable_examples.to_vec(),
            ..cell.clone()
        }
    });
    let prices = tally.tenants.values();
    let difference = |(before, after): &(u32, u32)| i64::from(*after) - i64::from(*before);
    Report {
        format: FORMAT,
        proposed: proposed.to_owned(),
        refused: false,
        cells: cells.collect(),
        users: super::report::Users::default(),
        workspaces: super::report::Workspaces::default(),
        objects: BTreeMap::new(),
        pod_fields: BTreeMap::new(),
        quota: Vec::new(),
        storage: Vec::new(),
        money: Money {
            plans_cents_difference: prices.clone().map(difference).sum(),
            tenants: prices.filter(|(before, after)| before != after).count() as u64,
            ..Money::default()
        },
        approvals: Vec::new(),
        refusals: Vec::new(),
        unrenderable: Vec::new(),
        groups: Vec::new(),
    }
}

impl Totals {
    fn pair(&mut self, plan: &Plan, pair: &Pair, users: &Users, comparison: &Comparison) {
        let count = users.count;
        let times = |amount: i64| amount.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX));
        let base = &plan.bases[pair.base];
        let (before, after) = (base.known(pair.before), plan.after.known(pair.after));
        let before = before.as_ref().and_then(|known| known.made.as_ref().ok());
        let all = &mut self.report.users;
        all.total += count;
        all.touched += if pair.changed { count } else { 0 };
        all.unchanged += if pair.changed { 0 } else { count };
        all.keeping_release += users.keeping;
        all.created += if pair.changed && before.is_none() {
            count
        } else {
            0
        };
        // Whoever cannot be rendered as it stands either is no worse off.
        if let Some(Err(why)) = after.as_ref().map(|known| known.made.as_ref())
            && before.is_some()
        {
            all.unrenderable += count;
            self.unrenderable
                .entry(why.clone())
                .or_default()
                .add(users, 0);
        }
        for (resource, (before, after)) in &comparison.quota {
            let sum = self.quota.entry(resource.clone()).or_default();
            sum.before = sum.before.saturating_add(times(*before));
            sum.after = sum.after.saturating_add(times(*after));
        }
        let made = after.as_ref().and_then(|known| known.made.as_ref().ok());
        if let Some(cell) = made.or(before).map(|made| &made.cell) {
            for (class, (before, after)) in &comparison.storage {
                let sum = self
                    .storage
                    .entry((cell.clone(), class.clone()))
                    .or_default();
                sum.before = sum.before.saturating_add(times(*before));
                sum.after = sum.after.saturating_add(times(*after));
            }
        }
        self.workspaces(pair, count, comparison);
        // Of whoever goes altogether, what was there is shown.
        let shown = match pair.after {
            Some(_) => made,
            None => before,
        };
        if pair.changed
            && let Some(made) = shown
        {
            for (key, objects) in &comparison.refusals {
                self.refusals
                    .entry(key.clone())
                    .or_default()
                    .add(users, *objects);
            }
            self.approvals(base, before, made, users, comparison);
            self.group(users, made, comparison);
        }
    }

    fn workspaces(&mut self, pair: &Pair, count: u64, comparison: &Comparison) {
        let all = &mut self.report.workspaces;
        all.total += comparison.workspaces * count;
        if !pair.changed {
            return;
        }
        all.touched += comparison.workspaces * count;
        all.created += comparison.created * count;
        all.removed += comparison.removed * count;
        all.restart_at_next_start += comparison.restarts * count;
        all.end_at_once += comparison.ends * count;
        all.in_place += (comparison.workspaces - comparison.restarts - comparison.created) * count;
        let pods = comparison.quota.get("pods").copied().unwrap_or_default();
        if pods.0 > 0 && pods.1 == 0 {
            all.without_pods += comparison.workspaces * count;
        }
        for (kind, counts) in &comparison.kinds {
            let sum = self.report.objects.entry(kind.clone()).or_default();
            sum.created += counts.created * count;
            sum.changed += counts.changed * count;
            sum.removed += counts.removed * count;
        }
        for (field, workspaces) in &comparison.pod_fields {
            *self.report.pod_fields.entry(field.clone()).or_default() += workspaces * count;
        }
    }

    /// By the rules that stand: a proposal cannot excuse itself.
    fn approvals(
        &mut self,
        base: &Side,
        before: Option<&Made>,
        after: &Made,
        users: &Users,
        comparison: &Comparison,
    ) {
        let rules = base.policy().approval_rules();
        let mut needed = |rule, why| self.approvals.entry((rule, why)).or_default().add(users, 0);
        let plan = &after.plan;
        if rules.plans.contains(plan) && before.is_none_or(|before| before.plan != *plan) {
            needed("plans", format!("users come onto the plan {plan}"));
        }
        let (was, is) = comparison.largest;
        if let Some(above) = rules.storage_gib_above
            && is > i64::from(above).saturating_mul(GIB)
            && is > was
        {
            let why = format!("a volume grows to {} GiB, above {above} GiB", is / GIB);
            needed("storageGibAbove", why);
        }
        if let Some(above) = rules.workspaces_above
            && comparison.workspaces > u64::from(above)
            && comparison.created > 0
        {
            let why = format!(
                "a user comes to {} workspaces, above {above}",
                comparison.workspaces
            );
            needed("workspacesAbove", why);
        }
    }

    fn group(&mut self, users: &Users, made: &Made, comparison: &Comparison) {
        let mut digest = Sha256::new();
        let mut seen = BTreeSet::new();
        for hunk in &comparison.hunks {
            seen.insert((&hunk.object, &hunk.lines));
        }
        for (object, lines) in seen {
            digest.update(object.as_bytes());
            for line in lines {
                digest.update(b"\n");
                digest.update(line.as_bytes());
            }
            digest.update(b"\0");
        }
        let id: String = digest.finalize()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let group = self.groups.entry(id).or_default();
        let first = group.users == 0;
        group.users += users.count;
        group.workspaces += users.count * comparison.workspaces;
        *group.cells.entry(made.cell.clone()).or_default() += users.count;
        *group.plans.entry(made.plan.clone()).or_default() += users.count;
        group.examples.extend(&users.examples);
        // What stands around a change may differ from shape to shape: the smallest text is shown.
        if first || comparison.hunks < group.hunks {
            group.hunks.clone_from(&comparison.hunks);
        }
    }

    fn finish(self, plan: &Plan) -> Report {
        let mut report = self.report;
        let quota = self
            .quota
            .into_iter()
            .filter(|(_, sum)| sum.before != sum.after);
        report.quota = quota
            .map(|(resource, sum)| in_units(resource, sum))
            .collect();
        (report.storage, report.money.storage_milli_dollars) = storage(plan, &self.storage);
        let refusal = |((object, field, why), of): (_, Sharing)| Refusal {
            object,
            field,
            why,
            objects: of.objects,
            users: of.users,
            examples: of.examples.to_vec(),
        };
        report.refusals = self.refusals.into_iter().map(refusal).collect();
        let unrenderable = |(why, of): (_, Sharing)| Unrenderable {
            why,
            users: of.users,
            examples: of.examples.to_vec(),
        };
        report.unrenderable = self.unrenderable.into_iter().map(unrenderable).collect();
        let approval = |((rule, why), of): (_, Sharing)| Approval {
            rule,
            why,
            users: of.users,
            approved: of.approved,
            examples: of.examples.to_vec(),
        };
        report.approvals = self.approvals.into_iter().map(approval).collect();
        let group = |(id, of): (String, Gathered)| Group {
            id,
            users: of.users,
            workspaces: of.workspaces,
            cells: of.cells,
            plans: of.plans,
            examples: of.examples.to_vec(),
            objects: of
                .hunks
                .into_iter()
                .map(|hunk| ObjectChange {
                    object: hunk.object,
                    diff: hunk.diff,
                })
                .collect(),
        };
        report.groups = self.groups.into_iter().map(group).collect();
        report
            .groups
            .sort_by(|a, b| (b.users, &a.id).cmp(&(a.users, &b.id)));
        report.refused = !report.refusals.is_empty() || !report.unrenderable.is_empty();
        report
    }
}
