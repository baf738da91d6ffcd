//! What a person's own copy of their data holds (GDPR, articles 15 and 20): a decision about every kind of key.

/// Whether a person's copy holds a kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portable {
    /// Under this name, without these fields of the record: what proves something to us proves it to whoever finds the
    /// copy.
    Yes(&'static str, &'static [&'static str]),
    /// No, and why.
    No(&'static str),
}

/// The decision about a kind of key, by its pattern; none if nobody has decided.
#[must_use]
pub fn portable(pattern: &str) -> Option<Portable> {
    let found = DECISIONS.iter().find(|(of, _)| *of == pattern);
    found.map(|(_, decision)| *decision)
}

/// Every decision.
#[must_use]
pub const fn portables() -> &'static [(&'static str, Portable)] {
    DECISIONS
}

const fn yes(name: &'static str) -> Portable {
    Portable::Yes(name, &[])
}

const INDEX: Portable = Portable::No("leads to a record that is in the copy");
const RUNNING: Portable = Portable::No("keeps the system running and says nothing of a person");
const QUEUE: Portable =
    Portable::No("what is still to be done with records; says no more than they do");
const OTHERS: Portable = Portable::No("is of other people, too");
const SHORT: Portable =
    Portable::No("is forgotten within a day, and says no more than the account");
const AFTER: Portable = Portable::No("is kept of who was deleted, not of who is here");

#[rustfmt::skip]
static DECISIONS: &[(&str, Portable)] = &[
    ("epoch", RUNNING),
    ("import", RUNNING),
    ("import/progress", RUNNING),

    ("account/{a}/profile", yes("account")),
    ("account/{a}/credential", Portable::Yes("password", &["password_hash"])),
    ("account/{a}/second_factor", Portable::Yes("second-factor", &["sealed_secret", "recovery"])),
    ("account/{a}/email_change", Portable::Yes("email-change", &["proof_hash"])),
    ("account/{a}/password_reset", Portable::Yes("password-reset", &["proof_hash"])),
    ("account/{a}/provider/{provider}", yes("connections")),
    ("account/{a}/refresh/{family}", yes("logins")),
    ("account/{a}/sign_in/{family}", yes("sign-ins")),
    ("account/{a}/registration/{registration}", SHORT),

    ("registration/{registration}", SHORT),
    ("registration_age/{hour}/{registration}", QUEUE),
    ("address/{email}/registration/{registration}", SHORT),
    ("address/{email}/invitation/{t}/{i}", yes("invitations")),

    ("email/{email}", INDEX),
    ("oauth/{provider}/{subject}", INDEX),
    ("slug/{slug}", INDEX),
    ("stripe_customer/{customer}", INDEX),
    ("api_key/{hash}", INDEX),

    ("membership/{a}/{t}", yes("memberships")),
    ("custody/{a}/{u}", OTHERS),
    ("user/{u}", INDEX),
    ("workspace/{w}", INDEX),

    ("tenant/{t}/profile", yes("tenants")),
    ("tenant/{t}/member/{u}", OTHERS),
    ("tenant/{t}/staying/{n}/{ts}/{u}", OTHERS),
    ("tenant/{t}/invitation/{i}", OTHERS),
    ("tenant/{t}/license", yes("licences")),
    ("tenant/{t}/license_history/{n}", yes("licences-before")),
    ("plan_change/{t}", QUEUE),
    ("tenant/{t}/billing", yes("billing")),

    ("tenant/{t}/user/{u}/profile", yes("users")),
    ("tenant/{t}/user/{u}/usage/{month}/{kind}", yes("usage")),
    ("tenant/{t}/user/{u}/sessions/{s}", yes("sessions")),
    ("tenant/{t}/user/{u}/api_keys/{k}", Portable::Yes("api-keys", &["hash"])),
    ("tenant/{t}/user/{u}/conversations/{conversation}", yes("conversations")),
    ("tenant/{t}/user/{u}/llm_history/{conversation}/messages/{n}", yes("messages")),
    ("tenant/{t}/user/{u}/llm_history/{conversation}/messages/{n}/{chunk}", yes("messages-continued")),

    ("tenant/{t}/user/{u}/workspace/{w}/profile", yes("workspaces")),
    ("tenant/{t}/user/{u}/workspace/{w}/status", yes("workspace-status")),
    ("tenant/{t}/user/{u}/workspace/{w}/power", yes("workspace-power")),
    ("tenant/{t}/user/{u}/workspace/{w}/metering", yes("workspace-metering")),
    ("tenant/{t}/user/{u}/workspace/{w}/gateway", yes("workspace-gateways")),
    ("tenant/{t}/user/{u}/workspace/{w}/file_count", yes("file-counts")),
    ("tenant/{t}/user/{u}/workspace/{w}/snapshot_bytes", yes("file-version-bytes")),
    ("tenant/{t}/user/{u}/workspace/{w}/restores", yes("file-restores")),
    ("tenant/{t}/user/{u}/workspace/{w}/files/{path}/metadata", yes("files")),
    ("tenant/{t}/user/{u}/workspace/{w}/files/{path}/snapshots/{ts}", yes("file-versions")),

    ("cell/{cell}/user/{u}", yes("intents")),
    ("cell/{cell}/committed/{u}", yes("commits")),
    ("cell/{cell}/load", RUNNING),
    ("change/{cell}/{version}", QUEUE),
    ("change_signal/{cell}", RUNNING),
    ("feed_floor/{cell}", RUNNING),
    ("published/{cell}", RUNNING),
    ("power/{cell}/{version}", QUEUE),
    ("power_signal/{cell}", RUNNING),
    ("power_floor/{cell}", RUNNING),
    ("revocation/{version}", QUEUE),
    ("revocation_signal", RUNNING),
    ("revocation_floor", RUNNING),
    ("counted/{version}", QUEUE),
    ("counted_signal", RUNNING),
    ("counted_by/{process}", RUNNING),
    ("lease/{cell}", RUNNING),
    ("activity/{cell}/{w}", yes("workspace-activity")),
    ("quarantine/{cell}/{u}", yes("quarantines")),
    ("approval/{cell}/{change}", OTHERS),
    ("awaited_approval/{cell}/{u}", yes("approvals")),
    ("restart/{cell}", RUNNING),
    ("cell_state/{cell}", RUNNING),
    ("rollout/{release}", RUNNING),
    ("tombstone/{cell}/{id}", AFTER),
    ("reap/{cell}/{id}", AFTER),

    ("grace/{second}/{id}", QUEUE),
    ("expiry/{hour}/{what}/{name}", QUEUE),
    ("purge/{t}/{id}", QUEUE),
    ("discard/{second}/{id}", QUEUE),
    ("txn/{request}", QUEUE),
    ("txn_age/{hour}/{request}", QUEUE),

    ("audit/{t}/{version}", yes("decisions")),
    ("invoice/{t}/{invoice}", yes("invoices")),
    ("invoice_customer/{customer}", AFTER),
    ("stripe_event/{event}", RUNNING),
    ("erased/{hash}", AFTER),
    ("erasure/{e}", AFTER),
    ("erasure_users/{e}/{n}", AFTER),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::keys::layout;

    #[test]
    fn every_kind_of_key_is_decided_about_once() {
        let kinds: BTreeSet<_> = layout().iter().map(|kind| kind.pattern).collect();
        let decided: BTreeSet<_> = DECISIONS.iter().map(|(pattern, _)| *pattern).collect();
        assert_eq!(decided, kinds, "decide whether a person's copy holds it");
        assert_eq!(decided.len(), DECISIONS.len());
    }

    #[test]
    fn names_are_one_kinds_own_and_fit_a_file() {
        let mut names = BTreeSet::new();
        for (_, decision) in DECISIONS {
            if let Portable::Yes(name, _) = decision {
                assert!(names.insert(name), "{name}");
                let fits = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
                assert!(name.len() < 40 && name.bytes().all(fits), "{name}");
            }
        }
    }
}
