//! One bad user never stops the others: who is refused again and again is quarantined, unless that are so many
//! that the release is to blame.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use coditect_core::{Cause, Reason, RequestId, Result, UserId};
use coditect_registry::{operation::PutQuarantine, record::Quarantine};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{cell::Cell, observe::is_refusal, world::Refused};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long after a last good file was put in its place an operation must have begun before what it is refused
/// counts against that file: until then Argo CD may still be applying the commit before.
const SETTLES: SignedDuration = SignedDuration::from_secs(60);
/// How long a quarantine that was lifted is not put again for the same commit. The renderer lifts it when what it
/// renders by now is another file; until Argo CD has tried that, its last word is the refusal of the old one, and
/// the two would quarantine and lift every few seconds.
const LIFTED: SignedDuration = SignedDuration::from_mins(5);
/// So many users may be quarantined at once, or one in a hundred if that is more: when more are refused, a release
/// is bad and not a user.
const MOST: usize = 3;

/// Quarantines until `stop`.
pub(crate) async fn run(cell: Arc<Cell>, stop: CancellationToken) {
    let mut watch = Watch {
        known: BTreeMap::new(),
        put: BTreeMap::new(),
        cell,
    };
    loop {
        if let Err(error) = watch.step().await {
            tracing::warn!(cell = %watch.cell.settings.cell, error = %error.chain(), "quarantines wait for the registry");
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

struct Watch {
    cell: Arc<Cell>,
    /// Everyone quarantined, and since when their last good file is known to stand.
    known: BTreeMap<UserId, (Quarantine, Option<Timestamp>)>,
    put: Put,
}

/// For which commit a user was last quarantined, and when, as long as the cluster's refusal stands.
type Put = BTreeMap<UserId, (String, Timestamp)>;

impl Watch {
    async fn step(&mut self) -> Result<()> {
        let now = Timestamp::now();
        let name = self.cell.settings.cell.clone();
        let present = self.cell.registry.view().await?.quarantines(&name).await?;
        let changed = self.note(present, now);
        self.cell.touch_users(changed);
        let (users, refused) = {
            let rows = self.cell.rows();
            let world = self.cell.world();
            let refused: Vec<(UserId, Refused)> = world
                .refused()
                .filter(|(user, refused)| {
                    rows.contains_key(user)
                        && refused.is_repeated()
                        && is_refusal(&refused.failure.message)
                })
                .map(|(user, refused)| (user, refused.clone()))
                .collect();
            (rows.len(), refused)
        };
        self.put
            .retain(|user, _| refused.iter().any(|(still, _)| still == user));
        let chosen = choose(&refused, &self.known, &self.put, users, now);
        let gauge = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        metrics::gauge!("coditect_observer_quarantined_users", "cell" => self.cell.name())
            .set(f64::from(gauge));
        metrics::gauge!("coditect_observer_refusals_held_back_users", "cell" => self.cell.name())
            .set(f64::from(
                u32::try_from(chosen.held_back).unwrap_or(u32::MAX),
            ));
        *self.cell.refusals() = (chosen.held_back > 0).then(|| {
            format!(
                "the cluster refuses objects of {} more users than may be quarantined: look at the newest policy and templates",
                chosen.held_back
            )
        });
        for (user, refused) in chosen.users {
            self.put(user, refused, now).await?;
        }
        Ok(())
    }

    /// Takes in who is quarantined now, and gives back for whom that has changed.
    fn note(&mut self, present: BTreeMap<UserId, Quarantine>, now: Timestamp) -> BTreeSet<UserId> {
        let mut changed: BTreeSet<UserId> = self
            .known
            .keys()
            .filter(|user| !present.contains_key(user))
            .copied()
            .collect();
        let mut known = BTreeMap::new();
        for (user, quarantine) in present {
            let before = self.known.get(&user);
            if before.map(|(before, _)| before) != Some(&quarantine) {
                changed.insert(user);
            }
            let stands = quarantine.refused.is_some();
            let since = before
                .filter(|(before, _)| before.refused == quarantine.refused)
                .and_then(|(_, since)| *since);
            known.insert(user, (quarantine, stands.then(|| since.unwrap_or(now))));
        }
        self.known = known;
        changed
    }

    async fn put(&mut self, user: UserId, refused: Refused, now: Timestamp) -> Result<()> {
        let committed = {
            let rows = self.cell.rows();
            rows.get(&user)
                .and_then(|row| Some(row.committed.as_ref()?.generation))
        };
        let Some(generation) = committed else {
            return Ok(());
        };
        let said = format!("{}: {}", refused.failure.object, refused.failure.message);
        let put = PutQuarantine {
            cell: self.cell.settings.cell.clone(),
            user,
            generation,
            commit: refused.revision,
            reason: Reason::new(Cause::Admission, &said),
            at: now,
        };
        // False: the user has changed meanwhile, so what is refused is not what is wanted any more.
        if self.cell.registry.apply(RequestId::random(), &put).await? {
            tracing::warn!(cell = %self.cell.settings.cell, %user, generation, commit = put.commit, "quarantined: {said}");
            metrics::counter!("coditect_observer_quarantines_total", "cell" => self.cell.name())
                .increment(1);
            self.put.insert(user, (put.commit, now));
        }
        self.cell.touch_users([user]);
        Ok(())
    }
}

/// Who is to be quarantined.
#[derive(Debug)]
struct Chosen {
    users: Vec<(UserId, Refused)>,
    /// How many would be, were there not too many.
    held_back: usize,
}

fn choose(
    refused: &[(UserId, Refused)],
    known: &BTreeMap<UserId, (Quarantine, Option<Timestamp>)>,
    put: &Put,
    users: usize,
    now: Timestamp,
) -> Chosen {
    let mut chosen = Chosen {
        users: Vec::new(),
        held_back: 0,
    };
    let mut quarantined = known.len();
    let lifted = |user: &UserId, refused: &Refused| {
        put.get(user).is_some_and(|(commit, at)| {
            *commit == refused.revision && now.duration_since(*at) < LIFTED
        })
    };
    for (user, refused) in refused {
        match known.get(user) {
            // The file that stands in its place is refused as well.
            Some((quarantine, Some(stands_since))) => {
                let later = refused
                    .started_at
                    .is_some_and(|started| started >= *stands_since + SETTLES);
                if later && quarantine.commit != refused.revision {
                    chosen.users.push((*user, refused.clone()));
                }
            }
            Some((_, None)) => {}
            None if lifted(user, refused) => {}
            None if quarantined < MOST.max(users / 100) => {
                quarantined += 1;
                chosen.users.push((*user, refused.clone()));
            }
            None => chosen.held_back += 1,
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use coditect_core::Shard;

    use super::*;
    use crate::{
        seen::{ApplicationSeen, Failure, OperationSeen},
        world::{Step, World},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    /// What an Application says in which the objects of these users were refused for good.
    fn refused(users: &[UserId], revision: &str, second: i64) -> Vec<(UserId, Refused)> {
        let failure = Failure {
            object: "Service s".to_owned(),
            message: "is invalid".to_owned(),
        };
        let mut world = World::default();
        world.on_application(Step::Put(
            Shard::new(0).unwrap(),
            ApplicationSeen {
                operation: Some(OperationSeen {
                    revision: revision.to_owned(),
                    started_at: Some(at(second)),
                    attempts: 5,
                    ended: true,
                    over: true,
                    failures: users.iter().map(|user| (*user, failure.clone())).collect(),
                }),
                ..ApplicationSeen::default()
            },
        ));
        world
            .refused()
            .map(|(user, refused)| (user, refused.clone()))
            .collect()
    }

    /// Who is chosen while nobody is quarantined or ever was.
    fn chosen(refused: &[(UserId, Refused)], users: usize) -> Chosen {
        choose(refused, &BTreeMap::new(), &Put::new(), users, at(0))
    }

    #[test]
    fn what_the_renderer_lifts_is_not_put_again_for_the_same_commit() {
        let user = UserId::random();
        let put = Put::from([(user, ("c1".to_owned(), at(0)))]);
        let count = |revision, second| {
            let refused = refused(&[user], revision, 0);
            let chosen = choose(&refused, &BTreeMap::new(), &put, 100, at(second));
            (chosen.users.len(), chosen.held_back)
        };
        assert_eq!(count("c1", 2), (0, 0), "Argo CD has not tried the new file");
        assert_eq!(
            count("c2", 2),
            (1, 0),
            "it has, and that is refused as well"
        );
        assert_eq!(
            count("c1", 300),
            (1, 0),
            "it still stands: something else is wrong"
        );
    }

    #[test]
    fn a_bad_release_is_not_one_bad_user() {
        let users: Vec<UserId> = (0..20).map(|_| UserId::random()).collect();
        let few = chosen(&refused(&users[..3], "c1", 0), 100);
        assert_eq!((few.users.len(), few.held_back), (3, 0));
        let many = chosen(&refused(&users, "c1", 0), 100);
        assert_eq!((many.users.len(), many.held_back), (3, 17));
        let large = chosen(&refused(&users, "c1", 0), 5_000);
        assert_eq!((large.users.len(), large.held_back), (20, 0));
    }

    #[test]
    fn what_stands_counts_only_once_it_was_tried() {
        let user = UserId::random();
        let quarantine = |stands: bool| Quarantine {
            generation: 1,
            commit: "c1".to_owned(),
            reason: Reason::new(Cause::Admission, "no"),
            at: at(0),
            refused: stands.then(|| "blob".to_owned()),
            stands: None,
        };
        let count = |quarantine: &Quarantine, since, revision, second| {
            let known = BTreeMap::from([(user, (quarantine.clone(), since))]);
            choose(
                &refused(&[user], revision, second),
                &known,
                &Put::new(),
                100,
                at(second),
            )
            .users
            .len()
        };
        assert_eq!(
            count(&quarantine(false), None, "c1", 500),
            0,
            "the renderer has not looked yet"
        );
        let open = quarantine(true);
        assert_eq!(
            count(&open, Some(at(10)), "c2", 20),
            0,
            "a commit from before may still be applied"
        );
        assert_eq!(
            count(&open, Some(at(10)), "c1", 500),
            0,
            "the same commit again"
        );
        assert_eq!(count(&open, Some(at(10)), "c2", 500), 1);
    }
}
