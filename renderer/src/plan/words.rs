//! Numbers and sentences that text and Markdown share.

use super::report::{Change, Money, Quota, Report, Storage};

/// With a comma after every third digit from the right.
pub(super) fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    match value {
        0.. => out,
        _ => format!("−{out}"),
    }
}

/// A count of something; one takes no plural.
pub(super) fn count(value: u64, what: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!(
        "{} {what}{plural}",
        number(i64::try_from(value).unwrap_or(i64::MAX))
    )
}

fn signed(value: i64, text: String) -> String {
    match value {
        1.. => format!("+{text}"),
        _ => text,
    }
}

/// Thousandths of a unit, without zeros at the end.
fn thousandths(value: i64) -> String {
    let (whole, rest) = (value / 1_000, value.unsigned_abs() % 1_000);
    let sign = if value < 0 && whole == 0 { "−" } else { "" };
    let rest = format!("{rest:03}");
    let rest = rest.trim_end_matches('0');
    match rest {
        "" => number(whole),
        _ => format!("{sign}{}.{rest}", number(whole)),
    }
}

fn dollars(cents: i64) -> String {
    let sign = if cents < 0 { "−" } else { "" };
    let whole = i64::try_from(cents.unsigned_abs() / 100).unwrap_or(i64::MAX);
    format!("{sign}${}.{:02}", number(whole), cents.unsigned_abs() % 100)
}

fn arrow(change: Change, show: impl Fn(i64) -> String, unit: &str) -> String {
    let difference = change.difference();
    match difference {
        0 => format!("{}{unit}", show(change.after)),
        _ => format!(
            "{} → {}{unit} ({})",
            show(change.before),
            show(change.after),
            signed(difference, show(difference))
        ),
    }
}

/// What a resource of quotas comes to.
pub(super) fn quota(quota: &Quota) -> String {
    let change = quota.change;
    let mebi = |bytes: i64| thousandths(bytes / (1 << 20) * 1_000 / 1_024);
    match quota.unit {
        "millicores" => arrow(change, thousandths, " cores"),
        "bytes" => arrow(change, mebi, " GiB"),
        _ => arrow(change, number, ""),
    }
}

/// What volumes of a class come to.
pub(super) fn storage(storage: &Storage) -> String {
    let size = arrow(storage.gib, number, " GiB");
    let price = match (storage.unpriced_gib, storage.milli_dollars_per_month) {
        (0, change) => format!("{} a month", arrow(in_cents(change), dollars, "")),
        (gib, _) if gib == storage.gib.after => "no price in the policy".to_owned(),
        (gib, change) => format!(
            "{} a month, and {} GiB without a price",
            arrow(in_cents(change), dollars, ""),
            number(gib)
        ),
    };
    format!("{size}; {price}")
}

fn in_cents(milli: Change) -> Change {
    Change {
        before: milli.before / 10,
        after: milli.after / 10,
    }
}

/// What it costs and brings.
pub(super) fn money(money: &Money) -> String {
    let storage = arrow(in_cents(money.storage_milli_dollars), dollars, "");
    let plans = match money.tenants {
        0 => "nobody's plan costs something else".to_owned(),
        tenants => format!(
            "plans {} a month, of {}",
            signed(
                money.plans_cents_difference,
                dollars(money.plans_cents_difference)
            ),
            count(tenants, "tenant")
        ),
    };
    format!("volumes {storage} a month; {plans}")
}

/// The verdict, in a sentence.
pub(super) fn verdict(report: &Report) -> String {
    let refusals: u64 = report.refusals.iter().map(|refusal| refusal.objects).sum();
    let mut why = Vec::new();
    if refusals > 0 {
        why.push(format!(
            "the cluster would refuse {}",
            count(refusals, "object")
        ));
    }
    if report.users.unrenderable > 0 {
        why.push(format!(
            "{} could not be rendered any more",
            count(report.users.unrenderable, "user")
        ));
    }
    let keeping = match report.users.keeping_release {
        0 => String::new(),
        users => format!(
            " {} run a newer release than their ring and keep it until that has caught up.",
            count(users, "user")
        ),
    };
    let told = match (why.is_empty(), report.users.touched) {
        (false, _) => format!("Refused: {}.", why.join("; ")),
        (true, 0) => "Nothing changes: every file stays as it is, byte for byte.".to_owned(),
        (true, touched) => format!(
            "{} of {} in {}.",
            count(touched, "user"),
            number(i64::try_from(report.users.total).unwrap_or(i64::MAX)),
            match report.groups.len() {
                1 => "one change".to_owned(),
                groups => format!("{groups} different changes"),
            }
        ),
    };
    told + &keeping
}

/// What becomes of workspaces, in a sentence.
pub(super) fn workspaces(report: &Report) -> String {
    let all = &report.workspaces;
    let mut told = Vec::new();
    for (value, what) in [
        (
            all.restart_at_next_start,
            "get another pod at their next start, none restarts now",
        ),
        (all.end_at_once, "end at once: their StatefulSet goes"),
        (all.in_place, "change around a pod that stays the same"),
        (all.created, "come"),
        (all.removed, "go"),
        (
            all.without_pods,
            "can have no pod any more: the quota becomes zero",
        ),
    ] {
        if value > 0 {
            told.push(format!(
                "{} {what}",
                number(i64::try_from(value).unwrap_or(i64::MAX))
            ));
        }
    }
    match told.is_empty() {
        true => "none touched".to_owned(),
        false => told.join("; "),
    }
}

/// Users named, with what stands for the rest.
pub(super) fn examples(examples: &[coditect_core::UserId], of: u64) -> String {
    let named: Vec<String> = examples.iter().map(ToString::to_string).collect();
    let rest = of.saturating_sub(examples.len() as u64);
    match rest {
        0 => named.join(", "),
        _ => format!("{}, …", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(-1_000), "−1,000");
        assert_eq!(number(12), "12");
        assert_eq!(thousandths(-250), "−0.25");
        assert_eq!(thousandths(2_000), "2");
        assert_eq!(dollars(-123_456), "−$1,234.56");
        let change = Change {
            before: 1_000,
            after: 1_500,
        };
        assert_eq!(arrow(change, thousandths, " cores"), "1 → 1.5 cores (+0.5)");
    }
}
