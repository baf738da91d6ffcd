//! A rendered shape, cut at the names: pieces that every user of the shape has, and the places between
//! them where the user's own names go.

use coditect_core::{Error, TenantId, UserId, WorkspaceId};

use super::{context::Identity, encode::write_inner};

/// Which name goes into a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    User,
    Tenant,
    Generation,
    Shard,
    Intent,
    Workspace(u16),
    Slug(u16),
}

/// A piece of text and the name after it.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    /// Where the piece ends in the text; it begins where the one before ends.
    end: usize,
    slot: Slot,
}

/// A rendered shape without names.
#[derive(Debug)]
pub(crate) struct Cut {
    text: String,
    pieces: Vec<Piece>,
    digest: [u8; 32],
}

/// Names that stand for a user's while a shape is rendered, each unlike any other and any template.
pub(super) struct Sentinels(Identity);

impl Sentinels {
    /// One set for so many workspaces.
    pub(super) fn first(workspaces: usize) -> Self {
        Self::new(workspaces, 0x5e, "zq1xv-stand-in", "9007199254740881")
    }

    /// Another, different in every name and in the length of those that vary in length.
    pub(super) fn second(workspaces: usize) -> Self {
        Self::new(workspaces, 0xa7, "kj3-slot", "81234567890123457")
    }

    fn new(workspaces: usize, byte: u8, text: &str, generation: &str) -> Self {
        let id = |kind: u8, index: usize| {
            let index = (index as u64).to_be_bytes();
            let mut bytes = [byte; 16];
            bytes[0] = kind ^ byte;
            bytes[8..].copy_from_slice(&index);
            bytes
        };
        Self(Identity {
            user: UserId::from_bytes(id(1, 0)).to_string(),
            tenant: TenantId::from_bytes(id(2, 0)).to_string(),
            generation: generation.to_owned(),
            shard: format!("{text}-shard"),
            intent: format!("{text}-intent"),
            workspaces: (0..workspaces)
                .map(|index| {
                    (
                        WorkspaceId::from_bytes(id(3, index)).to_string(),
                        format!("{text}-{index:04}"),
                    )
                })
                .collect(),
        })
    }

    pub(super) const fn identity(&self) -> &Identity {
        &self.0
    }

    /// An error about a shape, without the stand-ins, which nobody would find anywhere.
    pub(super) fn unnamed(&self, error: &Error) -> Error {
        let ids = self
            .0
            .workspaces
            .iter()
            .map(|(id, _)| id)
            .chain([&self.0.user, &self.0.tenant]);
        let text = ids.fold(error.to_string(), |text, id| text.replace(id, "<id>"));
        match text.split_once(": ") {
            Some((place, what)) => Error::invalid(format!("{place}:"), what),
            None => Error::invalid("templates", text),
        }
    }

    pub(super) fn namespace(&self) -> String {
        format!("user-{}", self.0.user)
    }
}

impl Cut {
    /// Cuts a text that was rendered with these stand-ins.
    pub(super) fn new(text: &str, sentinels: &Sentinels, digest: [u8; 32]) -> Self {
        let names = &sentinels.0;
        let mut found = Vec::new();
        let mut find = |name: &str, slot| {
            found.extend(
                text.match_indices(name)
                    .map(|(at, _)| (at, name.len(), slot)),
            )
        };
        find(&names.user, Slot::User);
        find(&names.tenant, Slot::Tenant);
        find(&names.generation, Slot::Generation);
        find(&names.shard, Slot::Shard);
        find(&names.intent, Slot::Intent);
        for (index, (id, slug)) in (0..).zip(&names.workspaces) {
            find(id, Slot::Workspace(index));
            find(slug, Slot::Slug(index));
        }
        found.sort_by_key(|(at, _, _)| *at);
        let mut cut = Self {
            text: String::with_capacity(text.len()),
            pieces: Vec::with_capacity(found.len()),
            digest,
        };
        let mut from = 0;
        for (at, length, slot) in found {
            cut.text.push_str(&text[from..at]);
            cut.pieces.push(Piece {
                end: cut.text.len(),
                slot,
            });
            from = at + length;
        }
        cut.text.push_str(&text[from..]);
        cut.text.shrink_to_fit();
        cut
    }

    /// The shape's digest.
    pub(crate) const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The text with these names in it.
    pub(crate) fn splice(&self, names: &Identity) -> Vec<u8> {
        let mut out = String::with_capacity(
            self.text.len() + self.pieces.len() * 36 + names.intent.len() * 2,
        );
        self.write(names, &mut |part| {
            out.push_str(part);
            true
        });
        out.into_bytes()
    }

    /// Whether a file is the text with these names in it.
    pub(crate) fn is(&self, names: &Identity, mut file: &[u8]) -> bool {
        self.write(
            names,
            &mut |part| match file.strip_prefix(part.as_bytes()) {
                Some(rest) => {
                    file = rest;
                    true
                }
                None => false,
            },
        ) && file.is_empty()
    }

    /// Whether this gives the same bytes as another cut, whatever the names; `None` if that depends on them.
    pub(crate) fn always_as(&self, other: &Self) -> Option<bool> {
        let slots = |cut: &Self| {
            cut.pieces
                .iter()
                .map(|piece| piece.slot)
                .collect::<Vec<_>>()
        };
        if slots(self) != slots(other) {
            None
        } else if self.text.len() != other.text.len() {
            // The names add the same to both.
            Some(false)
        } else if self.pieces == other.pieces {
            Some(self.text == other.text)
        } else {
            None
        }
    }

    /// Hands over the text with these names in it, part by part, until `take` wants no more; whether it took all.
    fn write(&self, names: &Identity, take: &mut dyn FnMut(&str) -> bool) -> bool {
        let mut from = 0;
        for Piece { end, slot } in &self.pieces {
            let before = &self.text[from..*end];
            from = *end;
            let escaped;
            let name = match slot {
                Slot::User => &names.user,
                Slot::Tenant => &names.tenant,
                Slot::Generation => &names.generation,
                Slot::Shard => &names.shard,
                Slot::Intent => {
                    let mut text = String::with_capacity(names.intent.len() * 2);
                    // Writing to a String cannot fail.
                    let _ = write_inner(&mut text, &names.intent);
                    escaped = text;
                    &escaped
                }
                Slot::Workspace(index) => &names.workspaces[usize::from(*index)].0,
                Slot::Slug(index) => &names.workspaces[usize::from(*index)].1,
            };
            if !take(before) || !take(name) {
                return false;
            }
        }
        take(&self.text[from..])
    }
}
