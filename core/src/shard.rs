//! Where in a cell's repository a user's file lives.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{error::Error, id::UserId};

/// One of a cell's 128 directories of user files; one Argo CD Application each.
///
/// 128 because a full cell of 5,000 users then has about 39 users (some 550 objects) in each, below
/// the 800 at which an Application becomes slow, and one commit rewrites a directory of 39 entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard(u8);

impl Shard {
    /// How many shards a cell has.
    pub const COUNT: u8 = 128;

    /// The shard a new user falls into: SHA-256 of the id, so that ids of any pattern spread evenly.
    /// The result is stored with the user and never computed again.
    #[must_use]
    pub fn of(user: UserId) -> Self {
        Self(Sha256::digest(user.as_bytes())[0] % Self::COUNT)
    }

    /// The shard with this number, if there is one.
    #[must_use]
    pub const fn new(index: u8) -> Option<Self> {
        if index < Self::COUNT {
            Some(Self(index))
        } else {
            None
        }
    }

    /// All shards in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The shard's number, `0..128`.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Shard {
    /// Two lower-case hexadecimal digits, the name of the directory: `00` … `7f`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl FromStr for Shard {
    type Err = Error;

    /// # Errors
    /// `Invalid` unless the text is `00` … `7f`.
    fn from_str(text: &str) -> Result<Self, Error> {
        u8::from_str_radix(text, 16)
            .ok()
            .and_then(Self::new)
            .filter(|shard| shard.to_string() == text)
            .ok_or_else(|| Error::invalid("shard", "is not one of 00 to 7f"))
    }
}

impl TryFrom<String> for Shard {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelled_as_its_directory() {
        for shard in Shard::all() {
            assert_eq!(shard.to_string().parse::<Shard>().unwrap(), shard);
        }
        for text in ["80", "7F", "0", "000", "-1", "+1", ".."] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn spreads_users_evenly() {
        let mut counts = [0_u32; 128];
        for n in 0..12_800_u128 {
            counts[Shard::of(UserId::from_bytes(n.to_be_bytes())).index()] += 1;
        }
        assert!(
            counts.iter().all(|&count| (50..200).contains(&count)),
            "{counts:?}"
        );
    }
}
