//! One user whom the cluster refuses: what is committed for them instead, and when they are tried again.

use coditect_core::{RequestId, UserId};
use coditect_registry::{
    operation::{LiftQuarantine, ResolveQuarantine},
    record::{IntentRow, Quarantine},
};
use git2::Oid;

use super::{Problem, Staging, oid_of};
use crate::{
    git::Action,
    quarantine::{Stands, is_without_pods, last_good, without_pods},
};

/// How many commits back an older file is looked for: days of a busy cell, and half a second to read.
const LOOK_BACK: usize = 20_000;

/// A refusal of what is rendered now.
struct Refusal {
    /// The row, with what is kept of the refused file, and its rendering: the refused file.
    row: IntentRow,
    bytes: Vec<u8>,
    refused: Oid,
    /// The file that Argo CD tried, if the repository has it: the refused one, or what replaced it.
    tried: Option<Oid>,
    /// What is to replace it.
    instead: Instead,
}

/// What is to replace a refused file.
enum Instead {
    /// The newest older file, if it may come back.
    Older,
    /// This one, decided on earlier.
    File(Oid),
    /// The Namespace without pods.
    NoPods,
}

impl Staging<'_> {
    /// Sees to a quarantined user. None: something stands in the place of the refused file. A row: what is
    /// rendered now is another file than the refused one; the quarantine is lifted and the row goes on.
    pub(super) fn quarantined(
        &mut self,
        row: IntentRow,
        quarantine: &Quarantine,
    ) -> Result<Option<IntentRow>, Problem> {
        let user = row.intent.user;
        let Some(refusal) = self.refusal(&row, quarantine)? else {
            self.lift(user)?;
            return Ok(Some(row));
        };
        let stands = self.stand_in(&refusal, quarantine)?;
        self.outcome.quarantined.insert(user, stands);
        Ok(None)
    }

    /// What was refused and what follows from that; none if that is not what is rendered now.
    fn refusal(
        &mut self,
        row: &IntentRow,
        quarantine: &Quarantine,
    ) -> Result<Option<Refusal>, Problem> {
        let (user, shard) = (row.intent.user, row.intent.shard);
        let repository = self.committer.repository.clone();
        let tried = match Oid::from_str(&quarantine.commit) {
            Ok(commit) => repository.file_at(commit, shard, user)?,
            Err(_) => None,
        };
        let oid = |text: &Option<String>| text.as_deref().and_then(|text| Oid::from_str(text).ok());
        if let Some(refused) = oid(&quarantine.refused) {
            let instead = oid(&quarantine.stands).map_or(Instead::NoPods, Instead::File);
            return self.if_rendered(row, refused, tried, instead);
        }
        let (Some(tried), Some(head)) = (tried, self.committer.head) else {
            return Ok(None);
        };
        let found = repository.stand_ins(head, shard, user, LOOK_BACK)?;
        let (files, behind) = (found.files, found.refused);
        if let Some(mut refusal) = self.if_rendered(row, tried, Some(tried), Instead::Older)? {
            // An old report of a file that has been replaced since.
            if let Some(present) = files.first().filter(|_| behind == Some(tried)) {
                let file = repository.blob(*present)?;
                refusal.instead = if is_without_pods(&file, &refusal.bytes, &refusal.row.intent) {
                    Instead::NoPods
                } else {
                    Instead::File(*present)
                };
            }
            return Ok(Some(refusal));
        }
        match behind {
            // What replaced the refused file is refused as well: the next lesser thing.
            Some(refused) if files.contains(&tried) => {
                self.if_rendered(row, refused, Some(tried), Instead::NoPods)
            }
            _ => Ok(None),
        }
    }

    /// A refusal, if what would be committed on the refused file now is that file again.
    fn if_rendered(
        &mut self,
        row: &IntentRow,
        refused: Oid,
        tried: Option<Oid>,
        instead: Instead,
    ) -> Result<Option<Refusal>, Problem> {
        let user = row.intent.user;
        let (row, bytes) = match self.recorded(user, refused).ok().flatten() {
            None => (row.clone(), self.render(row)?),
            Some(before) => {
                // Nothing is deleted here: what that would cost is asked, not spent.
                let budget = self.budget.clone();
                let done = self.past_the_guards(row.clone(), &before);
                self.budget = budget;
                let (row, bytes, _) = done?;
                (row, bytes)
            }
        };
        let again = oid_of(&bytes)? == refused;
        Ok(again.then_some(Refusal {
            row,
            bytes,
            refused,
            tried,
            instead,
        }))
    }

    fn lift(&self, user: UserId) -> Result<(), Problem> {
        let lift = LiftQuarantine {
            cell: self.committer.cell.clone(),
            user,
            at: self.now,
        };
        // Before the commit: a refusal of the new file comes after it and must not be taken for the old one.
        self.committer
            .runtime
            .block_on(self.committer.registry.apply(RequestId::random(), &lift))?;
        tracing::info!(%user, "what is rendered is not what was refused; the quarantine is lifted");
        Ok(())
    }

    /// Puts in Git what is to stand, and tells the registry.
    fn stand_in(&mut self, refusal: &Refusal, quarantine: &Quarantine) -> Result<Stands, Problem> {
        let (user, shard) = (refusal.row.intent.user, refusal.row.intent.shard);
        let good = self.good(refusal)?;
        self.resolve(user, quarantine, refusal.refused, good)?;
        let places = self.committer.tree.places(user);
        let present = self.committer.tree.get(shard, user);
        let (stands, mut changed, why) = match good {
            Some(good) => {
                let changed = self.batch.put_blob(shard, user, good)?;
                (Stands::LastGood, changed, "the last good file stands")
            }
            None => {
                let changed = self.put_without_pods(refusal, present)?;
                let refused_too = !changed && refusal.tried == present;
                let stands = if refused_too {
                    Stands::RefusedToo
                } else {
                    Stands::NoPods
                };
                (stands, changed, "a Namespace without pods stands")
            }
        };
        for (stray, _) in places.iter().filter(|(place, _)| *place != shard) {
            changed |= self.batch.remove(*stray, user);
        }
        if changed {
            let action = if places.is_empty() {
                Action::Created
            } else {
                Action::Changed
            };
            let cause = format!("{:?}", quarantine.reason.cause).to_lowercase();
            self.message
                .record(user, action, &format!("quarantined ({cause}): {why}"));
            self.message.record_quarantine(user);
        }
        Ok(stands)
    }

    /// The file that may come back, if there is one.
    fn good(&self, refusal: &Refusal) -> Result<Option<Oid>, Problem> {
        let candidate = match refusal.instead {
            Instead::NoPods => None,
            Instead::File(file) => Some(file),
            Instead::Older => self.older(refusal)?,
        };
        let Some(candidate) = candidate else {
            return Ok(None);
        };
        let Ok(file) = self.committer.repository.blob(candidate) else {
            return Ok(None);
        };
        match last_good(&file, &refusal.row.intent) {
            Ok(()) => Ok(Some(candidate)),
            Err(why) => {
                tracing::warn!(user = %refusal.row.intent.user, why, "the last good file does not come back");
                Ok(None)
            }
        }
    }

    fn older(&self, refusal: &Refusal) -> Result<Option<Oid>, Problem> {
        let Some(head) = self.committer.head else {
            return Ok(None);
        };
        let (user, shard) = (refusal.row.intent.user, refusal.row.intent.shard);
        let repository = &self.committer.repository;
        Ok(repository.good_version(head, shard, user, refusal.refused, LOOK_BACK)?)
    }

    /// True if that changes anything. One that is there already stays, whichever volumes it keeps.
    fn put_without_pods(
        &mut self,
        refusal: &Refusal,
        present: Option<Oid>,
    ) -> Result<bool, Problem> {
        let Refusal { row, bytes, .. } = refusal;
        let repository = &self.committer.repository;
        if let Some(present) = present
            && is_without_pods(&repository.blob(present)?, bytes, &row.intent)
        {
            return Ok(false);
        }
        let older = self.older(refusal)?;
        let older = older.map(|older| repository.blob(older)).transpose()?;
        let file = without_pods(bytes, older.as_deref(), &row.intent)
            .map_err(|error| Problem::User(error.to_string()))?;
        Ok(self.batch.put(row.intent.shard, row.intent.user, &file)?)
    }

    fn resolve(
        &self,
        user: UserId,
        quarantine: &Quarantine,
        refused: Oid,
        stands: Option<Oid>,
    ) -> Result<(), Problem> {
        let (refused, stands) = (refused.to_string(), stands.map(|stands| stands.to_string()));
        if quarantine.refused.as_ref() == Some(&refused) && quarantine.stands == stands {
            return Ok(());
        }
        let resolve = ResolveQuarantine {
            cell: self.committer.cell.clone(),
            user,
            commit: quarantine.commit.clone(),
            refused,
            stands,
            at: self.now,
        };
        self.committer
            .runtime
            .block_on(self.committer.registry.apply(RequestId::random(), &resolve))?;
        Ok(())
    }
}
