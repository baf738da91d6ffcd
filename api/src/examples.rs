//! An example of every body in the OpenAPI document, composed of what its fields look like.
//!
//! A field's own `example` counts first, then what [`LOOKS`] says of its name in this schema, or of its name anywhere.
//! What may be null and has neither is null.

use serde_json::{Map, Value, json};
use utoipa::openapi::{Content, OpenApi, RefOr};

use crate::openapi::operations;

/// How deep schemas may lie in each other; one that holds itself is deeper.
const DEPTH: usize = 24;
const ID: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
const TIME: &str = "2026-11-01T09:00:00Z";
const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl";

/// What fields look like that do not say it themselves: schema (empty: any), field, JSON.
#[rustfmt::skip]
const LOOKS: &[(&str, &str, &str)] = &[
    ("", "password", r#""correct horse battery staple""#),
    ("", "current_password", r#""correct horse battery staple""#),
    ("", "new_password", r#""another horse battery staple""#),
    ("", "display_name", r#""Ada""#),
    ("", "email", r#""ada@example.com""#),
    ("", "plan", r#""starter""#),
    ("", "default_plan", r#""free""#),
    ("", "cell", r#""eu-1""#),
    ("", "provider", r#""google""#),
    ("", "path", r#""src/main.rs""#),
    ("", "slug", r#""quiet-otter-7k3fm""#),
    ("", "detail", r#""The registry answers slowly.""#),
    ("NewSession", "state", r#"{"tabs":["src/main.rs"]}"#),
    ("SessionState", "state", r#"{"tabs":["src/main.rs"]}"#),
    ("Session", "state", r#"{"tabs":["src/main.rs"]}"#),
    ("AddressProof", "code", r#""AW-WGf-LhtAbQ00Az0_JZP8b1XxXzFqC9Yk3u2R0dG8""#),
    ("PasswordReset", "code", r#""AW-WGf-LhtAbQ00Az0_JZP8b1XxXzFqC9Yk3u2R0dG8""#),
    ("IdentityCode", "code", r#""b5YZ_4uG0BtC0AwM9P_GT_-pYZ_4uG0BtC0AwM9P_GT8AAAAAaQXlsA""#),
    ("InvitationAnswer", "code", r#""6f9619ff-8b86-4d01-b42d-00cf4fc964ff.rL0Y20zC-Fzt72VPzMSk2A""#),
    ("SecondFactorCode", "code", r#""123456""#),
    ("SecondFactorLogin", "code", r#""123456""#),
    ("SecondFactorOffer", "secret", r#""JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP""#),
    ("SecondFactorOffer", "uri", r#""otpauth://totp/Coditect:ada%40example%2Ecom?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Coditect""#),
    ("RecoveryCodes", "recovery_codes", r#"["JBSW-Y3DP-EHPK-3PXP"]"#),
    ("RegistrationAccepted", "status_url", r#""/api/v5/auth/registrations/6f9619ff-8b86-4d01-b42d-00cf4fc964ff""#),
    ("RegistrationStatus", "session_url", r#""/api/v5/auth/registrations/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/session""#),
    ("ProviderConnectionBegun", "authorize_url", r#""https://accounts.google.com/o/oauth2/v2/auth?client_id=…""#),
    ("SignedIn", "token_type", r#""Bearer""#),
    ("SignedIn", "expires_in", "300"),
    ("OpenLogin", "agent", r#""Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0""#),
    ("ApiKey", "name", r#""backup script""#),
    ("NewApiKey", "scopes", r#"["workspaces:read"]"#),
    ("Member", "left_behind", "null"),
    ("Membership", "name", r#""Physics, group 4""#),
    ("MyInvitation", "name", r#""Physics, group 4""#),
    ("Tenant", "name", r#""Physics, group 4""#),
    ("TenantChange", "name", r#""Physics, group 4""#),
    ("HandingOver", "to", r#""6f9619ff-8b86-4d01-b42d-00cf4fc964ff""#),
    ("Decision", "details", r#"{"role":"member"}"#),
    ("Workspace", "name", r#""thesis""#),
    ("Workspace", "reason", "null"),
    ("Workspace", "notices", "[]"),
    ("Workspace", "url", r#""https://quiet-otter-7k3fm.workspaces.example.com""#),
    ("Storage", "class", r#""standard-rwo""#),
    ("WorkspaceConnection", "code", r#""b5YZ_4uG0BtC0AwM9P_GT_-pYZ_4uG0BtC0AwM9P_GT8AAAAAaQXlsA""#),
    ("WorkspaceChange", "sentences", r#"["The plan is starter now."]"#),
    ("WorkspaceChange", "diff", r#""--- a/user.yaml\n+++ b/user.yaml\n@@ -1 +1 @@\n-  storage: 1Gi\n+  storage: 10Gi\n""#),
    ("Manifests", "path", r#""users/07/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.yaml""#),
    ("Manifests", "commit", r#""3f786850e387550fdab836ed7e6dc881de23001b""#),
    ("Manifest", "kind", r#""Namespace""#),
    ("Manifest", "name", r#""user-6f9619ff-8b86-4d01-b42d-00cf4fc964ff""#),
    ("Manifest", "yaml", r#""apiVersion: v1\nkind: Namespace\n""#),
    ("JsonWebKey", "kty", r#""OKP""#),
    ("JsonWebKey", "crv", r#""Ed25519""#),
    ("JsonWebKey", "alg", r#""EdDSA""#),
    ("JsonWebKey", "use", r#""sig""#),
    ("JsonWebKey", "kid", r#""2026-11-01""#),
    ("JsonWebKey", "x", r#""11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#),
    ("StoreHealth", "store", r#""embedded""#),
    ("SeenApproval", "branch", r#""coditect/approvals/6f9619ff-8b86-4d01-b42d-00cf4fc964ff""#),
    ("SeenApprovalUser", "reasons", r#"["the plan becomes pro"]"#),
    ("SidecarAccess", "version", r#""7""#),
    ("SidecarAccess", "keys", r#"["2026-11-01"]"#),
    ("SidecarAccess", "revoked_keys", "[]"),
    ("SidecarCredential", "issuer", r#""https://coditect.example.com""#),
    ("SidecarCredential", "web_app", r#""https://coditect.example.com""#),
    ("SidecarFileEvent", "content", r#""""#),
    ("SidecarFileEvent", "size", "0"),
    ("SidecarHeartbeat", "used", r#""active""#),
    ("SidecarRedeem", "code", r#""b5YZ_4uG0BtC0AwM9P_GT_-pYZ_4uG0BtC0AwM9P_GT8AAAAAaQXlsA""#),
    ("SidecarRestored", "beside", r#""main.rs.before""#),
    ("SidecarStateValue", "value", r#""{\"open\":[\"src/main.rs\"]}""#),
];

/// Writes an example beside every JSON body of a request and of a success.
pub(crate) fn add(document: &mut OpenApi) {
    let schemas = json!(document.components)["schemas"].take();
    let composer = Composer(&schemas);
    let put = |content: Option<&mut RefOr<Content>>| {
        if let Some(RefOr::T(content)) = content {
            let schema = json!(content.schema);
            content.example = composer.of(("", ""), &schema, DEPTH);
        }
    };
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                put(body.content.get_mut(JSON));
            }
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && status.starts_with('2')
                {
                    put(response.content.get_mut(JSON));
                }
            }
        }
    }
}

const JSON: &str = "application/json";

/// Composes by the document's schemas.
struct Composer<'a>(&'a Value);

impl Composer<'_> {
    /// An example of a schema that stands at this field of that schema; none if nothing is known of a text, or of
    /// something within it.
    fn of(&self, at: (&str, &str), schema: &Value, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let own = schema.get("example").or_else(|| schema["enum"].get(0));
        if let Some(known) = own.cloned().or_else(|| looks(at)) {
            return Some(known);
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next()?;
            return self.of((name, at.1), &self.0[name], depth);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut whole = Map::new();
            for part in parts {
                let Value::Object(part) = self.of(at, part, depth)? else {
                    return None;
                };
                whole.extend(part);
            }
            return Some(Value::Object(whole));
        }
        if let Some(one) = schema["oneOf"].get(0) {
            let is_null = one["type"] == "null";
            let one = if is_null { &schema["oneOf"][1] } else { one };
            return self.of(at, one, depth);
        }
        let kinds = &schema["type"];
        if kinds
            .as_array()
            .is_some_and(|kinds| kinds.contains(&json!("null")))
        {
            return Some(Value::Null);
        }
        match (kinds.as_str()?, schema["format"].as_str()) {
            ("object", _) => self.object(at, schema, depth),
            ("array", _) => Some(json!([self.of(at, &schema["items"], depth)?])),
            ("boolean", _) => Some(json!(false)),
            ("integer" | "number", _) => Some(
                schema
                    .get("minimum")
                    .filter(|least| **least != json!(0))
                    .cloned()
                    .unwrap_or(json!(1)),
            ),
            ("string", Some("uuid")) => Some(json!(ID)),
            ("string", Some("date-time")) => Some(json!(TIME)),
            _ => None,
        }
    }

    fn object(&self, (name, _): (&str, &str), schema: &Value, depth: usize) -> Option<Value> {
        let mut whole = Map::new();
        for (field, of) in schema["properties"].as_object().into_iter().flatten() {
            whole.insert(field.clone(), self.of((name, field), of, depth)?);
        }
        if let Some(of) = schema
            .get("additionalProperties")
            .filter(|of| of.is_object())
        {
            whole.insert("store".to_owned(), self.of((name, ""), of, depth)?);
        }
        Some(Value::Object(whole))
    }
}

/// What is known of a field by its name.
fn looks((schema, field): (&str, &str)) -> Option<Value> {
    if field.ends_with("sha256") || ["intent_hash", "replaces"].contains(&field) {
        return Some(json!(SHA256));
    }
    if ["access_token", "challenge", "credential", "token"].contains(&field) {
        return Some(json!(TOKEN));
    }
    let known = |of: &str| {
        LOOKS
            .iter()
            .find(|(name, at, _)| *name == of && *at == field)
    };
    let (_, _, text) = known(schema).or_else(|| known(""))?;
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_json_body_has_an_example() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let (mut seen, mut without) = (0, Vec::new());
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let answers = operation["responses"].as_object().unwrap().iter();
                let good = answers.filter(|(status, _)| status.starts_with('2'));
                let answers = good.map(|(_, answer)| answer);
                for body in answers.chain([&operation["requestBody"]]) {
                    let content = &body["content"][JSON];
                    if !content.is_null() && content["example"].is_null() {
                        without.push(format!("{method} {path}: {}", content["schema"]));
                    }
                    seen += usize::from(!content.is_null());
                }
            }
        }
        assert!(
            without.is_empty(),
            "say what their fields look like: {without:#?}"
        );
        assert!(seen > 60, "{seen}");
    }

    #[test]
    fn what_is_said_of_fields_is_json_of_fields_that_exist() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let mut seen = BTreeSet::new();
        for (schema, field, text) in LOOKS {
            assert!(serde_json::from_str::<Value>(text).is_ok(), "{text}");
            assert!(seen.insert((schema, field)), "{schema} {field}: twice");
            let of = &document["components"]["schemas"][schema];
            assert!(
                schema.is_empty() || of.to_string().contains(&format!("\"{field}\":")),
                "{schema} {field}: is gone"
            );
        }
    }
}
