//! The checkpoint inside a commit: from where the renderer goes on, and whether this is its own work.

use std::{collections::BTreeMap, fmt::Write};

use coditect_core::{Epoch, Fence, ReleaseName, Shard, Version};
use git2::Oid;
use serde::Deserialize;

use super::tree::ShardTree;

/// The format this code writes and reads.
const FORMAT: u32 = 1;

/// What a commit was rendered from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The registry's life.
    pub epoch: Epoch,
    /// Every change of the registry up to and including this one is in the commit.
    pub version: Version,
    /// The fencing number of the lease it was made under.
    pub fence: Fence,
    /// The commit of the policy, if the policy is in a repository.
    pub policy: Option<Oid>,
    /// The hash of each template release in use.
    pub templates: BTreeMap<ReleaseName, String>,
    /// The version of the renderer: other code may render other bytes from the same templates.
    pub engine: String,
}

/// A checkpoint together with the files it speaks of; the content of `.coditect/state.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What the commit was rendered from.
    pub checkpoint: Checkpoint,
    /// Users by shard; shards without users are left out.
    pub users: BTreeMap<Shard, u32>,
    /// The tree object of the folder `shards`. Another one beside this file means that someone else
    /// changed what the renderer wrote.
    pub shards: Oid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    registry: Registry,
    fence: Fence,
    policy: Option<String>,
    templates: BTreeMap<ReleaseName, String>,
    engine: String,
    shards: String,
    users: BTreeMap<Shard, u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registry {
    epoch: Epoch,
    version: Version,
}

impl State {
    /// The state of a tree whose shards are written as `shards`.
    pub(super) fn of(checkpoint: Checkpoint, tree: &ShardTree, shards: Oid) -> Self {
        let count = |shard: Shard| {
            (
                shard,
                u32::try_from(tree.users(shard).len()).unwrap_or(u32::MAX),
            )
        };
        Self {
            checkpoint,
            users: Shard::all()
                .map(count)
                .filter(|&(_, count)| count > 0)
                .collect(),
            shards,
        }
    }

    /// The file. One line a fact, in a fixed order: a diff shows what moved and nothing else.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let Checkpoint {
            epoch,
            version,
            fence,
            policy,
            templates,
            engine,
        } = &self.checkpoint;
        let mut text = String::from(
            "# The checkpoint the renderer goes on from. Do not edit: it would render everything anew.\n",
        );
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "format: {FORMAT}\nregistry:\n  epoch: \"{epoch}\"\n  version: {version}\nfence: {fence}"
        );
        let _ = match policy {
            Some(policy) => writeln!(text, "policy: \"{policy}\""),
            None => writeln!(text, "policy: null"),
        };
        text.push_str(if templates.is_empty() {
            "templates: {}\n"
        } else {
            "templates:\n"
        });
        for (release, hash) in templates {
            let _ = writeln!(text, "  {}: {}", quoted(release.as_str()), quoted(hash));
        }
        let _ = writeln!(
            text,
            "engine: {}\nshards: \"{}\"",
            quoted(engine),
            self.shards
        );
        text.push_str(if self.users.is_empty() {
            "users: {}\n"
        } else {
            "users:\n"
        });
        for (shard, count) in &self.users {
            let _ = writeln!(text, "  \"{shard}\": {count}");
        }
        text
    }

    /// Reads the file strictly.
    ///
    /// # Errors
    /// A sentence about what is wrong with it: unknown or missing fields, another format.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file: File = serde_saphyr::from_slice(bytes).map_err(|error| error.to_string())?;
        if file.format != FORMAT {
            return Err(format!(
                "format {} was written by another version of the renderer; this one reads {FORMAT}",
                file.format
            ));
        }
        let oid = |text: &str| {
            Oid::from_str(text)
                .ok()
                .filter(|oid| oid.to_string() == text)
                .ok_or_else(|| format!("`{text}` is not an object id"))
        };
        Ok(Self {
            checkpoint: Checkpoint {
                epoch: file.registry.epoch,
                version: file.registry.version,
                fence: file.fence,
                policy: file.policy.as_deref().map(oid).transpose()?,
                templates: file.templates,
                engine: file.engine,
            },
            users: file.users,
            shards: oid(&file.shards)?,
        })
    }
}

/// A YAML double-quoted scalar (YAML 1.2.2 section 7.3.1).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || ('\u{2028}'..='\u{2029}').contains(&c) || c == '\u{feff}' => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_map, option, prelude::*};

    use super::*;

    fn states() -> impl Strategy<Value = State> {
        let oid = any::<[u8; 20]>().prop_map(|bytes| Oid::from_bytes(&bytes).unwrap());
        let release = "[a-z0-9][a-z0-9-]{0,8}[a-z0-9]".prop_map(|name| name.parse().unwrap());
        let shard = (0..Shard::COUNT).prop_map(|index| Shard::new(index).unwrap());
        let checkpoint = (
            any::<[u8; 16]>(),
            any::<u64>(),
            any::<u64>(),
            option::of(oid.clone()),
            btree_map(release, any::<String>(), 0..4),
            any::<String>(),
        );
        (checkpoint, btree_map(shard, 1_u32.., 0..128), oid).prop_map(
            |((epoch, version, fence, policy, templates, engine), users, shards)| State {
                checkpoint: Checkpoint {
                    epoch: Epoch::from_bytes(epoch),
                    version: Version(version),
                    fence: Fence(fence),
                    policy,
                    templates,
                    engine,
                },
                users,
                shards,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(state in states()) {
            prop_assert_eq!(State::parse(state.to_yaml().as_bytes()), Ok(state));
        }

        #[test]
        fn no_edit_passes_as_another_state_by_accident(state in states(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            // Any single byte changed: refused, or exactly what the changed text says.
            let mut bytes = state.to_yaml().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(read) = State::parse(&bytes) {
                prop_assert_eq!(State::parse(read.to_yaml().as_bytes()), Ok(read));
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let checkpoint = Checkpoint {
            epoch: Epoch::from_bytes([1; 16]),
            version: Version(42),
            fence: Fence(7),
            policy: None,
            templates: [("v1".parse().unwrap(), "ab".to_owned())].into(),
            engine: "1".to_owned(),
        };
        let text = State {
            checkpoint,
            users: [(Shard::new(3).unwrap(), 2)].into(),
            shards: Oid::ZERO_SHA1,
        }
        .to_yaml();
        for (from, to) in [
            ("format: 1", "format: 2"),
            ("fence: 7", "fence: seven"),
            ("fence: 7", "fence: 7\nnote: x"),
            ("\"03\": 2", "\"80\": 2"),
            ("policy: null", "policy: abc"),
            ("  version: 42\n", ""),
            ("shards: \"0000", "shards: \"zzzz"),
        ] {
            let edited = text.replace(from, to);
            assert_ne!(edited, text, "{from}");
            assert!(State::parse(edited.as_bytes()).is_err(), "{to}");
        }
        assert!(State::parse(b"").is_err());
        assert!(State::parse(&[0xff; 10]).is_err());
    }
}
