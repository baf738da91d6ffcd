//! JWTs (RFC 7519) that the API signs: with one algorithm, and of kinds that never pass for one another.

use coditect_core::{Error, Kind, Result};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Serialize, de::DeserializeOwned};

use crate::key_ring::KeyRing;

/// Seconds by which another machine's clock may be ahead of ours.
pub(crate) const CLOCK_SKEW: i64 = 60;

/// A kind of token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenKind {
    /// The header's `typ` (RFC 9068 section 2.1).
    pub(crate) typ: &'static str,
    /// What it is called in messages.
    pub(crate) name: &'static str,
}

/// What every token says of its time, in Unix seconds.
pub(crate) trait Lasting {
    /// From when on it is valid.
    fn issued_at(&self) -> i64;
    /// From when on it is not.
    fn expires_at(&self) -> i64;
}

/// A token that says `claims`, signed by the key that signs at `now`.
pub(crate) fn sign(
    keys: &KeyRing,
    kind: TokenKind,
    claims: &impl Serialize,
    now: Timestamp,
) -> Result<String> {
    let key = keys.active(now)?;
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(kind.typ.to_owned());
    header.kid = Some(key.id);
    jsonwebtoken::encode(&header, claims, &key.signing)
        .map_err(|error| Error::internal("a token cannot be signed").because(error))
}

/// What a token says, if it is ours, of this kind, for this audience, and valid now.
pub(crate) fn verify<C: DeserializeOwned + Lasting>(
    keys: &KeyRing,
    kind: TokenKind,
    (issuer, audience): (&str, &str),
    token: &str,
    now: Timestamp,
) -> Result<C> {
    let refused = |why: &str| Error::new(Kind::Unauthenticated, format!("the {} {why}", kind.name));
    let not_one = || refused(&format!("is no {}", kind.name));
    let header = jsonwebtoken::decode_header(token).map_err(|_| not_one())?;
    if header.typ.as_deref() != Some(kind.typ) {
        return Err(not_one());
    }
    let key = header
        .kid
        .and_then(|id| keys.find(&id))
        .ok_or_else(|| refused("is signed by a key that is not ours"))?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[audience]);
    // Times are checked below, against the clock that everything else here goes by.
    rules.validate_exp = false;
    let claims = jsonwebtoken::decode::<C>(token, &key.verifying, &rules)
        .map_err(|_| refused("is not valid here"))?
        .claims;
    if claims.expires_at() <= now.as_second() {
        return Err(refused("has expired; get a new one"));
    }
    if claims.issued_at() > now.as_second().saturating_add(CLOCK_SKEW) {
        return Err(refused("is not valid yet"));
    }
    Ok(claims)
}
