//! What processes of the API tell each other of rate limits.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What one process of the API let through lately, so that the others count it too. Says for nobody who it was:
/// a bucket is named by a hash under a key that is not in the registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counted {
    /// When it was noted.
    pub at: Timestamp,
    /// The process.
    pub process: Uuid,
    /// Grows with every note of the process.
    pub number: u64,
    /// By the limit's name. Empty: the process only says that it is there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Vec<Count>>,
}

/// How far a process of the API is with its notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedBy {
    /// When it noted last.
    pub at: Timestamp,
    /// The number of that note.
    pub number: u64,
}

/// What was let through of one bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Count {
    /// The bucket: 16 bytes in base64url.
    pub bucket: String,
    /// How often.
    pub times: u32,
    /// Whether what was counted before is forgotten (a guess was right).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anew: bool,
}

impl Counted {
    /// Most buckets of one note, so that it stays far below the largest value of the store (100 kB).
    pub const MOST: usize = 1_000;
}
