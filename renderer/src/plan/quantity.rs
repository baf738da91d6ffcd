//! Kubernetes quantities, read: what a file asks for, in whole thousandths (apimachinery, `resource.Quantity`).

/// The value in thousandths; `None` if it is no quantity.
pub(super) fn thousandths(text: &str) -> Option<i64> {
    let at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(at);
    let factor: i128 = match suffix {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    i64::try_from(digits.checked_mul(factor)? / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_writes_is_read() {
        for (text, expected) in [
            ("0", Some(0)),
            ("250m", Some(250)),
            ("2", Some(2_000)),
            ("1.5", Some(1_500)),
            ("512Mi", Some(512 * 1_048_576 * 1_000)),
            ("10Gi", Some(10 * 1_073_741_824 * 1_000)),
            ("1M", Some(1_000_000_000)),
            ("", None),
            ("Gi", None),
            ("1 Gi", None),
            ("99999999999999999999Ti", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }
}
