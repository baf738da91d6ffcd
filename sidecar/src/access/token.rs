//! The tokens with which people are in: JWTs (RFC 7519) of one kind, with one signature, for one workspace.
//!
//! The API signs with Ed25519 and nothing else (RFC 8037), so nothing here is negotiated: what the header says of the
//! algorithm is compared, never obeyed.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::sidecar::{ENTRY_TOKEN_TYPE, EntryClaims, LONGEST_ENTRY};
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};

/// Longest token that is looked at: ours have about 600 characters.
const LONGEST: usize = 2_048;
/// Seconds by which the API's clock may be ahead of ours.
const CLOCK_SKEW: i64 = 60;

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not a token of this kind: its form, its type, its algorithm.
    NotOne,
    /// Not signed by the key that it names.
    Forged,
    /// Of another issuer, or for another workspace.
    NotHere,
    /// Not valid any more.
    Expired,
    /// Not valid yet, or for longer than any that is ours.
    Implausible,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: String,
    /// Extensions that must be understood (RFC 7515 section 4.1.11): none is.
    crit: Option<serde::de::IgnoredAny>,
}

/// A token of the right form, whose signature nobody has looked at yet.
pub(crate) struct Unverified<'a> {
    /// The key that is said to have signed it.
    pub(crate) key: String,
    signed: &'a [u8],
    signature: Signature,
    claims: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Refusal> {
        let cut = || {
            if token.len() > LONGEST {
                return None;
            }
            let (signed, signature) = token.rsplit_once('.')?;
            let (header, claims) = signed.split_once('.')?;
            let header: Header = json(header)?;
            let is_ours = header.alg == "EdDSA"
                && header.typ.as_deref() == Some(ENTRY_TOKEN_TYPE)
                && header.crit.is_none();
            let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
            is_ours.then_some(Self {
                key: header.kid,
                signed: signed.as_bytes(),
                signature: Signature::from_slice(&signature).ok()?,
                claims,
            })
        };
        cut().ok_or(Refusal::NotOne)
    }

    /// What it says, if `key` signed it and it is valid at `now` for this issuer and audience.
    pub(crate) fn verify(
        &self,
        key: &VerifyingKey,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<EntryClaims, Refusal> {
        key.verify_strict(self.signed, &self.signature)
            .map_err(|_| Refusal::Forged)?;
        let claims: EntryClaims = json(self.claims).ok_or(Refusal::NotOne)?;
        if claims.iss != issuer || claims.aud != audience {
            return Err(Refusal::NotHere);
        }
        if claims.exp <= now.as_second() {
            return Err(Refusal::Expired);
        }
        let lasts = claims.exp.saturating_sub(claims.iat);
        if lasts > LONGEST_ENTRY.as_secs()
            || claims.iat > now.as_second().saturating_add(CLOCK_SKEW)
        {
            return Err(Refusal::Implausible);
        }
        Ok(claims)
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use coditect_core::{AccountId, LoginId, WorkspaceId, sidecar::entry_audience};
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://app.example";
    const NOW: i64 = 1_000_000;

    struct World {
        key: SigningKey,
        audience: String,
    }

    impl World {
        fn new() -> Self {
            Self {
                key: SigningKey::from_bytes(&[7; 32]),
                audience: entry_audience(WorkspaceId::random()),
            }
        }

        fn claims(&self) -> Value {
            json!({
                "iss": ISSUER, "aud": self.audience, "sub": AccountId::random(), "sid": LoginId::random(),
                "iat": NOW - 10, "exp": NOW + 300,
            })
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(header), part(claims));
            let signature = self.key.sign(signed.as_bytes()).to_bytes();
            format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
        }

        fn check(&self, token: &str) -> Result<EntryClaims, Refusal> {
            let now = Timestamp::from_second(NOW).unwrap();
            Unverified::parse(token)?.verify(&self.key.verifying_key(), ISSUER, &self.audience, now)
        }
    }

    fn header() -> Value {
        json!({"alg": "EdDSA", "typ": ENTRY_TOKEN_TYPE, "kid": "k"})
    }

    /// What the API's own library signs is what is read here.
    #[test]
    fn a_token_that_a_library_signed_is_read() {
        use ed25519_dalek::pkcs8::EncodePrivateKey;
        let world = World::new();
        let pem = world
            .key
            .to_pkcs8_pem(ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF)
            .unwrap();
        let key = jsonwebtoken::EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
        header.typ = Some(ENTRY_TOKEN_TYPE.to_owned());
        header.kid = Some("k".to_owned());
        let token = jsonwebtoken::encode(&header, &world.claims(), &key).unwrap();
        let claims = world.check(&token).unwrap();
        assert_eq!(
            (claims.aud, claims.exp),
            (world.audience.clone(), NOW + 300)
        );
    }

    #[test]
    fn a_header_of_another_kind_is_refused_whatever_the_signature() {
        let world = World::new();
        for change in [
            json!({"alg": "none"}),
            json!({"alg": "None"}),
            json!({"alg": "HS256"}),
            json!({"alg": "ES256"}),
            json!({"typ": "at+jwt"}),
            json!({"typ": "JWT"}),
            json!({"typ": null}),
            json!({"crit": ["exp"]}),
            json!({"kid": null}),
        ] {
            let mut header = header();
            let (name, value) = change.as_object().unwrap().iter().next().unwrap();
            header[name] = value.clone();
            let token = world.sign(&header, &world.claims());
            assert_eq!(world.check(&token), Err(Refusal::NotOne), "{change}");
        }
        let token = world.sign(&header(), &world.claims());
        let (signed, _) = token.rsplit_once('.').unwrap();
        for token in [
            String::new(),
            "..".to_owned(),
            format!("{signed}."),
            signed.to_owned(),
            format!("{token}="),
            format!("{token}.x"),
            format!("x.{token}"),
            format!("{token}{}", "A".repeat(4_000)),
        ] {
            assert_eq!(world.check(&token), Err(Refusal::NotOne), "{token}");
        }
    }

    #[test]
    fn a_claim_that_is_not_ours_is_refused() {
        let world = World::new();
        let elsewhere = entry_audience(WorkspaceId::random());
        for (name, value, refusal) in [
            ("iss", json!("https://other.example"), Refusal::NotHere),
            ("aud", json!(elsewhere), Refusal::NotHere),
            ("aud", json!("coditect"), Refusal::NotHere),
            ("aud", json!([world.audience]), Refusal::NotOne),
            ("exp", json!(NOW), Refusal::Expired),
            ("exp", json!(NOW - 1), Refusal::Expired),
            ("exp", json!(NOW + 10_000), Refusal::Implausible),
            ("exp", json!(i64::MAX), Refusal::Implausible),
            ("iat", json!(NOW + CLOCK_SKEW + 1), Refusal::Implausible),
            ("iat", json!(i64::MIN), Refusal::Implausible),
            ("sid", json!("x"), Refusal::NotOne),
            ("exp", Value::Null, Refusal::NotOne),
        ] {
            let mut claims = world.claims();
            claims[name] = value.clone();
            let token = world.sign(&header(), &claims);
            assert_eq!(world.check(&token), Err(refusal), "{name} {value}");
        }
    }

    #[test]
    fn another_key_or_a_changed_token_is_refused() {
        let world = World::new();
        let token = world.sign(&header(), &world.claims());
        let other = World {
            key: SigningKey::from_bytes(&[8; 32]),
            audience: world.audience.clone(),
        };
        assert_eq!(other.check(&token), Err(Refusal::Forged));
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(world.check(&changed).is_err(), "{at}");
        }
    }
}
