//! What the `format` of a text in the policy schemas allows. Editors ignore formats they do not know;
//! the loader checks all of them.

use std::borrow::Cow;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Stand-ins that give a field's text its format in the schema, whatever type reads it.
macro_rules! formats {
    ($($name:ident $format:literal)*) => {$(
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $format.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "format": $format})
            }
        }
    )*};
}

formats! {
    Plan "plan"
    Ring "ring"
    Release "release"
    DnsLabel "dns-label"
    User "user"
    Tenant "tenant"
    Cell "cell"
    Cidr "cidr"
    Image "image"
    Domain "domain"
    Address "address"
    LabelValue "label-value"
    Sha256 "sha256"
}

/// The names of core's `Readiness`, which knows no schemas.
pub(super) fn readiness(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["gateway", "pod"]})
}

/// Says why the text is not of this format, as the rest of a sentence that begins with the field.
pub(crate) fn check(format: &str, text: &str) -> Result<(), String> {
    let named = |result: Result<(), coditect_core::Error>| {
        result.map_err(|error| error.message().to_owned())
    };
    match format {
        "plan" => named(text.parse::<coditect_core::PlanName>().map(drop)),
        "ring" => named(text.parse::<coditect_core::RingName>().map(drop)),
        "release" => named(text.parse::<coditect_core::ReleaseName>().map(drop)),
        "dns-label" => named(text.parse::<coditect_core::StorageClassName>().map(drop)),
        "user" => named(text.parse::<coditect_core::UserId>().map(drop))
            .map_err(|why| format!("{why} such as 0b9f1d52-6a37-4c1e-9d25-3f8a51c7e001")),
        "tenant" => named(text.parse::<coditect_core::TenantId>().map(drop))
            .map_err(|why| format!("{why} such as 7c2e4a10-95bd-4f6e-8a31-d04b6c9f1201")),
        "cell" => named(text.parse::<coditect_core::CellName>().map(drop)),
        "cidr" => cidr(text),
        "image" => image(text),
        "domain" => domain(text),
        "address" => address(text),
        "label-key" => label_key(text),
        "label-value" => label_value(text),
        "sha256" => sha256(text),
        // Numbers carry `uint32` and the like; their range is checked as a range.
        _ => Ok(()),
    }
}

fn cidr(text: &str) -> Result<(), String> {
    let net: IpNet = text
        .parse()
        .map_err(|_| "must be an address range such as 10.0.0.0/8".to_owned())?;
    // Kubernetes warns of host bits and treats them as a mistake from 1.33 on.
    if net.trunc() == net {
        Ok(())
    } else {
        Err(format!(
            "has bits set behind its prefix; write {}",
            net.trunc()
        ))
    }
}

/// An image reference (distribution/reference grammar) that says exactly which image it is.
pub(crate) fn image(text: &str) -> Result<(), String> {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    if let Some(digest) = digest {
        let hex = digest
            .strip_prefix("sha256:")
            .ok_or("must name a sha256 digest after the @")?;
        sha256(hex)?;
    }
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match name[last..].find(':') {
        Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
        None => (name, None),
    };
    let part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-:".contains(&byte)
            })
            && part.as_bytes()[0].is_ascii_alphanumeric()
    };
    if text.len() > 255 || !path.split('/').all(part) {
        return Err("is not an image reference such as registry.example/ide:1.2.0".to_owned());
    }
    let tag_is_valid = |tag: &str| {
        !tag.is_empty()
            && tag.len() <= 128
            && !tag.starts_with(['.', '-'])
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match (tag, digest) {
        (Some(tag), _) if !tag_is_valid(tag) => Err("has a tag that is not one".to_owned()),
        (_, Some(_)) => Ok(()),
        (None, None) => Err("names no version; add a digest or a version tag".to_owned()),
        (Some("latest"), None) => Err("may not be `latest`, which changes under a person's feet; add a digest or a version tag".to_owned()),
        (Some(_), None) => Ok(()),
    }
}

/// A domain below which each workspace has one label of up to 63 characters (RFC 1035: 253 in all).
fn domain(text: &str) -> Result<(), String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 253 - 64 && text.split('.').all(label) {
        Ok(())
    } else {
        Err("must be a lower-case domain name such as workspaces.example.com".to_owned())
    }
}

/// Where something answers HTTP.
fn address(text: &str) -> Result<(), String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    let clean = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}@?#".contains(&byte));
    if !host.is_empty() && clean && text.len() <= 300 {
        Ok(())
    } else {
        Err("must be an address such as https://api.example.com".to_owned())
    }
}

/// A Kubernetes label or annotation key: an optional DNS prefix and a name of up to 63 characters.
pub(crate) fn label_key(text: &str) -> Result<(), String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let bad = || Err("is not a label key such as app.kubernetes.io/name".to_owned());
    if name.is_empty() || label_value(name).is_err() {
        return bad();
    }
    match prefix {
        Some(prefix) if domain(prefix).is_err() => bad(),
        _ => Ok(()),
    }
}

/// A Kubernetes label value: empty, or up to 63 letters, digits, `-_.` with letters or digits at the ends.
pub(crate) fn label_value(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    let valid = bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    let ends = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    if valid && bytes.len() <= 63 && ends(bytes.first()) && ends(bytes.last()) {
        Ok(())
    } else {
        Err("is not a label value: at most 63 letters, digits and inner - _ .".to_owned())
    }
}

fn sha256(text: &str) -> Result<(), String> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 64 && text.bytes().all(hex) {
        Ok(())
    } else {
        Err("must be a SHA-256 of 64 hexadecimal digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_name_one_version() {
        let digest = format!("ide@sha256:{}", "a".repeat(64));
        for good in [
            "ide:1.0",
            "a.example:5000/b/ide:1.0",
            &digest,
            &format!("a/ide:latest@{}", &digest[4..]),
        ] {
            check("image", good).unwrap();
        }
        for bad in [
            "",
            "ide",
            "ide:latest",
            "a.example:5000/ide",
            "ide:",
            "IDE:1",
            "ide:1 2",
            "ide@sha256:12",
            "ide:1\n",
            "{{x}}:1",
            "../x:1",
        ] {
            assert!(check("image", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ranges_are_written_as_they_are_meant() {
        for good in ["10.0.0.0/8", "::/0", "169.254.169.254/32"] {
            check("cidr", good).unwrap();
        }
        assert!(
            check("cidr", "10.1.0.0/8")
                .unwrap_err()
                .contains("10.0.0.0/8")
        );
        assert!(check("cidr", "10.0.0.0").is_err());
    }

    #[test]
    fn keys_values_and_addresses() {
        for (format, good, bad) in [
            ("label-key", "a.b/c", "a b"),
            ("label-key", "name", "/x"),
            ("label-value", "", "-a"),
            ("domain", "workspaces.localhost", "a..b"),
            (
                "address",
                "https://api.example.com/x",
                "javascript:alert(1)",
            ),
            (
                "sha256",
                "0000000000000000000000000000000000000000000000000000000000000000",
                "0",
            ),
        ] {
            check(format, good).unwrap();
            assert!(check(format, bad).is_err(), "{format} {bad}");
        }
    }
}
