//! Names, labels and annotations of what is rendered, composed here and never glued in a template.

use coditect_core::Slug;
pub use coditect_core::pod::{SERVICE_ACCOUNT, TOKEN_AUDIENCE};

/// Annotation of the Namespace: the user's intent as compact JSON.
pub const INTENT: &str = "coditect.ai/intent";
/// Annotation of the Namespace: the generation of that intent, in decimal.
pub const GENERATION: &str = "coditect.ai/generation";
/// Annotation of the Namespace: the template release that rendered it.
pub const RELEASE: &str = "coditect.ai/release";
/// Annotation of the Namespace: the ring whose release that is. Whoever changes ring is told apart by it.
pub const RING: &str = "coditect.ai/ring";
/// Label of the Namespace: the tenant's id.
pub const TENANT: &str = "coditect.ai/tenant";
/// Label of the Namespace: the plan that applies.
pub const PLAN: &str = "coditect.ai/plan";
/// Label of Namespaces and a workspace's objects: `active`, `suspended` or `marked`.
pub const STANDING: &str = "coditect.ai/standing";
/// Label of a workspace's objects and pod: the workspace's id.
pub const WORKSPACE: &str = "coditect.ai/workspace";

/// Every label and annotation of ours, for templates' tests and for readers of live objects.
pub const KEYS: [&str; 8] = [
    INTENT, GENERATION, RELEASE, RING, TENANT, PLAN, STANDING, WORKSPACE,
];

/// The gateway's port, the only one of a workspace's Service.
pub const GATEWAY_PORT: u16 = 8080;

/// The host of a workspace: `<slug>.<domain>`.
#[must_use]
pub fn host(slug: &Slug, domain: &str) -> String {
    format!("{slug}.{domain}")
}
