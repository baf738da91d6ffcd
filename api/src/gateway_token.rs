//! The tokens of workspaces' gateways: credentials with which they call the API, and what they hand to people whom they
//! let in.

use coditect_core::{
    AccountId, CellName, LoginId, Result, UserId, WorkspaceId,
    sidecar::{ENTRY_TOKEN_TYPE, EntryClaims, entry_audience},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    cell_keys::Pod,
    key_ring::KeyRing,
    signed::{Lasting, TokenKind, sign, verify},
};

/// Seconds that a credential is valid.
pub(crate) const CREDENTIAL_SECONDS: i64 = 5 * 60;
/// Whom credentials are for.
const AUDIENCE: &str = "coditect-gateways";
const CREDENTIAL: TokenKind = TokenKind {
    typ: "gateway+jwt",
    name: "credential",
};
const ENTRY: TokenKind = TokenKind {
    typ: ENTRY_TOKEN_TYPE,
    name: "token",
};

/// What a credential says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GatewayClaims {
    iss: String,
    aud: String,
    /// The workspace for which it speaks.
    pub(crate) sub: WorkspaceId,
    /// Whose workspace it was when it was issued.
    pub(crate) uid: UserId,
    /// Where.
    pub(crate) cell: CellName,
    iat: i64,
    exp: i64,
}

impl Lasting for GatewayClaims {
    fn issued_at(&self) -> i64 {
        self.iat
    }
    fn expires_at(&self) -> i64 {
        self.exp
    }
}

/// Makes and checks them.
#[derive(Clone, Debug)]
pub(crate) struct GatewayTokens {
    keys: KeyRing,
    issuer: String,
}

impl GatewayTokens {
    pub(crate) fn new(keys: KeyRing, issuer: String) -> Self {
        Self { keys, issuer }
    }

    /// A credential for the workspace of this pod.
    pub(crate) fn credential(&self, pod: Pod, now: Timestamp) -> Result<String> {
        let iat = now.as_second();
        let claims = GatewayClaims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: pod.workspace,
            uid: pod.user,
            cell: pod.cell,
            iat,
            exp: iat.saturating_add(CREDENTIAL_SECONDS),
        };
        sign(&self.keys, CREDENTIAL, &claims, now)
    }

    /// What a credential says, if it is ours and valid now.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<GatewayClaims> {
        verify(&self.keys, CREDENTIAL, (&self.issuer, AUDIENCE), token, now)
    }

    /// What somebody is in a workspace with until `until`.
    pub(crate) fn entry(
        &self,
        workspace: WorkspaceId,
        (account, login): (AccountId, LoginId),
        now: Timestamp,
        until: Timestamp,
    ) -> Result<String> {
        let claims = EntryClaims {
            iss: self.issuer.clone(),
            aud: entry_audience(workspace),
            sub: account,
            sid: login,
            iat: now.as_second(),
            exp: until.as_second(),
        };
        sign(&self.keys, ENTRY, &claims, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::token::AccessTokens;

    #[test]
    fn no_kind_of_token_passes_for_another() {
        let keys = KeyRing::ephemeral().unwrap();
        let issuer = "https://a.example".to_owned();
        let ours = GatewayTokens::new(keys.clone(), issuer.clone());
        let access = AccessTokens::new(keys, issuer, Duration::from_secs(300));
        let now = Timestamp::from_second(1_000).unwrap();
        let pod = Pod {
            cell: "local".parse().unwrap(),
            user: UserId::random(),
            workspace: WorkspaceId::random(),
        };
        let who = (AccountId::random(), LoginId::random());
        let credential = ours.credential(pod.clone(), now).unwrap();
        let entry = ours
            .entry(
                pod.workspace,
                who,
                now,
                Timestamp::from_second(1_900).unwrap(),
            )
            .unwrap();
        let signed_in = access.issue(who.0, who.1, None, now).unwrap();

        let claims = ours.verify(&credential, now).unwrap();
        assert_eq!(
            (claims.sub, claims.uid, claims.cell),
            (pod.workspace, pod.user, pod.cell)
        );
        assert!(ours.verify(&entry, now).is_err());
        assert!(ours.verify(&signed_in, now).is_err());
        assert!(access.verify(&credential, now).is_err());
        assert!(access.verify(&entry, now).is_err());
        let later = Timestamp::from_second(1_000 + CREDENTIAL_SECONDS).unwrap();
        assert!(ours.verify(&credential, later).is_err());
    }
}
