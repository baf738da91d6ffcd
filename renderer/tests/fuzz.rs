//! Hostile bytes: the fuzz target of `fuzz/`, fed with its seeds and with what is made of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/src/policy.rs"]
#[allow(unreachable_pub, reason = "a crate of its own elsewhere")]
mod bodies;
#[path = "../../fuzz/src/mutation.rs"]
mod mutation;

#[test]
fn policies() {
    mutation::feed("policy", 2_500, bodies::policy);
}
