//! When two spellings of a value are one value: quantities, durations, ports.

use serde_json::Value;

/// The names under which resource quantities stand: `limits.cpu`, `hard.pods`, `max.storage`.
const QUANTITIES: [&str; 9] = [
    "capacity",
    "default",
    "defaultRequest",
    "hard",
    "limits",
    "max",
    "maxLimitRequestRatio",
    "min",
    "requests",
];
/// Fields that are a quantity themselves.
const QUANTITY: [&str; 1] = ["sizeLimit"];
/// Fields that are a number or its text (Kubernetes API, `IntOrString`).
const INT_OR_STRING: [&str; 4] = ["maxSurge", "maxUnavailable", "port", "targetPort"];
/// The names under which durations stand (Gateway API, GEP-2257).
const DURATIONS: [&str; 2] = ["retry", "timeouts"];

/// True if both are the same value in the field `name`, which stands in the object `parent`.
pub(super) fn same(parent: &str, name: &str, wanted: &Value, found: &Value) -> bool {
    if wanted == found {
        return true;
    }
    if let (Some(wanted), Some(found)) = (wanted.as_f64(), found.as_f64())
        && wanted.to_bits() == found.to_bits()
    {
        return true;
    }
    let both = |read: fn(&str) -> Option<i128>| match (text(wanted), text(found)) {
        (Some(wanted), Some(found)) => {
            let wanted = read(&wanted);
            wanted.is_some() && wanted == read(&found)
        }
        _ => false,
    };
    if QUANTITIES.contains(&parent) || QUANTITY.contains(&name) {
        both(nanos)
    } else if INT_OR_STRING.contains(&name) {
        text(wanted).is_some() && text(wanted) == text(found)
    } else if DURATIONS.contains(&parent) {
        both(millis)
    } else {
        false
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A quantity in billionths, the finest that the API server keeps (Kubernetes documentation, "Quantity").
/// None if it is none, or larger than any the API server takes.
fn nanos(text: &str) -> Option<i128> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(digits);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return None;
    }
    let (exponent, factor) = suffix_of(suffix)?;
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let power = 9 + exponent - i32::try_from(fraction.len()).ok()?;
    let scaled = mantissa.checked_mul(factor)?;
    let ten = 10_i128.checked_pow(power.unsigned_abs())?;
    let value = if power >= 0 {
        scaled.checked_mul(ten)?
    } else {
        // Rounded up, as the API server does.
        scaled / ten + i128::from(scaled % ten != 0)
    };
    Some(if negative { -value } else { value })
}

/// A suffix as a power of ten and a factor.
fn suffix_of(suffix: &str) -> Option<(i32, i128)> {
    Some(match suffix {
        "n" => (-9, 1),
        "u" => (-6, 1),
        "m" => (-3, 1),
        "" => (0, 1),
        "k" => (3, 1),
        "M" => (6, 1),
        "G" => (9, 1),
        "T" => (12, 1),
        "P" => (15, 1),
        "E" => (18, 1),
        "Ki" => (0, 1 << 10),
        "Mi" => (0, 1 << 20),
        "Gi" => (0, 1 << 30),
        "Ti" => (0, 1 << 40),
        "Pi" => (0, 1 << 50),
        "Ei" => (0, 1 << 60),
        _ => (suffix.strip_prefix(['e', 'E'])?.parse().ok()?, 1),
    })
}

/// A duration such as `1h30m` or `500ms` in milliseconds.
fn millis(text: &str) -> Option<i128> {
    let mut rest = text;
    let mut sum = 0_i128;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i128 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, after) = rest
            .find(|c: char| c.is_ascii_digit())
            .map_or((rest, ""), |at| rest.split_at(at));
        let factor = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        sum = sum.checked_add(number.checked_mul(factor)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn spellings_of_one_quantity() {
        for (a, b) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1Gi", "1024Mi"),
            ("1024", "1Ki"),
            ("1e3", "1k"),
            ("57792Mi", "57792Mi"),
            ("1.5Gi", "1536Mi"),
            ("0.0000000001", "1n"),
            ("-1", "-1000m"),
        ] {
            assert_eq!(nanos(a), nanos(b), "{a} {b}");
            assert!(nanos(a).is_some(), "{a}");
        }
        for (a, b) in [("1", "1m"), ("1G", "1Gi"), ("1", "-1"), ("100m", "101m")] {
            assert_ne!(nanos(a), nanos(b), "{a} {b}");
        }
        for none in ["", "m", "1x", ".", "1.2.3", "1 ", "one"] {
            assert_eq!(nanos(none), None, "{none}");
        }
    }

    #[test]
    fn only_where_a_quantity_stands() {
        assert!(same("limits", "cpu", &json!("1000m"), &json!("1")));
        assert!(same("limits", "cpu", &json!(1), &json!("1")));
        assert!(same(
            "emptyDir",
            "sizeLimit",
            &json!("1Gi"),
            &json!("1024Mi")
        ));
        assert!(!same("env", "value", &json!("1000m"), &json!("1")));
        assert!(!same("env", "value", &json!(1), &json!("1")));
        assert!(!same("limits", "cpu", &json!("x"), &json!("y")));
    }

    #[test]
    fn ports_and_durations() {
        assert!(same("", "targetPort", &json!(80), &json!("80")));
        assert!(!same("", "targetPort", &json!("http"), &json!("https")));
        assert!(!same("", "containerPort", &json!(80), &json!("80")));
        assert!(same("timeouts", "request", &json!("60s"), &json!("1m")));
        assert!(same("timeouts", "request", &json!("1h30m"), &json!("90m")));
        assert!(!same("timeouts", "request", &json!("60s"), &json!("60ms")));
        assert_eq!(millis("10"), None);
        assert_eq!(millis(""), None);
    }

    proptest! {
        #[test]
        fn a_quantity_is_what_it_is_in_any_unit(number in 0_u32..1_000_000) {
            let whole = nanos(&number.to_string());
            prop_assert_eq!(whole, nanos(&format!("{number}000m")));
            prop_assert_eq!(whole, nanos(&format!("{number}.000")));
            prop_assert_ne!(whole, nanos(&(number + 1).to_string()));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            nanos(&text);
            millis(&text);
        }
    }
}
