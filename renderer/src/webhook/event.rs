//! A push event as GitHub sends it (docs.github.com, "Webhook events and payloads", `push`): as much of it as Argo
//! CD reads, signed as GitHub signs.

use git2::Oid;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha1::Sha1;
use sha2::Sha256;

use crate::git::{BRANCH, Paths};

/// The branch moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Where it was when somebody was last told; none if that is not known.
    pub(super) before: Option<Oid>,
    /// Where it is.
    pub(super) after: Oid,
    /// Everything that differs between the two; none if that is not known or too much.
    pub(super) paths: Option<Paths>,
}

impl Event {
    /// The body. One commit stands for everything since `before`.
    pub(super) fn body(&self, repository: &str) -> Vec<u8> {
        let address = repository.trim_end_matches('/');
        let page = address.strip_suffix(".git").unwrap_or(address);
        let name = page.rsplit('/').next().unwrap_or(page);
        let (before, after) = (
            self.before.unwrap_or(Oid::ZERO_SHA1).to_string(),
            self.after.to_string(),
        );
        let paths = self.paths.clone().unwrap_or_default();
        json!({
            "ref": BRANCH,
            "before": before,
            "after": after,
            "repository": {
                "name": name,
                "html_url": page,
                "clone_url": address,
                "default_branch": BRANCH.trim_start_matches("refs/heads/"),
            },
            "pusher": {"name": "coditect"},
            "commits": [{
                "id": after,
                "added": paths.added,
                "modified": paths.modified,
                "removed": paths.removed,
            }],
        })
        .to_string()
        .into_bytes()
    }
}

/// The values of `X-Hub-Signature-256` and of the older `X-Hub-Signature`.
pub(super) fn signatures(secret: &[u8], body: &[u8]) -> [String; 2] {
    [
        format!("sha256={}", hex::<Hmac<Sha256>>(secret, body)),
        format!("sha1={}", hex::<Hmac<Sha1>>(secret, body)),
    ]
}

fn hex<M: Mac + KeyInit>(secret: &[u8], body: &[u8]) -> String {
    // A key of any length is taken (RFC 2104 section 3).
    let Ok(mac) = <M as KeyInit>::new_from_slice(secret) else {
        return String::new();
    };
    let code = mac.chain_update(body).finalize().into_bytes();
    code.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_github_documents() {
        // docs.github.com, "Validating webhook deliveries", testing values.
        let [sha256, sha1] = signatures(b"It's a Secret to Everybody", b"Hello, World!");
        assert_eq!(
            sha256,
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
        // Wikipedia, "HMAC", examples.
        let fox = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(
            signatures(b"key", fox)[1],
            "sha1=de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9"
        );
        assert_eq!(sha1.len(), 45);
    }

    #[test]
    fn the_page_has_no_suffix_and_the_address_keeps_its_own() {
        let event = Event {
            before: None,
            after: Oid::from_bytes(&[1; 20]).unwrap(),
            paths: None,
        };
        for address in [
            "http://git.example:8/local.git",
            "http://git.example:8/local",
        ] {
            let body: serde_json::Value = serde_json::from_slice(&event.body(address)).unwrap();
            assert_eq!(body["repository"]["html_url"], "http://git.example:8/local");
            assert_eq!(body["repository"]["clone_url"], address);
            assert_eq!(body["repository"]["default_branch"], "main");
            assert_eq!(body["before"], "0".repeat(40));
            assert_eq!(body["commits"][0]["modified"], json!([]));
        }
    }
}
