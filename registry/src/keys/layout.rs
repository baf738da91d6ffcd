//! Every kind of key there is. `docs/registry-keys.md` is written from this table, a test compares what the
//! operations write with it, and export, check and erasure go by it.

/// Whether an export holds a kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// Key and value as they are.
    Yes,
    /// No: it is made anew, or means nothing in another life of the registry.
    No,
    /// In order and without the versionstamp; an import appends the values anew.
    AsSequence,
}

/// What becomes of a kind of key when a person is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnErasure {
    /// It goes in the same transaction.
    Removed,
    /// It goes, or is changed, when the person was its last user.
    WithTheLastUser,
    /// It stays, and why.
    Kept(&'static str),
    /// It is of nobody in particular.
    NotPersonal,
}

/// One kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyKind {
    /// Its parts, with the varying ones in braces (`tenant/{t}/user/{u}/profile`).
    pub pattern: &'static str,
    /// Who writes it.
    pub writer: &'static str,
    /// Who reads it.
    pub reader: &'static str,
    /// How many there are.
    pub growth: &'static str,
    /// How long one is kept.
    pub retention: &'static str,
    /// Whether an export holds it.
    pub export: Export,
    /// What becomes of it when its person is erased.
    pub erasure: OnErasure,
}

const IDS_ONLY: OnErasure = OnErasure::Kept("ids only");
const ID_FOR_EVER: OnErasure = OnErasure::Kept("an id, so that nobody who was deleted comes back");

macro_rules! layout {
    ($($pattern:literal: $writer:literal => $reader:literal; $growth:literal; $retention:literal; $export:ident; $erasure:expr;)*) => {
        &[$(KeyKind {
            pattern: $pattern,
            writer: $writer,
            reader: $reader,
            growth: $growth,
            retention: $retention,
            export: Export::$export,
            erasure: $erasure,
        }),*]
    };
}

/// Every kind of key, by subject.
#[must_use]
pub const fn layout() -> &'static [KeyKind] {
    LAYOUT
}

// Pattern: writer => reader; growth; retention; export; what becomes of it on erasure.
static LAYOUT: &[KeyKind] = layout! {
    "epoch": "founding, restore" => "renderer, observer"; "one"; "for ever; anew with every restore"; No; OnErasure::NotPersonal;
    "import": "import" => "import, everybody who opens the registry"; "at most one, 100 bytes"; "until the next import"; No; OnErasure::NotPersonal;
    "import/progress": "import" => "import"; "at most one"; "until the import is finished"; No; OnErasure::NotPersonal;

    "account/{a}/profile": "sign-up, profile, change of e-mail" => "API"; "one an account"; "as long as the account"; Yes; OnErasure::Removed;
    "account/{a}/credential": "sign-up, password" => "API"; "at most one an account"; "as long as the account"; Yes; OnErasure::Removed;
    "account/{a}/second_factor": "second factor" => "API"; "at most one an account"; "until switched off"; Yes; OnErasure::Removed;
    "account/{a}/email_change": "change of e-mail" => "change of e-mail"; "at most one an account"; "until proved, or its expiry"; Yes; OnErasure::Removed;
    "account/{a}/password_reset": "forgotten password" => "forgotten password"; "at most one an account"; "until used, or its expiry"; Yes; OnErasure::Removed;
    "account/{a}/provider/{provider}": "link, unlink" => "API"; "one a linked provider"; "until unlinked"; Yes; OnErasure::Removed;
    "account/{a}/refresh/{family}": "sign-in, rotation" => "API"; "at most 100 an account"; "until it ends; 30 days at most"; Yes; OnErasure::Removed;
    "account/{a}/sign_in/{family}": "sign-in" => "API (list of sign-ins)"; "the newest 100 an account"; "30 days"; Yes; OnErasure::Removed;
    "account/{a}/registration/{registration}": "sign-up" => "erasure, janitor"; "one an account"; "as the sign-up"; Yes; OnErasure::Removed;

    "registration/{registration}": "sign-up" => "API"; "one a sign-up"; "24 hours"; Yes; OnErasure::Removed;
    "registration_age/{hour}/{registration}": "sign-up" => "janitor"; "one a sign-up"; "as the sign-up"; Yes; OnErasure::Removed;
    "address/{email}/registration/{registration}": "sign-up" => "erasure, janitor"; "one a sign-up that waits for its proof"; "until proved, or as the sign-up"; Yes; OnErasure::Removed;
    "address/{email}/invitation/{t}/{i}": "invitation" => "API (my invitations), erasure"; "one an open invitation"; "as the invitation"; Yes; OnErasure::Removed;

    "email/{email}": "sign-up, change of e-mail" => "sign-in"; "one an account"; "as long as the account has the address"; Yes; OnErasure::Removed;
    "oauth/{provider}/{subject}": "link, unlink" => "sign-in by a provider"; "one a linked provider"; "until unlinked"; Yes; OnErasure::Removed;
    "slug/{slug}": "new workspace, restore" => "wake page, new workspace"; "one a workspace that ever was, 90 bytes"; "for ever: a host name is never given out again"; Yes; ID_FOR_EVER;
    "stripe_customer/{customer}": "billing" => "billing"; "one a paying tenant"; "as long as the tenant"; Yes; OnErasure::WithTheLastUser;
    "api_key/{hash}": "API keys" => "API (every call with a key)"; "one an API key"; "as the API key"; Yes; OnErasure::Removed;

    "membership/{a}/{t}": "sign-up, invitation, deletion" => "API"; "one a user"; "as long as the user"; Yes; OnErasure::Removed;
    "custody/{a}/{u}": "handing over, removal of a member, deletion" => "API, removal of a member, deletion"; "one a user left behind"; "as long as that user"; Yes; OnErasure::Removed;
    "user/{u}": "sign-up, invitation, restore" => "all"; "one a user"; "as long as the user"; Yes; OnErasure::Removed;
    "workspace/{w}": "new workspace, restore" => "all"; "one a workspace"; "as long as the workspace"; Yes; OnErasure::Removed;

    "tenant/{t}/profile": "sign-up, plan" => "API"; "one a tenant"; "until its last user is deleted"; Yes; OnErasure::WithTheLastUser;
    "tenant/{t}/member/{u}": "sign-up, invitation, handing over" => "API, plan"; "one a user"; "as long as the user"; Yes; OnErasure::Removed;
    "tenant/{t}/staying/{n}/{ts}/{u}": "sign-up, invitation, roles, deletion" => "roles, deletion, handing over"; "one a member who is not on their way out"; "while they stay"; Yes; OnErasure::Removed;
    "tenant/{t}/invitation/{i}": "invitation" => "API"; "at most 100 open ones a tenant"; "until answered; 7 days at most"; Yes; OnErasure::Removed;
    "tenant/{t}/license": "sign-up, plan" => "API, billing"; "one a tenant"; "as long as the tenant"; Yes; OnErasure::WithTheLastUser;
    "tenant/{t}/license_history/{n}": "plan" => "API, billing"; "one a change of plan"; "as long as the tenant"; Yes; OnErasure::WithTheLastUser;
    "plan_change/{t}": "plan, billing" => "janitor, plan"; "one a large tenant whose plan has just changed"; "until every user has followed"; Yes; OnErasure::WithTheLastUser;
    "tenant/{t}/billing": "billing" => "API, billing"; "at most one a tenant"; "as long as the tenant"; Yes; OnErasure::WithTheLastUser;

    "tenant/{t}/user/{u}/profile": "sign-up, invitation, roles, deletion" => "all"; "one a user"; "as long as the user"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/usage/{month}/{kind}": "metering, LLM gateway (atomic add)" => "API, observer"; "up to four numbers a user and month"; "as long as the user"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/sessions/{s}": "API, sidecar" => "API, sidecar"; "at most 20 a user, up to 82 kB"; "until ended; 30 days after its last use"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/api_keys/{k}": "API keys" => "API"; "at most 50 a user"; "until revoked or expired"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/conversations/{conversation}": "LLM gateway" => "API"; "at most 1,000 a user"; "until the person deletes it"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/llm_history/{conversation}/messages/{n}": "LLM gateway" => "API"; "one a message, up to 90 kB"; "as the conversation"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/llm_history/{conversation}/messages/{n}/{chunk}": "LLM gateway" => "API"; "the rest of messages above 90 kB"; "as the conversation"; Yes; OnErasure::Removed;

    "tenant/{t}/user/{u}/workspace/{w}/profile": "API" => "API"; "one a workspace"; "as long as the workspace"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/workspace/{w}/status": "observer" => "API"; "one a workspace"; "as long as the workspace"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/workspace/{w}/power": "API, observer" => "observer"; "one a workspace"; "as long as the workspace"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/workspace/{w}/metering": "observer" => "observer"; "one a running workspace"; "while it runs"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/workspace/{w}/gateway": "API, for the workspace's gateway" => "API"; "one a workspace that somebody was in"; "as long as the workspace"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/workspace/{w}/file_count": "sidecar (atomic add)" => "sidecar"; "one a workspace"; "as long as the workspace"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/workspace/{w}/snapshot_bytes": "sidecar (atomic add)" => "sidecar"; "one a workspace with snapshots"; "as long as the workspace"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/workspace/{w}/restores": "API, sidecar" => "API, sidecar"; "one a workspace whose files somebody brought back, up to 60 kB"; "as long as the workspace"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/workspace/{w}/files/{path}/metadata": "sidecar" => "API"; "one a file, within the plan's cap"; "until the file is forgotten"; Yes; OnErasure::Removed;
    "tenant/{t}/user/{u}/workspace/{w}/files/{path}/snapshots/{ts}": "sidecar" => "API"; "the newest few a file"; "until newer ones replace it"; Yes; OnErasure::Removed;

    "cell/{cell}/user/{u}": "every decision about a user" => "renderer, observer"; "one a user"; "as long as the user"; Yes; OnErasure::Removed;
    "cell/{cell}/committed/{u}": "renderer" => "API, observer"; "one a user"; "as long as the user"; Yes; OnErasure::Removed;
    "cell/{cell}/load": "sign-up, deletion (atomic add)" => "placement, renderer"; "one a cell"; "for ever"; Yes; OnErasure::NotPersonal;
    "change/{cell}/{version}": "every change of an intent" => "renderer"; "one a change"; "until a published checkpoint covers it"; No; IDS_ONLY;
    "change_signal/{cell}": "every change of an intent (atomic add)" => "renderer (watch)"; "one a cell"; "for ever"; No; OnErasure::NotPersonal;
    "feed_floor/{cell}": "janitor" => "renderer"; "one a cell"; "for ever"; No; OnErasure::NotPersonal;
    "published/{cell}": "renderer" => "janitor, observer"; "one a cell"; "for ever"; No; OnErasure::NotPersonal;
    "power/{cell}/{version}": "every change of power" => "observer"; "one a change"; "until the observer has carried it out"; No; IDS_ONLY;
    "power_signal/{cell}": "every change of power (atomic add)" => "observer (watch)"; "one a cell"; "for ever"; No; OnErasure::NotPersonal;
    "power_floor/{cell}": "observer" => "observer"; "one a cell"; "for ever"; No; OnErasure::NotPersonal;
    "revocation/{version}": "whatever ends a sign-in early" => "API"; "one a sign-in ended"; "one hour"; No; IDS_ONLY;
    "revocation_signal": "whatever ends a sign-in early (atomic add)" => "API (watch)"; "one"; "for ever"; No; OnErasure::NotPersonal;
    "revocation_floor": "janitor" => "API"; "one"; "for ever"; No; OnErasure::NotPersonal;
    "counted/{version}": "API" => "API"; "a few a second and process, where several of them serve the API"; "two minutes"; No; OnErasure::Kept("hashes under a key that is not here, for two minutes");
    "counted_signal": "API (atomic add)" => "API (watch)"; "one"; "for ever"; No; OnErasure::NotPersonal;
    "counted_by/{process}": "API" => "API"; "one a process of the API"; "two minutes after its last note"; No; OnErasure::NotPersonal;
    "lease/{cell}": "renderer" => "renderer"; "one a cell"; "for ever: its number must grow"; No; OnErasure::NotPersonal;
    "activity/{cell}/{w}": "sidecar, API" => "observer"; "one a workspace"; "as long as the workspace"; Yes; OnErasure::Removed;
    "quarantine/{cell}/{u}": "observer, renderer, operator" => "renderer, observer"; "a few"; "until lifted"; Yes; OnErasure::Removed;
    "approval/{cell}/{change}": "renderer, proposer" => "proposer, operator, API"; "one a change that needs people, 300 bytes a user of it"; "until 30 days after nobody waits for it"; Yes; OnErasure::Kept("ids and hashes only, for 30 days");
    "awaited_approval/{cell}/{u}": "renderer" => "renderer, API"; "one a user who waits"; "while they wait"; Yes; OnErasure::Removed;
    "restart/{cell}": "operator, observer" => "observer"; "one a cell"; "until the next"; Yes; OnErasure::NotPersonal;
    "cell_state/{cell}": "observer" => "operator"; "one a cell"; "until the next"; No; OnErasure::NotPersonal;
    "rollout/{release}": "operator, roll-out" => "renderer, observer"; "one a release"; "for ever"; Yes; OnErasure::NotPersonal;
    "tombstone/{cell}/{id}": "deletion, restore" => "renderer, reaper"; "one a deleted user or workspace, 100 bytes"; "for ever"; Yes; ID_FOR_EVER;
    "reap/{cell}/{id}": "deletion, restore" => "reaper"; "one a deleted user or workspace"; "until its objects are gone"; Yes; IDS_ONLY;

    "grace/{second}/{id}": "deletion" => "janitor"; "one a mark"; "until the grace period ends"; Yes; OnErasure::Removed;
    "expiry/{hour}/{what}/{name}": "whatever expires" => "janitor"; "one a sign-in, session, API key with an end, invitation, pending proof, event of Stripe's and approval decided"; "until it expires"; Yes; OnErasure::Removed;
    "purge/{t}/{id}": "deletion, LLM gateway" => "janitor"; "one a very long history or very many files, deleted"; "until the last slice of them is gone"; Yes; IDS_ONLY;
    "discard/{second}/{id}": "files, deletion" => "janitor of object storage"; "one an upload under way, one a snapshot let go, two a workspace erased"; "until the bytes are gone"; Yes; IDS_ONLY;
    "txn/{request}": "every operation" => "every operation"; "one a request, 200 bytes"; "24 hours"; No; IDS_ONLY;
    "txn_age/{hour}/{request}": "every operation" => "janitor"; "one a request"; "as the request"; No; IDS_ONLY;

    "audit/{t}/{version}": "every decision" => "API"; "one a decision, 150 bytes"; "as configured"; AsSequence; IDS_ONLY;
    "invoice/{t}/{invoice}": "billing" => "API, bookkeeping"; "one a month and paying tenant"; "as law requires: until the date that it holds"; Yes; OnErasure::Kept("law requires it; ids, amounts and dates");
    "invoice_customer/{customer}": "deletion" => "billing"; "one a tenant that paid and ended"; "as the invoices"; Yes; OnErasure::Kept("law requires the invoices that are still to come; Stripe's id");
    "stripe_event/{event}": "billing" => "billing"; "one an event"; "30 days"; Yes; OnErasure::Kept("the event's id, no person's");
    "erased/{hash}": "erasure" => "whoever brings people in from elsewhere"; "one an address or linked identity of an erased person"; "for ever"; Yes; OnErasure::Kept("a hash under a key that is not here");
    "erasure/{e}": "erasure" => "restore, operator"; "one an erased person, 500 bytes"; "for ever: a restore must erase again"; Yes; OnErasure::Kept("ids, and hashes of addresses under a key that is not here");
    "erasure_users/{e}/{n}": "erasure" => "restore, operator"; "the rest of an erasure of more than 200 users"; "as the erasure"; Yes; IDS_ONLY;
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_pattern_is_there_once() {
        let patterns: BTreeSet<_> = layout().iter().map(|kind| kind.pattern).collect();
        assert_eq!(patterns.len(), layout().len());
    }
}
