//! Sums of quotas, volumes and their prices.

use std::collections::BTreeMap;

use coditect_core::CellName;

use super::{
    Plan,
    report::{Change, Quota, Storage},
    side::Side,
};

/// Thousandths of bytes in a GiB.
pub(super) const GIB: i64 = 1_000 << 30;

/// A resource's sum of thousandths in the unit that people read.
pub(super) fn in_units(resource: String, sum: Change) -> Quota {
    let (unit, divisor) = match resource.as_str() {
        name if name.ends_with("cpu") => ("millicores", 1),
        name if name.ends_with("memory") || name.ends_with("storage") => ("bytes", 1_000),
        _ => ("count", 1_000),
    };
    Quota {
        resource,
        unit,
        change: Change {
            before: sum.before / divisor,
            after: sum.after / divisor,
        },
    }
}

/// Sizes and prices by class; prices are the cells' own.
pub(super) fn storage(
    plan: &Plan,
    by_cell: &BTreeMap<(CellName, String), Change>,
) -> (Vec<Storage>, Change) {
    let price = |side: &Side, cell: &CellName, class: &str| {
        let cell = side.policy().cells().get(cell)?;
        let class = cell
            .storage_classes
            .iter()
            .find(|known| known.name.as_str() == class)?;
        class.milli_dollars_per_gib_month.map(i64::from)
    };
    let mut classes: BTreeMap<&str, Storage> = BTreeMap::new();
    let mut sum = Change::default();
    for ((cell, class), bytes) in by_cell {
        let gib = Change {
            before: bytes.before / GIB,
            after: bytes.after / GIB,
        };
        // Cells of one name may have been compared with several bases; their prices are facts of the cell.
        let before = plan.bases.iter().find_map(|base| price(base, cell, class));
        let after = price(&plan.after, cell, class);
        let found = classes.entry(class).or_insert_with(|| Storage {
            class: class.clone(),
            gib: Change::default(),
            milli_dollars_per_month: Change::default(),
            unpriced_gib: 0,
        });
        found.gib.before += gib.before;
        found.gib.after += gib.after;
        found.milli_dollars_per_month.before += gib.before * before.unwrap_or_default();
        found.milli_dollars_per_month.after += gib.after * after.unwrap_or_default();
        found.unpriced_gib += if after.is_none() { gib.after } else { 0 };
    }
    for found in classes.values() {
        sum.before += found.milli_dollars_per_month.before;
        sum.after += found.milli_dollars_per_month.after;
    }
    (classes.into_values().collect(), sum)
}
