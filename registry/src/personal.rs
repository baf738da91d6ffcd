//! A person's own copy of what the registry holds of them (GDPR, articles 15 and 20): read in pages of short
//! transactions, whatever there is, and never more of it in memory than a page.

use std::collections::VecDeque;

use coditect_core::{AccountId, Result};
use serde_json::{Map, Value};

use crate::{
    keys::{self, KeyPart, ParsedKey, Portable},
    reader::Reader,
    record::{AuditEntry, Role, decode, inspect},
    registry::Registry,
    store::{Key, KeyRange},
};

/// One record of a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Copied {
    /// Which kind, as [`Portable::Yes`] names it.
    pub name: &'static str,
    /// The varying parts of its key, by the names that the kind's pattern gives them.
    pub key: Map<String, Value>,
    /// The record, without what proves something to us.
    pub value: Value,
}

/// What is still to be read.
struct Part {
    range: KeyRange,
    /// Of decisions, those of the person alone.
    audit: bool,
}

/// A copy under way.
pub struct PersonalCopy {
    account: AccountId,
    reader: Reader,
    parts: VecDeque<Part>,
}

impl Registry {
    /// Begins a copy of what the registry holds of a person: their account, what they are and have in each tenant, and,
    /// of tenants that they own, the contract. Empty if there is no such account.
    ///
    /// # Errors
    /// As the store.
    pub async fn personal_copy(&self, account: AccountId) -> Result<PersonalCopy> {
        let mut view = self.view().await?;
        let mut parts = Parts::default();
        if let Some(person) = view.account(account).await? {
            parts.below(keys::account_all(account));
            parts.below(keys::address_invitations(&person.email));
            parts.below(keys::memberships(account));
        }
        for (tenant, id) in view.memberships(account).await? {
            parts.one(keys::tenant(tenant));
            let Some((_, user)) = view.user(id).await? else {
                continue;
            };
            if user.role == Role::Owner {
                parts.one(keys::license(tenant));
                parts.below(keys::license_histories(tenant));
                parts.one(keys::billing(tenant));
                parts.below(keys::invoices(tenant));
            }
            parts.below(keys::user_all(tenant, id));
            parts.one(keys::intent(&user.cell, id));
            parts.one(keys::committed(&user.cell, id));
            parts.one(keys::quarantine(&user.cell, id));
            parts.one(keys::awaited_approval(&user.cell, id));
            // A user whose intent is gone has no workspaces.
            for workspace in view.workspaces(id).await.unwrap_or_default() {
                parts.one(keys::activity(&user.cell, workspace.id));
            }
            parts.0.push_back(Part {
                range: KeyRange::below(&keys::audit(tenant)),
                audit: true,
            });
        }
        Ok(PersonalCopy {
            account,
            reader: Reader::new(self.store().clone()),
            parts: parts.0,
        })
    }
}

#[derive(Default)]
struct Parts(VecDeque<Part>);

impl Parts {
    fn below(&mut self, range: KeyRange) {
        let audit = false;
        self.0.push_back(Part { range, audit });
    }

    fn one(&mut self, key: Key) {
        let mut end = key.clone();
        end.push(0);
        self.below(KeyRange { begin: key, end });
    }
}

impl PersonalCopy {
    /// The next records, at most a page of the store; none when the copy is complete. A page may be empty.
    ///
    /// # Errors
    /// As the store; `Internal` if a record cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Copied>>> {
        let Some(part) = self.parts.front_mut() else {
            return Ok(None);
        };
        let page = self.reader.page(&part.range).await?;
        let audit = part.audit;
        match page.entries.last() {
            Some((last, _)) if page.more => part.range = part.range.after(last),
            _ => drop(self.parts.pop_front()),
        }
        let mut copied = Vec::new();
        for (key, value) in &page.entries {
            if audit && decode::<AuditEntry>(value)?.actor != Some(self.account) {
                continue;
            }
            // What is of no known kind is no record: `registry check` tells of it.
            if let Ok(parsed) = keys::parse(key)
                && let Some(Portable::Yes(name, without)) = keys::portable(parsed.kind.pattern)
            {
                let mut value = inspect(parsed.kind.pattern, value)?;
                if let Value::Object(fields) = &mut value {
                    without.iter().for_each(|field| drop(fields.remove(*field)));
                }
                copied.push(Copied {
                    name,
                    key: varying(&parsed),
                    value,
                });
            }
        }
        Ok(Some(copied))
    }
}

/// The varying parts of a key, by their names.
fn varying(parsed: &ParsedKey) -> Map<String, Value> {
    let named = parsed.kind.pattern.split('/').zip(&parsed.parts);
    let varying = named.filter_map(|(segment, part)| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        let value = match part {
            KeyPart::Text(text) => text.clone().into(),
            KeyPart::Number(number) => i64::try_from(*number).ok()?.into(),
            KeyPart::Id(id) => id.to_string().into(),
            KeyPart::Stamp(_) => return None,
        };
        Some((name.to_owned(), value))
    });
    varying.collect()
}
