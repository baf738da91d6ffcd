//! Names: one type for each kind, parsed once, with the reason beside each limit.

use std::{fmt, str::FromStr};

use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript};

use crate::error::Error;

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $parse:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, valid by construction.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                $parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

text_type! {
    /// A cell's name; part of its repository's path and of metric labels.
    CellName, parse_cell
}
text_type! {
    /// A plan's name, as in `plans/<name>.yaml`; becomes a Kubernetes label value.
    PlanName, parse_plan
}
text_type! {
    /// A ring's name, as in `rings.yaml`.
    RingName, parse_ring
}
text_type! {
    /// A template release: the name of its folder under `templates/`.
    ReleaseName, parse_release
}
text_type! {
    /// A Kubernetes StorageClass (a DNS subdomain, RFC 1123; we take one label, as all providers do).
    StorageClassName, parse_storage_class
}
text_type! {
    /// The first label of a workspace's host name. Generated, never chosen by a person and never given
    /// out again, so that no name can be squatted, guessed from a person, or inherited with its cookies.
    Slug, parse_slug
}
text_type! {
    /// An e-mail address in its one normalised form, by which accounts are unique.
    Email, parse_email
}
text_type! {
    /// What a person wants to be called. Stays in the registry.
    DisplayName, parse_display_name
}
text_type! {
    /// What people call their organisation. Stays in the registry.
    TenantName, parse_display_name
}
text_type! {
    /// What a person calls a workspace. Stays in the registry.
    WorkspaceName, parse_workspace_name
}
text_type! {
    /// Somebody else's sign-in that people may use here (`google`, `github`), as configuration names it.
    ProviderName, parse_provider
}
text_type! {
    /// An id that somebody else gave: a provider's subject, a Stripe customer, event or invoice.
    ExternalId, parse_external_id
}
text_type! {
    /// The version of the terms that a person agreed to, as their text names it (`2026-11-01`).
    TermsVersion, parse_terms_version
}
text_type! {
    /// A file's path within a workspace's volume, from its root, with `/` between its parts.
    FilePath, parse_file_path
}

/// RFC 1123 label: what Kubernetes accepts as a name and DNS as a label.
fn dns_label(field: &str, text: &str, longest: usize) -> Result<String, Error> {
    let valid = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if !valid {
        return Err(Error::invalid(
            field,
            "must be lower-case letters, digits and inner hyphens",
        ));
    }
    if text.len() > longest {
        return Err(Error::invalid(
            field,
            format!(
                "is {} characters long; at most {longest} are allowed",
                text.len()
            ),
        ));
    }
    Ok(text.to_owned())
}

fn parse_cell(text: &str) -> Result<String, Error> {
    dns_label("cell", text, 40)
}
fn parse_plan(text: &str) -> Result<String, Error> {
    dns_label("plan", text, 40)
}
fn parse_ring(text: &str) -> Result<String, Error> {
    dns_label("ring", text, 40)
}
fn parse_storage_class(text: &str) -> Result<String, Error> {
    dns_label("storage class", text, 63)
}

fn parse_provider(text: &str) -> Result<String, Error> {
    dns_label("provider", text, 40)
}

/// 1 to 255 visible ASCII characters, compared as they are: what OpenID Connect allows of a subject (Core 1.0,
/// section 2), and the longest id of Stripe's.
fn parse_external_id(text: &str) -> Result<String, Error> {
    if text.is_empty() || text.len() > 255 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            "id",
            "needs 1 to 255 visible ASCII characters",
        ));
    }
    Ok(text.to_owned())
}

/// 1 to 32 visible ASCII characters: a date or a number, compared as it is.
fn parse_terms_version(text: &str) -> Result<String, Error> {
    if text.is_empty() || text.len() > 32 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            "terms_version",
            "needs 1 to 32 visible ASCII characters",
        ));
    }
    Ok(text.to_owned())
}

/// At most 4,095 bytes (Linux's `PATH_MAX` without its NUL) of parts that are each at most 255 (`NAME_MAX`), none
/// of them empty, `.` or `..`: one spelling per file, and none that leaves the volume.
fn parse_file_path(text: &str) -> Result<String, Error> {
    if text.len() > 4_095 {
        return Err(Error::invalid("path", "is longer than 4,095 bytes"));
    }
    let sound = |part: &str| {
        !part.is_empty() && part.len() <= 255 && part != "." && part != ".." && !part.contains('\0')
    };
    if !text.split('/').all(sound) {
        return Err(Error::invalid(
            "path",
            "must be relative, of parts of 1 to 255 bytes that are neither . nor ..",
        ));
    }
    Ok(text.to_owned())
}

/// A label that may hold dots between its parts (`v1`, `2026.11`): a folder name and a label value.
fn parse_release(text: &str) -> Result<String, Error> {
    if text
        .split('.')
        .any(|part| dns_label("release", part, 40).is_err())
        || text.len() > 40
    {
        return Err(Error::invalid(
            "release",
            "must be lower-case letters, digits, inner hyphens and single dots, at most 40",
        ));
    }
    Ok(text.to_owned())
}

/// At most 24 characters: webviews live one label deep at `w-<uuid>-<slug>` (39 + 24 = 63, the longest
/// DNS label, RFC 1035), which also means that no slug may look like one of those.
fn parse_slug(text: &str) -> Result<String, Error> {
    dns_label("slug", text, 24)?;
    if text.starts_with("w-") || text.starts_with("xn--") {
        return Err(Error::invalid("slug", "starts with a reserved prefix"));
    }
    Ok(text.to_owned())
}

const ADJECTIVES: [&str; 64] = [
    "amber", "apt", "brave", "brisk", "calm", "civil", "clear", "coral", "crisp", "deft", "eager",
    "early", "fair", "fleet", "fond", "fresh", "gentle", "glad", "golden", "grand", "green",
    "hardy", "honest", "humble", "ideal", "jade", "jolly", "keen", "kind", "lively", "lucid",
    "lunar", "merry", "mild", "misty", "modest", "neat", "noble", "opal", "patient", "placid",
    "plain", "polite", "proud", "quick", "quiet", "rapid", "ready", "rustic", "sage", "serene",
    "silver", "sleek", "smart", "solar", "solid", "steady", "sunny", "swift", "tidy", "vivid",
    "warm", "wise", "witty",
];
const NOUNS: [&str; 64] = [
    "acorn", "alder", "anchor", "aspen", "atlas", "badger", "basin", "beacon", "birch", "bison",
    "brook", "canyon", "cedar", "cliff", "clover", "comet", "condor", "cove", "crane", "delta",
    "dune", "falcon", "fern", "field", "finch", "fjord", "forest", "garden", "geyser", "glade",
    "grove", "harbor", "hazel", "heron", "hill", "island", "juniper", "lagoon", "lake", "lark",
    "maple", "marsh", "meadow", "mesa", "moss", "oak", "orchid", "otter", "pebble", "pine",
    "plover", "pond", "prairie", "quartz", "raven", "reef", "ridge", "river", "robin", "spruce",
    "summit", "tundra", "valley", "willow",
];

impl Slug {
    /// A fresh slug such as `quiet-otter-7k3fm`: two words a person can say and five characters out of
    /// 31 (no `0`, `1`, `i`, `l`, `o`), 117 thousand million in all. Its uniqueness is the registry's to check.
    #[must_use]
    pub fn random() -> Self {
        const CODE: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
        let mut rng = rand::rng();
        let word = |words: &'static [&'static str; 64], rng: &mut rand::rngs::ThreadRng| {
            *words.choose(rng).unwrap_or(&words[0])
        };
        let (adjective, noun) = (word(&ADJECTIVES, &mut rng), word(&NOUNS, &mut rng));
        let code: String = (0..5)
            .map(|_| char::from(*CODE.choose(&mut rng).unwrap_or(&b'2')))
            .collect();
        Self(format!("{adjective}-{noun}-{code}"))
    }
}

/// Parses `local@domain` (the usual part of RFC 5321: a dot-atom and a domain name with a dot).
///
/// Refused on purpose: quoted local parts, comments, address literals, and letters outside ASCII in the
/// local part, where look-alikes cannot be told apart. Domains may be international; they are compared in
/// their ASCII form (IDNA, UTS 46). Case never distinguishes two people, so all is lower-cased.
fn parse_email(text: &str) -> Result<String, Error> {
    let bad = |why: &str| Err(Error::invalid("email", why));
    // RFC 5321 section 4.5.3.1: path of 256 with its brackets, local part of 64.
    if text.len() > 254 {
        return bad("is longer than 254 characters");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return bad("needs the form name@example.com");
    };
    if local.is_empty() || local.len() > 64 {
        return bad("needs 1 to 64 characters before the @");
    }
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    if !local
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(atom))
    {
        return bad("has characters before the @ that mail addresses here may not have");
    }
    let Ok(domain) = idna::domain_to_ascii_strict(domain) else {
        return bad("has a domain that is not a valid host name");
    };
    let labels: Vec<&str> = domain.split('.').collect();
    let top_is_name = labels
        .last()
        .is_some_and(|top| top.bytes().any(|byte| byte.is_ascii_alphabetic()));
    if labels.len() < 2
        || !top_is_name
        || labels
            .iter()
            .any(|label| dns_label("email", label, 63).is_err())
    {
        return bad("needs a full domain after the @, such as example.com");
    }
    let normalised = format!("{}@{domain}", local.to_ascii_lowercase());
    if normalised.len() > 254 {
        return bad("is longer than 254 characters");
    }
    Ok(normalised)
}

/// Text that people see: normalised (NFC), trimmed, one line, no characters that hide or reorder others.
fn visible_text(field: &str, text: &str, longest: usize) -> Result<String, Error> {
    // Bounded before any work: normalising a megabyte is work an attacker would ask for.
    if text.len() > longest * 4 {
        return Err(Error::invalid(
            field,
            format!("is longer than {longest} characters"),
        ));
    }
    let text: String = text.trim().nfc().collect();
    let count = text.chars().count();
    if count == 0 {
        return Err(Error::invalid(field, "is empty"));
    }
    if count > longest {
        return Err(Error::invalid(
            field,
            format!("is {count} characters long; at most {longest} are allowed"),
        ));
    }
    if text.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(Error::invalid(
            field,
            "has control, invisible or direction-changing characters",
        ));
    }
    Ok(text)
}

/// Line separators, zero-width and bidirectional controls (Unicode TR 36 and TR 9), private use, tags.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
}

/// 1 to 64 visible characters; names of people come in every script, so only what hides is refused.
fn parse_display_name(text: &str) -> Result<String, Error> {
    visible_text("display_name", text, 64)
}

/// 1 to 40 visible characters, all of them identifier characters, spaces or `-_.'`, and not of mixed
/// scripts (UTS 39): a list of workspaces is where one name must not pass for another.
fn parse_workspace_name(text: &str) -> Result<String, Error> {
    let text = visible_text("name", text, 40)?;
    if text.chars().any(|c| {
        !((c.identifier_allowed() && !c.is_ascii_punctuation())
            || c.is_ascii_digit()
            || " -_.'".contains(c))
    }) {
        return Err(Error::invalid(
            "name",
            "may hold letters, digits, spaces and - _ . '",
        ));
    }
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    if letters.is_empty() {
        return Err(Error::invalid("name", "needs a letter or a digit"));
    }
    if !letters.as_str().is_single_script() {
        return Err(Error::invalid(
            "name",
            "mixes letters of different scripts that look alike",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn emails_have_one_normal_form() {
        assert_eq!(
            "Ada@EXAMPLE.com".parse::<Email>().unwrap().as_str(),
            "ada@example.com"
        );
        assert_eq!(
            "a.b+c@bücher.example".parse::<Email>().unwrap().as_str(),
            "a.b+c@xn--bcher-kva.example"
        );
    }

    #[test]
    fn hostile_emails_are_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let huge = "a".repeat(1 << 20);
        for text in [
            "",
            "@",
            "a@",
            "@b.c",
            "a",
            "a@b",
            "a@b.1",
            "a b@c.de",
            "a@b..c",
            ".a@b.cd",
            "a.@b.cd",
            "a@-b.cd",
            "a@b.cd\n",
            "\u{430}dmin@example.com",
            "\"a\"@b.cd",
            "a@[127.0.0.1]",
            "a@b@c.de",
            "a\0@b.cd",
            "a@b.cd: {x: y}",
            "{{7*7}}@b.cd x",
            "../../etc@b.cd/..",
            &long,
            &huge,
        ] {
            assert!(text.parse::<Email>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn display_names_hide_nothing() {
        for name in [
            "Ada",
            "  Ада  ",
            "李小龍",
            "O'Brien-Smith",
            "{{ user }}",
            "a: b # c",
            "../../etc/passwd",
        ] {
            assert!(name.parse::<DisplayName>().is_ok(), "{name:?}");
        }
        for name in [
            "",
            "   ",
            "a\nb",
            "a\u{202e}b",
            "\u{200b}",
            "a\0",
            "a\u{2028}b",
            &"x".repeat(65),
            &"x".repeat(1 << 20),
        ] {
            assert!(name.parse::<DisplayName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn workspace_names_cannot_pass_for_another() {
        for name in ["default", "thesis 2", "Übung", "дипломная", "it's-v1.2"] {
            assert!(name.parse::<WorkspaceName>().is_ok(), "{name:?}");
        }
        for name in [
            "",
            "../x",
            "a/b",
            "{{x}}",
            "a: b",
            "p\u{430}ypal",
            "...",
            "a\tb",
            &"x".repeat(41),
        ] {
            assert!(name.parse::<WorkspaceName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_file_has_one_path_and_stays_in_its_volume() {
        for path in ["a", "src/main.rs", ".gitignore", "a b/ü", "..a/...", "-rf"] {
            assert_eq!(path.parse::<FilePath>().unwrap().as_str(), path);
        }
        let long = ["x".repeat(255).as_str(); 17].join("/");
        for path in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "./a",
            "a/./b",
            "..",
            "a/../b",
            "a\0b",
            &"x".repeat(256),
            &long,
        ] {
            assert!(path.parse::<FilePath>().is_err(), "{path:?}");
        }
    }

    #[test]
    fn ids_of_others_are_kept_as_they_are() {
        for id in [
            "cus_NffrFeUfNV2Hib",
            "auth0|5f7c8ec7c33c6c004bbafe82",
            "A",
            "a",
        ] {
            assert_eq!(id.parse::<ExternalId>().unwrap().as_str(), id);
        }
        for id in ["", " a", "a\n", "é", &"x".repeat(256)] {
            assert!(id.parse::<ExternalId>().is_err(), "{id:?}");
        }
    }

    #[test]
    fn slugs_fit_a_webview_host() {
        for _ in 0..1_000 {
            let slug = Slug::random();
            assert_eq!(slug.as_str().parse::<Slug>().unwrap(), slug);
            assert!(format!("w-{}-{slug}", uuid::Uuid::nil()).len() <= 63);
        }
        for text in ["admin/", "w-x", "xn--x", "-a", "A", &"a".repeat(25)] {
            assert!(text.parse::<Slug>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn releases_are_one_folder() {
        for text in ["v1", "2026.11", "v1.2-rc1"] {
            assert!(text.parse::<ReleaseName>().is_ok(), "{text}");
        }
        for text in ["", ".", "..", "a..b", "a/b", ".git", "a."] {
            assert!(text.parse::<ReleaseName>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_twice_changes_nothing(text in "\\PC{0,80}") {
            if let Ok(once) = text.parse::<DisplayName>() {
                prop_assert_eq!(&once.as_str().parse::<DisplayName>().unwrap(), &once);
            }
            if let Ok(once) = text.parse::<WorkspaceName>() {
                prop_assert_eq!(&once.as_str().parse::<WorkspaceName>().unwrap(), &once);
            }
        }

        #[test]
        fn an_email_parses_to_itself(text in "[a-zA-Z0-9.+_-]{1,20}@[a-zA-Z0-9-]{1,20}\\.[a-z]{2,5}") {
            if let Ok(once) = text.parse::<Email>() {
                prop_assert_eq!(&once.as_str().parse::<Email>().unwrap(), &once);
            }
        }
    }
}
