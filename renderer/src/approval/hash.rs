//! What an approval names.

use std::fmt::Write;

use coditect_core::UserIntent;
use sha2::{Digest, Sha256};

/// The SHA-256 of the intent's JSON in 64 hexadecimal digits: compact, fields in the order of [`UserIntent`], as the
/// Namespace's annotation has it. Templates and engine are no part of it, so that no release voids an approval.
#[must_use]
pub fn intent_hash(intent: &UserIntent) -> String {
    // Ids, names and numbers: there is nothing that JSON could not hold.
    let json = serde_json::to_vec(intent).unwrap_or_default();
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(json) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
